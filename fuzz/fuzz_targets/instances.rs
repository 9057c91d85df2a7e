//! The variable `instances`, as YAML has it.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| pq_inventory::fuzzing::instances(text));
