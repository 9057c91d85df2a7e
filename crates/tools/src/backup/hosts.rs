//! The hosts of a stream, each asked for what its own `pq-backup` does or says.
//!
//! One is on stage: what it says is shown while it says it, the others wait and are shown whole when it is over. What stands in tables is
//! shown at the end, in one table with a column for the host. Always true here: a host that says nothing holds up nobody, and what one
//! says is shown as its own, whatever name it gives itself.

use std::io::{IsTerminal as _, Write as _, stderr, stdout};
use std::sync::{Mutex, PoisonError};

use pq_cli::{Failure, Form, printable, report, tell, tool_name};
use pq_fleet::Spoken;
use pq_stream::{ConnectionKind, Diagnostic, End, Event, Host, Problem, Record, Run, Status, Writer};

use super::row::{Afar, OfHost, Row, Word};
use super::say::{ended, progress};
use super::{Verb, look, shown};
use crate::one_line::in_one_line;
use crate::upkeep::{AskArgs, Asking};

/// Asks the hosts of the stream; answers the verb itself where that is this machine alone.
///
/// # Errors
/// Where the stream is none, or nobody can be asked.
pub(super) fn ask(verb: Verb, args: &AskArgs, yes: bool) -> Result<Result<Status, Verb>, Failure> {
    let mut asking = Asking::read(args, yes)?;
    if let [sole] = &asking.hosts[..]
        && sole.host.connection.kind == ConnectionKind::Local
    {
        return Ok(Err(verb));
    }
    if verb.kit().is_some() {
        let error = Diagnostic::new("a recovery kit is read on this machine, and hosts are named");
        return Err(Failure::input(error.hint("leave the hosts out, or give `--here`")));
    }
    let words: Vec<_> = asking.hosts.iter().map(|it| verb.words(&it.host, &asking.hosts)).collect();
    for (asked, words) in asking.hosts.iter_mut().zip(&words) {
        asked.words = words.clone().unwrap_or_default();
    }
    asking.hosts.retain(|it| !it.words.is_empty());
    let Asking { run, hosts, keys, crew, form } = asking;
    let seats = hosts.iter().map(|it| Seat::new(it.host.clone())).collect();
    let hall = Mutex::new(Hall::new(form, verb.is_quiet(), run.clone(), seats));
    let heard = |host: &str, spoken| hall.lock().unwrap_or_else(PoisonError::into_inner).hear(host, spoken);
    let answers = pq_fleet::backup(verb.changes(), &run, &hosts, &keys, &crew, &heard)?;
    let nothing = match verb {
        Verb::List { .. } => look::NO_BACKUP,
        Verb::Find { .. } => look::NO_FILE,
        _ => "",
    };
    let worst = answers.iter().map(|answer| answer.unwrap_or_else(|status| status)).max().unwrap_or_default();
    hall.into_inner().unwrap_or_else(PoisonError::into_inner).close(worst, nothing).map(Ok)
}

/// A host, and what it said that was not shown yet.
struct Seat {
    host: Host,
    waiting: Vec<Afar>,
    over: Option<Status>,
    shown: bool,
    nonsense: bool,
}

impl Seat {
    fn new(host: Host) -> Self {
        Seat { host, waiting: Vec::new(), over: None, shown: false, nonsense: false }
    }
}

/// Where hosts are shown.
struct Hall {
    form: Form,
    quiet: bool,
    live: bool,
    run: Option<Run>,
    seats: Vec<Seat>,
    on_stage: Option<usize>,
    kept: Vec<(Option<String>, Row)>,
    worst: Status,
    lost: Option<Failure>,
}

impl Hall {
    fn new(form: Form, quiet: bool, run: Run, seats: Vec<Seat>) -> Self {
        let live = !quiet && form == Form::Text && stderr().is_terminal();
        let run = Some(run);
        let (kept, worst) = (Vec::new(), Status::Done);
        Hall { form, quiet, live, run, seats, on_stage: None, kept, worst, lost: None }
    }

    /// Takes what was heard of a host.
    fn hear(&mut self, host: &str, spoken: Spoken) {
        let Some(at) = self.seats.iter().position(|seat| seat.host.host == host) else { return };
        let for_people = self.form == Form::Text;
        let seat = &mut self.seats[at];
        match spoken {
            Spoken::Over(status) => {
                seat.over = Some(if seat.nonsense { status.max(Status::Failed) } else { status })
            }
            Spoken::Told(told) => {
                match serde_json::from_value(if for_people { in_one_line(told) } else { told }) {
                    Ok(afar) => seat.waiting.push(afar),
                    Err(_) if seat.nonsense => {}
                    Err(_) => {
                        seat.nonsense = true;
                        let message = "it says what no `pq-backup` says".to_owned();
                        let why = Problem { message, causes: Vec::new(), hints: Vec::new() };
                        seat.waiting.push(Afar::Word(Word::Wrong(why)));
                    }
                }
            }
        }
        if self.on_stage.is_none() {
            self.on_stage = Some(at);
        }
        while let Some(at) = self.on_stage {
            let host = self.seats[at].host.host.clone();
            for afar in std::mem::take(&mut self.seats[at].waiting) {
                self.show(&host, afar);
            }
            let Some(status) = self.seats[at].over else { return };
            self.leave(at, status);
            self.on_stage = self.next();
        }
    }

    /// Who comes next: one that is over, else one that has something to say.
    fn next(&self) -> Option<usize> {
        let rest = || self.seats.iter().enumerate().filter(|(_, seat)| !seat.shown);
        let over = rest().find(|(_, seat)| seat.over.is_some());
        over.or_else(|| rest().find(|(_, seat)| !seat.waiting.is_empty())).map(|(at, _)| at)
    }

    fn show(&mut self, host: &str, afar: Afar) {
        match afar {
            Afar::Word(Word::Progress { what, part }) => {
                if self.live {
                    tell(&progress(&format!("{host}: {what}"), part));
                }
                return;
            }
            _ if self.live => tell("\r\u{1b}[K"),
            _ => {}
        }
        let tool = tool_name();
        match afar {
            Afar::Word(Word::Wrong(Problem { message, causes, hints })) => {
                let message = format!("host `{host}`: {message}");
                report(&Diagnostic { message, place: None, causes, hints });
            }
            Afar::Word(Word::Note { note }) if !self.quiet => {
                tell(&format!("{tool}: note: host `{host}`: {}\n", printable(&note).replace('\n', " ")));
            }
            Afar::Word(Word::Event(event)) if !self.quiet => self.event(host, event),
            Afar::Row(row) if !self.quiet || row.is_answer() => self.row(host, *row),
            Afar::Word(_) | Afar::Row(_) => {}
        }
    }

    fn event(&mut self, host: &str, event: Event) {
        let event = Event { host: host.to_owned(), ..event };
        match self.form {
            Form::Text => self.out(&format!("{host}: {}\n", ended(&event))),
            Form::Json => {
                self.enter(host);
                self.record(&Record::Event(event));
            }
        }
    }

    fn row(&mut self, host: &str, row: Row) {
        match self.form {
            Form::Text if row.is_of_a_table() => self.kept.push((Some(host.to_owned()), row)),
            Form::Text => {
                let (lines, beside) = shown::line(Some(host), &row);
                self.out(&printable(&lines));
                if !self.quiet {
                    tell(&printable(&beside));
                }
            }
            Form::Json => {
                self.enter(host);
                let line = serde_json::to_string(&OfHost { host, row: &row }).unwrap_or_default();
                self.out(&format!("{line}\n"));
            }
        }
    }

    /// The stream begins, and then this host's part of it.
    fn enter(&mut self, host: &str) {
        if self.form != Form::Json || self.quiet {
            return;
        }
        if let Some(run) = self.run.take() {
            self.record(&Record::Run(run));
        }
        let seat = self.seats.iter_mut().find(|seat| seat.host.host == host && !seat.shown);
        if let Some(seat) = seat {
            seat.shown = true;
            let record = Record::Host(seat.host.clone());
            self.record(&record);
        }
    }

    /// A host is over.
    fn leave(&mut self, at: usize, status: Status) {
        let host = self.seats[at].host.host.clone();
        self.enter(&host);
        self.seats[at].shown = true;
        self.worst = self.worst.max(status);
        if self.form == Form::Json && !self.quiet {
            self.record(&Record::End(End { host: Some(host), hosts: None, status, counts: None }));
        }
    }

    /// Shows the tables, or ends the stream.
    fn close(mut self, worst: Status, nothing: &str) -> Result<Status, Failure> {
        let status = self.worst.max(worst);
        match self.form {
            _ if self.quiet => {}
            Form::Text => {
                let text = shown::tables(&self.kept);
                let text = if text.is_empty() && status == Status::Done { nothing } else { &text };
                self.out(&printable(text));
            }
            Form::Json => {
                let hosts = Some(self.seats.len());
                self.record(&Record::End(End { host: None, hosts, status, counts: None }));
            }
        }
        self.lost.map_or(Ok(status), Err)
    }

    fn out(&mut self, text: &str) {
        if let Err(error) = stdout().write_all(text.as_bytes()) {
            self.lost.get_or_insert(Failure::output(&error));
        }
    }

    fn record(&mut self, record: &Record) {
        let written = Writer::new(&mut stdout().lock()).write(record);
        if let Err(error) = written {
            self.lost.get_or_insert(Failure::output(&error));
        }
    }
}
