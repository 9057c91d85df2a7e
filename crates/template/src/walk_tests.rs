//! Every filter and test, with a secret in each place: what comes out never depends on the token's text.

use pq_stream::{Piece, pieces};
use serde_json::{Value as Json, json};

use crate::{Context, Templates, filters, from_json, questions};

/// Secrets by themselves, in a list and in a map, and plain values.
pub(crate) fn context(name: &str) -> Context {
    let token = format!("@secret{{{name}}}");
    Context::new(from_json(&json!({
        "alone": token,
        "mixed": format!("a{token}b"),
        "listed": [token, "x"],
        "mapped": { "k": token, "l": [1] },
        "rows": [{ "k": token, "l": ["x"] }, { "k": "x", "l": [] }],
        "text": "x",
        "number": 2,
        "list": ["k", "x"],
        "map": { "k": "x", "x": "k" },
    })))
}

/// What a source gives, with the names of secrets made alike.
fn outcome(templates: &Templates, source: &str, name: &str) -> Result<Json, ()> {
    let value = templates.evaluate("t", source, &context(name)).map_err(|_| ())?;
    let text = value.to_string();
    whole(&text, source);
    let text = text.replace(&format!("@secret{{{name}"), "@secret{N");
    Ok(serde_json::from_str(&text).unwrap())
}

/// Tokens stand whole in what came out: nothing else in it is a piece of one.
fn whole(text: &str, source: &str) {
    let rest: String = pieces(text)
        .unwrap_or_else(|error| panic!("{source} → {text}: {}", error.cause))
        .into_iter()
        .filter_map(|piece| match piece {
            Piece::Text(text) => Some(text),
            Piece::Token(_) => None,
        })
        .collect();
    for part in ["@", "sec", "ret", "terc", "zz", "SEC", "RET", "ZZ"] {
        assert!(!rest.contains(part), "{source} → {text}");
    }
}

/// Asserts that each of the sources gives the same for both secrets, and how many give something at all.
pub(crate) fn same_for_every_secret(sources: &[String], least: usize) {
    let templates = Templates::new();
    let mut passed = 0;
    for source in sources {
        // One token sorts before `k` and `x`, and is short; the other sorts behind, and is long.
        let (a, b) = (outcome(&templates, source, "a"), outcome(&templates, source, "zzzzzzzzzzzzzzzz"));
        assert_eq!(a, b, "{source}");
        passed += usize::from(a.is_ok());
    }
    let all = sources.len();
    assert!(passed >= least, "the calls of the walk reach little: {passed} of {all} go through");
}

/// Calls with up to three arguments, one of which is a secret.
pub(crate) fn arguments() -> Vec<(String, Vec<String>)> {
    let secrets = ["alone", "mixed", "listed", "mapped", "rows"];
    let plain = ["text", "number", "list", "map"];
    let mut out: Vec<(String, Vec<String>)> = Vec::new();
    for secret in secrets {
        out.push((secret.to_owned(), Vec::new()));
        for other in plain {
            out.push((secret.to_owned(), vec![other.to_owned()]));
            out.push((other.to_owned(), vec![secret.to_owned()]));
            out.push((other.to_owned(), vec!["'k'".to_owned(), secret.to_owned()]));
            out.push((other.to_owned(), vec![secret.to_owned(), "'k'".to_owned()]));
            out.push((secret.to_owned(), vec!["'k'".to_owned(), other.to_owned()]));
        }
        out.push((secret.to_owned(), vec!["'k'".to_owned(), "'eq'".to_owned(), secret.to_owned()]));
        out.push((secret.to_owned(), vec![secret.to_owned()]));
    }
    out
}

#[test]
fn no_filter_and_no_test_depends_on_the_text_of_a_token() {
    let calls = arguments();
    let mut sources = Vec::new();
    for (first, rest) in &calls {
        let rest = if rest.is_empty() { String::new() } else { format!("({})", rest.join(", ")) };
        sources.extend(filters::names().into_iter().map(|name| format!("{{{{ {first} | {name}{rest} }}}}")));
        sources.extend(
            filters::names().into_iter().map(|name| format!("{{{{ {first} | map('{name}') | list }}}}")),
        );
        let tests = questions::names().into_iter().filter(|name| name.starts_with(char::is_alphabetic));
        sources.extend(tests.map(|name| format!("{{{{ {first} is {name}{rest} }}}}")));
    }
    sources.sort();
    sources.dedup();
    same_for_every_secret(&sources, 500);
}

#[test]
fn what_ansible_has_and_we_refuse_says_why() {
    let why = |source: &str| {
        let error = Templates::new().evaluate("t", source, &context("a")).unwrap_err();
        (error.cause, error.hint.unwrap_or_default())
    };
    let cases = [
        ("{{ list | random }}", "the filter `random` is not supported", "no chance"),
        ("{{ text | password_hash }}", "the filter `password_hash` is not supported", "`sha512crypt`"),
        ("{{ text | json_query('a') }}", "the filter `json_query` is not supported", "`selectattr`"),
        ("{{ text | from_yaml }}", "the filter `from_yaml` is not supported", "as YAML"),
        ("{{ text is exists }}", "the test `exists` is not supported", "no file"),
    ];
    for (source, cause, part) in cases {
        let (said, hint) = why(source);
        assert_eq!(said, cause, "{source}");
        assert!(hint.contains(part), "{source}: {hint}");
    }
    for (source, part) in [
        ("{{ 'a' | regex_replace('(?=a)', '') }}", "look-ahead"),
        ("{{ 'a' | regex_search('(a)\\1') }}", "backreferences"),
        ("{{ 'a' | regex_search('a*+') }}", "possessive"),
        ("{{ 'a' | hash('whirlpool') }}", "there is no hash `whirlpool`"),
        ("{{ list | product(repeat=40) | list }}", "more than 100000 items"),
    ] {
        assert!(why(source).0.contains(part), "{source}: {}", why(source).0);
    }
}

#[test]
fn a_backslash_in_an_expression_stands_for_itself_and_columns_are_the_sources() {
    let templates = Templates::new();
    let value = |source: &str| templates.evaluate("t", source, &context("a"));
    assert_eq!(value(r"{{ 'a\n' }}").unwrap(), json!(r"a\n"));
    assert_eq!(value(r"{{ 'it\'s' }}").unwrap(), json!(r"it\'s"));
    assert_eq!(value(r"{{ 'a\\' }}").unwrap(), json!(r"a\\"));
    assert_eq!(value(r"\d {# '\' #}{% raw %}{{ '\n' }}{% endraw %}").unwrap(), json!(r"\d {{ '\n' }}"));
    assert_eq!(value(r"{% if 'a\n' == 'a' %}{% endif %}{{ '\d' }}").unwrap(), json!(r"\d"));
    let error = value(r"{{ '\d' ~ nope }}").unwrap_err();
    assert_eq!((error.column, error.text.as_str()), (11, r"{{ '\d' ~ nope }}"));
}
