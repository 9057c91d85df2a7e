//! What machines say of themselves, several at a time, over the same way that plans go.
//!
//! It may be anybody's machine: what it says is held to the form of facts, and its texts are short and plain. This
//! machine gives its own facts itself.

use std::sync::{Mutex, PoisonError};

use pq_cli::{Failure, report};
use pq_machine::Facts;
use pq_run::{Opener, Stop};
use pq_secrets::KeyFiles;
use pq_stream::{ConnectionKind, Diagnostic, Host, Run, Secret, Status};
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
    let mut ways = Vec::with_capacity(hosts.len());
    let there = hosts.iter().filter(|it| it.host.connection.kind == ConnectionKind::Ssh).count();
    if there > 0 {
        executors().map_err(|error| Failure::input(error.clone()))?;
    }
    let typed = if crew.ask_become_pass && there > 0 { Some(password::ask()?) } else { None };
    let mut opener = Opener::new(keys);
    for Asked { host, secret } in hosts {
        ways.push(match host.connection.kind {
            ConnectionKind::Local => None,
            ConnectionKind::Ssh => {
                let login = Login::of(host).map_err(Failure::input)?;
                let vault = match password::is_secret(&login) {
                    true => {
                        password::vault(&host.host, secret.as_ref(), &mut opener).map_err(Failure::input)?
                    }
                    false => None,
                };
                let password =
                    password::of(&login, vault.as_ref(), typed.as_ref()).map_err(Failure::input)?;
                Some((login, password))
            }
        });
    }
    let asks = terminal().is_some() && (there == 1 || crew.jobs == 1);
    let answers: Mutex<Vec<Option<Result<Facts, Ending>>>> = Mutex::new(hosts.iter().map(|_| None).collect());
    let queue = Mutex::new(hosts.iter().zip(ways).enumerate());
    std::thread::scope(|scope| {
        for _ in 0..crew.jobs.clamp(1, hosts.len().max(1)) {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some((at, (asked, way))) = next else { return };
                    let answer = match way {
                        None => here(&asked.host),
                        Some((login, password)) => call(run, &asked.host, &login, password, asks),
                    };
                    if let Some(place) = answers.lock().unwrap_or_else(PoisonError::into_inner).get_mut(at) {
                        *place = Some(answer);
                    }
                }
            });
        }
    });
    let mut worst = Status::Done;
    let mut found = Vec::with_capacity(hosts.len());
    let answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
    for (asked, answer) in hosts.iter().zip(answers) {
        match answer {
            Some(Ok(facts)) => found.push(record(&asked.host.host, &facts)?),
            Some(Err(ending)) => {
                worst = worst.max(ending.status);
                ending.why.iter().for_each(report);
            }
            None => worst = worst.max(Status::Failed),
        }
    }
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
    Ok(found)
}

/// Where a host has its instances.
fn base(host: &Host) -> String {
    host.vars.get("base_prod_path").and_then(Value::as_str).unwrap_or(BASE).to_owned()
}

fn here(host: &Host) -> Result<Facts, Ending> {
    pq_machine::facts(&base(host)).map_err(|error| Ending::failed(error.into_diagnostic()))
}

fn call(
    run: &Run,
    host: &Host,
    login: &Login,
    password: Option<Password>,
    asks: bool,
) -> Result<Facts, Ending> {
    let order = Order {
        question: Question::Facts,
        verify: false,
        take: pq_run::Take::default(),
        resume: Vec::new(),
        data_loss: Vec::new(),
        command: sent_by(),
        base: base(host),
        values: Default::default(),
        hidden: Vec::new(),
    };
    let frame = Frame::new(&order, run, &host.host, &[], Default::default())
        .map_err(|error| Ending::failed(Diagnostic::new("cannot ask").cause(error.to_string())))?;
    let mut ear = Ear { host: &host.host, facts: None, refused: None };
    Call { login, password, frame, asks }.hold(&Stop::default(), &mut ear)?;
    match (ear.refused, ear.facts) {
        (Some(ending), _) => Err(ending),
        (None, Some(facts)) => Ok(facts),
        (None, None) => Err(Ending::failed(Diagnostic::new(format!("host `{}` told nothing", host.host)))),
    }
}

fn record(host: &str, facts: &Facts) -> Result<pq_stream::Facts, Failure> {
    match serde_json::to_value(facts) {
        Ok(Value::Object(facts)) => Ok(pq_stream::Facts { host: host.to_owned(), facts }),
        _ => Err(Failure::failed(Diagnostic::new(format!("cannot write the facts of host `{host}`")))),
    }
}

/// Hears the answer.
struct Ear<'a> {
    host: &'a str,
    facts: Option<Facts>,
    refused: Option<Ending>,
}

impl Hears for Ear<'_> {
    fn hear(&mut self, said: Said) -> Result<bool, String> {
        match said {
            Said::Facts { facts } if plain(&serde_json::to_value(&facts).unwrap_or_default()) => {
                self.facts = Some(facts);
                Ok(true)
            }
            Said::Facts { .. } => Err("its facts are longer than facts are, or no plain texts".to_owned()),
            Said::Refused { status, problems } => {
                let why = problems.into_iter().take(10).map(|problem| Diagnostic {
                    message: format!("host `{}`: {}", self.host, problem.message),
                    place: None,
                    causes: problem.causes,
                    hints: problem.hints,
                });
                self.refused = Some(of_failure(Failure::Because(status.max(Status::Busy), why.collect())));
                Ok(true)
            }
            _ => Err("it speaks out of turn".to_owned()),
        }
    }

    fn at_work(&self) -> Option<String> {
        None
    }
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
