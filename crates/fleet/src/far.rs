//! The other side: executes the order that comes on standard input, and says on standard output what happens.
//!
//! Always true here: the work waits for nobody. What is said goes through a queue that another thread empties, so that a
//! line that stands still, or is cut, holds up no step; the journal has it all. Values that came are kept in memory, and
//! go where a step puts them.

use std::io::{self, BufRead, Write, stdin, stdout};
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal};
use pq_cli::{Failure, Form};
use pq_run::{AFTER_STEP, Mode, Options, Stop, Told, Upgrading, WorkHost, execute_here, fill, lock};
use pq_secrets::KeyFiles;
use pq_store::HostLock;
use pq_stream::{Diagnostic, Event, Outcome, Problem, Record, Redactor, Status};

use crate::order::{self, CANCEL, Order, Question};
use crate::said::Said;
use crate::{scope, secrets, tool};

/// How long the last words may take, once the work is done. A line that was cut takes none.
const PATIENCE: Duration = Duration::from_secs(30);

/// Executes what comes on standard input.
///
/// # Errors
/// Where no order comes, or nobody asks to be told.
pub fn serve() -> Result<Status, Failure> {
    // A cut line ends nothing.
    let hangup: SigSet = [Signal::SIGHUP].into_iter().collect();
    let failed = |error: io::Error| {
        Failure::failed(Diagnostic::new("cannot execute what comes").cause(error.to_string()))
    };
    hangup.thread_block().map_err(|errno| failed(errno.into()))?;
    let (order, stream) = order::read(&mut stdin().lock()).map_err(|error| {
        Failure::input(
            Diagnostic::new("there is no plan on standard input")
                .cause(error.to_string())
                .hint("`--remote` is how this tool is called on other machines, over ssh"),
        )
    })?;
    let (say, saying) = speak();
    let voice = Voice { say, scoped: false };
    voice.say(&Said::Begun { version: env!("CARGO_PKG_VERSION").to_owned() });
    let status = execute(&order, stream, voice);
    quiet(&saying);
    Ok(status)
}

/// Executes an order, and says all of it.
fn execute(order: &Order, stream: Vec<u8>, mut voice: Voice) -> Status {
    match order.question {
        Question::Facts => {
            return tell(
                &voice,
                pq_machine::facts(&order.base)
                    .map(|facts| Said::Facts { facts })
                    .map_err(|error| error.into_diagnostic()),
            );
        }
        Question::Status => return tell(&voice, pq_run::status().map(Said::Status)),
        Question::Packages => {
            let answer = pq_run::packages().map(|it| Said::Packages(Box::new(it)));
            return tell(&voice, answer);
        }
        Question::Space => return tell(&voice, pq_run::space(&order.base).map(Said::Space)),
        Question::Installed => return tell(&voice, pq_run::installed(&order.base).map(Said::Installed)),
        Question::Upgrade | Question::UpgradeSecurity => return upgrade(order, &stream, voice),
        Question::Backup | Question::Monitor => return tool(order, voice),
        Question::ComeIn => return tell(&voice, pq_run::came_in().map(|()| Said::CameIn)),
        Question::Check | Question::Apply => {}
    }
    match run(order, &stream, &mut voice) {
        Ok((host, status)) => {
            let Record::End(end) = order::end(&host, status) else { return status };
            voice.say(&Said::End(end));
            status
        }
        Err(failure) => refuse(failure, &voice),
    }
}

fn refuse(failure: Failure, voice: &Voice) -> Status {
    let (status, diagnostics) = match failure {
        Failure::Because(status, diagnostics) => (status, diagnostics),
        Failure::Told(status) => (status, Vec::new()),
        Failure::ClosedPipe => (Status::Failed, Vec::new()),
    };
    let problems = diagnostics.into_iter().map(problem).collect();
    voice.say(&Said::Refused { status, problems });
    status
}

/// Says the answer to a question.
fn tell(voice: &Voice, answer: Result<Said, Diagnostic>) -> Status {
    match answer {
        Ok(answer) => {
            voice.say(&answer);
            Status::Done
        }
        Err(error) => refuse(Failure::failed(error), voice),
    }
}

/// Upgrades packages. Whoever asks to stop is not heeded: half an upgrade is worse than none.
fn upgrade(order: &Order, stream: &[u8], mut voice: Voice) -> Status {
    let security = order.question == Question::UpgradeSecurity;
    let steps = |work: pq_run::Work| work.hosts.into_iter().flat_map(|host| host.steps).collect::<Vec<_>>();
    let done = pq_run::read(stream).map_err(Failure::input).map(steps).and_then(|health| {
        scope::enter();
        Upgrading { security, health: &health, command: &order.command, told: &mut voice }.run()
    });
    match done {
        Ok(packages) => {
            voice.say(&Said::Packages(Box::new(packages)));
            Status::Done
        }
        Err(failure) => refuse(failure, &voice),
    }
}

/// Has a tool that is installed here do what it does, and passes on what it says. It ends with the line: what it says would be
/// heard by nobody.
fn tool(order: &Order, voice: Voice) -> Status {
    let stop = Stop::default();
    let asked = stop.clone();
    thread::spawn(move || {
        let mut line = String::new();
        while stdin().lock().read_line(&mut line).is_ok_and(|read| read > 0) && line.trim() != CANCEL {
            line.clear();
        }
        asked.ask(Signal::SIGHUP);
    });
    let program = Path::new(tool::program(order.question).unwrap_or_default());
    let ended = tool::same_release(program).and_then(|()| {
        tool::converse(program, &order.command, &order.words, &stop, &mut |told| {
            voice.say(&Said::Told { told });
        })
    });
    match ended {
        Ok(status) => {
            voice.say(&Said::Ended { status });
            status
        }
        Err(error) => refuse(Failure::failed(error), &voice),
    }
}

fn problem(diagnostic: Diagnostic) -> Problem {
    Problem { message: diagnostic.message, causes: diagnostic.causes, hints: diagnostic.hints }
}

fn run(order: &Order, stream: &[u8], voice: &mut Voice) -> Result<(String, Status), Failure> {
    if !rustix::process::geteuid().is_root() {
        let cause = format!("this runs as user {}", rustix::process::geteuid().as_raw());
        return Err(Failure::input(
            Diagnostic::new("only root can look at and change a whole machine").cause(cause),
        ));
    }
    let mut work = pq_run::read(stream).map_err(Failure::input)?;
    let mut host = match (work.hosts.pop(), work.hosts.is_empty()) {
        (Some(host), true) => host,
        _ => return Err(Failure::input(Diagnostic::new("the plan that came is not one of one machine"))),
    };
    let redactor = put_secrets(order, &mut host).map_err(Failure::input)?;
    let options = Options {
        mode: match order.question {
            Question::Apply => Mode::Apply,
            _ => Mode::Check,
        },
        verify: order.verify,
        only: order.only.clone(),
        take: order.take.clone(),
        resume: order.resume.clone(),
        data_loss: order.data_loss.clone(),
        keys: KeyFiles::default(),
        form: Form::Json,
        verbose: false,
    };
    let lock = lock(options.mode, &order.command)?;
    let signals = [Signal::SIGINT, Signal::SIGTERM].into_iter().collect();
    let stop = Stop::watch_for(signals, AFTER_STEP).map_err(|error| {
        Failure::failed(Diagnostic::new("cannot wait for signals").cause(error.to_string()))
    })?;
    heed(stop.clone());
    let verdict = execute_here(&host, &redactor, &options, &stop, voice)?;
    if let Some(Err(error)) = lock.map(HostLock::release) {
        voice.note(&Diagnostic::from_error(&error).to_string());
    }
    Ok((host.host.host, verdict.status))
}

/// Puts the values that came where the steps have tokens.
fn put_secrets(order: &Order, host: &mut WorkHost) -> Result<Redactor, Diagnostic> {
    let mut redactor = Redactor::default();
    for (name, value) in &order.hidden {
        redactor.add(name, value);
    }
    fill(host, |text| secrets::put(text, &order.values))?;
    Ok(redactor)
}

/// Stops when the operator asks to. The end of input is a cut line: then nobody asks any more.
fn heed(stop: Stop) {
    thread::spawn(move || {
        let mut line = String::new();
        while stdin().lock().read_line(&mut line).is_ok_and(|read| read > 0) {
            if line.trim() == CANCEL {
                stop.ask(Signal::SIGINT);
            }
            line.clear();
        }
    });
}

/// Says what happens.
struct Voice {
    say: Sender<Vec<u8>>,
    scoped: bool,
}

impl Voice {
    fn say(&self, said: &Said) {
        let Ok(mut line) = serde_json::to_vec(said) else { return };
        line.push(b'\n');
        // Nobody listens any more: the work goes on.
        let _ = self.say.send(line);
    }
}

impl Told for Voice {
    fn event(&mut self, event: &Event) {
        if event.outcome == Outcome::Started && !self.scoped {
            self.scoped = true;
            scope::enter();
        }
        self.say(&Said::Event(event.clone()));
    }

    fn note(&mut self, note: &str) {
        self.say(&Said::Note { note: note.to_owned() });
    }

    fn come_in_anew(&mut self, within: Duration) {
        self.say(&Said::ComeIn { seconds: within.as_secs() });
    }

    fn comes_from_afar(&self) -> bool {
        true
    }
}

/// A queue to standard output, and the thread that empties it.
fn speak() -> (Sender<Vec<u8>>, JoinHandle<()>) {
    let (say, said): (_, Receiver<Vec<u8>>) = mpsc::channel();
    let saying = thread::spawn(move || {
        let mut out = stdout();
        while let Ok(mut line) = said.recv() {
            // What has come meanwhile goes along.
            said.try_iter().for_each(|more| line.extend(more));
            if out.write_all(&line).and_then(|()| out.flush()).is_err() {
                return;
            }
        }
    });
    (say, saying)
}

/// Waits until all was said, or nobody takes it.
fn quiet(saying: &JoinHandle<()>) {
    let begun = Instant::now();
    while !saying.is_finished() && begun.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(1));
    }
}
