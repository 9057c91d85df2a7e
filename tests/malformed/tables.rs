//! What is malformed, by the file it stands in: a sentence, and the text.

use crate::case::Case;

/// Every inventory that is refused.
pub fn refused() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, text) in HOSTS {
        cases.push(Case::with(*name, "hosts", *text, "inventory/hosts:"));
    }
    let places = ["group_vars/all.yml", "host_vars/a.yml", "group_vars/all/x.yml"];
    for path in places {
        for (name, text) in YAML {
            cases.push(Case::with(format!("{path}: {name}"), path, *text, &format!("inventory/{path}:")));
        }
        for (name, bytes) in BYTES {
            cases.push(Case::with(format!("{path}: {name}"), path, *bytes, &format!("inventory/{path}")));
        }
    }
    for (name, value) in TEMPLATES {
        let text = format!("os: debian-12\ninstances:\n- {{app: dokuwiki, id: wiki, domain: {value}}}\n");
        cases.push(Case::with(*name, "group_vars/all.yml", text, "inventory/group_vars/all.yml:3"));
    }
    for (name, text) in INSTANCES {
        cases.push(Case::with(*name, "group_vars/all.yml", *text, "inventory/group_vars/all.yml:"));
    }
    let file = "group_vars/all.yml";
    for (name, text) in [
        ("100,000 lists in each other on a line", format!("x: {}", "[".repeat(100_000))),
        ("100,000 maps in each other on a line", format!("x: {}", "{a: ".repeat(100_000))),
        ("100,000 lists in each other, by dashes", format!("x:\n {}1", "- ".repeat(100_000))),
        ("1,000 closed lists in each other", format!("x: {}{}", "[".repeat(1000), "]".repeat(1000))),
        ("a billion laughs", laughs()),
    ] {
        cases.push(Case::with(name, file, text, "inventory/group_vars/all.yml"));
    }
    cases.push(Case::with("17 MB", file, vec![b'#'; 17_000_000], file));
    cases.push(Case::with("10 MB on a line of hosts", "hosts", vec![b'['; 10_000_000], "inventory/hosts"));
    cases
}

fn laughs() -> String {
    let mut text = String::from("a0: &a0 [ha, ha]\n");
    for n in 1..40 {
        let below = vec![format!("*a{}", n - 1); 9].join(", ");
        text.push_str(&format!("a{n}: &a{n} [{below}]\n"));
    }
    text
}

/// Inventories that are odd, and right.
pub fn read() -> Vec<Case> {
    let vars = READ.iter().map(|(name, text)| Case::with(*name, "group_vars/all.yml", *text, ""));
    let hosts = READ_HOSTS.iter().map(|(name, text)| Case::with(*name, "hosts", *text, ""));
    vars.chain(hosts).collect()
}

/// Files of variables that are no map, or no YAML.
pub const YAML: &[(&str, &str)] = &[
    ("a tab before a key", "a:\n\tb: 1"),
    ("a list for a map", "- a\n- b"),
    ("a text for a map", "only words"),
    ("a number for a map", "42"),
    ("a list that is not closed", "a: [1, 2"),
    ("a map that is not closed", "a: {b: 1"),
    ("a quote that is not closed", "a: 'b"),
    ("a double quote that is not closed", "a: \"b"),
    ("an escape that there is none of", "a: \"\\q\""),
    ("an escape that is cut", "a: \"\\x4\""),
    ("an alias of nothing", "a: *b"),
    ("an anchor that holds itself", "a: &a [*a]"),
    ("a bracket too many", "a: [1]]"),
    ("a brace too many", "a: {b: 1}}"),
    ("a key inside a value", "a: b: c"),
    ("a key with less indentation", "a:\n    b: 1\n  c: 2"),
    ("a template without quotes", "a: {{ b }}"),
    ("a merge of a text", "a:\n  <<: b"),
    ("a merge of nothing known", "a:\n  <<: *b"),
    ("an at sign", "a: @b"),
    ("a backtick", "a: `b`"),
    ("a percent sign", "a: %b"),
    ("a tag of Python", "a: !!python/object:os.system x"),
    ("a tag of nobody", "a: !mine x"),
    ("a key that is a map", "? {a: 1}\n: 2"),
    ("a key that is a list", "? [a]\n: 2"),
    ("two documents", "a: 1\n---\nb: 2"),
    ("a tag handle of nobody", "a: !x!y 1"),
];

/// Bytes that are no text.
const BYTES: &[(&str, &[u8])] = &[
    ("a NUL", b"a: 1\nb: \0\n"),
    ("Latin-1", b"a: caf\xe9\n"),
    ("UTF-16, little end first", b"\xff\xfea\0:\0 \x001\0\n\0"),
    ("UTF-16, big end first", b"\xfe\xff\0a\0:\0 \x001\0\n"),
    ("a cut character", b"a: \xe2\x82"),
    ("an overlong character", b"a: \xc0\xaf\n"),
    ("half a surrogate", b"a: \xed\xa0\x80\n"),
    ("gzip", b"\x1f\x8b\x08\0\0\0\0\0\0\x03"),
    ("an executable", b"\x7fELF\x02\x01\x01\0"),
];

/// Files of hosts.
const HOSTS: &[(&str, &str)] = &[
    ("a group that is not closed", "[web\na"),
    ("a group without a name", "[]\na"),
    ("a group of an unknown kind", "[web:kin]\na"),
    ("a group that is no group's child", "[web:children]\nnobody"),
    ("a group that is its own child", "[web:children]\nweb\n[web]\na"),
    ("two groups that are each other's children", "[x:children]\ny\n[y:children]\nx"),
    ("a variable without a value", "[all:vars]\nx"),
    ("variables of a group that there is not", "[web:vars]\nx=1\n"),
    ("a range without an end", "web[1:"),
    ("a range without a start", "web[:]"),
    ("a huge range", "web[1:999999999]"),
    ("a range beyond numbers", "web[1:99999999999999999999999999]"),
    ("ranges that multiply", "web[1:9999][1:9999]"),
    ("a range in a range", "web[1:[2:3]]"),
    ("a range that goes back", "web[9:1]"),
    ("a range with a step of nothing", "web[1:9:0]"),
    ("a range of letters and numbers", "web[a:9]"),
    ("a range of uneven width", "web[001:99]"),
    ("a quote that is not closed", "a x='b"),
    ("a double quote that is not closed", "a x=\"b"),
    ("a host with a word that sets nothing", "a b c"),
    ("a port that is none", "a ansible_port=x"),
    ("a port that is too large", "a ansible_port=99999"),
    ("a name that climbs", "../../etc/passwd"),
    ("a group's name that climbs", "[../../etc]\na"),
];

/// Templates in a value that is read.
const TEMPLATES: &[(&str, &str)] = &[
    ("a template that is not closed", "\"{{ a\""),
    ("a block that is not closed", "\"{% if a %}\""),
    ("a comment that is not closed", "\"{# a\""),
    ("an empty template", "\"{{ }}\""),
    ("an unknown filter", "\"{{ 'a' | nobodys }}\""),
    ("an unknown test", "\"{{ 'a' is nobodys }}\""),
    ("an unknown function", "\"{{ nobodys() }}\""),
    ("an undefined variable", "\"{{ nobodys }}\""),
    ("an undefined attribute", "\"{{ os.nobody.a }}\""),
    ("a bracket that is not closed", "\"{{ (1 }}\""),
    ("a quote that is not closed", "\"{{ 'a }}\""),
    ("a division by nothing", "\"{{ 1 / 0 }}\""),
    ("a loop over a number", "\"{% for x in 1 %}{% endfor %}\""),
    ("a loop without an end", "\"{% for x in range(9999999999) %}{{ x }}{% endfor %}\""),
    ("loops in loops", "\"{% for x in range(99999) %}{% for y in range(99999) %}a{% endfor %}{% endfor %}\""),
    ("a text times a billion", "\"{{ 'a' * 1000000000 }}\""),
    ("a variable that reads itself", "\"{{ instances }}\""),
    ("an end without a start", "\"{% endif %}\""),
    ("an include", "\"{% include '/etc/passwd' %}\""),
    ("an import", "\"{% import 'x' as y %}\""),
    ("a macro that calls itself", "\"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}\""),
    ("a mandatory variable", "\"{{ nobodys | mandatory }}\""),
];

/// Instances that have another shape.
const INSTANCES: &[(&str, &str)] = &[
    ("instances are a text", "instances: wiki"),
    ("instances are a map", "instances: {wiki: 1}"),
    ("an instance is a text", "instances: [wiki]"),
    ("an instance is a list", "instances: [[wiki]]"),
    ("an instance is empty", "instances: [{}]"),
    ("an instance without an application", "instances: [{id: wiki}]"),
    ("an instance without an id", "instances: [{app: dokuwiki}]"),
    ("an id that climbs", "instances: [{app: dokuwiki, id: ../x}]"),
    ("an id with an upper letter", "instances: [{app: dokuwiki, id: Wiki}]"),
    ("an id that is a number", "instances: [{app: dokuwiki, id: 42}]"),
    ("an id that is too long", "instances: [{app: dokuwiki, id: abcdefghijabcdefghijabcdefghij}]"),
    ("an id twice", "instances: [{app: dokuwiki, id: wiki}, {app: dokuwiki, id: wiki}]"),
    ("a version without quotes", "instances: [{app: dokuwiki, id: wiki, version: 22.10}]"),
    ("an application that is a list", "instances: [{app: [a], id: wiki}]"),
];

/// Files of variables that are odd, and right.
const READ: &[(&str, &str)] = &[
    ("nothing", ""),
    ("a comment", "# nothing"),
    ("an empty document", "---\n"),
    ("an end of a document", "---\n...\n"),
    ("null", "null"),
    ("an empty map", "{}"),
    ("lines of Windows", "a: 1\r\nb: 2\r\n"),
    ("a byte order mark", "\u{feff}a: 1\n"),
    ("no newline at the end", "a: 1"),
    ("a dash in a text that goes on", "a: b\n  - c"),
    ("JSON", "{\"a\": [1, {\"b\": null}]}"),
    ("letters of everywhere", "a: \"é 日本 🐦\"\n"),
    ("a template that nothing reads", "a: \"{{ nobodys }}\"\n"),
];

/// Files of hosts that are odd, and right.
const READ_HOSTS: &[(&str, &str)] = &[
    ("an empty group", "a\n[web]\n"),
    ("lines of Windows in hosts", "a\r\n[web]\r\na\r\n"),
    ("comments in hosts", "# one\na # two\n; three\n"),
    ("a host in two groups", "[x]\na\n[y]\na\n"),
];
