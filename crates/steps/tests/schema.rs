//! The published schema is that of the types.

use std::fs;

#[test]
fn the_published_schema_is_that_of_the_types() {
    let published = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/stream.schema.json");
    let published: serde_json::Value = serde_json::from_str(&fs::read_to_string(published).unwrap()).unwrap();
    assert_eq!(published, pq_steps::schema().unwrap(), "run `make schema`");
}

#[test]
fn every_step_type_is_in_the_schema() {
    let schema = pq_steps::schema().unwrap().to_string();
    for (kind, _) in pq_steps::AnyStep::KINDS {
        assert!(schema.contains(&format!("\"const\":\"{kind}\"")), "{kind}");
    }
}
