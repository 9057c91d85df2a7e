//! `pq-apply --status`: what runs left on machines, and what is booked there.

use std::fmt::Write as _;
use std::io::{Write as _, stdin, stdout};

use pq_cli::{Failure, Form, printable};
use pq_fleet::{Asked, Crew};
use pq_secrets::KeyFiles;
use pq_stream::{Diagnostic, End, HostStatus, Record, Status};

/// Asks the machines of the stream on standard input, and prints what they say. Where something is not finished, the status is
/// that something differs.
///
/// # Errors
/// Where the stream is none, or nobody can be asked.
pub(crate) fn tell(keys: &KeyFiles, crew: &Crew, form: Form) -> Result<Status, Failure> {
    let work = pq_run::read(stdin().lock()).map_err(Failure::input)?;
    if work.hosts.is_empty() {
        let error = Diagnostic::new("there is nobody to ask: the stream holds no host");
        return Err(Failure::input(error.hint("type `pq-inventory HOST | pq-apply --status`")));
    }
    let asked = work.hosts.into_iter().map(|host| Asked::new(host.host, host.secret));
    let hosts: Vec<Asked> = asked.collect();
    let (found, mut worst) = pq_fleet::statuses(&work.run, &hosts, keys, crew)?;
    if found.iter().any(unfinished) {
        worst = worst.max(Status::Differs);
    }
    let mut text = String::new();
    match form {
        Form::Text => found.iter().for_each(|status| show(&mut text, status)),
        Form::Json => {
            let mut add = |record: &Record| -> Result<(), Failure> {
                text.push_str(&serde_json::to_string(record).map_err(|error| unwritten(&error))?);
                text.push('\n');
                Ok(())
            };
            add(&Record::Run(work.run))?;
            let mut found = found.iter().peekable();
            for asked in &hosts {
                add(&Record::Host(asked.host.clone()))?;
                if let Some(status) = found.next_if(|it| it.host == asked.host.host) {
                    add(&Record::Status(status.clone()))?;
                }
            }
            add(&Record::End(End { host: None, hosts: Some(hosts.len()), status: worst, counts: None }))?;
        }
    }
    write!(stdout(), "{text}").map_err(|error| Failure::output(&error))?;
    Ok(worst)
}

fn unwritten(error: &serde_json::Error) -> Failure {
    Failure::failed(Diagnostic::new("cannot write the status").cause(error.to_string()))
}

fn unfinished(status: &HostStatus) -> bool {
    !status.runs.is_empty() || !status.transactions.is_empty()
}

/// One machine, for people.
fn show(text: &mut String, status: &HostStatus) {
    let HostStatus { host, at_work, changed, runs, transactions, edited, owners } = status;
    let _ = writeln!(text, "{host}");
    let mut line = |what: &str, said: String| {
        let _ = writeln!(text, "  {what:11}  {}", printable(&said));
    };
    line("at work", at_work.clone().unwrap_or_else(|| "nobody".to_owned()));
    let never = || "none that came to a good end is known".to_owned();
    line("last change", changed.clone().unwrap_or_else(never));
    for run in runs {
        let how = match (&run.step, run.killed) {
            (Some(step), _) => format!("was killed within `{step}`"),
            (None, true) => "was killed between two steps".to_owned(),
            (None, false) => "failed, or was asked to stop".to_owned(),
        };
        line(
            "unfinished",
            format!("the run of {} {how}; one of the same plan that ends well makes it good", run.began),
        );
    }
    for it in transactions {
        let cure = match it.state.as_str() {
            "held" => format!("`--resume {0}` goes on, `pq-apply --rollback {0}` there undoes it", it.id),
            _ => "the next run goes on with it, or undoes it".to_owned(),
        };
        line(
            "transaction",
            format!("`{}` is {} since {}, begun by `{}`; {cure}", it.id, it.state, it.since, it.command),
        );
    }
    for path in edited {
        line("by hand", format!("`{path}` stays as somebody changed it"));
    }
    for (owner, things) in owners {
        let counts: Vec<String> = things.iter().map(|(kind, count)| counted(kind, *count)).collect();
        line("booked", format!("{owner}: {}", counts.join(", ")));
    }
}

fn counted(kind: &str, count: usize) -> String {
    match (kind, count) {
        (_, 1) => format!("1 {kind}"),
        ("directory", _) => format!("{count} directories"),
        _ => format!("{count} {kind}s"),
    }
}
