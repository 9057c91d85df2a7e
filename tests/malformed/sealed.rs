//! Age files that hold the canary and are broken: as files, and in what they hold.

use std::path::Path;

use pq_secrets::Recipients;

use crate::case::{BARE, CANARY, Case};
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
    for (name, text) in AT_FAULT {
        let text = text.replace("CANARY", BARE);
        cases.push(Case::with(format!("sealed: {name}"), FILE, encrypt(&text, false), FILE));
    }
    for (name, bytes) in [("a NUL", "a: CANARY\0"), ("a control character", "a: CANARY\u{1}CANARY")] {
        let name = format!("sealed: {name} beside the secret");
        cases.push(Case::with(name, FILE, encrypt(&bytes.replace("CANARY", BARE), false), FILE));
    }
    let latin1 = [b"a: \xe9", BARE.as_bytes(), b"\n"].concat();
    cases.push(Case::with("sealed: Latin-1 beside the secret", FILE, encrypted(&latin1, false), FILE));
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
    encrypted(text.as_bytes(), armored)
}

fn encrypted(bytes: &[u8], armored: bool) -> Vec<u8> {
    let public = include_str!("../../crates/secrets/tests/ed25519.pub");
    Recipients::parse(public, Path::new("recipients")).unwrap().encrypt(bytes, armored).unwrap()
}

/// Texts in which the secret itself is what is wrong.
const AT_FAULT: &[(&str, &str)] = &[
    ("the secret alone", "CANARY"),
    ("the secret in a list", "- CANARY\n- CANARY"),
    ("the secret as a tag", "a: !CANARY x"),
    ("the secret as a tag of YAML's own", "a: !!CANARY x"),
    ("the secret as a tag's handle", "a: !CANARY!x y"),
    ("the secret as a tag's whole name", "a: !<CANARY> y"),
    ("the secret as an alias", "a: *CANARY"),
    ("the secret as an anchor, twice", "a: &CANARY &CANARY x"),
    ("the secret as an anchor that holds itself", "a: &CANARY [*CANARY]"),
    ("the secret as a directive", "%CANARY\n"),
    ("the secret as the version of YAML", "%YAML CANARY\n---\na: CANARY"),
    ("the secret as a key, twice", "CANARY: CANARY\nCANARY: CANARY"),
    ("the secret as a key in a map, twice", "a: {CANARY: abcdefg, CANARY: CANARY}"),
    ("the secret in an odd name", "'CANARY/x': abcdefg"),
    ("the secret in an odd name in a map", "a: {'CANARY/x': abcdefg}"),
    ("the secret as a key and no value's length", "CANARY: x"),
    ("the secret in a quote that is not closed", "a: 'CANARY"),
    ("the secret in a double quote that is not closed", "a: \"CANARY"),
    ("the secret in a list that is not closed", "a: [CANARY, CANARY"),
    ("the secret in a map that is not closed", "a: {b: CANARY"),
    ("the secret behind a bracket too many", "a: [CANARY]] CANARY"),
    ("the secret beside an escape", "a: \"CANARY\\qCANARY\""),
    ("the secret as an escape", "a: \"\\xZCANARY\""),
    ("the secret as an integer", "a: !!int CANARY"),
    ("the secret as a number", "a: !!float CANARY"),
    ("the secret as a boolean", "a: !!bool CANARY"),
    ("the secret as bytes", "a: !!binary CANARY"),
    ("the secret as a vault's text", "a: !vault CANARY"),
    ("the secret as a token", "a: '@secret{CANARY}'"),
    ("the secret as a token that does not end", "a: '@secret{CANARY'"),
    ("the secret as a token's sink", "a: '@secret{a|CANARY}'"),
    ("the secret merged", "<<: CANARY"),
    ("the secret merged as an alias", "<<: *CANARY"),
    ("the secret in a list that is merged", "a: abcdefg\n<<: [CANARY]"),
    ("the secret as a key inside a value", "a: CANARY: CANARY"),
    ("the secret behind a tab", "a:\n\tCANARY: CANARY"),
    ("the secret with less indentation", "a:\n    b: CANARY\n  CANARY: CANARY"),
    ("the secret beside a block's sign", "a: |CANARY\n b"),
    ("the secret in a second document", "a: CANARY\n---\nCANARY: CANARY"),
    ("the secret as a list's key", "? [CANARY]\n: CANARY"),
    ("the secret as a map's key", "? {CANARY: CANARY}\n: CANARY"),
    ("the secret in braces without quotes", "a: {{ CANARY }}"),
    ("the secret behind an at sign", "a: @CANARY"),
    ("the secret behind a percent sign", "a: %CANARY"),
    ("the secret behind a backtick", "a: `CANARY`"),
    ("the secret in broken JSON", "{\"a\": \"CANARY\", \"b\": CANARY: 1}"),
    ("the secret twice a key in JSON", "{\"CANARY\": \"abcdefg\", \"CANARY\": \"abcdefg\"}"),
    ("the secret as instances", "instances: CANARY"),
    ("the secret in instances", "instances: [{app: CANARY, id: CANARY}]"),
    ("the secret as an instance", "instances: [CANARY]"),
    ("the secret as the system", "os: CANARY"),
    ("the secret as a port", "ansible_port: CANARY"),
    ("the secret as an address", "ansible_host: CANARY"),
    ("the secret as a user", "ansible_user: CANARY"),
    ("the secret in a short key", "{master_key: CAN, CANARY: CANARY, CANARY: a}"),
];

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
