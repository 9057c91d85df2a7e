//! A pattern of hosts, asked of a fixed inventory.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| pq_inventory::fuzzing::pattern(text));
