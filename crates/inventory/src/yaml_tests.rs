use super::*;

fn file(text: &str) -> SourceFile {
    SourceFile::new("v.yml".into(), "i/v.yml".into(), text.into(), false)
}

fn shown(node: &Node) -> String {
    match &node.data {
        Data::List(items) => {
            format!("[{}]", items.iter().map(|item| shown(item)).collect::<Vec<_>>().join(", "))
        }
        Data::Map(entries) => {
            let entry = |(key, node): &(Key, Arc<Node>)| format!("{}: {}", key.text(), shown(node));
            format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        Data::Text(text) => format!("{text:?}"),
        Data::Raw(text) => format!("raw {text:?}"),
        other => other.scalar().unwrap().to_string(),
    }
}

fn load_text(text: &str) -> std::result::Result<String, String> {
    match load(&file(text)) {
        Ok(Some(node)) => Ok(shown(&node)),
        Ok(None) => Ok("nothing".to_owned()),
        Err(error) => {
            let place = error
                .place
                .as_ref()
                .map_or(String::new(), |place| format!("{}:{}: ", place.line, place.column));
            Err(format!("{place}{}", error.message))
        }
    }
}

#[test]
fn a_file_is_read_as_ansible_reads_it() {
    let cases = [
        ("", "nothing"),
        ("# only a comment\n", "nothing"),
        ("---\n", "None"),
        (
            "a: 0644\nb: \"0644\"\nc: yes\nd: 'yes'\ne:\n",
            r#"{a: 420, b: "0644", c: True, d: "yes", e: None}"#,
        ),
        ("a: &x {b: 1}\nc: *x\n", "{a: {b: 1}, c: {b: 1}}"),
        ("d: &d {a: 1, b: 2}\nx:\n  <<: *d\n  b: 3\n", "{d: {a: 1, b: 2}, x: {a: 1, b: 3}}"),
        (
            "a: &a {k: 1}\nb: &b {k: 2, l: 3}\nx:\n  <<: [*a, *b]\n",
            "{a: {k: 1}, b: {k: 2, l: 3}, x: {k: 1, l: 3}}",
        ),
        ("a: !unsafe '{{ x }}'\nb: !!str 12\nc: !!int '7'\n", r#"{a: raw "{{ x }}", b: "12", c: 7}"#),
        ("a: |\n  two\n  lines\nb: >-\n  fol\n  ded\n", r#"{a: "two\nlines\n", b: "fol ded"}"#),
        ("80: x\nyes: y\n", r#"{80: "x", true: "y"}"#),
        ("{\"a\": 1e3, \"b\": [true, null]}", "{a: 1000.0, b: [True, None]}"),
        ("{a: 1e3}", r#"{a: "1e3"}"#),
        ("\u{feff}a: 1\n", "{a: 1}"),
    ];
    for (text, expected) in cases {
        assert_eq!(load_text(text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn a_value_knows_where_it_stands() {
    let file = file("a: 1\nlist:\n  - x: 'é'\n    y: 22.10\n");
    let root = load(&file).unwrap().unwrap();
    let (key, list) = root.entry("list").unwrap();
    assert_eq!((key.mark.line(), key.mark.column()), (2, 1));
    let Data::List(items) = &list.data else { panic!() };
    let (key, value) = items[0].entry("y").unwrap();
    assert_eq!((key.mark.line(), key.mark.column()), (4, 5));
    assert_eq!((value.start.line(), value.start.column(), value.end.column()), (4, 8, 13));
    assert_eq!(file.place(value.start).text, "    y: 22.10");
}

#[test]
fn what_ansible_would_stumble_over_is_refused_with_its_place() {
    let deep = "[".repeat(200);
    let cases = [
        ("a: 1\nb: 2\na: 3\n", "3:1: key `a` occurs twice in a map"),
        ("{'a\n\n b': 2,\n 'a\n\n b': 3}\n", "4:2: key `a\\nb` occurs twice in a map"),
        ("a: {{ b }}\n", "1:5: a map cannot be a key"),
        ("a: 1\n---\nb: 2\n", "2:1: a second document begins here"),
        ("a: !!binary aGk=\n", "1:4: there is no tag `!!binary` here"),
        ("a: !nope x\n", "1:4: there is no tag `!nope` here"),
        ("a: 99999999999999999999\n", "1:4: the number is too large"),
        ("a: 'x @secret{y}'\n", "1:4: a value holds the text `@secret{`"),
        ("? [a]\n: b\n", "1:3: a list or map cannot be a key"),
        ("a: *nope\n", "1:4: `i/v.yml` is no YAML"),
        ("a: &a [*a]\n", "1:8: this alias stands inside the value that it names"),
        ("x:\n  <<: 1\n", "2:7: `<<` takes a map, or a list of maps"),
        (&deep, "1:101: this is nested more than 100 levels deep"),
    ];
    for (text, expected) in cases {
        assert_eq!(load_text(text), Err(expected.to_owned()), "{text}");
    }
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let before = level - 1;
        text += &format!("a{level}: &a{level} [{}]\n", vec![format!("*a{before}"); 10].join(", "));
    }
    assert!(load_text(&text).unwrap_err().contains("aliases unfold"));
}

#[test]
fn common_slips_get_a_cure() {
    let hint = |text| load(&file(text)).unwrap_err().hints.join(" ");
    assert!(hint("a:\n\tb: 1\n").contains("tabs"));
    assert!(hint("a: b: c\n").contains("holds `: `"));
    assert_eq!(hint("dsn: {{ a }}/x\n"), "put the value in quotes: `dsn: \"{{ a }}/x\"`");
}
