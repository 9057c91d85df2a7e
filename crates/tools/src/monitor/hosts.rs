//! The hosts of a stream, each asked for what its own `pq-monitor` last saw: one table with a column for the host, or records.
//!
//! Always true here: what a host says is shown as its own, whatever name it gives itself; one that gives no answer is named, and counts.

use std::io::{Write as _, stdout};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use pq_cli::{Failure, Form, Table, age, printable, report};
use pq_fleet::{Answer, Spoken};
use pq_monitor::{Level, Row, Setup, number, utc, view};
use pq_stream::{ConnectionKind, Diagnostic, End, Host, Problem, Record, Run, Status, Writer, from_utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::shown::Wanted;
use crate::one_line::in_one_line;
use crate::upkeep::{AskArgs, Asking, counted};

/// What is said to a machine that asks, beside each check as a record.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Word {
    /// When the last run ended, and how many messages wait.
    Watched { at: Option<String>, waiting: usize },
    /// Something is wrong with what is watched.
    Wrong(Problem),
}

/// A record of another machine.
#[derive(Deserialize)]
#[serde(untagged)]
enum Said {
    Word(Word),
    Check(Box<Row>),
}

/// What a host said.
#[derive(Default)]
struct Seat {
    rows: Vec<Row>,
    last: Option<String>,
    waiting: usize,
    wrong: Vec<Problem>,
    nonsense: bool,
}

/// Says how everything is to a machine that asks this one.
pub(super) fn answer(setup: &Setup, wanted: &Wanted<'_>) -> Result<Status, Failure> {
    let mut all = view(setup);
    all.checks.retain(|seen| wanted.wants(seen));
    let problem = |it: &Diagnostic| {
        let it = it.clone();
        Word::Wrong(Problem { message: it.message, causes: it.causes, hints: it.hints })
    };
    let words = setup
        .broken
        .iter()
        .map(problem)
        .chain([Word::Watched { at: (all.at > 0).then(|| utc(all.at)), waiting: all.waiting }]);
    let lines: Vec<String> = all
        .rows()
        .iter()
        .map(serde_json::to_string)
        .chain(words.map(|it| serde_json::to_string(&it)))
        .map(|line| line.map(|line| format!("{line}\n")).unwrap_or_default())
        .collect();
    stdout().write_all(lines.concat().as_bytes()).map_err(|error| Failure::output(&error))?;
    Ok(if all.worst() == Level::Ok { Status::Done } else { Status::Differs })
}

/// Asks the hosts of the stream; nothing where that is this machine alone.
///
/// # Errors
/// Where the stream is none, or nobody can be asked.
pub(super) fn status(wanted: &Wanted<'_>, args: &AskArgs) -> Result<Option<Status>, Failure> {
    let mut asking = Asking::read(args, false)?;
    if let [sole] = &asking.hosts[..]
        && sole.host.connection.kind == ConnectionKind::Local
    {
        return Ok(None);
    }
    let bad = wanted.bad.then(|| "--bad".to_owned());
    let words: Vec<String> = ["status".to_owned()]
        .into_iter()
        .chain(bad)
        .chain(["--".to_owned()])
        .chain(wanted.only.iter().cloned())
        .collect();
    asking.hosts.iter_mut().for_each(|it| it.words.clone_from(&words));
    let Asking { run, hosts, keys, crew, form } = asking;
    let seats: Vec<(String, Mutex<Seat>)> =
        hosts.iter().map(|it| (it.host.host.clone(), Mutex::default())).collect();
    let heard = |host: &str, spoken: Spoken| {
        let seat = seats.iter().find(|(name, _)| name == host);
        if let (Some((_, seat)), Spoken::Told(told)) = (seat, spoken) {
            seat.lock().unwrap_or_else(PoisonError::into_inner).hear(host, told, form);
        }
    };
    let answers = pq_fleet::monitor(&run, &hosts, &keys, &crew, &heard)?;
    let seats = seats.into_iter().map(|(_, seat)| seat.into_inner().unwrap_or_else(PoisonError::into_inner));
    let all: Vec<(Host, Seat, Answer<Status>)> = hosts
        .into_iter()
        .zip(seats)
        .zip(answers)
        .map(|((asked, seat), answer)| {
            let answer = if seat.nonsense { Err(Status::Failed) } else { answer };
            (asked.host, seat, answer)
        })
        .collect();
    all.iter().for_each(|(host, seat, _)| seat.report(&host.host));
    let status = all.iter().map(|it| it.2.unwrap_or_else(|status| status)).max().unwrap_or_default();
    let nobody = all.iter().all(|it| it.2.is_ok() && it.1.rows.is_empty());
    if nobody && !wanted.only.is_empty() && !wanted.bad {
        let error = Diagnostic::new(format!("no host watches `{}`", wanted.only.join("`, `")));
        return Err(Failure::input(error.hint("without it, all that is watched is listed")));
    }
    match form {
        Form::Text => shown(all, wanted.slowest),
        Form::Json => records(&run, all, status),
    }
    .map_err(|error| Failure::output(&error))?;
    Ok(Some(status))
}

impl Seat {
    /// Takes in a record, under the name by which the host was asked.
    fn hear(&mut self, host: &str, told: Value, form: Form) {
        match serde_json::from_value(if form == Form::Text { in_one_line(told) } else { told }) {
            Ok(Said::Check(row)) if row.record == "check" => {
                self.rows.push(Row { host: host.to_owned(), ..*row });
            }
            Ok(Said::Word(Word::Watched { at, waiting })) => {
                self.last = at;
                self.waiting = waiting;
            }
            Ok(Said::Word(Word::Wrong(problem))) => self.wrong.push(problem),
            Ok(Said::Check(_)) | Err(_) => self.nonsense = true,
        }
    }

    /// Tells what is wrong with what it says.
    fn report(&self, host: &str) {
        for Problem { message, causes, hints } in self.wrong.iter().cloned() {
            report(&Diagnostic { message: format!("host `{host}`: {message}"), place: None, causes, hints });
        }
        if self.nonsense {
            report(&Diagnostic::new(format!("host `{host}`: it says what no `pq-monitor` says")));
        }
    }

    fn count(&self, level: Level) -> usize {
        self.rows.iter().filter(|it| it.status == Some(level)).count()
    }
}

fn shown(all: Vec<(Host, Seat, Answer<Status>)>, slowest: bool) -> std::io::Result<()> {
    let now = SystemTime::now();
    let old = |at: &Option<String>| match at.as_deref() {
        Some(at) => from_utc(at).map_or_else(|| at.to_owned(), |time| age(time, now)),
        None => String::new(),
    };
    let mut rows: Vec<&Row> = all.iter().flat_map(|it| &it.1.rows).collect();
    if slowest {
        rows.sort_by_key(|it| std::cmp::Reverse(it.ms));
    }
    let mut table = Table::of(&["host", "check", "state", "since", "asked", "value", "ms", "says"]);
    for row in rows {
        let state = match (row.status, row.counts) {
            (None, _) => "not asked".to_owned(),
            (Some(now), Some(counts)) if now != counts => format!("{now} (counts as {counts})"),
            (Some(now), _) => now.to_string(),
        };
        let value = row.value.map(|it| format!("{} {}", number(it), row.unit).trim_end().to_owned());
        let says = match (&row.because, row.status) {
            (_, None) => row.target.clone(),
            (Some(because), _) => format!("{} (because of {because})", row.message),
            (None, _) => row.message.clone(),
        };
        table.row([
            row.host.clone(),
            row.check.clone(),
            state,
            old(&row.since),
            old(&row.asked),
            value.unwrap_or_default(),
            row.ms.to_string(),
            says,
        ]);
    }
    let mut text = if table.is_empty() { String::new() } else { table.text() };
    for (host, seat, answer) in &all {
        let line = match (answer, &seat.last) {
            (Err(_), _) => "no answer".to_owned(),
            (Ok(_), None) => "there was no run yet".to_owned(),
            (Ok(_), Some(_)) => format!(
                "{}: {} well, {} warnings, {} critical, {} unknown; the last run ended {} ago{}",
                counted(seat.rows.len(), "check", "checks"),
                seat.count(Level::Ok),
                seat.count(Level::Warning),
                seat.count(Level::Critical),
                seat.count(Level::Unknown),
                old(&seat.last),
                if seat.waiting == 0 {
                    String::new()
                } else {
                    format!("; {} wait to be taken", counted(seat.waiting, "message", "messages"))
                },
            ),
        };
        text.push_str(&printable(&format!("{}: {line}\n", host.host)));
    }
    stdout().write_all(text.as_bytes())
}

fn records(run: &Run, all: Vec<(Host, Seat, Answer<Status>)>, status: Status) -> std::io::Result<()> {
    let mut out = stdout().lock();
    Writer::new(&mut out).write(&Record::Run(run.clone()))?;
    let hosts = Some(all.len());
    for (host, seat, answer) in all {
        let name = host.host.clone();
        Writer::new(&mut out).write(&Record::Host(host))?;
        for row in &seat.rows {
            writeln!(out, "{}", serde_json::to_string(row).unwrap_or_default())?;
        }
        if answer.is_ok() {
            let watched =
                json!({ "type": "watched", "host": name, "at": seat.last, "waiting": seat.waiting });
            writeln!(out, "{watched}")?;
        }
        let status = answer.unwrap_or_else(|status| status);
        Writer::new(&mut out).write(&Record::End(End {
            host: Some(name),
            hosts: None,
            status,
            counts: None,
        }))?;
    }
    Writer::new(&mut out).write(&Record::End(End { host: None, hosts, status, counts: None }))
}
