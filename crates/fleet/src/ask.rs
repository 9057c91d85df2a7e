//! What machines say of themselves, several at a time, over the same way that plans go. This machine answers itself.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pq_cli::{Failure, printable, report, tell, tool_name};
use pq_machine::Facts;
use pq_run::{Opener, Stop};
use pq_secrets::{KeyFiles, SecretString};
use pq_stream::{ConnectionKind, Diagnostic, Host, HostStatus, Run, Secret, Status};
use serde_json::Value;

use crate::confirm::terminal;
use crate::crew::Crew;
use crate::ear::of_failure;
use crate::ending::Ending;
use crate::executor::executors;
use crate::login::{Login, Password};
use crate::order::Question;
use crate::password;
use crate::question::{self, is_plain, silent};
use crate::said::Said;

/// Where instances are, unless the inventory says otherwise.
const BASE: &str = "/srv/paquerette";

/// How long a machine may think about its answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A host to be asked.
#[derive(Debug)]
pub struct Asked {
    /// Its record.
    pub host: Host,
    /// Its sealed secrets, for the password of sudo.
    pub secret: Option<Secret>,
    /// Steps that the question needs, as lines of the stream.
    pub steps: String,
    /// The arguments of the tool there that is asked.
    pub words: Vec<String>,
}

impl Asked {
    /// A host, and what is sealed for it.
    pub fn new(host: Host, secret: Option<Secret>) -> Self {
        Asked { host, secret, steps: String::new(), words: Vec::new() }
    }
}

/// A question, and how its answer is had.
pub(crate) struct Asking<'a, T> {
    pub question: Question,
    /// On this machine.
    pub here: &'a (dyn Fn(&Asked) -> Result<T, Failure> + Sync),
    /// From another one: nothing where what it said is no answer.
    pub take: fn(Said) -> Option<T>,
    /// How long it may think; none where the answer takes as long as it takes.
    pub patience: Option<Duration>,
    pub stop: &'a Stop,
    /// What follows of an answer.
    pub status: fn(&T) -> Status,
    /// Who hears of a host what a tool there says, and how it ended.
    pub heard: &'a (dyn Fn(&str, Spoken) + Sync),
}

/// What is heard of a host while it is asked.
#[derive(Debug)]
pub enum Spoken {
    /// What a tool there says: a record of its own.
    Told(Value),
    /// No more comes; what follows.
    Over(Status),
}

/// An answer, or the status of a host that gave none: why was told on standard error.
pub type Answer<T> = Result<T, Status>;

impl<'a, T> Asking<'a, T> {
    /// A question whose answer is there soon.
    pub fn soon(
        question: Question,
        here: &'a (dyn Fn(&Asked) -> Result<T, Failure> + Sync),
        take: fn(Said) -> Option<T>,
    ) -> Self {
        static NEVER: std::sync::LazyLock<Stop> = std::sync::LazyLock::new(Stop::default);
        let status = |_: &T| Status::Done;
        Asking { question, here, take, patience: Some(PATIENCE), stop: &NEVER, status, heard: &|_, _| {} }
    }
}

/// The facts of these hosts, in their order.
///
/// # Errors
/// Where one of them gives none: all that did not are told of on standard error.
pub fn facts(
    run: &Run,
    hosts: &[Asked],
    keys: &KeyFiles,
    crew: &Crew,
) -> Result<Vec<pq_stream::Facts>, Failure> {
    let here = |asked: &Asked| {
        pq_machine::facts(&base(&asked.host)).map_err(|error| Failure::failed(error.into_diagnostic()))
    };
    let asking = Asking::soon(Question::Facts, &here, |said| match said {
        Said::Facts { facts } if is_plain(&facts) => Some(facts),
        _ => None,
    });
    let answers = asking.ask(run, hosts, keys, crew)?;
    let worst = worst(&answers);
    if worst > Status::Done {
        return Err(Failure::Because(
            worst,
            vec![
                Diagnostic::new("facts are missing, so nothing was written")
                    .hint("choose hosts that answer, as in `pq-inventory 'prod:!HOST' --facts`")
                    .hint("`--facts-from FILE` takes them from an earlier stream"),
            ],
        ));
    }
    let answers = answers.iter().flatten();
    hosts.iter().zip(answers).map(|(asked, facts)| record(&asked.host.host, facts)).collect()
}

/// What runs left on these hosts, in their order; nothing for those that did not say, which are told of on standard error.
/// The status is the worst of those.
///
/// # Errors
/// Where nobody can be asked.
pub fn statuses(
    run: &Run,
    hosts: &[Asked],
    keys: &KeyFiles,
    crew: &Crew,
) -> Result<(Vec<HostStatus>, Status), Failure> {
    let here = |_: &Asked| pq_run::status().map_err(Failure::failed);
    let asking = Asking::soon(Question::Status, &here, |said| match said {
        Said::Status(status) if is_plain(&status) => Some(status),
        _ => None,
    });
    let answers = asking.ask(run, hosts, keys, crew)?;
    let worst = worst(&answers);
    let named = |(asked, answer): (&Asked, Answer<HostStatus>)| {
        Some(HostStatus { host: asked.host.host.clone(), ..answer.ok()? })
    };
    Ok((hosts.iter().zip(answers).filter_map(named).collect(), worst))
}

fn worst<T>(answers: &[Answer<T>]) -> Status {
    answers.iter().filter_map(|answer| answer.as_ref().err()).copied().max().unwrap_or_default()
}

impl<T: Send> Asking<'_, T> {
    /// The answers of hosts, in their order.
    ///
    /// # Errors
    /// Where nobody can be asked.
    pub fn ask(
        &self,
        run: &Run,
        hosts: &[Asked],
        keys: &KeyFiles,
        crew: &Crew,
    ) -> Result<Vec<Answer<T>>, Failure> {
        let mut ways = Vec::with_capacity(hosts.len());
        let there = hosts.iter().filter(|it| it.host.connection.kind == ConnectionKind::Ssh).count();
        if there > 0 {
            executors().map_err(|error| Failure::input(error.clone()))?;
        }
        let typed = if crew.ask_become_pass && there > 0 { Some(password::ask()?) } else { None };
        let mut opener = Opener::new(keys);
        for asked in hosts {
            ways.push(match asked.host.connection.kind {
                ConnectionKind::Local => None,
                ConnectionKind::Ssh => Some(way(asked, &mut opener, typed.as_ref()).map_err(Failure::input)?),
            });
        }
        let asks = terminal().is_some() && (there == 1 || crew.jobs == 1);
        let answers: Mutex<Vec<Option<Result<T, Ending>>>> = Mutex::new(hosts.iter().map(|_| None).collect());
        let queue = Mutex::new(hosts.iter().zip(ways).enumerate());
        std::thread::scope(|scope| {
            for _ in 0..crew.jobs.clamp(1, hosts.len().max(1)) {
                scope.spawn(|| {
                    loop {
                        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                        let Some((at, (asked, way))) = next else { return };
                        let answer = match way {
                            _ if self.stop.asked().is_some() => Err(not_begun(&asked.host.host)),
                            None => (self.here)(asked).map_err(of_failure),
                            Some((login, password)) => self.call(run, asked, &login, password, asks),
                        };
                        let status =
                            answer.as_ref().map_or_else(|ending| ending.status, |it| (self.status)(it));
                        (self.heard)(&asked.host.host, Spoken::Over(status));
                        if let Some(place) =
                            answers.lock().unwrap_or_else(PoisonError::into_inner).get_mut(at)
                        {
                            *place = Some(answer);
                        }
                    }
                });
            }
        });
        let answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
        let heard = hosts.iter().zip(answers).map(|(asked, answer)| {
            answer.unwrap_or_else(|| silent(&asked.host.host)).map_err(|ending| {
                ending.why.iter().for_each(report);
                ending.status
            })
        });
        Ok(heard.collect())
    }

    fn call(
        &self,
        run: &Run,
        asked: &Asked,
        login: &Login,
        password: Option<Password>,
        asks: bool,
    ) -> Result<T, Ending> {
        let host = &asked.host.host;
        let question = question::Asked {
            question: self.question,
            base: base(&asked.host),
            steps: Arc::new(asked.steps.clone()),
            words: asked.words.clone(),
            run,
            asks,
            // A person who is asked something takes the time that it takes.
            patience: self.patience.filter(|_| !asks),
            stop: self.stop,
            take: self.take,
            note: &|note| tell(&format!("{}: note: host `{host}`: {}\n", tool_name(), printable(note))),
            told: &|told| (self.heard)(host, Spoken::Told(told)),
        };
        question.put(login, password)
    }
}

fn not_begun(host: &str) -> Ending {
    let why =
        Diagnostic::new(format!("host `{host}` was not begun")).cause("the run was asked to stop before");
    Ending::failed(why.hint("nothing was touched there"))
}

/// The way to another machine.
fn way(
    Asked { host, secret, .. }: &Asked,
    opener: &mut Opener<'_>,
    typed: Option<&SecretString>,
) -> Result<(Login, Option<Password>), Diagnostic> {
    let login = Login::of(host)?;
    let vault = match password::is_secret(&login) {
        true => password::vault(&host.host, secret.as_ref(), opener)?,
        false => None,
    };
    let password = password::of(&login, vault.as_ref(), typed)?;
    Ok((login, password))
}

/// Where a host has its instances.
pub(crate) fn base(host: &Host) -> String {
    host.vars.get("base_prod_path").and_then(Value::as_str).unwrap_or(BASE).to_owned()
}

fn record(host: &str, facts: &Facts) -> Result<pq_stream::Facts, Failure> {
    match serde_json::to_value(facts) {
        Ok(Value::Object(facts)) => Ok(pq_stream::Facts { host: host.to_owned(), facts }),
        _ => Err(Failure::failed(Diagnostic::new(format!("cannot write the facts of host `{host}`")))),
    }
}
