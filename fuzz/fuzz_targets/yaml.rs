//! A file of variables, in clear and as the content of an age file.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| pq_inventory::fuzzing::yaml(text));
