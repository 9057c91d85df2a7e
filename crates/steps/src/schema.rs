//! The JSON Schema of one line of the stream, for people who write their own filters.

use pq_stream::Record;
use serde_json::{Value, json};

use crate::AnyStep;

/// The JSON Schema of one line of the stream, with the fields of every step type.
///
/// # Errors
/// Where a type's schema is no JSON, which none is.
pub fn schema() -> Result<Value, serde_json::Error> {
    let mut schema = serde_json::to_value(schemars::schema_for!(Record))?;
    let steps = serde_json::to_value(schemars::schema_for!(AnyStep))?;
    schema["title"] = json!("One line of paquerette's stream");
    for (name, definition) in steps["$defs"].as_object().into_iter().flatten() {
        schema["$defs"][name] = definition.clone();
    }
    schema["$defs"]["AnyStep"] = json!({ "description": steps["description"], "oneOf": steps["oneOf"] });
    // A step record has the fields of its type beside its own.
    let step = schema["$defs"]["Step"].clone();
    schema["$defs"]["Step"] = json!({ "allOf": [step, { "$ref": "#/$defs/AnyStep" }] });
    Ok(schema)
}
