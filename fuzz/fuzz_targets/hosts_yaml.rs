//! A hosts file in YAML form.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| pq_inventory::fuzzing::hosts_yaml(text));
