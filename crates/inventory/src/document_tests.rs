use super::*;

const TEXT: &str = "---\n# the mail relay\nsmtp:\n  user: 'abcdef'   # who\n  password: \"secret one\"\nkey: |\n  line one\n  line two\n\n# about the number\nnumber: 0123456\nusers:\n  - first one\n  - second one\n";

fn read(text: &str) -> Document {
    Document::read("s.yml.age", text).unwrap()
}

fn value(text: &str) -> SecretString {
    SecretString::from(text.to_owned())
}

fn set(text: &str, name: &str, to: &str) -> std::result::Result<String, String> {
    let changed = read(text).with(name, &value(to), None).map_err(|error| error.message.clone())?;
    assert_eq!(changed.values()[name].expose_secret(), to);
    Ok(changed.text().to_owned())
}

#[test]
fn a_value_is_replaced_and_all_around_it_is_kept() {
    let with = |old: &str, new: &str| Ok(TEXT.replace(old, new));
    assert_eq!(set(TEXT, "smtp.user", "somebody"), with("'abcdef'", "'somebody'"));
    assert_eq!(set(TEXT, "smtp.password", "it's # new"), with("\"secret one\"", "'it''s # new'"));
    assert_eq!(set(TEXT, "number", "é65432"), with("0123456", "'é65432'"));
    assert_eq!(set(TEXT, "users.1", "another"), with("second one", "'another'"));
    assert_eq!(set(TEXT, "key", "short key"), with("|\n  line one\n  line two", "'short key'"));
    assert_eq!(set(TEXT, "key", "a b\n\n c d\n"), with("line one\n  line two", "a b\n\n   c d"));
    assert_eq!(set(TEXT, "number", "a b\nc d"), with("0123456", "|-\n  a b\n  c d"));
    assert_eq!(set(TEXT, "smtp.user", "a b\nc d"), with("'abcdef'", "\"a b\\nc d\""));
}

#[test]
fn a_new_value_goes_to_the_end_or_beside_another() {
    assert_eq!(set(TEXT, "fresh", "fresh one"), Ok(format!("{TEXT}fresh: 'fresh one'\n")));
    assert_eq!(set("", "fresh", "fresh one").unwrap(), "fresh: 'fresh one'\n");
    assert_eq!(set("# c", "fresh", "fresh one").unwrap(), "# c\nfresh: 'fresh one'\n");
    assert_eq!(set("a: ~\nb:\n", "b", "fresh one").unwrap(), "a: ~\nb: 'fresh one'\n");
    let beside = read(TEXT).with("fresh", &value("fresh one"), Some("number")).unwrap();
    assert_eq!(beside.text(), TEXT.replace("0123456\n", "0123456\nfresh: 'fresh one'\n"));
    let two = beside.without(&["fresh"]).unwrap();
    assert_eq!(two.text(), TEXT);
}

#[test]
fn what_cannot_be_changed_safely_is_refused() {
    for (text, name) in [
        (TEXT, "smtp"),
        (TEXT, "smtp.nothing"),
        ("{a: 'abcdef'}\n", "fresh"),
        ("a: &x 'abcdef'\nb: *x\n", "b"),
        ("a: 'abcdef'\n...\n", "fresh"),
    ] {
        assert!(set(text, name, "fresh one").is_err(), "{name} in {text}");
    }
    assert!(set(TEXT, "fresh", "short").unwrap_err().contains("shorter than 6"));
    assert!(read(TEXT).without(&["key"]).is_err());
}

#[test]
fn odd_texts_are_what_they_were() {
    for text in [
        "  leading",
        "trailing  ",
        "\ta tab\n",
        "nul \u{0} in",
        "delete \u{7f} in",
        "line\r\nend\r\n",
        "\n\nlines\n\n",
        "# nothing",
        "yes, no: {a}",
        "{{ braces }}",
        "é\u{2028}x-xxx",
        "'''''''",
    ] {
        assert!(set(TEXT, "fresh", text).is_ok(), "{text:?}");
        assert!(set(TEXT, "smtp.user", text).is_ok(), "{text:?}");
    }
}
