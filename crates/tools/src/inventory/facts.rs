//! Adds a record `facts` behind each host's others: asked of the machines, or as an earlier stream has them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use pq_cli::Failure;
use pq_fleet::{Asked, Crew};
use pq_secrets::KeyFiles;
use pq_stream::{Diagnostic, Facts, Record, system_cause};

/// Where facts come from.
#[derive(Debug)]
pub enum Source {
    /// The machines are asked.
    Machines(Crew),
    /// They were, and this file has it.
    File(PathBuf),
}

/// The lines of a stream, with facts.
///
/// # Errors
/// Where the facts of a host cannot be had.
pub fn added(lines: Vec<String>, source: &Source, keys: &KeyFiles) -> Result<Vec<String>, Failure> {
    let mut run = None;
    let mut hosts: Vec<Asked> = Vec::new();
    for line in &lines {
        match (serde_json::from_str(line).map_err(|error| unreadable(&error))?, hosts.last_mut()) {
            (Record::Run(it), _) => run = Some(it),
            (Record::Host(host), _) => hosts.push(Asked { host, secret: None }),
            (Record::Secret(secret), Some(host)) => host.secret = Some(secret),
            _ => {}
        }
    }
    let Some(run) = run else { return Ok(lines) };
    let facts = match source {
        Source::Machines(crew) => pq_fleet::facts(&run, &hosts, keys, crew)?,
        Source::File(file) => replayed(file, &hosts).map_err(Failure::input)?,
    };
    let mut facts = facts.into_iter();
    let mut all = Vec::with_capacity(lines.len() + hosts.len());
    for line in lines {
        // The facts of the host before stand behind its last record.
        let closes = line.starts_with(r#"{"type":"host""#) || line.starts_with(r#"{"type":"end""#);
        if closes
            && all.len() > 1
            && let Some(facts) = facts.next()
        {
            all.push(serde_json::to_string(&Record::Facts(facts)).map_err(|error| unreadable(&error))?);
        }
        all.push(line);
    }
    Ok(all)
}

fn unreadable(error: &serde_json::Error) -> Failure {
    Failure::failed(Diagnostic::new("cannot put facts into the stream").cause(error.to_string()))
}

/// The facts of these hosts, as a file has them.
fn replayed(file: &Path, hosts: &[Asked]) -> Result<Vec<Facts>, Diagnostic> {
    let refused = |cause: String| {
        Diagnostic::new(format!("cannot take facts from `{}`", file.display()))
            .cause(cause)
            .hint(format!("write it with `pq-inventory --facts >{}`", file.display()))
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
    hosts.iter().map(|it| known.remove(&it.host.host).ok_or_else(|| missing(&it.host.host))).collect()
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
        added(lines, &Source::File(path), &KeyFiles::default()).map_err(|failure| match failure {
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
