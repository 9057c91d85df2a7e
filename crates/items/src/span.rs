//! A length of time as people write it: `90s`, `10m`, `26h`, `7d`.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A length of time: a whole number of seconds, minutes, hours or days, at most ten years.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Span {
    text: String,
    seconds: u64,
}

const MOST: u64 = 3650 * 86_400;

impl Span {
    /// Reads a length of time.
    ///
    /// # Errors
    /// Where it is none.
    pub fn new(text: impl Into<String>) -> Result<Self, String> {
        let text = text.into();
        let unit = match text.chars().last() {
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3600,
            Some('d') => 86_400,
            _ => 0,
        };
        let digits = text.strip_suffix(['s', 'm', 'h', 'd']).unwrap_or_default();
        let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u64>().ok());
        let seconds = number.flatten().and_then(|number| number.checked_mul(unit));
        match seconds.filter(|seconds| (1..=MOST).contains(seconds)) {
            Some(seconds) => Ok(Span { text, seconds }),
            None => Err(format!(
                "`{}` is not a length of time, such as `90s`, `10m`, `26h` or `7d`",
                text.escape_debug()
            )),
        }
    }

    /// Its seconds.
    pub fn seconds(&self) -> u64 {
        self.seconds
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<Span> for String {
    fn from(span: Span) -> String {
        span.text
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Span::new(text)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[0-9]+[smhd]$",
            "description": "a length of time: `90s`, `10m`, `26h`, `7d`"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_has_a_unit_and_is_not_nothing() {
        let seconds = |text: &str| Span::new(text).map(|span| span.seconds());
        assert_eq!(seconds("90s"), Ok(90));
        assert_eq!(seconds("26h"), Ok(26 * 3600));
        assert_eq!(seconds("7d"), Ok(7 * 86_400));
        for bad in ["", "10", "h", "0m", "-1h", "1.5h", "1 h", "99999999999999999999d", "4000d", "1w"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
