//! What a check found.

use serde::{Deserialize, Serialize};

use crate::Level;

/// The longest text of an answer that is kept, in characters.
const LONGEST: usize = 400;

/// What a check found. Its texts hold no control characters: they go into mails, tables and pages.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Answer {
    /// How bad it is.
    pub level: Level,
    /// The cause in a word that stays: `refused`, `timeout`, `expired`.
    pub code: String,
    /// The same for people.
    pub message: String,
    /// What helps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// What was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// In which unit: `%`, `s`, `d`, or nothing.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub unit: String,
    /// How long it took, in milliseconds.
    pub ms: u64,
    /// It says nothing of what was asked: this machine's own network is gone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub blind: bool,
}

impl Answer {
    /// All is well.
    pub fn ok(message: impl Into<String>) -> Self {
        Answer::of(Level::Ok, "ok", message)
    }

    /// Somebody should look at it.
    pub fn warning(code: &str, message: impl Into<String>) -> Self {
        Answer::of(Level::Warning, code, message)
    }

    /// It does not do what it is for.
    pub fn critical(code: &str, message: impl Into<String>) -> Self {
        Answer::of(Level::Critical, code, message)
    }

    /// It could not be asked.
    pub fn unknown(code: &str, message: impl Into<String>) -> Self {
        Answer::of(Level::Unknown, code, message)
    }

    /// An answer of a level.
    pub fn of(level: Level, code: &str, message: impl Into<String>) -> Self {
        Answer { level, code: code.to_owned(), message: line(&message.into()), ..Answer::default() }
    }

    /// With what helps.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(line(&hint.into()));
        self
    }

    /// With what was measured.
    #[must_use]
    pub fn value(mut self, value: f64, unit: &str) -> Self {
        self.value = value.is_finite().then_some(value);
        unit.clone_into(&mut self.unit);
        self
    }

    /// The worse of two; of the first where both are as bad, with what either measured.
    #[must_use]
    pub fn or_worse(self, other: Answer) -> Self {
        let (mut worse, better) = if other.level > self.level { (other, self) } else { (self, other) };
        if worse.value.is_none() {
            worse.value = better.value;
            worse.unit = better.unit;
        }
        worse
    }

    /// As a Nagios plugin says it: `PQ OK - text | 'label'=value[UOM]`.
    pub fn as_plugin(&self, label: &str) -> String {
        let mut text = format!("PQ {} - {}", self.level.word(), self.message.replace('|', "/"));
        if let Some(hint) = &self.hint {
            text.push_str(&format!(" ({})", hint.replace('|', "/")));
        }
        let label = label.replace(['\'', '='], "_");
        text.push_str(&format!(" | 'time'={}ms", self.ms));
        if let Some(value) = self.value {
            text.push_str(&format!(" '{label}'={}{}", number(value), self.unit));
        }
        text
    }
}

/// A number as short as it can be said.
pub fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// One line without control characters, and not too long.
pub fn line(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let plain = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    match plain.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &plain[..at]),
        None => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_one_line_and_a_plugin_can_say_it() {
        let answer = Answer::critical("refused", "no | way\nin\u{1b}[2J").value(12.50, "%").hint("look");
        assert_eq!(answer.message, "no | way in [2J");
        assert_eq!(
            answer.as_plugin("a/b='c"),
            "PQ CRITICAL - no / way in [2J (look) | 'time'=0ms 'a/b__c'=12.5%"
        );
        assert_eq!(line(&"x".repeat(1000)).chars().count(), LONGEST + 1);
    }

    #[test]
    fn of_two_answers_the_worse_counts_and_nothing_measured_is_lost() {
        let both = Answer::ok("fine").value(3.0, "d").or_worse(Answer::warning("slow", "slow"));
        assert_eq!((both.level, both.value), (Level::Warning, Some(3.0)));
    }
}
