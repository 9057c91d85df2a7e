//! Text for people, or the stream for the next tool.

use std::io::{IsTerminal, stdout};

use clap::Args;
use pq_stream::Diagnostic;

use crate::Failure;

/// The form of what goes to standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Text for people.
    Text,
    /// The stream, one JSON object a line.
    Json,
}

/// The options that every tool has for its output.
#[derive(Debug, Clone, Args)]
pub struct OutputArgs {
    /// Write the stream, one JSON object a line, also on a terminal
    #[arg(long, conflicts_with = "text", help_heading = "Output")]
    pub json: bool,
    /// Write text for people, also into a pipe
    #[arg(long, help_heading = "Output")]
    pub text: bool,
}

impl OutputArgs {
    /// What the options say, else `PQ_OUTPUT` (`json`, `text`), else text on a terminal and the stream elsewhere.
    ///
    /// # Errors
    /// Where `PQ_OUTPUT` is something else.
    pub fn form(&self) -> Result<Form, Failure> {
        match (self.json, self.text, std::env::var("PQ_OUTPUT").unwrap_or_default().as_str()) {
            (true, _, _) => Ok(Form::Json),
            (_, true, _) => Ok(Form::Text),
            (_, _, "json") => Ok(Form::Json),
            (_, _, "text") => Ok(Form::Text),
            (_, _, "") if stdout().is_terminal() => Ok(Form::Text),
            (_, _, "") => Ok(Form::Json),
            (_, _, other) => Err(Failure::input(
                Diagnostic::new(format!("`PQ_OUTPUT` is `{other}`"))
                    .hint("set it to `json` or `text`, or unset it"),
            )),
        }
    }
}
