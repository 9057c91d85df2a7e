//! What templates give, and everything that they may not do with a secret.

use serde_json::json;

use crate::{Context, Templates, from_json};

fn context() -> Context {
    Context::new(from_json(&json!({
        "pw": "@secret{pw}",
        "dsn": "mysql://wiki:@secret{pw}@localhost/wiki",
        "title": "L'été",
        "port": 8080,
        "tls": true,
        "list": ["b", "a", "b"],
        "users": [
            { "name": "ann", "p": "@secret{users.ann}" },
            { "name": "bob", "p": "@secret{users.bob}" },
        ],
        "smtp": { "host": "mail.test", "password": "@secret{smtp.password}" },
    })))
    .scope("demo/wiki")
}

fn render(source: &str) -> Result<String, String> {
    Templates::new().render_text("t", source, &context()).map_err(|e| e.cause)
}

fn value(source: &str) -> Result<serde_json::Value, String> {
    Templates::new().evaluate("t", source, &context()).map_err(|e| e.cause)
}

#[test]
fn a_value_that_is_one_expression_keeps_its_type() {
    assert_eq!(value("{{ port + 1 }}"), Ok(json!(8081)));
    assert_eq!(value("{{ tls }}"), Ok(json!(true)));
    assert_eq!(value("{{ list | unique | sort }}"), Ok(json!(["a", "b"])));
    assert_eq!(value("{{ smtp }}"), Ok(json!({"host": "mail.test", "password": "@secret{smtp.password}"})));
    assert_eq!(value("port {{ port }}"), Ok(json!("port 8080")));
    assert_eq!(value("{{ port }} "), Ok(json!("8080 ")));
    assert_eq!(value("plain"), Ok(json!("plain")));
    assert_eq!(value("{{ 'x' if port > 80 and not tls else 'y' }}"), Ok(json!("y")));
}

#[test]
fn a_file_keeps_its_last_newline_and_loses_block_lines() {
    let source = "a\n  {% for n in list %}\n  {{ loop.index }} {{ n }}\n  {% endfor %}\n  {% if tls %}\nb\n  {% endif %}\n";
    assert_eq!(render(source), Ok("a\n  1 b\n  2 a\n  3 b\nb\n".to_owned()));
}

#[test]
fn statements_work_under_their_guards() {
    let cases = [
        ("{% set x = 1 %}{% set y %}a{{ x }}{% endset %}{{ y }}", "a1"),
        ("{% macro m(a, b='d') %}<{{ a }}{{ b }}>{% endmacro %}{{ m('x') }}{{ m(b=1, a=2) }}", "<xd><21>"),
        ("{% macro m(a) %}{{ a }}:{{ caller() }}{% endmacro %}{% call m(1) %}in{% endcall %}", "1:in"),
        (
            "{% for k, v in smtp.items() if k == 'host' %}{{ k }}={{ v }}{% else %}none{% endfor %}",
            "host=mail.test",
        ),
        ("{% for x in [] %}{% else %}none{% endfor %}", "none"),
        ("{% with a = 1, b = 2 %}{{ a < b < 3 }}{% endwith %}", "True"),
        ("{% filter upper %}abc{% endfilter %}", "ABC"),
        (
            "{% set ns = namespace(n=0) %}{% for x in list %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}",
            "3",
        ),
        ("{{ list[0] }}{{ list[-1] }}{{ list[1:] | join('') }}{{ 'abc'[::2] }}", "bbabac"),
        (
            "{{ {'a': 1}['a'] }}{{ {'a': 1}.get('b', 2) }}{{ 'a' in {'a': 1} }}{{ 3 not in [1] }}",
            "12TrueTrue",
        ),
        ("{{ missing | default('x') }}{{ missing is defined }}{{ smtp.nope is undefined }}", "xFalseTrue"),
        ("{{ 'a' ~ 1 ~ true }}{{ 'a' * 3 }}{{ 7 // 2 }}{{ 2 ** 3 }}{{ -port }}", "a1Trueaaa38-8080"),
        ("{{ ' x '.strip() }}{{ 'a,b'.split(',') | join('-') }}{{ 'a' and 'b' or 'c' }}", "xa-bb"),
        ("{{ range(*[1, 4]) | join }}{{ dict(a=1, **{'b': 2}) | dictsort | length }}", "1232"),
        (
            "{{ tls | ternary('on', 'off') }}{{ 'no' | bool }}{{ {'a': {'b': 1}} | combine({'a': {'c': 2}}, recursive=true) }}",
            "onFalse{'a': {'b': 1, 'c': 2}}",
        ),
    ];
    for (source, expected) in cases {
        assert_eq!(render(source).as_deref(), Ok(expected), "{source}");
    }
}

#[test]
fn a_secret_goes_into_text_and_through_sinks() {
    let cases = [
        ("{{ pw }}", "@secret{pw}"),
        ("p={{ pw | php }};", "p=@secret{pw|php};"),
        ("{{ pw | bcrypt | yaml }}", "@secret{pw|bcrypt|yaml}"),
        ("{{ 'a' ~ pw }}{{ 'b' + pw }}", "a@secret{pw}b@secret{pw}"),
        ("{{ [pw, 'a', dsn] | join(' ') }}", "@secret{pw} a mysql://wiki:@secret{pw}@localhost/wiki"),
        ("{{ pw | string | sh }}", "@secret{pw|sh}"),
        ("{{ dsn | url }}", "mysql%3A%2F%2Fwiki%3A@secret{pw|url}%40localhost%2Fwiki"),
        ("{% set x %}<{{ pw | xml }}>{% endset %}{{ x }}", "<@secret{pw|xml}>"),
        ("{% if pw is defined %}{{ pw }}{% endif %}{{ nope | default(pw) }}", "@secret{pw}@secret{pw}"),
        ("{{ pw | default('x') }}{{ tls | ternary(pw, 'x') }}", "@secret{pw}@secret{pw}"),
        ("{% macro m(a) %}[{{ a }}]{% endmacro %}{{ m(pw) }}", "[@secret{pw}]"),
        (
            "{% for u in users %}{{ u.name }}:{{ u.p | htpasswd }} {% endfor %}",
            "ann:@secret{users.ann|htpasswd} bob:@secret{users.bob|htpasswd} ",
        ),
        ("{{ users | map(attribute='name') | join(',') }}{{ users | length }}", "ann,bob2"),
        (
            "{{ users | selectattr('name', 'equalto', 'bob') | map(attribute='p') | first }}",
            "@secret{users.bob}",
        ),
        ("{{ users | selectattr('p', 'defined') | list | length }}", "2"),
        ("{{ {'a': [pw, 1, 'é']} | to_json }}", r#"{"a": [@secret{pw|json}, 1, "\u00e9"]}"#),
        ("{{ smtp | to_yaml }}", "host: mail.test\npassword: @secret{smtp.password|yaml}\n"),
        (
            "{{ derive('admin') }}{{ derive('admin', 2) | sh }}",
            "@secret{derive:demo/wiki/admin#1}@secret{derive:demo/wiki/admin#2|sh}",
        ),
        ("{{ title | php }}{{ title | sql }}{{ port | json }}", "'L\\'été''L''été'\"8080\""),
    ];
    for (source, expected) in cases {
        assert_eq!(render(source).as_deref(), Ok(expected), "{source}");
    }
}

#[test]
fn whatever_would_work_on_a_tokens_text_is_refused_by_name() {
    let cases = [
        ("{{ pw == 'x' }}", "a comparison"),
        ("{{ 'x' != pw }}", "a comparison"),
        ("{{ pw < 'x' }}", "a comparison"),
        ("{{ 'a' < pw < 'z' }}", "a comparison"),
        ("{{ [pw] == ['x'] }}", "a comparison"),
        ("{{ {'a': pw} == smtp }}", "a comparison"),
        ("{% if pw %}x{% endif %}", "a condition"),
        ("{% if not pw %}x{% endif %}", "a condition"),
        ("{{ pw and 'x' }}", "a condition"),
        ("{{ pw or 'x' }}", "a condition"),
        ("{{ 'x' if pw else 'y' }}", "a condition"),
        ("{% for x in list if pw %}{% endfor %}", "a condition"),
        ("{{ pw | length }}", "filter `length`"),
        ("{{ pw[0:3] }}", "slicing"),
        ("{{ pw[0] }}", "`[…]`"),
        ("{{ pw[-1] }}", "`[…]`"),
        ("{{ smtp[pw] }}", "`[…]`"),
        ("{{ pw[0 if tls else 'x'] }}", "`[…]`"),
        ("{{ 'a' ~ pw | upper }}", "filter `upper`"),
        ("{{ ('a' ~ pw) | upper }}", "filter `upper`"),
        ("{{ ('a' + pw) | upper }}", "filter `upper`"),
        ("{{ dsn | replace('a', 'b') }}", "filter `replace`"),
        ("{{ 'x' | replace('x', pw) }}", "filter `replace`"),
        ("{% set x %}a{{ pw }}{% endset %}{{ x | upper }}", "filter `upper`"),
        ("{% set x %}a{{ pw }}{% endset %}{% if x == 'a' %}{% endif %}", "a comparison"),
        ("{% set x | trim %} {{ pw }}{% endset %}", "filter `trim`"),
        ("{% filter upper %}a{{ pw }}{% endfilter %}", "filter `upper`"),
        ("{% macro m() %}a{{ pw }}{% endmacro %}{{ m() | length }}", "filter `length`"),
        ("{% macro m(a) %}{{ a | upper }}{% endmacro %}{{ m(pw) }}", "filter `upper`"),
        (
            "{% macro m() %}{{ caller() | upper }}{% endmacro %}{% call m() %}{{ pw }}{% endcall %}",
            "filter `upper`",
        ),
        ("{% set ns = namespace(a=pw) %}{{ ns.a | upper }}", "filter `upper`"),
        ("{% with a = pw %}{{ a | lower }}{% endwith %}", "filter `lower`"),
        ("{{ pw in list }}", "`in`"),
        ("{{ 'a' in pw }}", "`in`"),
        ("{{ 'a' in [pw] }}", "`in`"),
        ("{{ pw not in smtp.values() }}", "`in`"),
        ("{{ 'a' < 'b' in [pw] }}", "`in`"),
        ("{{ ['a', 'b'] | join(pw) }}", "filter `join`"),
        ("{{ [['a', pw]] | join }}", "filter `join`"),
        ("{{ pw | join('-') }}", "filter `join`"),
        ("{{ [pw] | string }}", "filter `string`"),
        ("{{ '%s' % pw }}", "`%`"),
        ("{{ pw % 2 }}", "`%`"),
        ("{{ [pw, 'a'] | sort }}", "filter `sort`"),
        ("{{ [pw, 'a'] | unique }}", "filter `unique`"),
        ("{{ [pw, 'a'] | max }}", "filter `max`"),
        ("{{ [pw] | union(['a']) }}", "filter `union`"),
        ("{{ users | selectattr('p', 'equalto', 'x') }}", "test `equalto`"),
        ("{{ users | selectattr('p') }}", "filter `selectattr`"),
        ("{{ users | selectattr('p.0', 'equalto', '@') }}", "filter `selectattr`"),
        ("{{ users | map(attribute='p.0') }}", "filter `map`"),
        ("{{ [pw] | map(attribute=0) }}", "filter `map`"),
        ("{{ [pw] | map('upper') }}", "filter `upper`"),
        ("{{ [pw] | select('startingwith', '@') }}", "test `startingwith`"),
        ("{{ [pw] | select }}", "filter `select`"),
        ("{{ users | groupby('p') }}", "filter `groupby`"),
        ("{{ smtp | dictsort(by='value') }}", "filter `dictsort`"),
        ("{{ users | sum(attribute='p') }}", "filter `sum`"),
        ("{{ pw is string }}", "test `string`"),
        ("{{ pw is eq 'x' }}", "test `eq`"),
        ("{{ pw is in list }}", "test `in`"),
        ("{{ pw | default('x', true) }}", "filter `default`"),
        ("{{ pw | default('x', boolean=true) }}", "filter `default`"),
        ("{{ pw | ternary('a', 'b') }}", "filter `ternary`"),
        ("{{ pw * 2 }}", "arithmetic"),
        ("{{ 'a' % pw }}", "`%`"),
        ("{{ pw % 'a' }}", "`%`"),
        ("{{ 1 - pw }}", "arithmetic"),
        ("{{ -pw }}", "arithmetic"),
        ("{{ '%s' | format(pw) }}", "filter `format`"),
        ("{% for c in pw %}{{ c }}{% endfor %}", "a loop"),
        ("{{ range(*pw) }}", "`*`"),
        ("{{ pw | list }}", "filter `list`"),
        ("{{ pw | first }}", "filter `first`"),
        ("{{ pw | reverse }}", "filter `reverse`"),
        ("{{ pw | batch(2) }}", "filter `batch`"),
        ("{{ pw | attr('x') }}", "filter `attr`"),
        ("{{ pw.upper() }}", "a method"),
        ("{{ 'a'.replace('a', pw) }}", "a method"),
        ("{{ ','.join([pw]) }}", "a method"),
        ("{{ smtp.get(pw) }}", "a method"),
        ("{% for x in list %}{{ loop.changed(pw) }}{% endfor %}", "a method"),
        ("{{ {pw: 1} }}", "a key of a map"),
        ("{{ {('a' ~ pw): 1} }}", "a key of a map"),
        ("{{ smtp }}", "putting a list or map into text"),
        ("{{ 'a' ~ [pw] }}", "putting a list or map into text"),
        ("{{ dsn | php }}", "filter `php`, over a text that a secret is a part of,"),
        ("{{ dsn | bcrypt }}", "filter `bcrypt`, over a text that a secret is a part of,"),
        ("{{ {'dsn': dsn} | to_json }}", "filter `to_json`, over a text that a secret is a part of,"),
        ("{{ derive('admin') | upper }}", "filter `upper`"),
    ];
    for (source, operation) in cases {
        let cause = render(source).expect_err(source);
        assert!(cause.starts_with(&format!("{operation} cannot work on ")), "{source} → {cause}");
        let evaluated = Templates::new().value("t", source, &context());
        if source != "{{ smtp }}" {
            assert!(evaluated.is_err(), "{source} → {evaluated:?}");
        }
    }
}

#[test]
fn a_misuse_names_the_secret() {
    assert_eq!(
        render("{{ smtp.password | upper }}"),
        Err("filter `upper` cannot work on secret `smtp.password`".into())
    );
    assert_eq!(render("{{ dsn | trim }}"), Err("filter `trim` cannot work on secret `pw`".into()));
    assert_eq!(
        render("{{ derive('x') | trim }}"),
        Err("filter `trim` cannot work on derived secret `x`".into())
    );
}

#[test]
fn a_token_cannot_be_forged_in_a_template() {
    for source in [
        "@secret{master_key}",
        "{{ '@secret{master_key}' }}",
        "{{ '\\u0040secret{master_key}' }}",
        "{{ '@sec' ~ 'ret{master_key}' }}",
        "{# @secret{x} #}",
    ] {
        let cause = render(source).expect_err(source);
        assert!(cause.contains("a secret's token stands in"), "{source} → {cause}");
    }
    assert!(render("{{ derive('x}@secret{y') }}").is_err());
    assert!(render("{{ derive('x', 0) }}").is_err());
}

#[test]
fn what_is_not_supported_says_so() {
    assert!(render("{% autoescape true %}{% endautoescape %}").unwrap_err().contains("autoescape"));
    assert!(
        render("{% for x in list recursive %}{{ loop(x) }}{% endfor %}").unwrap_err().contains("recursive")
    );
    assert_eq!(render("{{ 'a' | uper }}"), Err("there is no filter `uper`".into()));
    assert_eq!(render("{{ 'a' is strin }}"), Err("there is no test `strin`".into()));
    assert!(render("{{ 'x' | bcrypt }}").unwrap_err().contains("works on secrets alone"));
    assert!(render("{{ '$truth' | map('$text') }}{% include 'x' %}").is_err());
}

#[test]
fn an_undefined_variable_is_named_with_its_place_and_its_neighbour() {
    let error =
        Templates::new().render_text("site.conf", "a\n  b {{ titel | php }}\n", &context()).unwrap_err();
    assert_eq!((error.line, error.column, error.text.as_str()), (2, 8, "  b {{ titel | php }}"));
    assert_eq!(error.cause, "`titel` is undefined");
    assert_eq!(error.hint.as_deref(), Some("did you mean `title`?"));

    let error = Templates::new().evaluate("v", "{{ smtp.hots }}", &context()).unwrap_err();
    assert_eq!(
        (error.cause.as_str(), error.hint.as_deref()),
        ("`smtp.hots` is undefined", Some("did you mean `smtp.host`?"))
    );
    assert_eq!(value("{{ smtp['hots'] }}"), Err("`smtp['hots']` is undefined".into()));
    assert!(value("{{ [nope] }}").is_err(), "an undefined value inside a list does not pass");
    assert_eq!(render("x {% if nope %}{% endif %}"), Err("`nope` is undefined".into()));
}

#[test]
fn a_condition_is_evaluated_as_an_expression() {
    let holds = |condition| Templates::new().holds("c", condition, &context());
    assert!(holds("tls and port == 8080").unwrap());
    assert!(!holds("title == 'x'").unwrap());
    let error = holds("tls and portt").unwrap_err();
    assert_eq!((error.column, error.cause.as_str()), (9, "`portt` is undefined"));
    assert!(holds("pw == 'x'").is_err());
}

#[test]
fn what_is_below_something_undefined_is_undefined() {
    for source in [
        "nope.a",
        "nope.a.b",
        "nope['a'].b",
        "nope[0]",
        "nope[port].a",
        "smtp.nope.a[port]",
        "nope.get('a').b",
    ] {
        assert_eq!(value(&format!("{{{{ {source} is defined }}}}")), Ok(json!(false)), "{source}");
        assert_eq!(value(&format!("{{{{ {source} | default('d') }}}}")), Ok(json!("d")), "{source}");
        assert_eq!(value(&format!("{{{{ {source} | upper | default('d') }}}}")), Ok(json!("d")), "{source}");
        assert!(value(&format!("{{{{ {source} }}}}")).is_err(), "{source}");
        assert!(value(&format!("x{{{{ [1, {source}][1] }}}}")).is_err(), "{source}");
        assert!(value(&format!("{{{{ {source} is none }}}}")).is_err(), "{source}");
    }
    assert_eq!(value("{{ nope.deeper.still }}"), Err("`nope` is undefined".into()));
    assert_eq!(value("{{ smtp.nope.deeper }}"), Err("`smtp.nope` is undefined".into()));
    assert_eq!(
        value("{{ [nope.a is defined, smtp['host'], list[0], users[1].name] }}"),
        Ok(json!([false, "mail.test", "b", "bob"]))
    );
}

#[test]
fn a_value_that_writes_one_value_alone_keeps_its_type() {
    let cases = [
        ("{{ port }}\n", json!(8080)),
        ("{{ port }}\n\n", json!("8080\n\n")),
        ("{% for x in [1, 2] %}\n{{ x }}\n{% endfor %}\n", json!("1\n2\n")),
        ("{{ title }}\n", json!("L'été\n")),
        ("{% if tls %}{{ port }}{% endif %}", json!(8080)),
        ("{% if tls %}{{ port }} {% endif %}", json!("8080 ")),
        ("{% if not tls %}{{ port }}{% endif %}", json!(null)),
        ("{# nothing #}\n", json!(null)),
        ("{{ none }}{{ port }}", json!(8080)),
        ("{{ '' }}{{ '' }}", json!("")),
        ("{{ port }}{{ '' }}", json!("8080")),
        ("{% set x = [1] %}{{ x }}", json!([1])),
        ("{% set x %}{{ port }}{% endset %}a{{ x }}", json!("a8080")),
        ("{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1) }}", json!("1")),
        ("{% for x in [1, 2] %}{{ x }}{% endfor %}", json!("12")),
    ];
    for (source, expected) in cases {
        assert_eq!(value(source), Ok(expected), "{source:?}");
    }
    assert_eq!(render("{{ port }}\n"), Ok("8080\n".to_owned()));
}
