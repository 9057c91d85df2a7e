//! What restic says in JSON, a line each.

use serde::Deserialize;

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// How far it is.
    Status(Progress),
    /// What it did, at its end.
    Summary(Box<Summary>),
    /// A part that failed; it goes on.
    Error {
        /// The path, where it is one.
        item: String,
        /// Why.
        why: String,
    },
    /// Why it ends.
    ExitError {
        /// Why.
        message: String,
    },
    /// A repository was made.
    Initialized {
        /// Its id.
        id: String,
    },
    /// Which restic it is.
    Version {
        /// Its version.
        version: String,
    },
    /// JSON of another kind: an answer.
    Answer(String),
    /// Anything else.
    Words(String),
}

/// How far it is.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// From 0 to 1; 0 where it cannot be known.
    pub percent_done: f64,
    /// Bytes that there are.
    pub total_bytes: u64,
    /// Bytes that are done, of a backup.
    pub bytes_done: u64,
    /// Bytes that are done, of a restore.
    pub bytes_restored: u64,
}

/// What it did.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Summary {
    /// The snapshot that was made.
    pub snapshot_id: String,
    /// Files that were looked at.
    pub total_files_processed: u64,
    /// Their bytes.
    pub total_bytes_processed: u64,
    /// Bytes that the repository has more, as they are stored.
    pub data_added_packed: u64,
    /// Files that were not there in the snapshot before.
    pub files_new: u64,
    /// Files that were another there.
    pub files_changed: u64,
    /// What a restore restored.
    pub files_restored: u64,
    /// Its bytes.
    pub bytes_restored: u64,
    /// What a check found wrong.
    pub num_errors: u64,
    /// Packs that are damaged.
    pub broken_packs: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Line {
    message_type: Option<String>,
    #[serde(default)]
    item: String,
    #[serde(default)]
    id: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    message: Option<String>,
    error: Option<Inner>,
}

#[derive(Deserialize)]
struct Inner {
    #[serde(default)]
    message: String,
}

impl Message {
    /// Reads a line.
    pub fn read(text: &str) -> Message {
        if !text.starts_with(['{', '[']) {
            return Message::Words(text.to_owned());
        }
        let Ok(line) = serde_json::from_str::<Line>(text) else { return Message::Answer(text.to_owned()) };
        let why = || {
            line.error
                .as_ref()
                .map(|it| it.message.clone())
                .or_else(|| line.message.clone())
                .unwrap_or_default()
        };
        match line.message_type.as_deref() {
            Some("status") => {
                serde_json::from_str(text).map_or(Message::Words(String::new()), Message::Status)
            }
            Some("summary") => serde_json::from_str(text)
                .map_or(Message::Words(String::new()), |summary| Message::Summary(Box::new(summary))),
            Some("error") => Message::Error { item: line.item.clone(), why: why() },
            Some("exit_error") => Message::ExitError { message: why() },
            Some("initialized") => Message::Initialized { id: line.id.clone() },
            Some("version") => Message::Version { version: line.version.clone() },
            _ => Message::Answer(text.to_owned()),
        }
    }

    /// Why, of an error.
    pub fn words(&self) -> String {
        match self {
            Message::Error { why, .. } => why.clone(),
            Message::ExitError { message } => message.clone(),
            _ => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As restic 0.18.0 wrote them.
    #[test]
    fn each_line_is_what_it_says_it_is() {
        let error = r#"{"message_type":"error","error":{"message":"open /a: permission denied"},"during":"archival","item":"/a"}"#;
        assert_eq!(
            Message::read(error),
            Message::Error { item: "/a".into(), why: "open /a: permission denied".into() }
        );
        let of_check = r#"{"message_type":"error","message":"pack 5f contains 2 errors\n"}"#;
        assert_eq!(
            Message::read(of_check),
            Message::Error { item: String::new(), why: "pack 5f contains 2 errors\n".into() }
        );
        let fatal =
            r#"{"message_type":"exit_error","code":12,"message":"Fatal: wrong password or no key found"}"#;
        assert_eq!(
            Message::read(fatal),
            Message::ExitError { message: "Fatal: wrong password or no key found".into() }
        );
        let summary =
            r#"{"message_type":"summary","num_errors":1,"broken_packs":["5f"],"suggest_prune":false}"#;
        let Message::Summary(summary) = Message::read(summary) else { panic!() };
        assert_eq!((summary.num_errors, summary.broken_packs.clone()), (1, Some(vec!["5f".to_owned()])));
        assert_eq!(Message::read("[]"), Message::Answer("[]".into()));
        assert_eq!(
            Message::read("/nope does not exist, skipping"),
            Message::Words("/nope does not exist, skipping".into())
        );
    }
}
