//! A text with tokens, a name, and a text from which a secret is to be kept out.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pq_stream::{Piece, Redactor, holds_token, owner_of, pieces, valid_instance_id, valid_step_id};

const SECRET: &str = "pa/ss 'w\"ör<d&";

fuzz_target!(|text: &str| {
    if let Ok(found) = pieces(text) {
        let print = |piece: &Piece<'_>| match piece {
            Piece::Text(text) => (*text).to_owned(),
            Piece::Token(token) => token.to_string(),
        };
        let printed: String = found.iter().map(print).collect();
        assert_eq!(pieces(&printed).as_ref(), Ok(&found), "{printed}");
        assert_eq!(holds_token(text), found.iter().any(|piece| matches!(piece, Piece::Token(_))));
    }
    if valid_instance_id(text).is_ok() {
        assert!((2..=28).contains(&text.len()) && text.starts_with(|c: char| c.is_ascii_lowercase()));
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{text}");
    }
    if valid_step_id(text).is_ok() {
        assert!(text.starts_with(owner_of(text)) && !text.split('/').any(|part| part == ".."), "{text}");
    }
    let mut redactor = Redactor::default();
    redactor.add("name", SECRET);
    let middle = text.chars().count() / 2;
    let (before, after): (String, String) =
        (text.chars().take(middle).collect(), text.chars().skip(middle).collect());
    let shown = redactor.redact(&format!("{before}{SECRET}{after}"));
    assert!(!shown.contains(SECRET), "{shown}");
});
