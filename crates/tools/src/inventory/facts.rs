//! Adds a record `facts` behind each host's others: asked of the machines, or as an earlier stream has them.
//!
//! The machines are asked by `pq-apply`, which lies beside this tool and knows the way to them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pq_cli::{Failure, tool_name};
use pq_stream::{Diagnostic, Facts, Host, Record, Status, system_cause};

use crate::facts::{hosts, placed};

/// Where facts come from.
#[derive(Debug)]
pub enum Source {
    /// The machines are asked; these options say how.
    Machines(Vec<OsString>),
    /// They were, and this file has it.
    File(PathBuf),
}

/// The lines of a stream, with facts.
///
/// # Errors
/// Where the facts of a host cannot be had.
pub fn added(lines: Vec<String>, source: &Source) -> Result<Vec<String>, Failure> {
    match source {
        Source::Machines(options) => asked(&lines, options),
        Source::File(file) => {
            let (_, hosts) = hosts(&lines)?;
            let facts = replayed(file, hosts.iter().map(|asked| &asked.host)).map_err(Failure::input)?;
            placed(lines, facts)
        }
    }
}

/// The lines, as `pq-apply` gives them back. What it has to say, it says in this tool's name.
fn asked(lines: &[String], options: &[OsString]) -> Result<Vec<String>, Failure> {
    let beside = std::env::current_exe().unwrap_or_default().with_file_name("pq-apply");
    let failed = |cause: String| {
        Failure::failed(
            Diagnostic::new(format!("cannot ask machines by `{}`", beside.display()))
                .cause(cause)
                .hint("install `pq-apply` beside this tool"),
        )
    };
    let mut asking = Command::new(&beside)
        .arg0(tool_name())
        .arg("--facts")
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(system_cause(&error)))?;
    if let Some(mut input) = asking.stdin.take() {
        // It reads all before it writes anything; where it does not, its status says why.
        let _ = input.write_all(lines.join("\n").as_bytes());
    }
    let output = asking.wait_with_output().map_err(|error| failed(system_cause(&error)))?;
    match output.status.code() {
        Some(0) => {
            let text = String::from_utf8(output.stdout).map_err(|error| failed(error.to_string()))?;
            Ok(text.lines().map(str::to_owned).collect())
        }
        Some(code) => {
            let status = u8::try_from(code).ok().and_then(|code| Status::try_from(code).ok());
            Err(Failure::Told(status.unwrap_or(Status::Failed)))
        }
        None => Err(failed("it was killed".to_owned())),
    }
}

/// The facts of these hosts, as a file has them.
fn replayed<'a>(file: &Path, hosts: impl Iterator<Item = &'a Host>) -> Result<Vec<Facts>, Diagnostic> {
    let refused = |cause: String| {
        Diagnostic::new(format!("cannot take facts from `{}`", file.display()))
            .cause(cause)
            .hint("`pq-inventory --facts >facts.jsonl` writes such a file")
    };
    let text = fs::read_to_string(file).map_err(|error| refused(system_cause(&error)))?;
    let mut known = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let record = serde_json::from_str(line)
            .map_err(|error| refused(format!("line {} is no record: {error}", number + 1)))?;
        if let Record::Facts(facts) = record {
            known.insert(facts.host.clone(), facts);
        }
    }
    let missing = |host: &str| refused(format!("it holds none of host `{host}`"));
    hosts.map(|it| known.remove(&it.host).ok_or_else(|| missing(&it.host))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: [&str; 4] = [
        r#"{"type":"run","format":1,"inventory":"/i","digest":"0","time":"t"}"#,
        r#"{"type":"host","host":"a","groups":[],"connection":{"kind":"local"},"vars":{}}"#,
        r#"{"type":"host","host":"b","groups":[],"connection":{"kind":"ssh"},"vars":{}}"#,
        r#"{"type":"end","hosts":2,"status":0}"#,
    ];

    fn from(file: &str) -> Result<Vec<String>, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("facts");
        fs::write(&path, file).unwrap();
        let lines = LINES.map(str::to_owned).to_vec();
        added(lines, &Source::File(path)).map_err(|failure| match failure {
            Failure::Because(_, diagnostics) => diagnostics[0].to_string(),
            _ => String::new(),
        })
    }

    #[test]
    fn recorded_facts_stand_behind_their_hosts() {
        let (a, b) = (r#"{"type":"facts","host":"a","os":"x"}"#, r#"{"type":"facts","host":"b","os":"y"}"#);
        let lines = from(&format!("{b}\n{a}\n")).unwrap();
        assert_eq!(lines, [LINES[0], LINES[1], a, LINES[2], b, LINES[3]]);
    }

    #[test]
    fn a_host_without_recorded_facts_is_named() {
        let error = from("{\"type\":\"facts\",\"host\":\"a\"}\n").unwrap_err();
        assert!(error.contains("none of host `b`"), "{error}");
        assert!(from("nonsense\n").unwrap_err().contains("line 1"));
    }
}
