//! The JSON Schemas of the files of a recipe, for editors.
//!
//! They are made from the types that read these files, and say less than these do: what a text is a template of, and what must hold
//! between two keys, `pq-instance lint` says.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use crate::app::Recipe;
use crate::{Node, Pin};

impl JsonSchema for Node {
    fn schema_name() -> Cow<'static, str> {
        "Value".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "A value; its texts may be templates" })
    }
}

/// A step: spelt as on the stream, its texts templates.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "its shape alone is wanted: steps are read by `StepTemplate`")]
pub(crate) struct Step {
    /// Its name below the owner.
    id: String,
    /// What it is, for people.
    title: String,
    /// The step type.
    r#do: String,
    /// It comes before the package transaction.
    #[serde(default)]
    #[schemars(with = "String", extend("const" = "packages"))]
    before: Option<String>,
    /// It comes behind all steps without a mark, when the files of every owner are in place.
    #[serde(default)]
    #[schemars(with = "String", extend("const" = "files"))]
    after: Option<String>,
    /// The transaction that does it, by its id below the owner; that one stands further down.
    #[serde(default)]
    #[schemars(with = "String")]
    r#in: Option<String>,
    /// The file beside the recipe whose rendered text becomes the step's `content`.
    #[serde(default)]
    #[schemars(with = "String")]
    template: Option<String>,
    /// A condition without braces; the step is left out where it does not hold.
    #[serde(default)]
    #[schemars(with = "String")]
    when: Option<String>,
    /// A list, or a template that gives one; the step is written once for each `item`.
    #[serde(default)]
    each: Option<Node>,
    /// It takes something away from who could use it, so that it may be wished to be reported only.
    #[serde(default)]
    #[schemars(extend("const" = true))]
    hardening: bool,
}

/// A step type, as an editor may know it.
#[derive(Debug, Clone)]
pub struct StepKind {
    /// Its name, as `do` has it.
    pub name: String,
    /// What it is for, in one line.
    pub about: String,
    /// Its fields, each with what it is.
    pub fields: BTreeMap<String, String>,
}

/// The JSON Schemas of a recipe's files, whose steps are of these types: of `recipe.yml`, and of `pins.yml`.
pub fn schemas(kinds: &[StepKind]) -> [Value; 2] {
    let whole = |title: &str, schema: Schema| {
        let mut value = schema.to_value();
        value["title"] = json!(title);
        value
    };
    let recipe = SchemaGenerator::default().into_root_schema_for::<Recipe>();
    let mut recipe = whole("recipe.yml of an application", recipe);
    of_kinds(&mut recipe["$defs"]["Step"], kinds);
    let pins = SchemaGenerator::default().into_root_schema_for::<BTreeMap<String, Pin>>();
    [recipe, whole("pins.yml of an application", pins)]
}

/// Adds what a step has by its type: its own keys, and no others.
fn of_kinds(step: &mut Value, kinds: &[StepKind]) {
    let own: Vec<String> =
        step["properties"].as_object().into_iter().flatten().map(|it| it.0.clone()).collect();
    let names: Vec<Value> =
        kinds.iter().map(|kind| json!({ "const": kind.name, "description": kind.about })).collect();
    step["properties"]["do"]["oneOf"] = names.into();
    let one = |kind: &StepKind| {
        let fields = kind.fields.iter().map(|(name, about)| (name.clone(), json!({ "description": about })));
        let keys: Map<String, Value> =
            own.iter().map(|name| (name.clone(), Value::from(true))).chain(fields).collect();
        json!({
            "if": { "properties": { "do": { "const": kind.name } } },
            "then": { "properties": keys, "additionalProperties": false },
        })
    };
    step["allOf"] = kinds.iter().map(one).collect();
}
