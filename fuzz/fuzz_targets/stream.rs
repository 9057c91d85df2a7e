//! A stream: what was read is read again from what is written of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pq_stream::{Reader, Record};

fuzz_target!(|input: &[u8]| {
    let mut reader = Reader::new(input);
    while let Ok(Some((record, line))) = reader.next_record() {
        assert!(!line.contains('\n'), "a record of several lines");
        let written = serde_json::to_string(&record).expect("a record can be written");
        let again: Record = serde_json::from_str(&written).expect("what was written can be read");
        assert_eq!(record, again, "{written}");
    }
    let _ = reader.finish();
});
