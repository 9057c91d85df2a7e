//! The JSON Schemas of the files of a recipe, with the fields of every step type.

use pq_recipes::StepKind;
use pq_steps::AnyStep;
use schemars::schema_for;
use serde_json::Value;

/// The JSON Schemas of a recipe's files: of `recipe.yml`, and of `pins.yml`.
pub fn recipe_schemas() -> [Value; 2] {
    let any = schema_for!(AnyStep).to_value();
    let all: Vec<&Value> = any["oneOf"].as_array().into_iter().flatten().collect();
    let kinds = AnyStep::KINDS.iter().map(|(name, about)| {
        let is = |step: &&&Value| step["properties"]["do"]["const"] == *name;
        let properties = all.iter().find(is).and_then(|step| step["properties"].as_object());
        let about_of = |field: &Value| field["description"].as_str().unwrap_or_default().to_owned();
        let fields = properties.into_iter().flatten().filter(|(key, _)| *key != "do");
        StepKind {
            name: (*name).to_owned(),
            about: (*about).to_owned(),
            fields: fields.map(|(key, field)| (key.clone(), about_of(field))).collect(),
        }
    });
    pq_recipes::schemas(&kinds.collect::<Vec<_>>())
}
