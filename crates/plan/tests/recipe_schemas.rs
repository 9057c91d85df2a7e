//! What editors are told of a recipe's files is what the tools read.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

const TREE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// A JSON Schema, as far as ours go: a keyword that this does not know is a failure of the test. (The crates that know all of them
/// bring other features of the crates that everything here is made of, so that all would be compiled once more for the tests.)
struct Validator(Value);

impl Validator {
    /// What does not fit, each with its place.
    fn misfits(&self, value: &Value) -> Vec<String> {
        let mut found = Vec::new();
        self.look(&self.0, value, "", &mut found);
        found
    }

    fn fits(&self, schema: &Value, value: &Value) -> bool {
        let mut found = Vec::new();
        self.look(schema, value, "", &mut found);
        found.is_empty()
    }

    fn look(&self, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
        let Value::Object(schema) = schema else {
            assert_eq!(*schema, true, "{at}");
            return;
        };
        for (keyword, wanted) in schema {
            let many = || wanted.as_array().unwrap();
            let fitting = || many().iter().filter(|it| self.fits(it, value)).count();
            let holds = match keyword.as_str() {
                "$schema" | "$defs" | "title" | "description" | "default" | "format" | "then" => true,
                "$ref" => {
                    self.look(self.0.pointer(&wanted.as_str().unwrap()[1..]).unwrap(), value, at, found);
                    true
                }
                "type" => match wanted {
                    Value::Array(words) => words.iter().any(|word| is_of(value, word)),
                    word => is_of(value, word),
                },
                "const" => value == wanted,
                "enum" => many().contains(value),
                "minimum" => value.as_f64().is_none_or(|it| it >= wanted.as_f64().unwrap()),
                "maximum" => value.as_f64().is_none_or(|it| it <= wanted.as_f64().unwrap()),
                "anyOf" => fitting() > 0,
                "oneOf" => fitting() == 1,
                "allOf" => {
                    many().iter().for_each(|it| self.look(it, value, at, found));
                    true
                }
                "if" => {
                    if self.fits(wanted, value) {
                        self.look(&schema["then"], value, at, found);
                    }
                    true
                }
                "items" => {
                    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.look(wanted, item, &format!("{at}/{index}"), found);
                    }
                    true
                }
                "required" => value
                    .as_object()
                    .is_none_or(|it| many().iter().all(|key| it.contains_key(key.as_str().unwrap()))),
                "properties" => {
                    for (key, of_key) in wanted.as_object().unwrap() {
                        if let Some(inner) = value.get(key) {
                            self.look(of_key, inner, &format!("{at}/{key}"), found);
                        }
                    }
                    true
                }
                "additionalProperties" => {
                    let none = Map::new();
                    let known = schema.get("properties").map_or(&none, |it| it.as_object().unwrap());
                    let others =
                        value.as_object().into_iter().flatten().filter(|it| !known.contains_key(it.0));
                    for (key, inner) in others {
                        let at = format!("{at}/{key}");
                        match wanted {
                            Value::Bool(false) => found.push(format!("{at}: no such key")),
                            of_others => self.look(of_others, inner, &at, found),
                        }
                    }
                    true
                }
                other => panic!("{at}: this test does not know the keyword `{other}`"),
            };
            if !holds {
                found.push(format!("{at}: {value} does not fit `{keyword}`: {wanted}"));
            }
        }
    }
}

fn is_of(value: &Value, word: &Value) -> bool {
    match word.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("this test does not know the type `{other}`"),
    }
}

fn validators() -> [Validator; 2] {
    pq_plan::recipe_schemas().map(Validator)
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

/// The directories of applications, of the catalogue and of the tests.
fn applications() -> Vec<PathBuf> {
    let below = |path: &str| fs::read_dir(Path::new(TREE).join(path)).into_iter().flatten();
    let all = below("crates/recipes/catalogue/apps").chain(below("tests/recipes/apps"));
    all.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect()
}

#[test]
fn the_published_schemas_are_those_of_the_types() {
    for (name, schema) in ["recipe", "pins"].into_iter().zip(pq_plan::recipe_schemas()) {
        let path = format!("{TREE}/docs/{name}.schema.json");
        let published: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(published, schema, "{path}: run `make schema`");
    }
}

#[test]
fn every_recipe_fits_its_schema() {
    let [recipe, pins] = validators();
    let mut seen = 0;
    for directory in applications() {
        for (name, validator) in [("recipe.yml", &recipe), ("pins.yml", &pins)] {
            let path = directory.join(name);
            let Ok(text) = fs::read_to_string(&path) else { continue };
            // A file of comments alone pins nothing.
            let value = yaml(&text);
            let misfits = if value.is_null() { Vec::new() } else { validator.misfits(&value) };
            assert_eq!(misfits, Vec::<String>::new(), "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn what_the_tools_refuse_the_schema_refuses_too() {
    let [recipe, pins] = validators();
    let good = json!({
        "app": "wiki", "about": "A wiki", "web": { "kind": "static", "root": "." },
        "variables": { "title": { "type": "text", "default": "Wiki", "about": "Its name" } },
        "configure": [{ "id": "conf", "title": "settings", "do": "file", "path": "/etc/wiki", "template": "conf" }],
    });
    assert_eq!(recipe.misfits(&good), Vec::<String>::new());
    let slips: [(&str, &str, Value); 9] = [
        ("", "configur", json!([])),
        ("/web", "kind", json!("cgi")),
        ("/web", "deny", json!("/data/")),
        ("/variables/title", "type", json!("string")),
        ("/variables/title", "defualt", json!("x")),
        ("/configure/0", "do", json!("fiel")),
        ("/configure/0", "pth", json!("/etc/x")),
        ("/configure/0", "before", json!("package")),
        ("/configure/0", "title", json!(5)),
    ];
    for (at, key, value) in slips {
        let mut bad = good.clone();
        bad.pointer_mut(at).unwrap()[key] = value;
        assert!(!recipe.misfits(&bad).is_empty(), "{at}/{key}");
    }
    let digest = "0".repeat(64);
    assert_eq!(
        pins.misfits(&json!({ "1.0": { "url": "https://example.org/1.0.tar.gz", "sha256": digest } })),
        Vec::<String>::new()
    );
    assert!(
        !pins
            .misfits(&json!({ "1.0": { "url": "https://example.org/1.0.tar.gz", "sha265": digest } }))
            .is_empty()
    );
    assert!(
        !pins
            .misfits(&json!({ "1.0": { "url": "https://example.org/1.0.tar.gz", "strip": "one" } }))
            .is_empty()
    );
}
