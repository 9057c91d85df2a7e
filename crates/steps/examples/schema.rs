//! Writes the JSON Schema of one line of the stream: `make schema`.

use pq_steps::AnyStep;
use pq_stream::Record;
use serde_json::{Value, json};

fn main() -> Result<(), serde_json::Error> {
    let mut schema = serde_json::to_value(schemars::schema_for!(Record))?;
    let mut steps = serde_json::to_value(schemars::schema_for!(AnyStep))?;
    schema["title"] = json!("One line of paquerette's stream");
    // A step record has the fields of its type beside its own.
    if let Some(definitions) = steps.get_mut("$defs").map(Value::take).as_ref().and_then(Value::as_object) {
        for (name, definition) in definitions {
            schema["$defs"][name] = definition.clone();
        }
    }
    schema["$defs"]["AnyStep"] = json!({ "description": steps["description"], "oneOf": steps["oneOf"] });
    let step = schema["$defs"]["Step"].clone();
    schema["$defs"]["Step"] = json!({ "allOf": [step, { "$ref": "#/$defs/AnyStep" }] });
    println!("{}", serde_json::to_string_pretty(&schema)?);
    Ok(())
}
