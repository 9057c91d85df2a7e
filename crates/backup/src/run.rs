//! `pq-backup run`: every item, one after the other; what fails takes nothing else with it.

use std::path::Path;
use std::time::{Instant, SystemTime};

use pq_items::{BackupItem, Place, Target};
use pq_store::{STATE_DIR, Transactions};
use pq_stream::{Diagnostic, Event, Outcome, Problem, Status, owner_of, size, utc};

use crate::alert::Alert;
use crate::forecast;
use crate::item::Work;
use crate::restic::Restic;
use crate::room::room;
use crate::session::{Session, Teller};
use crate::state::Failure;

/// What is run.
#[derive(Debug, Default)]
pub struct RunOptions {
    /// These items alone; all where none is named.
    pub items: Vec<String>,
}

/// Where an item goes to, or why nowhere.
struct Aims<'a> {
    local: Option<(&'a Target, Restic)>,
    offsite: Option<&'a Target>,
}

/// Backs up.
///
/// # Errors
/// Where nothing at all can be: what is asked for is not there, or no repository can be opened.
pub fn run(session: &mut Session, options: &RunOptions, told: &mut dyn Teller) -> Result<Status, Diagnostic> {
    let setup = &session.setup;
    let items: Vec<BackupItem> = setup.named(&options.items)?.into_iter().cloned().collect();
    let strategy = setup.strategy.clone();
    let alert = Alert::new(&setup.host, &strategy.alerts);
    alert.begin().iter().for_each(|it| told.wrong(it));
    let mut wrong: Vec<Diagnostic> =
        if options.items.is_empty() { session.setup.broken.clone() } else { Vec::new() };
    wrong.iter().for_each(|it| told.wrong(it));
    if items.is_empty() && wrong.is_empty() {
        let error = Diagnostic::new("there is nothing to back up: `/etc/paquerette/backup.d` is empty")
            .hint("`pq-server` and `pq-instance` write what is backed up there");
        alert.end(&[(None, error.clone())]).iter().for_each(|it| told.wrong(it));
        return Err(error);
    }
    let aims = match aims(session, &strategy.targets, strategy.repository, told) {
        Ok(aims) => aims,
        Err(error) => {
            alert.end(&[(None, error.clone())]).iter().for_each(|it| told.wrong(it));
            return Err(error);
        }
    };
    let without: Vec<String> =
        strategy.targets.iter().filter_map(|it| it.directory()).map(str::to_owned).collect();
    let mut failed = Vec::new();
    for item in &items {
        let owner = item.owner.as_str();
        let began = Instant::now();
        let ended = settled(owner).and_then(|()| one(session, item, &aims, &without, told));
        let ms = u64::try_from(began.elapsed().as_millis()).ok();
        let (outcome, problems) = match ended {
            Ok(missing) if missing.is_empty() => (Outcome::Changed, Vec::new()),
            Ok(missing) => (Outcome::Failed, missing),
            Err(error) => (Outcome::Failed, vec![error]),
        };
        let now = utc(SystemTime::now());
        let remembered = session.state.items.entry(owner.to_owned()).or_default();
        match problems.first() {
            None => remembered.failed = None,
            Some(first) => {
                let since = remembered.failed.take().map_or_else(|| now.clone(), |failure| failure.since);
                remembered.failed = Some(Failure { since, when: now, why: problem(first) });
            }
        }
        session.save()?;
        told.event(Event {
            host: session.setup.host.clone(),
            id: format!("{owner}/backup"),
            title: title(session, owner, outcome),
            outcome,
            differences: Vec::new(),
            problem: problems.first().map(problem),
            ms,
        });
        problems.iter().for_each(|it| told.wrong(it));
        failed.extend(problems.into_iter().map(|it| (Some(owner.to_owned()), it)));
    }
    failed.extend(wrong.drain(..).map(|it| (None, it)));
    alert.end(&failed).iter().for_each(|it| told.wrong(it));
    Ok(if failed.is_empty() { Status::Done } else { Status::Failed })
}

/// Demands that nothing of an item is half-way: what an upgrade left so is no backup.
fn settled(owner: &str) -> Result<(), Diagnostic> {
    let all = Transactions::new(Path::new(STATE_DIR)).all().map_err(|error| {
        Diagnostic::new("cannot read what is not finished on this machine").cause(error.to_string())
    })?;
    match all.iter().find(|it| owner_of(&it.id) == owner) {
        None => Ok(()),
        Some(open) => Err(Diagnostic::new(format!("`{owner}` is not backed up: it is half-way"))
            .cause(format!("transaction `{}`, begun {}, is not finished", open.id, open.since))
            .hint(format!(
                "finish it, or undo it: `pq-apply --rollback {}`; the backups before stay",
                open.id
            ))),
    }
}

/// What an event says of an item.
fn title(session: &Session, owner: &str, outcome: Outcome) -> String {
    let newest = session.state.items.get(owner).and_then(|it| it.newest.as_ref());
    match (outcome, newest) {
        (Outcome::Changed, Some(made)) => {
            format!("backed up to {}: {}, {} of them new", made.target, size(made.size), size(made.added))
        }
        (_, Some(made)) => format!("the newest whole backup is of {}", made.when),
        (_, None) => "there is no backup".to_owned(),
    }
}

/// Opens what the strategy names.
fn aims<'a>(
    session: &mut Session,
    targets: &'a [Target],
    place: Place,
    told: &mut dyn Teller,
) -> Result<Aims<'a>, Diagnostic> {
    let first = |local: bool| targets.iter().find(|target| target.directory().is_some() == local);
    let (local, offsite) = match place {
        Place::Both => (first(true), first(false)),
        Place::Local => (first(true), None),
        Place::Offsite => (None, first(false)),
    };
    let mut open = |target: &'a Target| session.open(target, None, told).map(|restic| (target, restic));
    let aims = match (local, offsite) {
        // One that is elsewhere is opened only where something must go straight to it: `copy` is there for the rest.
        (Some(local), offsite) => Aims { local: Some(open(local)?), offsite },
        (None, Some(offsite)) => Aims {
            local: None,
            offsite: {
                open(offsite)?;
                Some(offsite)
            },
        },
        (None, None) => {
            return Err(Diagnostic::new("there is no target to back up to").hint(
                "set `backup_targets`, and `backup_repository` to what they are: `local`, `offsite` or `both`",
            ));
        }
    };
    Ok(aims)
}

/// Backs up one item, and says what is missing of it.
fn one(
    session: &mut Session,
    item: &BackupItem,
    aims: &Aims<'_>,
    without: &[String],
    told: &mut dyn Teller,
) -> Result<Vec<Diagnostic>, Diagnostic> {
    let owner = item.owner.as_str();
    let expected = forecast::expected(item, &session.setup.items, session.state.items.get(owner));
    let fits = |target: &Target| {
        let left = room(target).map_or(u64::MAX, |room| room.left(session.setup.strategy.keep_free));
        (expected.added <= left, left)
    };
    let (target, restic) = match (&aims.local, &aims.offsite) {
        (Some((target, restic)), offsite) => match (fits(target), offsite) {
            ((true, _), _) => (*target, restic.clone()),
            ((false, left), Some(away)) => {
                told.note(&format!(
                    "`{owner}` goes straight to target `{}`: it needs about {}, and {} may be written to `{}`",
                    away.name, size(expected.added), size(left), target.name
                ));
                (*away, session.open(away, Some(restic), told)?)
            }
            ((false, left), None) => {
                return Err(Diagnostic::new(format!("`{owner}` is not backed up: there is no room for it"))
                    .cause(format!(
                        "it needs about {}, and {} may be written to target `{}` so that {} % stay free",
                        size(expected.added),
                        size(left),
                        target.name,
                        session.setup.strategy.keep_free.get()
                    ))
                    .hint(
                        "make room, name a target elsewhere in `backup_targets`, or lower `backup_keep_free`",
                    ));
            }
        },
        (None, Some(target)) => (*target, session.open(target, None, told)?),
        (None, None) => return Err(Diagnostic::new("there is no target to back up to")),
    };
    let (setup_items, host) = (session.setup.items.clone(), session.setup.host.clone());
    let work =
        Work { item, all: &setup_items, restic: &restic, target: target.name.as_str(), host: &host, without };
    let done = work.run(&mut session.state, &mut |progress| told.progress(owner, progress.percent_done))?;
    done.odd.iter().for_each(|odd| told.note(odd));
    if let Some(known) = session.state.targets.get_mut(target.name.as_str()) {
        known.written = Some(done.made.when.clone());
    }
    let remembered = session.state.items.entry(owner.to_owned()).or_default();
    // What lacks something is kept, and is not what counts as the newest.
    if done.missing.is_empty() {
        remembered.newest = Some(done.made);
    }
    Ok(done.missing)
}

/// An error as it is remembered and travels.
pub fn problem(of: &Diagnostic) -> Problem {
    Problem { message: of.message.clone(), causes: of.causes.clone(), hints: of.hints.clone() }
}
