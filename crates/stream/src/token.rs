//! Secret tokens: what stands on the stream in a secret's place.
//!
//! `@secret{NAME|sink|sink}` is the value of a secret variable, `@secret{derive:SCOPE/NAME#GENERATION|sink}` a
//! credential that the executor derives from `master_key`. Sinks are applied from left to right.

use std::fmt;

/// How every token begins; this text in a value that is no token is refused.
pub const OPENING: &str = "@secret{";

/// How a secret's value is written where its token stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sink {
    /// A single-quoted POSIX shell word.
    Sh,
    /// A SQL string literal with its quotes (standard conforming).
    Sql,
    /// A single-quoted PHP string.
    Php,
    /// A JSON string with its quotes.
    Json,
    /// A double-quoted YAML scalar.
    Yaml,
    /// XML character data, good inside attributes too.
    Xml,
    /// A double-quoted INI value.
    Ini,
    /// A double-quoted value of a systemd environment file.
    Env,
    /// Percent-encoded for any part of a URL.
    Url,
    /// Standard base64 with padding.
    Base64,
    /// A `$6$` hash for `/etc/shadow`.
    Sha512crypt,
    /// A `$2b$` bcrypt hash.
    Bcrypt,
    /// A bcrypt hash as Apache and nginx read it (`$2y$`).
    Htpasswd,
}

/// Every sink and the name it has in templates and tokens.
const SINKS: [(&str, Sink); 13] = [
    ("sh", Sink::Sh),
    ("sql", Sink::Sql),
    ("php", Sink::Php),
    ("json", Sink::Json),
    ("yaml", Sink::Yaml),
    ("xml", Sink::Xml),
    ("ini", Sink::Ini),
    ("env", Sink::Env),
    ("url", Sink::Url),
    ("base64", Sink::Base64),
    ("sha512crypt", Sink::Sha512crypt),
    ("bcrypt", Sink::Bcrypt),
    ("htpasswd", Sink::Htpasswd),
];

impl Sink {
    /// Every sink, by name.
    pub fn all() -> impl Iterator<Item = (&'static str, Sink)> {
        SINKS.into_iter()
    }

    /// The sink of that name.
    pub fn named(name: &str) -> Option<Sink> {
        SINKS.into_iter().find(|(n, _)| *n == name).map(|(_, sink)| sink)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        SINKS.into_iter().find(|(_, sink)| *sink == self).map_or("", |(name, _)| name)
    }

    /// Whether its output depends on a salt, which the executor derives from `master_key`.
    pub fn salted(self) -> bool {
        matches!(self, Sink::Sha512crypt | Sink::Bcrypt | Sink::Htpasswd)
    }
}

/// Where a token's value comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// A variable of the host, from an age file.
    Named(String),
    /// Derived by the executor from `master_key`.
    Derived {
        /// The instance's `secret_scope`, by default `<host>/<id>`.
        scope: String,
        /// What it is for, such as `admin`.
        name: String,
        /// Raised to replace the value by another.
        generation: u32,
    },
}

/// A secret's place in a text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token {
    /// Where its value comes from.
    pub source: Source,
    /// How the value is written, applied from left to right.
    pub sinks: Vec<Sink>,
}

impl Token {
    /// The secret variables that the executor needs to fill this token in.
    pub fn needs(&self) -> impl Iterator<Item = &str> {
        let named = match &self.source {
            Source::Named(name) => name.as_str(),
            Source::Derived { .. } => MASTER_KEY,
        };
        let salted = self.sinks.iter().any(|sink| sink.salted()) && named != MASTER_KEY;
        [Some(named), salted.then_some(MASTER_KEY)].into_iter().flatten()
    }
}

/// The variable from which credentials and salts are derived.
pub const MASTER_KEY: &str = "master_key";

/// The secret that it was before its last rotation.
pub const MASTER_KEY_PREVIOUS: &str = "master_key_previous";

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(OPENING)?;
        match &self.source {
            Source::Named(name) => f.write_str(name)?,
            Source::Derived { scope, name, generation } => write!(f, "derive:{scope}/{name}#{generation}")?,
        }
        for sink in &self.sinks {
            write!(f, "|{}", sink.name())?;
        }
        f.write_str("}")
    }
}

/// A text that begins like a token and is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenError {
    /// The text from the token's opening on, at most 80 characters.
    pub text: String,
    /// What is wrong with it.
    pub cause: String,
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no secret token: {}", self.text.escape_debug(), self.cause)
    }
}

impl std::error::Error for TokenError {}

/// A part of a text: as it stands, or a secret's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Text to be taken as it stands.
    Text(&'a str),
    /// A secret's place.
    Token(Token),
}

/// Whether a text holds what looks like a token.
pub fn holds_token(text: &str) -> bool {
    text.contains(OPENING)
}

/// Takes a text apart into plain pieces and tokens.
///
/// # Errors
/// Where the text holds a token's opening that is not followed by a well-formed token.
pub fn pieces(text: &str) -> Result<Vec<Piece<'_>>, TokenError> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(OPENING) {
        if start > 0 {
            found.push(Piece::Text(&rest[..start]));
        }
        let inside = &rest[start + OPENING.len()..];
        let error = |cause: String| TokenError { text: rest[start..].chars().take(80).collect(), cause };
        let end = inside.find('}').ok_or_else(|| error("it has no closing brace".to_owned()))?;
        found.push(Piece::Token(parse(&inside[..end]).map_err(error)?));
        rest = &inside[end + 1..];
    }
    if !rest.is_empty() {
        found.push(Piece::Text(rest));
    }
    Ok(found)
}

/// Reads what stands between the braces.
fn parse(inside: &str) -> Result<Token, String> {
    let mut parts = inside.split('|');
    let source = match parts.next().unwrap_or("") {
        derived if derived.starts_with("derive:") => parse_derived(&derived["derive:".len()..])?,
        name if valid_name(name) => Source::Named(name.to_owned()),
        other => return Err(format!("`{}` is no variable name", other.escape_debug())),
    };
    let sinks = parts
        .map(|name| Sink::named(name).ok_or_else(|| format!("there is no sink `{}`", name.escape_debug())))
        .collect::<Result<_, _>>()?;
    Ok(Token { source, sinks })
}

fn parse_derived(text: &str) -> Result<Source, String> {
    let form = || "a derived one is written `derive:HOST/ID/NAME#GENERATION`".to_owned();
    let (path, generation) = text.rsplit_once('#').ok_or_else(form)?;
    let (scope, name) = path.rsplit_once('/').ok_or_else(form)?;
    let generation = generation.parse().map_err(|_| form())?;
    let in_scope = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    if scope.is_empty() || !scope.chars().all(in_scope) || !valid_name(name) {
        return Err(form());
    }
    Ok(Source::Derived { scope: scope.to_owned(), name: name.to_owned(), generation })
}

fn valid_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_comes_apart_and_together_again() {
        let text = "user @secret{smtp_password|php} and @secret{derive:demo/wiki/admin#1|bcrypt|yaml}.";
        let pieces = pieces(text).unwrap();
        let again: String = pieces
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => (*text).to_owned(),
                Piece::Token(token) => token.to_string(),
            })
            .collect();
        assert_eq!(again, text);
        assert_eq!(pieces.len(), 5);
    }

    #[test]
    fn what_only_begins_like_a_token_is_refused() {
        for text in [
            "@secret{",
            "@secret{}",
            "@secret{a b}",
            "@secret{a|nope}",
            "@secret{derive:x#1}",
            "@secret{derive:h/i/n}",
        ] {
            assert!(pieces(text).is_err(), "{text}");
        }
        assert!(!holds_token("@secret is a word, {so} is this"));
    }

    #[test]
    fn a_salted_sink_needs_the_master_key() {
        let Piece::Token(token) = &pieces("@secret{p|bcrypt}").unwrap()[0] else { panic!() };
        assert_eq!(token.needs().collect::<Vec<_>>(), ["p", MASTER_KEY]);
    }
}
