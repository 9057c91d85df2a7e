//! Shows several machines one after the other, while all of them are at work.
//!
//! One is on stage: what happens there is shown while it happens. What the others say waits until it is their turn:
//! those that are over first, then whoever has something to say. So the output is grouped by machine, as the stream's
//! grammar wants it, and a person can read it. Always true here: a machine that says nothing holds up nobody.

use std::time::Duration;

use pq_cli::{Form, report, tell, tool_name};
use pq_run::{Mode, Show, Verdict};
use pq_stream::{Diagnostic, End, Event, Run, Status};

/// What is heard of a machine.
#[derive(Debug)]
pub enum Heard {
    /// Something happened to a step.
    Event(Event),
    /// Something that belongs to no step.
    Note(String),
    /// It is over.
    Over(Over),
}

/// How a machine's run ended.
#[derive(Debug)]
pub struct Over {
    /// How many steps ended how, and what follows.
    pub verdict: Verdict,
    /// Where no verdict came: why, in a word.
    pub word: Option<&'static str>,
    /// And for people.
    pub why: Vec<Diagnostic>,
    /// How long it took.
    pub time: Duration,
}

/// A machine, as it is shown.
#[derive(Debug)]
pub struct Shown {
    /// Its name.
    pub host: String,
    /// Its records that are no steps.
    pub lines: Vec<String>,
    steps: usize,
    waiting: Vec<Heard>,
    over: bool,
}

impl Shown {
    /// A machine with so many steps, of which nothing was heard yet.
    pub fn new(host: String, lines: Vec<String>, steps: usize) -> Self {
        Shown { host, lines, steps, waiting: Vec::new(), over: false }
    }
}

/// Where machines are shown.
pub struct Stage {
    show: Show,
    form: Form,
    hosts: Vec<Shown>,
    on_stage: Option<usize>,
    /// Whether whoever is on stage was announced.
    announced: bool,
    status: Status,
    words: Vec<(String, &'static str)>,
}

impl Stage {
    /// An empty stage; `status` is the worst so far.
    pub fn new(form: Form, verbose: bool, mode: Mode, run: &Run, hosts: Vec<Shown>, status: Status) -> Self {
        let mut show = Show::new(form, verbose, mode, hosts.iter().map(|host| host.steps).sum());
        show.run(run);
        Stage { show, form, hosts, on_stage: None, announced: false, status, words: Vec::new() }
    }

    /// Takes what was heard of a machine.
    pub fn take(&mut self, at: usize, heard: Heard) {
        if let Heard::Over(over) = &heard {
            self.status = self.status.max(over.verdict.status);
        }
        if let (Heard::Event(event), Some(host)) = (&heard, self.hosts.get(at)) {
            self.show.live(&host.host, event);
        }
        if self.on_stage.is_none() {
            self.enter(at);
        }
        if self.on_stage == Some(at) {
            self.show(at, heard);
        } else if let Some(host) = self.hosts.get_mut(at) {
            host.over |= matches!(heard, Heard::Over(_));
            host.waiting.push(heard);
        }
        while self.on_stage.is_none()
            && let Some(next) = self.next()
        {
            self.enter(next);
            let waiting = self.hosts.get_mut(next).map(|host| std::mem::take(&mut host.waiting));
            waiting.into_iter().flatten().for_each(|heard| self.show(next, heard));
        }
    }

    /// Who comes next: one that is over, else one that has something to say.
    fn next(&self) -> Option<usize> {
        let waits = |host: &Shown| !host.waiting.is_empty();
        let over = self.hosts.iter().position(|host| host.over && waits(host));
        over.or_else(|| self.hosts.iter().position(waits))
    }

    fn enter(&mut self, at: usize) {
        (self.on_stage, self.announced) = (Some(at), false);
    }

    /// A machine's records, or its name above what happened there.
    fn announce(&mut self, at: usize) {
        if let Some(host) = self.hosts.get_mut(at).filter(|_| !self.announced) {
            self.announced = true;
            self.show.host(&host.host, &std::mem::take(&mut host.lines));
        }
    }

    fn show(&mut self, at: usize, heard: Heard) {
        let Some(host) = self.hosts.get(at).map(|it| it.host.clone()) else { return };
        match heard {
            Heard::Event(event) => {
                self.announce(at);
                self.show.event(&event);
            }
            Heard::Note(note) => {
                let tool = tool_name();
                let of = if self.hosts.len() > 1 { format!("host `{host}`: ") } else { String::new() };
                let note = pq_cli::printable(&note).replace('\n', " ");
                self.show.above(|| tell(&format!("{tool}: note: {of}{note}\n")));
            }
            Heard::Over(over) => {
                self.show.above(|| over.why.iter().for_each(report));
                match over.word {
                    None => {
                        self.announce(at);
                        self.show.verdict(&host, over.verdict, over.time);
                        match over.verdict.status {
                            Status::Done => {}
                            Status::Differs => self.words.push((host, "differs")),
                            _ => self.words.push((host, "failed")),
                        }
                    }
                    Some(word) => {
                        // Where nothing happened, the last line says all.
                        if self.form == Form::Json {
                            self.announce(at);
                        }
                        self.show.unfinished(&host, over.verdict, word);
                        self.words.push((host, word));
                    }
                }
                self.on_stage = None;
            }
        }
    }

    /// Ends the stream, and with several machines names once more those where not all is well; answers the worst status.
    pub fn close(mut self) -> Status {
        let hosts = self.hosts.len();
        if hosts > 1 {
            self.show.hosts(hosts, &self.words);
        }
        self.show.end(End { host: None, hosts: Some(hosts), status: self.status, counts: None });
        if let Some(error) = self.show.lost() {
            report(&Diagnostic::new("cannot write to standard output").cause(error.to_string()).hint(
                "what was to be done was done, but not all of it was told; run the same command again with `--check`",
            ));
            self.status = self.status.max(Status::Failed);
        }
        self.status
    }

    /// The worst status so far.
    pub fn status(&self) -> Status {
        self.status
    }
}
