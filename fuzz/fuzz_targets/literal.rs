//! A value: as Python's literal, as YAML's plain scalar, as JSON's.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| pq_inventory::fuzzing::literal(text));
