//! What services shared by several owners read: tried together before it is in place, and brought back where the service
//! refuses it all the same.
//!
//! Always true here: a service's own test sees the new files as if they were in place, and nobody else does; files that it
//! refuses never get there. One owner's files that are refused do not hold up another's.

use std::collections::BTreeSet;

use pq_steps::types::Reload;
use pq_steps::{AbsPath, Active, AnyStep, Check, Command, Converge, Error, Output};
use pq_stream::{Diagnostic, Difference, Outcome, owner_of};

use crate::edits::Edit;
use crate::host::{HostRun, Look, Mode, Progress};
use crate::work::Planned;

/// A service that reads what several owners write, and tests it.
pub(crate) struct Served<'p> {
    /// The step that reloads it.
    pub reload: &'p Planned,
    step: &'p Reload,
    test: Command,
    /// Links that it reads, and where each leads.
    links: Vec<(AbsPath, AbsPath)>,
    /// The steps that write what it reads.
    pub feeding: Vec<&'p Planned>,
}

/// The services of a plan that test what they read, each with the steps that write it. A step that feeds two feeds the first.
pub(crate) fn served(steps: &[Planned]) -> Vec<Served<'_>> {
    let mut taken: BTreeSet<&String> = steps.iter().flat_map(|planned| planned.step.named()).collect();
    let mut services = Vec::new();
    for reload in steps.iter().filter(|planned| planned.record.after.is_some()) {
        let AnyStep::Reload(step) = &reload.step else { continue };
        let Some(argv) = &step.test else { continue };
        let links: Vec<(AbsPath, AbsPath)> = steps
            .iter()
            .filter_map(|planned| {
                let target = match &planned.step {
                    AnyStep::Symlink(link) => link.leads_to(),
                    AnyStep::Site(site) => site.file(),
                    _ => None,
                };
                planned.step.place().filter(|link| step.is_fed_by(link)).zip(target)
            })
            .collect();
        let behind: BTreeSet<_> = links.iter().map(|(_, target)| target.clone()).collect();
        let feeds = |planned: &&Planned| {
            let path = planned.step.place();
            let marked = planned.record.before.is_some() || planned.record.after.is_some();
            !marked
                && path.is_some_and(|path| {
                    path.as_str().starts_with("/etc/") && (step.is_fed_by(&path) || behind.contains(&path))
                })
        };
        let feeding: Vec<_> =
            steps.iter().filter(feeds).filter(|planned| taken.insert(&planned.record.id)).collect();
        if !feeding.is_empty() {
            services.push(Served { reload, step, test: Command::new(argv.clone()), links, feeding });
        }
    }
    services
}

impl Served<'_> {
    /// The names under which it reads what stands at a path.
    fn names_of<'s>(&'s self, path: &'s AbsPath) -> impl Iterator<Item = &'s str> {
        let links =
            self.links.iter().filter(move |(_, target)| target == path).map(|(link, _)| link.as_str());
        links.chain([path.as_str()])
    }
}

impl HostRun<'_> {
    /// Before anything is changed: a service that refuses what it reads already, whose files this run would change,
    /// ends the run, unless the file that it names is one of them.
    pub(crate) fn sound_before(&mut self, services: &[Served<'_>], progress: &mut Progress) {
        for service in services {
            let differing: Vec<_> =
                service.feeding.iter().filter(|planned| self.is_to_change(planned)).collect();
            let runs = self.machine.unit(&service.step.unit).ok().flatten();
            if differing.is_empty() || runs.is_none_or(|unit| unit.active != Active::Active) {
                continue;
            }
            let Some(refused) = self.machine.run(&service.test).ok().filter(|output| output.status != 0)
            else {
                continue;
            };
            let said = format!("{}{}", refused.stdout, refused.stderr);
            let mends = |planned: &&&Planned| {
                let place = planned.step.place();
                place.is_some_and(|path| service.names_of(&path).any(|name| said.contains(name)))
            };
            if differing.iter().any(mends) {
                continue;
            }
            let unit = &service.step.unit;
            let error = Diagnostic {
                message: format!("the configuration of `{unit}` is broken already, before this run"),
                hints: vec![format!(
                    "mend it until `{}` is content, then run again; nothing was touched",
                    service.test.shown()
                )],
                ..said_by(&service.test, refused)
            };
            self.told(service.reload, Look::Failed(error), progress);
            progress.refused.insert(service.reload.record.id.clone());
            return;
        }
    }

    fn is_to_change(&self, planned: &Planned) -> bool {
        matches!(planned.step.converge().check(&*self.machine), Ok(Check::Differs(_)))
    }

    /// What services read: looked at, tried together where it differs, then put in place, one file after the other.
    pub(crate) fn serve(&mut self, service: &Served<'_>, progress: &mut Progress) {
        let mut differing: Vec<(&Planned, Vec<Difference>)> = Vec::new();
        for planned in &service.feeding {
            if let Some(differences) = self.looked_at(planned, progress) {
                differing.push((planned, differences));
                progress.staged = true;
            }
        }
        progress.staged = false;
        if differing.is_empty() || self.mode == Mode::Check {
            return;
        }
        let refused = self.refused(service, &differing);
        for (planned, differences) in differing {
            let owner = owner_of(&planned.record.id);
            match refused.iter().find(|(name, _)| name == owner) {
                _ if self.blocked(&planned.record.id, progress) => self.not_reached(planned, progress),
                Some((_, error)) => {
                    progress.fail(&planned.record.id);
                    self.event(planned, progress, Outcome::Failed, differences, Some(error.clone()), None);
                }
                None => self.change(planned, differences, progress, |planned, machine, _| {
                    planned.step.converge().apply(machine)
                }),
            }
        }
    }

    /// The owners whose files the service refuses, and what it says of them. All are tried together first.
    fn refused(
        &mut self,
        service: &Served<'_>,
        differing: &[(&Planned, Vec<Difference>)],
    ) -> Vec<(String, Diagnostic)> {
        let all: Vec<&Planned> = differing.iter().map(|(planned, _)| *planned).collect();
        if self.tried(service, &all).is_none() {
            return Vec::new();
        }
        let mut owners: Vec<&str> = Vec::new();
        for owner in all.iter().map(|planned| owner_of(&planned.record.id)) {
            if !owners.contains(&owner) {
                owners.push(owner);
            }
        }
        let (mut good, mut refused) = (Vec::new(), Vec::new());
        for owner in owners {
            let mut with = good.clone();
            with.extend(all.iter().copied().filter(|planned| owner_of(&planned.record.id) == owner));
            match self.tried(service, &with) {
                None => good = with,
                Some(error) => refused.push((owner.to_owned(), error)),
            }
        }
        refused
    }

    /// What a service says against these files, tried where only its test sees them. Where they cannot be tried, nothing:
    /// the test before the reload sees them then.
    fn tried(&mut self, service: &Served<'_>, steps: &[&Planned]) -> Option<Diagnostic> {
        let converges: Vec<&dyn Converge> = steps.iter().map(|planned| planned.step.converge()).collect();
        let output = self.machine.rehearse(&converges, &service.test).ok()?;
        if output.status == 0 {
            return None;
        }
        let unit = &service.step.unit;
        Some(Diagnostic {
            message: format!("`{unit}` refuses its new configuration"),
            hints: vec![format!("the old one is in place, and `{unit}` can still be started with it")],
            ..said_by(&service.test, output)
        })
    }

    /// After a service refused its new configuration all the same: what it read before comes back, and is loaded.
    /// Answers what is to be said of that.
    pub(crate) fn bring_back(&mut self, service: &Served<'_>) -> String {
        let unit = service.step.unit.clone();
        let mut failed = Vec::new();
        let mut back = false;
        let runs = match self.not_taken(service) {
            Ok(runs) => runs,
            Err(error) => return format!("its files stay as they are: {error}"),
        };
        for planned in &service.feeding {
            let Some(path) = planned.step.place() else { continue };
            // What somebody changed by hand is not taken away.
            if Edit::of(planned, self.machine, self.records.ledger.ledger()).is_ok_and(|edit| edit.is_some())
            {
                continue;
            }
            match self.bring_one_back(&path, &runs) {
                Ok(was) => back |= was,
                Err(error) => failed.push(format!("`{path}`: {error}")),
            }
        }
        if !back {
            return format!("`{unit}` goes on with what it has read before");
        }
        if !failed.is_empty() {
            return format!(
                "its old files are in `{}`: {}",
                self.records.undo.dir().display(),
                failed.join("; ")
            );
        }
        match service.step.apply(self.machine) {
            Ok(()) => format!("the old configuration is back, and `{unit}` runs on it"),
            Err(error) => format!("the old configuration is back, but `{unit}` did not take it: {error}"),
        }
    }

    /// The earlier runs that came to no good end, oldest first, of whose files the service has taken none yet: those since it
    /// was last reloaded.
    fn not_taken(&self, service: &Served<'_>) -> std::io::Result<Vec<String>> {
        let last = self.records.journal.last_done(&service.reload.record.id)?;
        let since = |run: &&String| last.as_ref().is_none_or(|last| *run > last);
        Ok(self.earlier.runs.iter().filter(since).cloned().collect())
    }

    /// Makes what stands at a path what it was before these runs and this one; whether they changed it.
    fn bring_one_back(&mut self, path: &AbsPath, runs: &[String]) -> Result<bool, Error> {
        let own = self.records.journal.run().to_owned();
        let before = self.records.before(path.as_str(), runs.iter().chain([&own]));
        let before = before.map_err(|error| Error::failed("cannot read its old state", error))?;
        let Some(before) = before else { return Ok(false) };
        self.keep_now(path)?;
        crate::undo::restore(self.machine, path, before.as_ref())?;
        Ok(true)
    }
}

/// What a test said, as causes.
fn said_by(test: &Command, output: Output) -> Diagnostic {
    match output.success(test) {
        Err(Error::Failed(said)) => {
            let causes = [vec![said.message], said.causes].concat();
            Diagnostic { causes, ..Diagnostic::new("") }
        }
        _ => Diagnostic::new(""),
    }
}
