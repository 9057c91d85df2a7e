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

#[test]
fn no_step_type_has_a_field_of_the_record_that_it_stands_in() {
    let schema = pq_steps::schema().unwrap();
    let of_record = schema["$defs"]["Step"]["allOf"][0]["properties"].as_object().unwrap();
    let all = schema["$defs"]["AnyStep"]["oneOf"].as_array().unwrap();
    assert!(all.len() > 30);
    for step in all {
        let fields = step["properties"].as_object().unwrap();
        let twice: Vec<&String> =
            fields.keys().filter(|it| *it == "type" || *it != "do" && of_record.contains_key(*it)).collect();
        assert!(twice.is_empty(), "{}: {twice:?}", fields["do"]);
    }
}
