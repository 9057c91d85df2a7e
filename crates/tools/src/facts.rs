//! A record `facts` behind each host's others.

use std::io::{Write as _, stdin, stdout};

use pq_cli::Failure;
use pq_fleet::{Asked, Crew};
use pq_secrets::KeyFiles;
use pq_stream::{Diagnostic, Facts, Record, Run, Status, system_cause};

/// Asks the machines of the stream on standard input, and writes it with what they say: `pq-inventory --facts` has its stream
/// go through here, so that it needs nothing that talks to machines.
///
/// # Errors
/// Where the stream is none, or a machine gives no facts: then nothing is written.
pub(crate) fn tell(keys: &KeyFiles, crew: &Crew) -> Result<Status, Failure> {
    let text = std::io::read_to_string(stdin().lock()).map_err(|error| {
        Failure::input(Diagnostic::new("cannot read the stream").cause(system_cause(&error)))
    })?;
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let (run, hosts) = hosts(&lines)?;
    let facts = match &run {
        Some(run) => pq_fleet::facts(run, &hosts, keys, crew)?,
        None => Vec::new(),
    };
    let mut out = stdout().lock();
    for line in placed(lines, facts)? {
        writeln!(out, "{line}").map_err(|error| Failure::output(&error))?;
    }
    Ok(Status::Done)
}

/// The first line of a stream, and its hosts with what is sealed for them.
pub(crate) fn hosts(lines: &[String]) -> Result<(Option<Run>, Vec<Asked>), Failure> {
    let mut run = None;
    let mut hosts: Vec<Asked> = Vec::new();
    for line in lines {
        match (serde_json::from_str(line).map_err(|error| unreadable(&error))?, hosts.last_mut()) {
            (Record::Run(it), _) => run = Some(it),
            (Record::Host(host), _) => hosts.push(Asked::new(host, None)),
            (Record::Secret(secret), Some(asked)) => asked.secret = Some(secret),
            _ => {}
        }
    }
    Ok((run, hosts))
}

/// The lines of a stream, with the facts of its hosts, which come in their order.
pub(crate) fn placed(lines: Vec<String>, facts: Vec<Facts>) -> Result<Vec<String>, Failure> {
    let mut facts = facts.into_iter();
    let mut all = Vec::with_capacity(lines.len() + facts.len());
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
