//! What has no sensible end is an error that says what is too much of it, soon and on a small stack.
//!
//! Measured in a release build, each of these (and larger ones: a hundred thousand terms, ten times the items) ends in
//! less than half a second and 40 MB.

use std::time::Instant;

use serde_json::{Value as Json, json};

use crate::{Context, Templates, from_json};

const WORK: &str = "the template takes too much work or makes too much text";
const LONG: &str = "a text would be longer than 8 MiB";
const DEEP: &str = "levels deep";
const PARTS: &str = "an expression has more than 10000 parts";
const WIDE: &str = "is at most 1000000";

/// What a source gives, in a thread with a small stack, which an overflow would end with the whole process.
fn value(source: &str) -> Result<Json, String> {
    let source = source.to_owned();
    let run = move || {
        let context = Context::new(from_json(&json!({ "one": 1, "list": ["b", "a"] })));
        Templates::new().evaluate("t", &source, &context).map_err(|error| error.cause)
    };
    std::thread::Builder::new().stack_size(1 << 20).spawn(run).unwrap().join().unwrap()
}

/// A value that a loop makes of itself again and again, and what is done with it.
fn grown(first: &str, next: &str, times: usize, then: &str) -> String {
    format!(
        "{{% set ns = namespace(a={first}) %}}{{% for i in range({times}) %}}{{% set ns.a = {next} %}}{{% endfor %}}{{{{ {then} }}}}"
    )
}

fn refused(cases: &[(String, &str)]) {
    for (source, cause) in cases {
        let begun = Instant::now();
        let said = value(source).map(|it| it.to_string().chars().take(80).collect::<String>());
        let shown: String = source.chars().take(100).collect();
        assert!(said.as_ref().is_err_and(|said| said.contains(cause)), "{shown} → {said:?}");
        let taken = begun.elapsed();
        assert!(taken.as_secs() < 20, "{shown} took {taken:?}");
    }
}

fn of(cases: &[(&str, &'static str)]) -> Vec<(String, &'static str)> {
    cases.iter().map(|(source, cause)| ((*source).to_owned(), *cause)).collect()
}

#[test]
fn an_expression_may_be_long_and_not_without_end() {
    let chain = |of: &str, by: &str, times| format!("{{{{ {} }}}}", vec![of; times].join(by));
    assert_eq!(value(&chain("1", "+", 5000)), Ok(json!(5000)));
    assert_eq!(value(&chain("one", "+", 1500)), Ok(json!(1500)));
    assert_eq!(value(&format!("{{{{ one{} }}}}", " | string".repeat(900))), Ok(json!("1")));
    assert_eq!(value(&format!("{{{{ [{}] | length }}}}", "one, ".repeat(20_000))), Ok(json!(20_000)));
    assert_eq!(value(&format!("{{% if 0 %}}{}{{% endif %}}", "{% elif 0 %}".repeat(900))), Ok(json!(null)));
    refused(&[
        (chain("1", "+", 10_000), PARTS),
        (chain("one", " ~ ", 100_000), PARTS),
        (chain("one", " and ", 10_000), PARTS),
        (chain("one", "**", 10_000), PARTS),
        (format!("{{{{ {}one }}}}", "not ".repeat(10_001)), PARTS),
        (format!("{{{{ {}2 }}}}", "1 if one else ".repeat(10_000)), PARTS),
        (format!("{{{{ one{} }}}}", " | string".repeat(10_000)), PARTS),
        (format!("{{{{ one{} }}}}", " | default((1), [2], {3: 4})".repeat(10_000)), PARTS),
        (format!("{{{{ one{} }}}}", ".a".repeat(10_000)), PARTS),
        (format!("{{{{ one{} }}}}", "[0]".repeat(20_000)), "undefined"),
        (format!("{{{{ {}1{} }}}}", "(".repeat(10_000), ")".repeat(10_000)), "recursion limit"),
        (format!("{{{{ {}{} }}}}", "[".repeat(10_000), "]".repeat(10_000)), "recursion limit"),
        (format!("{{{{ {}1{} }}}}", "{1: ".repeat(4000), "}".repeat(4000)), "recursion limit"),
        (format!("{{{{ [{}] }}}}", "1,".repeat(100_001)), "more than 100000 commas"),
        (format!("{{% if 0 %}}{}{{% endif %}}", "{% elif 0 %}".repeat(1001)), "more than 1000 `elif`"),
        (format!("{}{}", "{% if 1 %}".repeat(10_000), "{% endif %}".repeat(10_000)), "recursion limit"),
    ]);
}

#[test]
fn a_loop_and_a_macro_have_an_end() {
    refused(&of(&[
        ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", WORK),
        ("{{ range(10 ** 9) }}", "range has too many elements"),
        ("{{ 5 in range(10 ** 9) }}", "range has too many elements"),
        ("{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(1) }}", "recursion limit"),
        (
            "{% macro m(n) %}{% if n < 60 %}{{ m(n + 1) }}{{ m(n + 1) }}{% endif %}{% endmacro %}{{ m(1) }}",
            WORK,
        ),
        ("{% set r = range(99999) %}{% for i in r %}{% if r[i] %}{% endif %}{% endfor %}", WORK),
        ("{% set r = range(99999) %}{% for i in r %}{% if r | last %}{% endif %}{% endfor %}", WORK),
        ("{{ 2 ** 10 ** 10 }}", ""),
    ]));
}

#[test]
fn a_text_has_its_length_before_it_is_made() {
    refused(&of(&[
        ("{{ 'x' * 10 ** 9 }}", WORK),
        ("{{ ('y' * 10 ** 6).join(list * 10) }}", LONG),
        ("{{ (['x'] * 10000) | join('y' * 100000) | length }}", WORK),
        ("{{ ('x' * 10000) | replace('x', 'y' * 100000) }}", LONG),
        ("{{ 'x' | replace('', 'y' * 10 ** 7) }}", WORK),
        ("{{ ('x' * 10000).replace('', 'y' * 100000) }}", LONG),
        ("{{ '%1000000000d' | format(1) }}", WORK),
        ("{{ '%.1000000000f' | format(1.5) }}", WORK),
        ("{{ ('%s' * 100) | format(*(['y' * 10 ** 5] * 100)) }}", LONG),
        ("{{ ('%(a)s' * 100) | format(a='y' * 10 ** 5) }}", LONG),
        ("{{ ('{0}' * 100).format('y' * 10 ** 5) }}", LONG),
        ("{{ 'x' | center(10 ** 9) }}", WIDE),
        ("{{ 'x'.ljust(10 ** 9) }}", WIDE),
        ("{{ 'x'.zfill(10 ** 9) }}", WIDE),
        ("{{ 'x' | truncate(10 ** 9) }}", WIDE),
        ("{{ 'x' | indent(10 ** 9) }}", WIDE),
        ("{{ ('x\n' * 1000) | indent(10000) }}", LONG),
        ("{{ list | to_json(indent=10 ** 9) }}", "`indent` is at most 1000"),
        ("{{ ([1] * 10000) | to_json(indent=1000) }}", LONG),
        ("{{ list | to_nice_yaml(indent=10 ** 9) }}", WIDE),
        ("{{ ('x' * 10000) | wordwrap(1, wrapstring='y' * 1000) }}", LONG),
        ("{{ ('x\n' * 1000) | comment(decoration='y' * 10000) }}", LONG),
        ("{{ 'x' | comment(prefix_count=10 ** 9) }}", "`prefix_count` is a number up to 1000"),
        ("{{ {'a': '<' * 2 * 10 ** 6} | xmlattr }}", LONG),
        ("{{ ('1.' * 1000) is version('1', '<') }}", "a version has at most 1000 characters"),
        ("{{ ('a/' * 10000) | relpath('b') }}", "a path has at most 4096 characters"),
    ]));
    refused(&[
        (grown("'x'", "ns.a ~ ns.a", 60, "ns.a"), WORK),
        (grown("'x'", "ns.a + ns.a", 60, "ns.a"), WORK),
    ]);
    // What wraps takes time linear in the text.
    assert_eq!(value("{{ ('x' * 200000) | wordwrap(1) | length }}"), Ok(json!(399_999)));
}

#[test]
fn a_regular_expression_has_an_end() {
    refused(&of(&[
        ("{{ ('a' * 10 ** 6) | regex_replace('(a+)+$', 'b') }}", "the text is too long for such a pattern"),
        ("{{ ('a' * 10 ** 5) | regex_search('((a|b|ab){30}){30}z') }}", "the text is too long for such"),
        ("{{ ('a' * 10 ** 5) | regex_findall('a') }}", "it would take too much work"),
        ("{{ ('x' * 10 ** 5) | regex_findall('[a-z]*[0-9]|x') }}", "it would take too much work"),
        ("{{ 'aaa' | regex_replace('a', 'b' * 4 * 10 ** 6) }}", LONG),
        ("{{ 'a' | regex_search('((a{100}){100}){100}') }}", "the pattern is too large"),
    ]));
    assert_eq!(value("{{ ('a' * 10000) | regex_replace('(a+)+$', 'b') }}"), Ok(json!("b")));
    assert_eq!(value("{{ ('ab' * 300) | regex_findall('a(b)') | length }}"), Ok(json!(300)));
}

#[test]
fn a_list_and_a_map_have_an_end() {
    refused(&of(&[
        ("{{ [1] * 10 ** 9 }}", WORK),
        ("{{ [[0] * 10 ** 6] * 8 }}", WORK),
        ("{{ [1] | batch(10 ** 9, 'x') | list }}", WORK),
        ("{{ range(1000) | product(range(1000)) | list }}", "more than 100000 items"),
        ("{{ range(12) | permutations | list }}", "more than 100000 items"),
        ("{{ ('[' ~ '1,' * 200001 ~ '1]') | from_json }}", "more than 200000 values"),
        ("{{ ('[' * 1000 ~ ']' * 1000) | from_json }}", "recursion limit"),
    ]));
    refused(&[
        (grown("[1]", "ns.a + ns.a", 60, "ns.a | length"), WORK),
        (grown("[1]", "ns.a + [i]", 50_000, "ns.a"), WORK),
        (grown("[1, 2, 3]", "ns.a[0:]", 99_999, "ns.a"), WORK),
        (grown("[1]", "[ns.a, ns.a]", 60, "ns.a"), WORK),
        (grown("[1]", "[ns.a, ns.a]", 60, "ns.a == 1"), WORK),
        (grown("{}", "ns.a | combine({i: i})", 99_999, "ns.a"), WORK),
    ]);
    // Sets of texts and numbers are made in linear time.
    assert_eq!(value("{{ range(9000) | union(range(9000, 18000)) | length }}"), Ok(json!(18_000)));
    assert_eq!(value("{{ range(9000) | difference(range(8999)) }}"), Ok(json!([8999])));
    assert_eq!(value("{{ [{'a': 1, 'b': 2}] | intersect([{'b': 2, 'a': 1}]) | length }}"), Ok(json!(1)));
}

#[test]
fn what_is_written_in_a_loop_is_counted() {
    for filter in ["to_yaml", "to_nice_yaml", "to_json", "map('quote') | list"] {
        let source =
            format!("{{% for a in range(99999) %}}{{% if list | {filter} %}}{{% endif %}}{{% endfor %}}");
        refused(&[(source, WORK)]);
    }
    assert_eq!(value("{{ range(20000) | to_json | length }}"), Ok(json!(128_890)));
}

#[test]
fn a_long_text_that_is_read_in_a_loop_is_counted() {
    for look in [
        "b | hash",
        "b | length",
        "b | quote",
        "b | int",
        "b | first",
        "b | basename",
        "b is lower",
        "b == c",
        "b < c",
        "'z' in b",
        "b.find('z')",
        "b.startswith('z')",
        "b[5]",
        "b[5:6]",
        "b in [c, b]",
        "[b] == [c]",
    ] {
        let source = format!(
            "{{% set b = 'x' * 4000000 %}}{{% set c = 'x' * 4000000 %}}{{% for a in range(99999) %}}{{% if {look} %}}{{% endif %}}{{% endfor %}}"
        );
        refused(&[(source, WORK)]);
    }
    assert_eq!(value("{{ ('x' * 100000) | hash('md5') | length }}"), Ok(json!(32)));
}

#[test]
fn a_deep_value_is_refused_and_dropped() {
    refused(&[
        (grown("[1]", "[ns.a]", 5000, "ns.a"), DEEP),
        (grown("{}", "{'a': ns.a}", 99_999, "ns.a"), WORK),
        (grown("{}", "dict(a=ns.a)", 5000, "ns.a | to_json"), DEEP),
        (grown("[1]", "ns.a | zip | list", 5000, "ns.a"), DEEP),
        (grown("{}", "{'a': ns.a}", 5000, "ns.a | combine(ns.a, recursive=true)"), DEEP),
        (grown("{}", "{'a': ns.a}", 5000, "nope[ns.a] | upper"), "undefined"),
        (format!("{{% set x = [1] %}}{}{{{{ x }}}}", "{% set x = [x] %}".repeat(5000)), DEEP),
        ("{% set ns = namespace() %}{% set ns.a = [ns] %}{{ ns.a | to_json }}".to_owned(), DEEP),
    ]);
    assert_eq!(value(&grown("[1]", "[ns.a]", 5000, "ns.a | length")), Ok(json!(1)));
    let context = Context::new(from_json(&json!({})));
    let error = Templates::new().value("t", &grown("[1]", "[ns.a]", 5000, "ns.a"), &context);
    assert!(error.is_err_and(|error| error.cause.contains(DEEP)), "a value that is handed on is not deep");
}

#[test]
fn what_is_worked_out_of_constants_is_counted_before() {
    let many = |of: &str, times| format!("{{{{ {} }}}}", vec![of; times].join(" ~ "));
    refused(&[
        ("{{ [1] * 100000000 ~ 0 }}".to_owned(), WORK),
        ("{{ 'x' in [1] * 100000000 }}".to_owned(), WORK),
        ("{{ one if [1] * 10000 * (10 * 1000) == 10000 * (10 * 1000) * [1] }}".to_owned(), WORK),
        ("{% for a in [([2] * 99999999 + [3]) < [2] * 99999999] %}{% endfor %}".to_owned(), WORK),
        (many("([1] * 9000 ~ 0)", 200), WORK),
        ("{{ [1] * ([1] * 100000000 ~ 0) ~ 0 }}".to_owned(), WORK),
    ]);
    assert_eq!(value("{{ [1] * 3 ~ 0 }}"), Ok(json!("[1, 1, 1]0")));
    assert_eq!(value("{{ ([1] * 5000) | length + 2 * 1000 * 1000 }}"), Ok(json!(2_005_000)));
    assert_eq!(value("{{ 5 in [5] * 2000 }}"), Ok(json!(true)));
    assert_eq!(value("{{ one in [1] * 400000 }}"), Ok(json!(true)));
}
