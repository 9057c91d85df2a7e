//! A certificate that was asked for of a public authority, and is not there yet: what runs of these tools noted of it.
//!
//! What is noted is read leniently: a note that cannot be read, or is of other names, counts for none.

use std::path::Path;

use pq_items::Certificate;
use serde::Deserialize;

use crate::message::utc;
use crate::{Answer, bounded};

/// What was noted when the authority was last asked.
#[derive(Deserialize)]
struct Noted {
    /// For which names.
    names: Vec<String>,
    /// When, in seconds since 1970.
    at: i64,
    /// How long the next run waits until it asks again; nothing where the certificate was had.
    wait: i64,
    /// What was said.
    #[serde(default)]
    said: Vec<String>,
}

/// That it is pending, where it is.
pub fn of(certificate: &Certificate, now: i64) -> Option<Answer> {
    let path = Path::new(certificate.asked.as_ref()?.as_str());
    let noted: Noted = serde_json::from_slice(&bounded::read(path).ok()?).ok()?;
    let same = certificate.names.iter().map(|it| it.as_str()).eq(noted.names.iter().map(String::as_str));
    if !same || noted.wait <= 0 {
        return None;
    }
    let text = format!("the certificate of {} is pending", noted.names.join(", "));
    let text = noted.said.iter().fold(text, |text, said| format!("{text}: {said}"));
    let next = noted.at.saturating_add(noted.wait);
    let when = if next > now { format!("a run after {}", utc(next)) } else { "the next run".to_owned() };
    let id = path.file_stem().unwrap_or_default().to_string_lossy();
    let hint = format!("{when} of `pq-instance` asks again, and `pq-instance renew {id}` at once");
    Some(Answer::warning("pending", text).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Level;

    #[test]
    fn what_an_authority_did_not_give_yet_is_pending_until_a_run_notes_that_it_did() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("wiki.json");
        let certificate = pq_items::read::<Certificate>(
            "a certificate",
            "x.yml",
            &format!("{{ names: [wiki.example.org], served: '127.0.0.1:443', asked: {} }}", path.display()),
        )
        .unwrap();
        assert_eq!(of(&certificate, 1_000), None, "nobody was asked");
        let note = |names: &str, wait: u32| {
            let said = r#"["`wiki.example.org` leads to nobody"]"#;
            let text = format!(
                r#"{{"names":[{names}],"directory":"d","at":1000,"wait":{wait},"said":{said},"by":1}}"#
            );
            std::fs::write(&path, text).unwrap();
        };
        note(r#""wiki.example.org""#, 3_600);
        let answer = of(&certificate, 2_000).unwrap();
        assert_eq!((answer.level, answer.code.as_str()), (Level::Warning, "pending"));
        assert!(answer.message.ends_with("is pending: `wiki.example.org` leads to nobody"), "{answer:?}");
        let hint = answer.hint.unwrap();
        assert!(hint.contains("after 1970-01-01T01:16:40Z") && hint.contains("renew wiki`"), "{hint}");
        assert!(of(&certificate, 9_000).unwrap().hint.unwrap().starts_with("the next run"));
        note(r#""other.example.org""#, 3_600);
        assert_eq!(of(&certificate, 2_000), None, "of names that it had before");
        note(r#""wiki.example.org""#, 0);
        assert_eq!(of(&certificate, 2_000), None);
        std::fs::write(&path, "{").unwrap();
        assert_eq!(of(&certificate, 2_000), None);
    }
}
