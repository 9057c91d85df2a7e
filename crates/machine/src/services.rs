//! Which services run, and which have failed: what an upgrade of packages must not change.

use std::thread;
use std::time::{Duration, Instant};

use pq_steps::{Active, Command, Error, UnitFile};
use pq_stream::Diagnostic;

use crate::children;
use crate::units;
use crate::users::Users;

/// How long a service may take to come up again.
const PATIENCE: Duration = Duration::from_secs(90);

/// Between two looks at one that is about to.
const PAUSE: Duration = Duration::from_millis(250);

/// The services of a machine, as they were at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Services {
    /// Those that run, and that somebody had started or has started at boot.
    pub running: Vec<String>,
    /// Those that failed.
    pub failed: Vec<String>,
}

impl Services {
    /// As they are now.
    pub fn look(users: &Users) -> Result<Self, Error> {
        let mut command = Command::new(["systemctl", "list-units", "--type=service", "--all", "--plain"]);
        command.argv.extend(["--no-legend", "--no-pager", "--full"].map(str::to_owned));
        let output = children::ask(&command, users)?.success(&command)?;
        let (running, failed) = parse(&output.stdout);
        let names: Vec<&str> = running.iter().map(String::as_str).collect();
        let units = if names.is_empty() { units::Units::new() } else { units::ask(&names, users)? };
        // What others start when they need it may end when they do not.
        let lasting = |name: &String| {
            units.get(name).and_then(Option::as_ref).is_some_and(|unit| unit.file != UnitFile::Static)
        };
        let running = running.into_iter().filter(lasting).collect();
        Ok(Services { running, failed })
    }

    /// What is worse now: services that ran and do not, services that failed and had not. One that is about to run is
    /// waited for.
    pub fn worse(&self, users: &Users) -> Result<Vec<Error>, Error> {
        let begun = Instant::now();
        loop {
            let names: Vec<&str> = self.running.iter().map(String::as_str).collect();
            let units = if names.is_empty() { units::Units::new() } else { units::ask(&names, users)? };
            let state = |name: &String| units.get(name).and_then(Option::as_ref).map(|unit| unit.active);
            let waits = self.running.iter().any(|name| state(name) == Some(Active::Changing));
            if waits && begun.elapsed() < PATIENCE {
                thread::sleep(PAUSE);
                continue;
            }
            let stopped = self.running.iter().filter(|name| state(name) != Some(Active::Active)).cloned();
            let mut worse: Vec<String> = stopped.collect();
            let failed = Services::look(users)?.failed;
            worse.extend(failed.into_iter().filter(|it| !self.failed.contains(it)));
            worse.sort();
            worse.dedup();
            let told = |name: &String| match self.running.contains(name) {
                true => not_well(format!("`{name}` ran before, and does not any more"), name, users),
                false => not_well(format!("`{name}` failed"), name, users),
            };
            return Ok(worse.iter().map(told).collect());
        }
    }
}

fn not_well(message: String, unit: &str, users: &Users) -> Error {
    let mut diagnostic = Diagnostic::new(message);
    diagnostic.causes = units::last_words(unit, users);
    diagnostic.hint(format!("`systemctl status {unit}` there tells more")).into()
}

/// Reads `nginx.service loaded active running A high performance web server`: those that run, and those that failed.
fn parse(text: &str) -> (Vec<String>, Vec<String>) {
    let (mut running, mut failed) = (Vec::new(), Vec::new());
    for line in text.lines() {
        let words: Vec<&str> = line.trim_start_matches(['●', '*', ' ']).split_whitespace().collect();
        match words[..] {
            [unit, _, "active", "running" | "exited", ..] => running.push(unit.to_owned()),
            [unit, _, "failed", ..] => failed.push(unit.to_owned()),
            _ => {}
        }
    }
    (running, failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_and_what_failed_is_told_apart() {
        let (running, failed) = parse(
            "cron.service            loaded    active   running Regular background program processing daemon\n\
             ● nosuch.service        not-found inactive dead    nosuch.service\n\
             ufw.service             loaded    active   exited  Uncomplicated firewall\n\
             * broken.service        loaded    failed   failed  Something\n\
             emergency.service       loaded    inactive dead    Emergency Shell\n",
        );
        assert_eq!(running, ["cron.service", "ufw.service"]);
        assert_eq!(failed, ["broken.service"]);
    }
}
