//! A hosts file in INI form.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| pq_inventory::fuzzing::hosts_ini(text));
