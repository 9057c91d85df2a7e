//! When cron does something: its five fields, read as strictly as cron reads them.
//!
//! cron says in its log alone what it does not take, and runs nothing of the file: what is refused here would never run.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A time of cron in five fields: minute, hour, day of the month, month, day of the week, as in `12 3 * * *`.
///
/// As cron has it, two days that are both restricted mean either, not both.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Schedule(String);

/// What a field of a schedule is called, its least and greatest number, and the names that it also takes, from the least.
type Field = (&'static str, u8, u8, &'static [&'static str]);

const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const FIELDS: [Field; 5] = [
    ("minute", 0, 59, &[]),
    ("hour", 0, 23, &[]),
    ("day of the month", 1, 31, &[]),
    ("month", 1, 12, MONTHS),
    ("day of the week", 0, 7, DAYS),
];

/// What cron takes in the place of five fields.
const WORDS: [&str; 8] =
    ["@reboot", "@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"];

impl Schedule {
    /// Reads a time.
    ///
    /// # Errors
    /// Where cron would not take it.
    pub fn new(text: impl Into<String>) -> Result<Self, String> {
        let text = text.into();
        five_fields(&text)?;
        Ok(Schedule(text))
    }

    /// As cron writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether cron takes a text for a time: five fields, or a word such as `@daily`.
///
/// # Errors
/// Where it would not, saying why.
pub fn cron_time(text: &str) -> Result<(), String> {
    match WORDS.contains(&text) {
        true => Ok(()),
        false => five_fields(text),
    }
}

fn five_fields(text: &str) -> Result<(), String> {
    let parts: Vec<&str> = text.split(' ').collect();
    if parts.len() != FIELDS.len() {
        return Err(format!(
            "`{}` is no time of cron: five fields with a blank between, such as `12 3 * * *`",
            text.escape_debug()
        ));
    }
    for (part, field) in parts.iter().zip(FIELDS) {
        if !part.split(',').all(|range| is_range(range, field)) {
            let (name, least, most, _) = field;
            return Err(format!(
                "`{}` is no {name}: numbers from {least} to {most}, `*`, `1-5`, `*/10`, with commas",
                part.escape_debug()
            ));
        }
    }
    Ok(())
}

/// One of the ranges of a field: `*`, `5`, `1-5`, each with `/step` behind a range.
fn is_range(text: &str, (_, least, most, names): Field) -> bool {
    let number = |text: &str| match names.iter().position(|name| text.eq_ignore_ascii_case(name)) {
        Some(at) => u8::try_from(at).ok().map(|at| at + least),
        None => text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit())),
    };
    let within = |text: &str| number(text).filter(|number| (least..=most).contains(number));
    let (range, step) = text.split_once('/').map_or((text, None), |(range, step)| (range, Some(step)));
    let is_step = |step: &str| {
        step.bytes().all(|byte| byte.is_ascii_digit()) && step.parse().is_ok_and(|step: u8| step > 0)
    };
    let (known, several) = match range.split_once('-') {
        _ if range == "*" => (true, true),
        Some((from, to)) => {
            (matches!((within(from), within(to)), (Some(from), Some(to)) if from <= to), true)
        }
        None => (within(range).is_some(), false),
    };
    known && step.is_none_or(|step| several && is_step(step))
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Schedule> for String {
    fn from(schedule: Schedule) -> String {
        schedule.0
    }
}

impl TryFrom<String> for Schedule {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Schedule::new(text)
    }
}

impl JsonSchema for Schedule {
    fn schema_name() -> Cow<'static, str> {
        "Schedule".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^\\S+ \\S+ \\S+ \\S+ \\S+$",
            "description": "a time of cron in five fields, as in `12 3 * * *`"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_cron_would_not_take_is_refused() {
        let good = ["12 3 * * *", "*/5 * * * *", "0 4 1-7 jan,JUL sun", "0,30 8-18/2 * * 1-5", "0 0 31 12 7"];
        for text in good {
            assert!(Schedule::new(text).is_ok(), "{text}");
        }
        assert!(cron_time("@daily").is_ok() && Schedule::new("@daily").is_err());
        let bad = [
            "",
            "* * * *",
            "* * * * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 8",
            "5-1 * * * *",
            "*/0 * * * *",
            "5/2 * * * *",
            "a * * * *",
            "*  * * * *",
            "@dayly",
            "1,,2 * * * *",
            "+1 * * * *",
            "* * * * foo",
            "-1 * * * *",
            "1- * * * *",
            "*/ * * * *",
            "* * * * *\n* * * * * root true",
        ];
        for text in bad {
            assert!(cron_time(text).is_err(), "{text}");
        }
    }
}
