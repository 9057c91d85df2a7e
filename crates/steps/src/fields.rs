//! Field types that steps share: paths, modes, owners, texts that may hold secrets.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// An absolute path without `.`, `..`, empty parts, NUL or line ends; only `/` itself ends in a slash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct AbsPath(String);

impl AbsPath {
    /// Reads a path.
    ///
    /// # Errors
    /// Where it is not of the form above.
    pub fn new(path: impl Into<String>) -> Result<Self, String> {
        let path = path.into();
        let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
        let control = path.chars().any(char::is_control);
        match path.strip_prefix('/') {
            Some(rest) if !control && (rest.is_empty() || rest.split('/').all(plain)) => Ok(AbsPath(path)),
            _ => {
                Err(format!("`{}` is no absolute path without `.`, `..` or empty parts", path.escape_debug()))
            }
        }
    }

    /// A path that stands in the code.
    pub(crate) fn known(path: &'static str) -> Self {
        debug_assert!(AbsPath::new(path).is_ok(), "{path}");
        AbsPath(path.to_owned())
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path below this one; `name` is one or more plain parts.
    ///
    /// # Errors
    /// Where `name` would leave this directory.
    pub fn join(&self, name: &str) -> Result<Self, String> {
        AbsPath::new(format!("{}/{name}", self.0.trim_end_matches('/')))
    }

    /// The directory it is in; nothing for `/`.
    pub fn parent(&self) -> Option<AbsPath> {
        let (parent, name) = self.0.rsplit_once('/')?;
        match (parent, name) {
            (_, "") => None,
            ("", _) => Some(AbsPath("/".to_owned())),
            (parent, _) => Some(AbsPath(parent.to_owned())),
        }
    }

    /// Its last part; empty for `/`.
    pub fn name(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(_, name)| name)
    }
}

impl fmt::Display for AbsPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<Path> for AbsPath {
    fn as_ref(&self) -> &Path {
        Path::new(&self.0)
    }
}

impl From<AbsPath> for String {
    fn from(path: AbsPath) -> String {
        path.0
    }
}

impl TryFrom<String> for AbsPath {
    type Error = String;

    fn try_from(path: String) -> Result<Self, String> {
        AbsPath::new(path)
    }
}

impl JsonSchema for AbsPath {
    fn schema_name() -> Cow<'static, str> {
        "AbsPath".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^/", "description": "an absolute path without `.` or `..`" })
    }
}

/// Permission bits, written `"0750"`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Mode(u32);

impl Mode {
    /// The mode of these bits; those beyond `7777` are dropped.
    pub const fn from_bits(bits: u32) -> Self {
        Mode(bits & 0o7777)
    }

    /// Its bits.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether people outside the owner and its group may read.
    pub const fn read_by_others(self) -> bool {
        self.0 & 0o004 != 0
    }

    /// Whether people outside the owner and its group may read, write or enter.
    pub const fn open_to_others(self) -> bool {
        self.0 & 0o007 != 0
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

impl fmt::Debug for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Mode> for String {
    fn from(mode: Mode) -> String {
        mode.to_string()
    }
}

impl TryFrom<String> for Mode {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let octal = (3..=5).contains(&text.len()) && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
        match u32::from_str_radix(&text, 8) {
            Ok(bits) if octal && bits <= 0o7777 => Ok(Mode(bits)),
            _ => Err(format!(
                "`{}` is no mode: four octal digits in quotes, as in \"0750\"",
                text.escape_debug()
            )),
        }
    }
}

impl JsonSchema for Mode {
    fn schema_name() -> Cow<'static, str> {
        "Mode".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-7]{3,5}$", "description": "permission bits, as in \"0750\"" })
    }
}

/// Who owns a file, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ownership {
    /// User name.
    pub owner: String,
    /// Group name.
    pub group: String,
}

/// A text in which secret tokens may stand. Once filled in, it is never shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub struct Text {
    text: String,
    secret: bool,
}

impl Text {
    /// The text as it is: with tokens before the executor filled them in, with values after.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// Whether it holds a secret, filled in or not.
    pub fn is_secret(&self) -> bool {
        self.secret
    }

    /// Puts the text with its secrets in the place of the one with tokens.
    pub fn fill(&mut self, filled: String) {
        self.text = filled;
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.secret {
            true => f.write_str("Text(secret)"),
            false => write!(f, "Text({:?})", self.text),
        }
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        let secret = pq_stream::holds_token(&text);
        Text { text, secret }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Text::from(text.to_owned())
    }
}

impl From<Text> for String {
    fn from(text: Text) -> String {
        text.text
    }
}

impl JsonSchema for Text {
    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "a text in which secret tokens may stand" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_could_surprise_is_refused() {
        for path in ["", "etc", "/etc/../root", "/etc//x", "/etc/", "/a\nb", "/a\0"] {
            assert!(AbsPath::new(path).is_err(), "{path:?}");
        }
        let root = AbsPath::new("/").unwrap();
        assert_eq!(root.join("etc").unwrap().as_str(), "/etc");
        assert_eq!(root.join("etc").unwrap().parent(), Some(root.clone()));
        assert_eq!(root.parent(), None);
        assert!(root.join("../x").is_err());
    }

    #[test]
    fn a_mode_is_octal_text() {
        assert_eq!(Mode::try_from("0750".to_owned()).unwrap().bits(), 0o750);
        assert_eq!(Mode::from_bits(0o1777).to_string(), "1777");
        for text in ["750.", "0999", "75", "u+x", "17777"] {
            assert!(Mode::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_text_with_a_secret_is_not_shown_even_when_filled_in() {
        let mut text = Text::from("pass=@secret{pw}");
        text.fill("pass=hunter22".to_owned());
        assert_eq!(format!("{text:?}"), "Text(secret)");
    }
}
