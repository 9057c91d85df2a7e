//! One question to one machine, and its answer.
//!
//! It may be anybody's machine: what it says is held to the form of the answer, and its texts are short and plain.

use std::sync::Arc;
use std::time::Duration;

use pq_cli::Failure;
use pq_run::Stop;
use pq_stream::{Diagnostic, Run, Secret, Status};
use serde_json::Value;

use crate::crew::sent_by;
use crate::ear::of_failure;
use crate::ending::Ending;
use crate::line::{Call, Hears};
use crate::login::{Login, Password};
use crate::order::{Frame, Order, Question};
use crate::said::Said;
use crate::tool;

/// Longest text of an answer.
const LONGEST: usize = 500;

/// Most items of one of its lists.
const MOST: usize = 5000;

/// What is asked, and how.
pub struct Asked<'a, T> {
    /// What.
    pub question: Question,
    /// Where the instances are.
    pub base: String,
    /// Steps that it needs, as lines of the stream.
    pub steps: Arc<String>,
    /// The arguments of the tool there that is asked.
    pub words: Vec<String>,
    /// The stream's first line.
    pub run: &'a Run,
    /// Whether a person is there to answer ssh's questions.
    pub asks: bool,
    /// How long the machine may think about its answer.
    pub patience: Option<Duration>,
    /// Whether the operator asked to stop.
    pub stop: &'a Stop,
    /// The answer: nothing where what it said is none.
    pub take: fn(Said) -> Option<T>,
    /// Who hears what it says meanwhile.
    pub note: &'a dyn Fn(&str),
    /// Who hears what a tool there says.
    pub told: &'a dyn Fn(Value),
}

impl<T> Asked<'_, T> {
    /// Asks a machine.
    ///
    /// # Errors
    /// Where no answer came.
    pub fn put(self, login: &Login, password: Option<Password>) -> Result<T, Ending> {
        let host = login.host.as_str();
        let order = Order {
            question: self.question,
            verify: false,
            take: pq_run::Take::default(),
            resume: Vec::new(),
            data_loss: Vec::new(),
            only: Vec::new(),
            command: sent_by(),
            base: self.base,
            words: self.words,
            values: Default::default(),
            hidden: Vec::new(),
        };
        let none = Secret { host: host.to_owned(), names: Vec::new(), sealed: String::new() };
        let frame = Frame::new(&order, self.run, none, self.steps)
            .map_err(|error| Ending::failed(Diagnostic::new("cannot ask").cause(error.to_string())))?;
        let ends_with_line = tool::program(self.question).is_some();
        let (take, note, told) = (self.take, self.note, self.told);
        let mut ear = Ear { host, take, note, told, ends_with_line, answer: None, refused: None };
        let call = Call { login, password, frame, asks: self.asks, patience: self.patience };
        call.hold(self.stop, &mut ear)?;
        match (ear.refused, ear.answer) {
            (Some(ending), _) => Err(ending),
            (None, Some(answer)) => Ok(answer),
            (None, None) => silent(host),
        }
    }
}

/// What follows where nothing was told.
pub fn silent<T>(host: &str) -> Result<T, Ending> {
    Err(Ending::failed(Diagnostic::new(format!("host `{host}` told nothing"))))
}

/// Hears the answer.
struct Ear<'a, T> {
    host: &'a str,
    take: fn(Said) -> Option<T>,
    note: &'a dyn Fn(&str),
    told: &'a dyn Fn(Value),
    ends_with_line: bool,
    answer: Option<T>,
    refused: Option<Ending>,
}

impl<T> Hears for Ear<'_, T> {
    fn hear(&mut self, said: Said) -> Result<bool, String> {
        match said {
            Said::Refused { status, problems } => {
                let why = problems.into_iter().take(10).map(|problem| Diagnostic {
                    message: format!("host `{}`: {}", self.host, problem.message),
                    place: None,
                    causes: problem.causes,
                    hints: problem.hints,
                });
                self.refused = Some(of_failure(Failure::Because(status.max(Status::Busy), why.collect())));
                Ok(true)
            }
            Said::Note { note } => {
                (self.note)(&note.chars().take(400).collect::<String>());
                Ok(false)
            }
            Said::Told { told } => {
                (self.told)(told);
                Ok(false)
            }
            said => {
                self.answer = (self.take)(said);
                match self.answer {
                    Some(_) => Ok(true),
                    None => {
                        Err("its answer is none, or longer than answers are, or no plain text".to_owned())
                    }
                }
            }
        }
    }

    fn at_work(&self) -> Option<String> {
        None
    }

    fn ends_with_line(&self) -> bool {
        self.ends_with_line
    }
}

/// Whether every text of an answer is short and has no control character, and every list is short.
pub fn is_plain(answer: &impl serde::Serialize) -> bool {
    plain(&serde_json::to_value(answer).unwrap_or_default())
}

fn plain(value: &Value) -> bool {
    let text = |text: &str| text.len() <= LONGEST && !text.chars().any(char::is_control);
    match value {
        Value::String(it) => text(it),
        Value::Array(items) => items.len() <= MOST && items.iter().all(plain),
        Value::Object(map) => map.len() <= MOST && map.iter().all(|(key, value)| text(key) && plain(value)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_short_and_plain_texts_are_answers() {
        assert!(plain(&json!({"os": "debian-12", "mounts": [{"path": "/"}], "cores": 2})));
        assert!(!plain(&json!({"os": "\u{1b}[2J"})));
        assert!(!plain(&json!({"os": "x".repeat(LONGEST + 1)})));
        assert!(!plain(&json!({"mounts": vec![1; MOST + 1]})));
    }
}
