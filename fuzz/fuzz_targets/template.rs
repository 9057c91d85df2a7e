//! A template with secrets in its context. What it gives may depend on a secret's place, never on its token's text:
//! under another name the same comes out.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pq_template::{Context, Templates, from_json};
use serde_json::json;

const NAMES: [&str; 2] = ["first_secret", "a_longer_and_second_one"];

static CONTEXTS: LazyLock<[Context; 2]> = LazyLock::new(|| NAMES.map(context));

fn context(secret: &str) -> Context {
    let token = format!("@secret{{{secret}}}");
    Context::new(from_json(&json!({
        "pw": token, "dsn": format!("mysql://wiki:{token}@localhost"),
        "users": [{ "name": "ann", "p": token }, { "name": "bob", "p": "in clear" }],
        "smtp": { "host": "mail.test", "password": token },
        "title": "L'été", "port": 8080, "tls": true, "list": ["b", "a", "b"], "nothing": null,
    })))
    .scope("demo/wiki")
}

fuzz_target!(|source: &str| {
    if NAMES.iter().any(|name| source.contains(&name[..5])) {
        return;
    }
    let templates = Templates::new();
    let [first, second] = CONTEXTS.each_ref().map(|context| {
        let value = templates.evaluate("t", source, context).map(|value| value.to_string());
        let text = templates.render_text("t", source, context);
        [value, text].map(|result| {
            result.map_err(|error| assert!(error.line > 0 && error.column > 0, "no place: {error}")).ok()
        })
    });
    let renamed = first.map(|result| result.map(|text| text.replace(NAMES[0], NAMES[1])));
    assert_eq!(renamed, second, "the name of a secret decided something");
});
