//! What machines say of themselves, several at a time, over the same way that plans go.
//!
//! It may be anybody's machine: what it says is held to the form of facts, and its texts are short and plain. This
//! machine gives its own facts itself.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pq_cli::{Failure, report};
use pq_machine::Facts;
use pq_run::{Opener, Stop};
use pq_secrets::{KeyFiles, SecretString};
use pq_stream::{ConnectionKind, Diagnostic, Host, HostStatus, Run, Secret, Status};
use serde_json::Value;

use crate::confirm::terminal;
use crate::crew::{Crew, sent_by};
use crate::ear::of_failure;
use crate::ending::Ending;
use crate::executor::executors;
use crate::line::{Call, Hears};
use crate::login::{Login, Password};
use crate::order::{Frame, Order, Question};
use crate::password;
use crate::said::Said;

/// Where instances are, unless the inventory says otherwise.
const BASE: &str = "/srv/paquerette";

/// How long a machine may think about its answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Longest text, and most items of a list.
const MOST: usize = 500;

/// A host to be asked.
#[derive(Debug)]
pub struct Asked {
    /// Its record.
    pub host: Host,
    /// Its sealed secrets, for the password of sudo.
    pub secret: Option<Secret>,
}

/// A question, and how its answer is had.
struct Asking<T> {
    question: Question,
    /// On this machine.
    here: fn(&Host) -> Result<T, Diagnostic>,
    /// From another one: nothing where what it said is no answer.
    take: fn(Said) -> Option<T>,
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
    let asking = Asking {
        question: Question::Facts,
        here: |host| pq_machine::facts(&base(host)).map_err(|error| error.into_diagnostic()),
        take: |said| match said {
            Said::Facts { facts } if is_plain(&facts) => Some(facts),
            _ => None,
        },
    };
    let (answers, worst) = asking.ask(run, hosts, keys, crew)?;
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
    hosts.iter().zip(answers.iter().flatten()).map(|(asked, facts)| record(&asked.host.host, facts)).collect()
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
    let asking = Asking {
        question: Question::Status,
        here: |_| pq_run::status(),
        take: |said| match said {
            Said::Status(status) if is_plain(&status) => Some(status),
            _ => None,
        },
    };
    let (answers, worst) = asking.ask(run, hosts, keys, crew)?;
    let named = |(asked, answer): (&Asked, Option<HostStatus>)| {
        Some(HostStatus { host: asked.host.host.clone(), ..answer? })
    };
    Ok((hosts.iter().zip(answers).filter_map(named).collect(), worst))
}

impl<T: Send> Asking<T> {
    /// The answers of hosts, in their order; nothing of those that gave none, which are told of on standard error. The
    /// status is the worst of those.
    fn ask(
        &self,
        run: &Run,
        hosts: &[Asked],
        keys: &KeyFiles,
        crew: &Crew,
    ) -> Result<(Vec<Option<T>>, Status), Failure> {
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
                            None => (self.here)(&asked.host).map_err(Ending::failed),
                            Some((login, password)) => self.call(run, &asked.host, &login, password, asks),
                        };
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
        let mut worst = Status::Done;
        let heard = hosts.iter().zip(answers).map(|(asked, answer)| {
            let answer = answer.unwrap_or_else(|| silent(&asked.host));
            answer
                .inspect_err(|ending| {
                    worst = worst.max(ending.status);
                    ending.why.iter().for_each(report);
                })
                .ok()
        });
        Ok((heard.collect(), worst))
    }

    fn call(
        &self,
        run: &Run,
        host: &Host,
        login: &Login,
        password: Option<Password>,
        asks: bool,
    ) -> Result<T, Ending> {
        let order = question(self.question, base(host));
        let frame = Frame::new(&order, run, &host.host, &[], Default::default())
            .map_err(|error| Ending::failed(Diagnostic::new("cannot ask").cause(error.to_string())))?;
        let mut ear = Ear { host: &host.host, take: self.take, answer: None, refused: None };
        // A person who is asked something takes the time that it takes.
        let patience = (!asks).then_some(PATIENCE);
        Call { login, password, frame, asks, patience }.hold(&Stop::default(), &mut ear)?;
        match (ear.refused, ear.answer) {
            (Some(ending), _) => Err(ending),
            (None, Some(answer)) => Ok(answer),
            (None, None) => silent(host),
        }
    }
}

/// An order that holds nothing but a question; `base` is where the instances are.
pub fn question(question: Question, base: String) -> Order {
    Order {
        question,
        verify: false,
        take: pq_run::Take::default(),
        resume: Vec::new(),
        data_loss: Vec::new(),
        command: sent_by(),
        base,
        values: Default::default(),
        hidden: Vec::new(),
    }
}

fn silent<T>(host: &Host) -> Result<T, Ending> {
    Err(Ending::failed(Diagnostic::new(format!("host `{}` told nothing", host.host))))
}

/// The way to another machine.
fn way(
    Asked { host, secret }: &Asked,
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
fn base(host: &Host) -> String {
    host.vars.get("base_prod_path").and_then(Value::as_str).unwrap_or(BASE).to_owned()
}

fn record(host: &str, facts: &Facts) -> Result<pq_stream::Facts, Failure> {
    match serde_json::to_value(facts) {
        Ok(Value::Object(facts)) => Ok(pq_stream::Facts { host: host.to_owned(), facts }),
        _ => Err(Failure::failed(Diagnostic::new(format!("cannot write the facts of host `{host}`")))),
    }
}

/// Hears the answer.
struct Ear<'a, T> {
    host: &'a str,
    take: fn(Said) -> Option<T>,
    answer: Option<T>,
    refused: Option<Ending>,
}

impl<T> Hears for Ear<'_, T> {
    fn hear(&mut self, said: Said) -> Result<bool, String> {
        if let Said::Refused { status, problems } = said {
            let why = problems.into_iter().take(10).map(|problem| Diagnostic {
                message: format!("host `{}`: {}", self.host, problem.message),
                place: None,
                causes: problem.causes,
                hints: problem.hints,
            });
            self.refused = Some(of_failure(Failure::Because(status.max(Status::Busy), why.collect())));
            return Ok(true);
        }
        self.answer = (self.take)(said);
        match self.answer {
            Some(_) => Ok(true),
            None => Err("its answer is none, or longer than answers are, or no plain text".to_owned()),
        }
    }

    fn at_work(&self) -> Option<String> {
        None
    }
}

fn is_plain(answer: &impl serde::Serialize) -> bool {
    plain(&serde_json::to_value(answer).unwrap_or_default())
}

/// Whether every text is short and has no control character, and every list is short.
fn plain(value: &Value) -> bool {
    let text = |text: &str| text.len() <= MOST && !text.chars().any(char::is_control);
    match value {
        Value::String(it) => text(it),
        Value::Array(items) => items.len() <= MOST && items.iter().all(plain),
        Value::Object(map) => map.len() <= MOST && map.iter().all(|(key, value)| text(key) && plain(value)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_short_and_plain_texts_are_facts() {
        assert!(plain(&json!({"os": "debian-12", "mounts": [{"path": "/"}], "cores": 2})));
        assert!(!plain(&json!({"os": "\u{1b}[2J"})));
        assert!(!plain(&json!({"os": "x".repeat(MOST + 1)})));
        assert!(!plain(&json!({"mounts": vec![1; MOST + 1]})));
    }
}
