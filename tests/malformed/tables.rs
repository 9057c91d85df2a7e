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
    ("a version of YAML that there is not", "%YAML 7.0\n---\na: 1"),
    ("a version of YAML that is a word", "%YAML x\n---\na: 1"),
    ("the version of YAML twice", "%YAML 1.1\n%YAML 1.1\n---\na: 1"),
    ("a directive and no document", "%FOO\n"),
    ("a key twice", "a: 1\na: 2"),
    ("a key twice, once in quotes", "a: 1\n\"a\": 2"),
    ("a key twice in a map on a line", "x: {a: 1, a: 2}"),
    ("a number twice as a key", "x: {1: a, 01: b}"),
    ("a key twice in JSON", "{\"a\": 1, \"a\": 2}"),
    ("a number that is none", "a: .nan"),
    ("a number without end", "a: -.inf"),
    ("a number of JSON without end", "{\"a\": 1e999}"),
    ("a number of 30 digits", "a: 999999999999999999999999999999"),
    ("a number below all", "a: -9223372036854775809"),
    ("bytes", "a: !!binary \"%%%\""),
    ("a set", "a: !!set {x}"),
    ("an ordered map", "a: !!omap [x: 1]"),
    ("a number that is a word", "a: !!int x"),
    ("a boolean that is a word", "a: !!bool x"),
    ("a map that is a text", "a: !!map x"),
    ("a list that is a map", "a: !!seq {}"),
    ("a text that is a map", "a: !!str {}"),
    ("a vault that is a map", "a: !vault {}"),
    ("a block with an indentation of x", "a: |9x\n b"),
    ("a block with an indentation of nothing", "a: |0\n b"),
    ("a text beside a block's sign", "a: | b\n c"),
    ("two anchors", "a: &x &y 1"),
    ("an alias with a text", "a: &x 1\nb: *x y"),
    ("two tags", "a: !!str !!str x"),
    ("a list's dash alone", "-"),
    ("a dash and then a key", "- a: 1\nb: 2"),
    ("an anchor without a name", "a: &"),
    ("an alias without a name", "a: *"),
    ("a control character", "a: \u{1}"),
    ("an escape sequence of terminals", "a: \u{1b}[31m"),
    ("a byte order mark in the middle", "a: 1\nb: \u{feff}x\n"),
    ("words behind the end", "a: 1\n... x"),
    ("a key of 2,000 letters without its colon's end", "a\nb: 1"),
    ("a map that merges itself", "a: &a\n  <<: *a\n"),
    ("a merge of a number", "a: {<<: 1}"),
    ("a merge of a list of texts", "a: {<<: [x]}"),
    ("a merge of nothing", "a: {<<: }"),
    ("JSON that is cut", "{\"a\": 1"),
    ("two values of JSON", "{\"a\": 1}{\"b\": 2}"),
    ("half a surrogate in JSON", "{\"a\": \"\\ud800\"}"),
    ("a character beyond all", "a: \"\\U00110000\""),
    ("a list of JSON", "[1]"),
    ("a text of JSON", "\"x\""),
    ("a file of INI", "[x]\na=1"),
    ("a page", "<html></html>"),
    ("a script", "#!/bin/sh\necho x"),
    ("a shell's variable", "a=1"),
    ("a file of TOML", "a = \"b\"\n"),
    ("conflicts of git", "<<<<<<< HEAD\na: 1\n=======\na: 2\n>>>>>>> x\n"),
    ("a secret's token", "a: \"@secret{x}\""),
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
    ("a group's name with a space", "[a b]\nc"),
    ("a host's name with a slash", "a/b"),
    ("a host's name that is an option", "-oProxyCommand=x"),
    ("a port of nothing", "web:0"),
    ("a backslash at the end", "a x=b\\"),
    ("a variable without a name", "a =b"),
    ("a group's variable without a name", "a\n[all:vars]\n=b"),
    ("a child with a variable", "[x:children]\ny z=1\n[y]\na"),
    ("a secret's token in hosts", "a x=@secret{y}"),
    ("a master key in hosts", "a master_key=abcdefghijklmnopqrstuvwxyz0123456789"),
    ("YAML: hosts are a list", "all:\n  hosts: [a, b]"),
    ("YAML: hosts are a number", "all:\n  hosts: 7"),
    ("YAML: children are a list", "all:\n  children: [web]"),
    ("YAML: children are a number", "all:\n  children: 1"),
    ("YAML: vars are a list", "all:\n  vars: [x]"),
    ("YAML: vars are a text", "all:\n  vars: x=1"),
    ("YAML: a group is a list", "all:\n- a"),
    ("YAML: a group is a text", "all:\n  children:\n    web: a"),
    ("YAML: a host is a text", "all:\n  hosts:\n    a: x"),
    ("YAML: a host is a list", "all:\n  hosts:\n    a: [x]"),
    ("YAML: a host is a number", "all:\n  hosts:\n    1:"),
    ("YAML: a host is a map", "all:\n  hosts:\n    {a: b}:"),
    ("YAML: a key of nobody", "all:\n  host:\n    a:"),
    ("YAML: a host below a group", "all:\n  a:\n    x: 1"),
    ("YAML: a huge range", "all:\n  hosts:\n    web[1:999999999]:"),
    ("YAML: a range that is open", "all:\n  hosts:\n    \"web[1:\":"),
    ("YAML: a port of nothing", "all:\n  hosts:\n    \"web:0\":"),
    ("YAML: a name that climbs", "all:\n  hosts:\n    ../x:"),
    ("YAML: a group's name that climbs", "all:\n  children:\n    ../x:"),
    ("YAML: a group's name with a space", "all:\n  children:\n    a b:"),
    ("YAML: a group in itself", "a:\n  children:\n    a:"),
    ("YAML: groups in each other", "a:\n  children:\n    b:\n      children:\n        a:"),
    ("YAML: a host twice", "all:\n  hosts:\n    a:\n    a:"),
    ("YAML: a token", "all:\n  vars:\n    x: '@secret{y}'"),
    ("YAML: a master key", "all:\n  vars:\n    master_key: abcdefghijklmnopqrstuvwxyz0123456789"),
    ("YAML: a list", "---\n- a"),
    ("YAML: a tab", "all:\n\thosts:"),
    ("YAML: 200 groups in each other", "{a: {children: {a: {children: {a: {children: {a: {children:"),
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
    ("a variable of a host that there is not", "\"{{ hostvars['nobody'].x }}\""),
    ("a circle through hostvars", "\"{{ hostvars['a'].instances }}\""),
    (
        "a text of a million letters, doubled by a loop",
        "\"{% set n = namespace(t='x') %}{% for x in range(60) %}{% set n.t = n.t ~ n.t %}{% endfor %}{{ n.t }}\"",
    ),
    ("a sum of a text and a number", "\"{{ 'a' + 1 }}\""),
    ("an index of a number", "\"{{ 1[0].x }}\""),
    ("a regular expression that is none", "\"{{ 'a' | regex_replace('(', 'b') }}\""),
    ("JSON that is none", "\"{{ '{' | from_json }}\""),
    ("a lookup of nobody", "\"{{ lookup('nobodys', 'x') }}\""),
    ("a lookup of a file outside", "\"{{ lookup('file', '/etc/passwd') }}\""),
    ("a lookup of a file that climbs", "\"{{ lookup('file', '../../etc/passwd') }}\""),
    ("a lookup that runs something", "\"{{ lookup('pipe', 'id') }}\""),
    ("a thousand brackets", "\"{{ ((((((((((((((((((((((((((((((((((((((((((((((((((1 }}\""),
    ("Python's insides", "\"{{ ''.__class__.__mro__ }}\""),
    ("a loop's else without an end", "\"{% for x in [] %}{% else %}\""),
    ("an assignment without a value", "\"{% set x %}\""),
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
    ("a master key in clear", "master_key: abcdefghijklmnopqrstuvwxyz0123456789"),
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
