//! Reads a stream and holds it to its grammar: `run`, then hosts one after the other, then `end`.
//!
//! Always true here: a record about a host comes after that host's own record and before the next host's;
//! nothing follows the stream's `end`. Whether the stream was whole is asked with [`Reader::finish`].

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, BufRead, Read};

use crate::{End, FORMAT, Record, Status};

/// Longest line that is read; a site's longest file is far below.
const MAX_LINE: u64 = 64 << 20;

/// What is wrong with a stream. Line numbers count from 1.
#[derive(Debug)]
pub enum StreamError {
    /// Not a single line came.
    Empty,
    /// It stopped before its `end` record.
    Ended {
        /// Lines that came.
        lines: usize,
    },
    /// The last line has no line end: it was cut within.
    Cut {
        /// The line.
        line: usize,
    },
    /// A line is no record.
    Bad {
        /// The line.
        line: usize,
        /// Why not.
        cause: String,
    },
    /// A record where it cannot stand.
    Order {
        /// The line.
        line: usize,
        /// Why not.
        cause: String,
    },
    /// The tool before failed, and said so.
    Upstream(Status),
    /// Fewer or more hosts came than the `end` says.
    Hosts {
        /// What the `end` says.
        said: usize,
        /// What came.
        came: usize,
    },
    /// Reading failed.
    Io(io::Error),
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StreamError::Empty => f.write_str("the stream is empty"),
            StreamError::Ended { lines } => write!(f, "the stream ended early, after {lines} lines"),
            StreamError::Cut { line } => write!(f, "the stream ended early, within line {line}"),
            StreamError::Bad { line, cause } => write!(f, "line {line} of the stream is no record: {cause}"),
            StreamError::Order { line, cause } => {
                write!(f, "line {line} of the stream is out of place: {cause}")
            }
            StreamError::Upstream(status) => {
                write!(f, "the tool before failed with exit status {}", status.code())
            }
            StreamError::Hosts { said, came } => {
                write!(f, "the stream says that it holds {said} hosts, and {came} came")
            }
            StreamError::Io(_) => f.write_str("cannot read the stream"),
        }
    }
}

impl std::error::Error for StreamError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StreamError::Io(error) => Some(error),
            _ => None,
        }
    }
}

/// Reads records and the lines they came in.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    line: usize,
    hosts: BTreeSet<String>,
    current: Option<String>,
    sealed: BTreeSet<String>,
    verdicts: Status,
    end: Option<End>,
}

impl<R: BufRead> Reader<R> {
    /// A reader of the lines of `input`.
    pub fn new(input: R) -> Self {
        Reader {
            input,
            line: 0,
            hosts: BTreeSet::new(),
            current: None,
            sealed: BTreeSet::new(),
            verdicts: Status::Done,
            end: None,
        }
    }

    /// The next record and its line without the line end; nothing at the end of the input.
    ///
    /// # Errors
    /// Where a line is cut, is no record, or stands where it cannot.
    pub fn next_record(&mut self) -> Result<Option<(Record, String)>, StreamError> {
        let mut line = String::new();
        let read =
            (&mut self.input).take(MAX_LINE).read_line(&mut line).map_err(|error| match error.kind() {
                io::ErrorKind::InvalidData => {
                    StreamError::Bad { line: self.line + 1, cause: "it is not UTF-8".to_owned() }
                }
                _ => StreamError::Io(error),
            })?;
        if read == 0 {
            return Ok(None);
        }
        self.line += 1;
        if line.pop() != Some('\n') {
            return Err(match read as u64 {
                MAX_LINE => self.bad(format!("it is longer than {} MiB", MAX_LINE >> 20)),
                _ => StreamError::Cut { line: self.line },
            });
        }
        let record = serde_json::from_str(&line).map_err(|error| self.bad(error.to_string()))?;
        self.place(&record)?;
        Ok(Some((record, line)))
    }

    /// Whether the whole stream came, once the input has ended.
    ///
    /// # Errors
    /// Where it is empty, ended early, is short of hosts, or ended with a failure of the tool before.
    pub fn finish(&self) -> Result<&End, StreamError> {
        match &self.end {
            None if self.line == 0 => Err(StreamError::Empty),
            None => Err(StreamError::Ended { lines: self.line }),
            Some(end) if end.hosts.unwrap_or(0) != self.hosts.len() => {
                Err(StreamError::Hosts { said: end.hosts.unwrap_or(0), came: self.hosts.len() })
            }
            // What an execution before found on a host is that host's; what no host's verdict explains is the stream's.
            Some(end) if end.status == Status::Input || end.status > self.verdicts.max(Status::Differs) => {
                Err(StreamError::Upstream(end.status))
            }
            Some(end) => Ok(end),
        }
    }

    fn bad(&self, cause: String) -> StreamError {
        StreamError::Bad { line: self.line, cause }
    }

    /// Holds a record to the grammar.
    fn place(&mut self, record: &Record) -> Result<(), StreamError> {
        let order = |cause: String| Err(StreamError::Order { line: self.line, cause });
        if self.end.is_some() {
            return order("it comes after the stream's `end`".to_owned());
        }
        match (record, self.line) {
            (Record::Run(run), 1) if run.format == FORMAT => return Ok(()),
            (Record::Run(run), 1) => {
                return order(format!("it is of format {}, and this tool reads format {FORMAT}", run.format));
            }
            (Record::Run(_), _) => return order("a second `run` line".to_owned()),
            (_, 1) => return order("the first line must be the `run` line of pq-inventory".to_owned()),
            _ => {}
        }
        match (record, record.host()) {
            (Record::End(end), None) => self.end = Some(end.clone()),
            (Record::Secret(_), Some(host)) if !self.sealed.insert(host.to_owned()) => {
                return order(format!("the secrets of host `{host}` came before"));
            }
            (Record::Host(_), Some(host)) => {
                if !self.hosts.insert(host.to_owned()) {
                    return order(format!("host `{host}` came before"));
                }
                self.current = Some(host.to_owned());
            }
            (_, Some(host)) if self.current.as_deref() != Some(host) => {
                return order(format!("it is about `{host}`, whose host record is not the last one"));
            }
            (Record::End(end), Some(_)) => self.verdicts = self.verdicts.max(end.status),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str =
        r#"{"type":"run","format":1,"inventory":"/i","digest":"0","time":"2026-11-23T00:00:00Z"}"#;
    const HOST: &str = r#"{"type":"host","host":"a","groups":["all"],"connection":{"kind":"local"},"instances":[],"vars":{}}"#;

    fn verdict(text: &str) -> String {
        let mut reader = Reader::new(text.as_bytes());
        loop {
            match reader.next_record() {
                Ok(Some(_)) => {}
                Ok(None) => return reader.finish().map_or_else(|e| e.to_string(), |_| "whole".to_owned()),
                Err(error) => return error.to_string(),
            }
        }
    }

    #[test]
    fn a_number_is_the_same_after_any_number_of_tools() {
        let host = HOST.replace(r#""vars":{}"#, r#""vars":{"x":6.666666666666666e49}"#);
        let text = format!("{RUN}\n{host}\n");
        let mut reader = Reader::new(text.as_bytes());
        reader.next_record().unwrap();
        let (record, _) = reader.next_record().unwrap().unwrap();
        assert!(serde_json::to_string(&record).unwrap().contains("6.666666666666666e+49"), "{record:?}");
    }

    #[test]
    fn a_whole_stream_is_told_from_one_that_is_not() {
        let end = r#"{"type":"end","hosts":1,"status":0}"#;
        let whole = format!("{RUN}\n{HOST}\n{end}\n");
        assert_eq!(verdict(&whole), "whole");
        assert_eq!(verdict(""), "the stream is empty");
        assert_eq!(verdict(&whole[..whole.len() - 1]), "the stream ended early, within line 3");
        assert_eq!(verdict(&format!("{RUN}\n{HOST}\n")), "the stream ended early, after 2 lines");
        assert!(verdict(&format!("{RUN}\n{end}\n")).contains("and 0 came"));
        assert!(
            verdict(&format!("{RUN}\n{HOST}\n{}\n", end.replace(":0}", ":2}"))).contains("exit status 2")
        );
        assert!(verdict(&whole.replace(":0}", ":1}")).contains("exit status 1"));
        let failed = r#"{"type":"end","host":"a","status":1}"#;
        assert_eq!(verdict(&format!("{RUN}\n{HOST}\n{failed}\n{}\n", end.replace(":0}", ":1}"))), "whole");
        let secret = r#"{"type":"secret","host":"a","names":[],"sealed":""}"#;
        assert!(verdict(&format!("{RUN}\n{HOST}\n{secret}\n{secret}\n{end}\n")).contains("came before"));
        assert!(verdict(&format!("{HOST}\n{end}\n")).contains("must be the `run` line"));
        assert!(verdict(&format!("{whole}{HOST}\n")).contains("after the stream's `end`"));
        assert!(verdict(&format!("{RUN}\n{HOST}\n{HOST}\n{end}\n")).contains("came before"));
        assert!(verdict(&format!("{RUN}\n{{\"type\":\"nope\"}}\n")).contains("no record"));
    }

    #[test]
    fn every_prefix_of_a_stream_is_refused() {
        let whole = format!("{RUN}\n{HOST}\n{}\n", r#"{"type":"end","hosts":1,"status":0}"#);
        for cut in 0..whole.len() {
            assert_ne!(verdict(&whole[..cut]), "whole", "cut at byte {cut}");
        }
    }
}
