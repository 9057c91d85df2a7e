//! The words of a line of hosts, and the ranges in them.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| pq_inventory::fuzzing::host_line(text));
