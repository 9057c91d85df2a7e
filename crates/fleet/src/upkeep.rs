//! What is asked of machines for their upkeep: packages, what is kept, what is installed; and the upgrade of packages.

use std::time::Duration;

use pq_cli::{Failure, printable, tell, tool_name};
use pq_run::{Planned, Stop, Told, Upgrading};
use pq_secrets::KeyFiles;
use pq_stream::{Diagnostic, End, Event, Host, HostInstalled, HostPackages, HostSpace, Record, Run, Status};

use crate::ask::{Answer, Asked, Asking, base};
use crate::confirm::confirm;
use crate::crew::Crew;
use crate::order::Question;
use crate::question::is_plain;
use crate::said::Said;

/// What apt would change on these hosts, in their order.
///
/// # Errors
/// Where nobody can be asked.
pub fn packages(
    run: &Run,
    hosts: &[Asked],
    keys: &KeyFiles,
    crew: &Crew,
) -> Result<Vec<Answer<HostPackages>>, Failure> {
    let here = |_: &Asked| pq_run::packages().map_err(Failure::failed);
    Ok(named(hosts, Asking::soon(Question::Packages, &here, of_packages).ask(run, hosts, keys, crew)?))
}

/// Upgrades the packages of these hosts: all, or what is for security. What each needs to ask its applications are its steps.
///
/// # Errors
/// Where nobody can be asked, or the operator does not want it; nothing was touched then.
pub fn upgrade(
    security: bool,
    run: &Run,
    hosts: &[Asked],
    keys: &KeyFiles,
    crew: &Crew,
) -> Result<Vec<Answer<HostPackages>>, Failure> {
    let names: Vec<&str> = hosts.iter().map(|it| it.host.host.as_str()).collect();
    if names.len() > 1 && !crew.yes {
        confirm(&names)?;
    }
    // What was begun is ended: half an upgrade is worse than none.
    let stop = Stop::watch().map_err(|error| {
        Failure::failed(Diagnostic::new("cannot wait for signals").cause(error.to_string()))
    })?;
    let here = |asked: &Asked| {
        let health = planned(run, asked).map_err(Failure::input)?;
        let command = std::env::args().collect::<Vec<_>>().join(" ");
        Upgrading { security, health: &health, command: &command, told: &mut Notes }.run()
    };
    let question = if security { Question::UpgradeSecurity } else { Question::Upgrade };
    let asking = Asking { patience: None, stop: &stop, ..Asking::soon(question, &here, of_packages) };
    Ok(named(hosts, asking.ask(run, hosts, keys, crew)?))
}

/// What paquerette keeps on these hosts, in their order.
///
/// # Errors
/// Where nobody can be asked.
pub fn space(
    run: &Run,
    hosts: &[Asked],
    keys: &KeyFiles,
    crew: &Crew,
) -> Result<Vec<Answer<HostSpace>>, Failure> {
    let here = |asked: &Asked| pq_run::space(&base(&asked.host)).map_err(Failure::failed);
    let asking = Asking::soon(Question::Space, &here, |said| match said {
        Said::Space(space) if is_plain(&space) => Some(space),
        _ => None,
    });
    Ok(named(hosts, asking.ask(run, hosts, keys, crew)?))
}

/// What is installed on these hosts, in their order.
///
/// # Errors
/// Where nobody can be asked.
pub fn installed(
    run: &Run,
    hosts: &[Asked],
    keys: &KeyFiles,
    crew: &Crew,
) -> Result<Vec<Answer<HostInstalled>>, Failure> {
    let here = |asked: &Asked| pq_run::installed(&base(&asked.host)).map_err(Failure::failed);
    let asking = Asking::soon(Question::Installed, &here, |said| match said {
        Said::Installed(installed) if is_plain(&installed) => Some(installed),
        _ => None,
    });
    Ok(named(hosts, asking.ask(run, hosts, keys, crew)?))
}

fn of_packages(said: Said) -> Option<HostPackages> {
    match said {
        Said::Packages(packages) if is_plain(&*packages) => Some(*packages),
        _ => None,
    }
}

/// The answers under the names of their hosts.
fn named<T: Named>(hosts: &[Asked], answers: Vec<Answer<T>>) -> Vec<Answer<T>> {
    let name = |(asked, answer): (&Asked, Answer<T>)| answer.map(|answer| answer.of(&asked.host.host));
    hosts.iter().zip(answers).map(name).collect()
}

trait Named {
    /// The same of this host.
    fn of(self, host: &str) -> Self;
}

impl Named for HostPackages {
    fn of(self, host: &str) -> Self {
        HostPackages { host: host.to_owned(), ..self }
    }
}

impl Named for HostSpace {
    fn of(self, host: &str) -> Self {
        HostSpace { host: host.to_owned(), ..self }
    }
}

impl Named for HostInstalled {
    fn of(self, host: &str) -> Self {
        HostInstalled { host: host.to_owned(), ..self }
    }
}

/// The steps that come with a question, for this machine.
fn planned(run: &Run, asked: &Asked) -> Result<Vec<Planned>, Diagnostic> {
    let host = Host { vars: serde_json::Map::new(), ..asked.host.clone() };
    let end = End { host: None, hosts: Some(1), status: Status::Done, counts: None };
    let line = |record: &Record| {
        serde_json::to_string(record)
            .map_err(|error| Diagnostic::new("cannot write a plan").cause(error.to_string()))
    };
    let (run, host, end) =
        (line(&Record::Run(run.clone()))?, line(&Record::Host(host))?, line(&Record::End(end))?);
    let text = format!("{run}\n{host}\n{}{end}\n", asked.steps);
    Ok(pq_run::read(text.as_bytes())?.hosts.into_iter().flat_map(|host| host.steps).collect())
}

/// Tells notes alone, to people.
struct Notes;

impl Told for Notes {
    fn event(&mut self, _: &Event) {}

    fn note(&mut self, note: &str) {
        tell(&format!("{}: note: {}\n", tool_name(), printable(note)));
    }

    // An upgrade asks nobody.
    fn come_in_anew(&mut self, _: Duration) {}
}
