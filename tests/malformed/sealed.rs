//! Age files that hold the canary and are broken: as files, and in what they hold.

use std::path::Path;

use pq_secrets::Recipients;

use crate::case::{CANARY, Case};
use crate::tables;

const FILE: &str = "group_vars/all.yml.age";

/// Every one of them; all are errors that name the file.
pub fn refused() -> Vec<Case> {
    let secret = format!("password: '{CANARY}'\n");
    let mut cases = Vec::new();
    for armored in [false, true] {
        let kind = if armored { "armored" } else { "binary" };
        let whole = encrypt(&secret, armored);
        // Both ends closely, the middle by steps.
        let cuts = (1..whole.len()).filter(|at| *at < 12 || at + 12 > whole.len() || at % 23 == 0);
        for at in cuts.filter(|at| !armored || at + 2 <= whole.len()) {
            let name = format!("a {kind} age file ends after {at} bytes");
            cases.push(Case::with(name, FILE, &whole[..at], FILE));
        }
        for at in (0..whole.len()).step_by(17) {
            let mut changed = whole.clone();
            changed[at] ^= 0x15;
            let name = format!("byte {at} of a {kind} age file is another");
            cases.push(Case::with(name, FILE, changed, FILE));
        }
    }
    for (name, text) in tables::YAML {
        let text = format!("{secret}{text}\n");
        cases.push(Case::with(format!("sealed: {name}"), FILE, encrypt(&text, false), FILE));
    }
    for (name, value) in MISUSED {
        let plain = format!("os: debian-12\ninstances: [{{app: dokuwiki, id: wiki, domain: {value}}}]\n");
        let mut case = Case::with(*name, FILE, encrypt(&secret, false), "group_vars/all.yml:2");
        case.files.push(("group_vars/all.yml".to_owned(), plain.into_bytes()));
        cases.push(case);
    }
    cases
}

/// A text, encrypted to the identity of the cases.
pub fn encrypt(text: &str, armored: bool) -> Vec<u8> {
    let public = include_str!("../../crates/secrets/tests/ed25519.pub");
    Recipients::parse(public, Path::new("recipients")).unwrap().encrypt(text.as_bytes(), armored).unwrap()
}

/// Templates that take a secret for a text.
const MISUSED: &[(&str, &str)] = &[
    ("a secret is compared", "\"{{ password == 'x' }}\""),
    ("a secret is measured", "\"{{ password | length }}\""),
    ("a secret is cut", "\"{{ password[:3] }}\""),
    ("a secret is made upper case", "\"{{ password | upper }}\""),
    ("a secret is reversed", "\"{{ password | reverse }}\""),
    ("a secret is replaced in", "\"{{ password | replace('a', 'b') }}\""),
    ("a secret is hashed", "\"{{ password | hash('sha1') }}\""),
    ("a secret is a number", "\"{{ password | int }}\""),
    ("a secret is a truth", "\"{{ password | bool }}\""),
    ("a secret is split", "\"{{ password.split('/') }}\""),
    ("a secret is a condition", "\"{% if password == 'a' %}x{% endif %}\""),
    ("a secret is run over", "\"{% for c in password %}{{ c }}{% endfor %}\""),
    ("a secret is added to", "\"{{ password + 1 }}\""),
    ("a secret is searched", "\"{{ 'a' in password }}\""),
];
