//! What upkeep asks of this machine, and does: its packages, and what runs on them.

use std::path::Path;
use std::time::SystemTime;

use pq_steps::{Command, Error, System};
use pq_stream::{OutdatedService, PackageHeld};

use crate::machine::Machine;
use crate::packages::Packages;
use crate::services::Services;
use crate::simulation::{self, Simulation};
use crate::upgrade::{self, ALL, Upgrade, Wanted};
use crate::users::Users;
use crate::{children, outdated, readonly, reboot};

/// What apt would change.
#[derive(Debug, Default)]
pub struct Pending {
    /// As it says.
    pub simulation: Simulation,
    /// What stays as it is, and why.
    pub held: Vec<PackageHeld>,
    /// What was not installed to its end.
    pub unfinished: Vec<String>,
    /// When its lists were fetched.
    pub lists: Option<SystemTime>,
}

impl Machine {
    /// What apt would change, by the lists that it has; nothing is written.
    ///
    /// # Errors
    /// Where apt does not say it.
    pub fn pending(&self) -> Result<Pending, Error> {
        let command = simulation::command(&ALL);
        let simulation = Simulation::parse(&self.ask_apt(&command)?)?;
        let Packages { on_hold, unfinished, .. } = Packages::read(false)?;
        let names: Vec<&String> = simulation.kept.iter().chain(&simulation.phased).collect();
        let mut held = Vec::new();
        if names.iter().any(|name| simulation::is_name(name)) {
            let mut policy = Command::new(["apt-cache", "policy", "--"]);
            policy.argv.extend(names.iter().filter(|name| simulation::is_name(name)).map(|it| (*it).clone()));
            let known = versions(&self.ask_apt(&policy)?);
            held = known
                .into_iter()
                .map(|(name, from, to)| {
                    let why = match name.as_str() {
                        it if on_hold.iter().any(|held| held == it) => "it is on hold (`apt-mark hold`)",
                        it if simulation.phased.iter().any(|phased| phased == it) => {
                            "Ubuntu gives it to some machines before others"
                        }
                        _ => "the new version needs what cannot be installed",
                    };
                    PackageHeld { name, from, to, why: why.to_owned() }
                })
                .collect();
        }
        Ok(Pending { simulation, held, unfinished, lists: upgrade::fetched() })
    }

    /// What apt says, which writes nothing but temporary files that nobody else sees.
    fn ask_apt(&self, command: &Command) -> Result<String, Error> {
        let users = self.users()?;
        let users: &Users = &users;
        let output = readonly::with_scratch(|| children::run(command, users))?;
        Ok(output.success(command)?.stdout)
    }

    /// Waits for others who change packages; whether one of them, or of us, was interrupted.
    ///
    /// # Errors
    /// Where dpkg's records cannot be read.
    pub fn packages_interrupted(&self, told: &mut dyn FnMut(&str)) -> Result<bool, Error> {
        upgrade::wait(told);
        upgrade::is_interrupted()
    }

    /// Ends what an interrupted upgrade or installation left.
    ///
    /// # Errors
    /// Where it cannot be ended.
    pub fn mend_packages(&mut self) -> Result<(), Error> {
        let users = self.users()?;
        self.forget();
        self.hold();
        upgrade::mend(&users)
    }

    /// Fetches apt's lists, and finds out what is to be upgraded: everything, or what is for security.
    ///
    /// # Errors
    /// Where apt does not say it, or something would have to be removed for it.
    pub fn upgrades_wanted(&mut self, security: bool) -> Result<Wanted, Error> {
        upgrade::wanted(security, &*self.users()?)
    }

    /// Upgrades packages.
    ///
    /// # Errors
    /// Where apt cannot be run.
    pub fn upgrade(&mut self, wanted: Wanted) -> Result<Upgrade, Error> {
        let users = self.users()?;
        self.forget();
        self.hold();
        upgrade::upgrade(wanted, &users)
    }

    /// Services that run on files that were replaced.
    ///
    /// # Errors
    /// Where systemd does not say what it knows of them.
    pub fn outdated(&self) -> Result<Vec<OutdatedService>, Error> {
        outdated::outdated(&*self.users()?)
    }

    /// Why the machine should be booted anew.
    ///
    /// # Errors
    /// Where dpkg's records cannot be read.
    pub fn reboot_reasons(&self) -> Result<Vec<String>, Error> {
        Ok(reboot::reasons(Path::new("/"), &Packages::read(false)?))
    }

    /// Which services run, and which failed.
    ///
    /// # Errors
    /// Where systemd does not say it.
    pub fn services(&self) -> Result<Services, Error> {
        Services::look(&*self.users()?)
    }

    /// What is worse than it was then.
    ///
    /// # Errors
    /// Where systemd does not say it.
    pub fn worse_than(&self, before: &Services) -> Result<Vec<Error>, Error> {
        before.worse(&*self.users()?)
    }
}

/// Reads `apt-cache policy`: names, what is installed, what would be.
fn versions(text: &str) -> Vec<(String, Option<String>, Option<String>)> {
    let mut all: Vec<(String, Option<String>, Option<String>)> = Vec::new();
    for line in text.lines() {
        let version = |text: &str| Some(text.trim().to_owned()).filter(|it| it != "(none)");
        match (line.strip_suffix(':').filter(|it| !it.starts_with(' ')), all.last_mut()) {
            (Some(name), _) => all.push((name.to_owned(), None, None)),
            (None, Some((_, from, to))) => {
                if let Some(rest) = line.strip_prefix("  Installed: ") {
                    *from = version(rest);
                } else if let Some(rest) = line.strip_prefix("  Candidate: ") {
                    *to = version(rest);
                }
            }
            (None, None) => {}
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_back_has_both_versions() {
        let text = "curl:\n  Installed: 7.88.1-10+deb12u5\n  Candidate: 7.88.1-10+deb12u8\n  Version table:\n     7.88.1-10+deb12u8 500\n        500 http://deb.debian.org/debian bookworm/main amd64 Packages\n *** 7.88.1-10+deb12u5 100\n        100 /var/lib/dpkg/status\ngone:\n  Installed: (none)\n  Candidate: 1\n";
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            versions(text),
            [
                ("curl".to_owned(), some("7.88.1-10+deb12u5"), some("7.88.1-10+deb12u8")),
                ("gone".to_owned(), None, some("1")),
            ]
        );
    }
}
