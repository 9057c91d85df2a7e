//! Values as YAML and JSON files spell them.

use pq_tests::Chance;
use serde_json::{Value, json};

use super::{Kind, Name, template};

/// A value in YAML.
#[derive(Clone)]
pub enum Yaml {
    /// One that fits on a line, also in flow form.
    Line(String),
    /// A block scalar: `|-`, and its lines.
    Block(&'static str, Vec<&'static str>),
    List(Vec<Yaml>),
    Map(Vec<(String, Yaml)>),
}

const TEXTS: &[&str] = &[
    "abc",
    "a b c",
    "'it''s'",
    "\"tab\\there \\u00e9 \\x41\"",
    "'5'",
    "\"yes\"",
    "''",
    "été",
    "10.77.0.1",
    "1.2.3",
    "10.0.0.0/24",
    "/srv/www",
    "a-b_c",
    "'a: b'",
    "'# no comment'",
    "a#b",
    "a:b",
    "!!str 5",
    "!!str yes",
    "y",
    "n",
    "none",
    "'{curly}'",
    "'100%'",
    "'  padded '",
    "1e3",
    "0o17",
    "089",
    "1:99",
    "\"two\\nlines\"",
    "\"folded\\\n                        on\"",
    "'~'",
    "http://x.example/?a=b",
    "~user",
    "'null'",
    "!unsafe abc",
    "-.5",
    "1_000x",
    "'日本'",
    "\"\\U0001F600\"",
    "-",
    "'@at'",
    "\"\\\\back\"",
];
const NUMBERS: &[&str] = &[
    "0",
    "7",
    "-3",
    "+12",
    "0644",
    "0x1F",
    "0b101",
    "1_000",
    "22:30",
    "1:1:1",
    "42",
    "!!int \"7\"",
    "00",
    "-0x1_F",
    "190",
];
const FLAGS: &[&str] =
    &["yes", "No", "on", "OFF", "true", "False", "TRUE", "Yes", "off", "!!bool \"yes\"", "ON"];
const OTHERS: &[&str] = &[
    "1.5",
    "1.",
    ".5",
    "1.0e+3",
    "1.5E-3",
    "1.e+3",
    "1_0.2_5",
    "22.10",
    "1:30.5",
    "-2.75",
    "~",
    "null",
    "Null",
    "",
    "!unsafe '{{ x0 }} {% raw'",
    "!!float 3",
    "!!null ''",
    "-22:30",
    "{}",
    "[]",
    "[1, two, [3.5, yes]]",
    "{a: 1, 'b c': [x], 3: y}",
    "[{a: ~}, 0644]",
    "{true: on}",
    "18446744073709551615",
    "-9223372036854775808",
    "[a, b,]",
    "{a: , b: 1}",
    "{a, b: c}",
    "!!seq [1]",
    "!!map {a: 1}",
    "\"{# no comment\"",
];
const BLOCKS: &[&[&str]] = &[
    &["one line"],
    &["two", "lines"],
    &["a paragraph", "goes on", "", "and another"],
    &["list:", "  - kept as it is", "# no comment"],
    &["text", "", "", "with gaps", ""],
    &["  indented", "less"],
];

fn quoted(text: &str, chance: &mut Chance) -> Yaml {
    match chance.below(3) {
        0 if !text.starts_with(['{', ' ']) && !text.contains(" #") && !text.contains(": ") => {
            // Plain, but safe in flow form only without its signs.
            match text.contains(['{', '[', ',', ']', '}']) {
                true => Yaml::Line(format!("'{}'", text.replace('\'', "''"))),
                false => Yaml::Line(text.to_owned()),
            }
        }
        1 => Yaml::Line(format!("'{}'", text.replace('\'', "''"))),
        _ => Yaml::Line(format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))),
    }
}

fn line(table: &[&str], chance: &mut Chance) -> Yaml {
    Yaml::Line((*chance.pick(table)).to_owned())
}

/// A value for a variable.
pub fn yaml(name: Name, chance: &mut Chance) -> Yaml {
    if name.rank > 0 && !chance.one_in(3) {
        return quoted(&template::draw(name.kind, name.rank, chance), chance);
    }
    match name.kind {
        Kind::Text => match chance.one_in(4) {
            true => {
                let header = *chance.pick(&["|", "|-", "|+", ">", ">-", ">+", "|2", ">2-"]);
                let lines = chance.pick(BLOCKS).to_vec();
                // Without a number, the first line says how far the block is indented.
                match lines[0].starts_with(' ') && !header.contains('2') {
                    true => Yaml::Block("|2", lines),
                    false => Yaml::Block(header, lines),
                }
            }
            false => line(TEXTS, chance),
        },
        Kind::Number => line(NUMBERS, chance),
        Kind::Flag => line(FLAGS, chance),
        Kind::List => {
            let count = chance.below(5);
            Yaml::List((0..count).map(|_| element(name.rank, chance)).collect())
        }
        Kind::Map => {
            let mut keys = vec!["a", "b", "c", "d", "key with spaces", "é"];
            chance.shuffle(&mut keys);
            keys.truncate(chance.below(5));
            let entry = |key: &str| {
                let inner = match chance.below(6) {
                    0 => Yaml::List(vec![element(name.rank, chance), Yaml::Line("b".to_owned())]),
                    1 => Yaml::Map(vec![("a".to_owned(), element(name.rank, chance))]),
                    2 => Yaml::Line((*chance.pick(NUMBERS)).to_owned()),
                    _ => element(name.rank, chance),
                };
                (key.to_owned(), inner)
            };
            Yaml::Map(keys.into_iter().map(entry).collect())
        }
        Kind::Any => {
            let kind = *chance.pick(&Kind::ALL);
            match kind {
                Kind::Any => line(OTHERS, chance),
                kind if chance.one_in(3) => yaml(Name { kind, rank: name.rank }, chance),
                _ => line(OTHERS, chance),
            }
        }
    }
}

/// A text in a list.
fn element(rank: usize, chance: &mut Chance) -> Yaml {
    match rank > 0 && chance.one_in(3) {
        true => quoted(&template::inner(rank, chance), chance),
        false => {
            Yaml::Line((*chance.pick(&["a", "b", "zeta", "'5'", "\"two words\"", "été", "B"])).to_owned())
        }
    }
}

/// A value for a variable, in JSON.
pub fn json(name: Name, chance: &mut Chance) -> Value {
    if name.rank > 0 && chance.one_in(2) {
        return Value::from(template::draw(name.kind, name.rank, chance));
    }
    let text = |chance: &mut Chance| {
        Value::from(*chance.pick(&[
            "abc",
            "5",
            "yes",
            "",
            "it's \"said\"",
            "é\n\t",
            "0644",
            "a: b # c",
            "1e3",
        ]))
    };
    match name.kind {
        Kind::Text => text(chance),
        Kind::Number => Value::from(*chance.pick(&[0, 7, -3, 1000, 644])),
        Kind::Flag => Value::from(chance.one_in(2)),
        Kind::List => (0..chance.below(4)).map(|_| text(chance)).collect(),
        Kind::Map => json!({ "a": text(chance), "c": [text(chance)], "d": { "a": chance.below(9) } }),
        Kind::Any => chance
            .pick(&[
                json!(null),
                json!(1.5),
                json!(1e3),
                json!([1, [true, null]]),
                json!({ "1": "a" }),
                json!(1e-7),
            ])
            .clone(),
    }
}
