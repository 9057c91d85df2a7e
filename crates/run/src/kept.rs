//! What was executed to a good end is kept on the machine, owner by owner: its backup can be rebuilt from that.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::time::Duration;

use pq_steps::AnyStep;
use pq_store::{forget_plan, keep_plan};
use pq_stream::{
    Connection, ConnectionKind, End, Event, FORMAT, Host, Outcome, Record, Run, Status, owner_of,
};

use crate::Told;
use crate::behind::Behind;
use crate::transact::members;
use crate::work::{Planned, WorkHost};

/// Keeps the plans of a host's owners of whom nothing failed. Of an instance that is behind its plan, the one before is kept; of one that was removed, none.
///
/// # Errors
/// Where they cannot be written.
pub(crate) fn keep(
    dir: &Path,
    host: &WorkHost,
    behind: &Behind<'_>,
    failed: &BTreeSet<String>,
    changed: bool,
) -> io::Result<()> {
    let owners: BTreeSet<&str> = host.steps.iter().map(|planned| group(&planned.record.id)).collect();
    for owner in owners.into_iter().filter(|owner| !failed.contains(*owner)) {
        let of_it = |it: &&Planned| group(&it.record.id) == owner || is_of_all(&it.record.id);
        let mut steps: Vec<&Planned> = host.steps.iter().filter(of_it).collect();
        without_the_way(&mut steps, &host.steps);
        let needs = steps.iter().any(|planned| !planned.record.secrets.is_empty());
        let sealed = host.secret.as_ref().is_some_and(|it| !it.sealed.is_empty());
        if steps.iter().any(|planned| is_removal(planned)) {
            forget_plan(dir, owner)?;
        } else if !steps.iter().any(|planned| behind.holds(planned))
            && (sealed || !needs)
            && is_whole(owner, host)
        {
            keep_plan(dir, owner, &stream(host, &steps)?, changed && needs)?;
        }
    }
    Ok(())
}

/// Hears of whom something failed, and tells all of it on.
pub(crate) struct Heard<'t> {
    told: &'t mut dyn Told,
    pub(crate) failed: BTreeSet<String>,
}

impl<'t> Heard<'t> {
    pub(crate) fn new(told: &'t mut dyn Told) -> Self {
        Heard { told, failed: BTreeSet::new() }
    }
}

impl Told for Heard<'_> {
    fn event(&mut self, event: &Event) {
        if matches!(event.outcome, Outcome::Failed | Outcome::NotReached) {
            self.failed.insert(group(&event.id).to_owned());
        }
        self.told.event(event);
    }

    fn note(&mut self, note: &str) {
        self.told.note(note);
    }

    fn come_in_anew(&mut self, within: Duration) {
        self.told.come_in_anew(within);
    }

    fn comes_from_afar(&self) -> bool {
        self.told.comes_from_afar()
    }
}

/// Whose plan a step is in: that of an instance, of the server, or of the whole platform.
fn group(id: &str) -> &str {
    let owner = owner_of(id);
    owner.split_once('/').map_or(owner, |(first, _)| first)
}

/// Whether a step is of the platform and of no component of it: others stand on it wherever they are planned.
fn is_of_all(id: &str) -> bool {
    owner_of(id) == "platform"
}

/// Whether all is planned of an owner, and not a part of it: a clean-up, a renewal, what another tool needs of the platform.
fn is_whole(owner: &str, host: &WorkHost) -> bool {
    let has = |id: &str| host.steps.iter().any(|planned| planned.record.id == id);
    let server = || has("server/backup-strategy");
    match owner {
        "server" => server(),
        // pq-platform does not say that it was there: where the whole pipe came, it was.
        "platform" => {
            server() && host.steps.iter().any(|planned| owner_of(&planned.record.id).starts_with("platform/"))
        }
        id => has(&format!("{id}/site")) && has(&format!("{id}/monitor-item")),
    }
}

/// Takes out what led to a version, where it was upgraded: what is built anew begins there.
fn without_the_way(steps: &mut Vec<&Planned>, all: &[Planned]) {
    if !steps.iter().any(|planned| matches!(planned.step, AnyStep::Ready(_))) {
        return;
    }
    let mut way = BTreeSet::new();
    for planned in &*steps {
        match &planned.step {
            AnyStep::Ready(_) => {
                way.insert(planned.record.id.as_str());
            }
            AnyStep::Transaction(it) => {
                way.insert(planned.record.id.as_str());
                way.extend(members(it, all).into_iter().map(|member| member.record.id.as_str()));
            }
            _ => {}
        }
    }
    steps.retain(|planned| !way.contains(planned.record.id.as_str()));
}

/// Whether an owner goes with this step.
fn is_removal(planned: &Planned) -> bool {
    let partly = ["only", "keep"].iter().any(|field| planned.record.body.contains_key(*field));
    matches!(planned.step, AnyStep::Remove(_)) && !partly
}

/// Steps of a host as a stream, in which that host is this machine.
fn stream(host: &WorkHost, steps: &[&Planned]) -> io::Result<String> {
    let name = host.host.host.clone();
    let here = Connection { kind: ConnectionKind::Local, address: None, port: None, user: None };
    let record = Host {
        host: name.clone(),
        groups: Vec::new(),
        connection: here,
        os: host.host.os.clone(),
        instances: Vec::new(),
        vars: serde_json::Map::new(),
        origins: BTreeMap::new(),
        facts: Default::default(),
    };
    let none = String::new;
    let mut records = vec![
        Record::Run(Run { format: FORMAT, inventory: none(), digest: none(), time: none() }),
        Record::Host(record),
    ];
    records.extend(host.secret.clone().map(Record::Secret));
    records.extend(steps.iter().map(|planned| Record::Step(planned.record.clone())));
    records.push(Record::End(End { host: None, hosts: Some(1), status: Status::Done, counts: None }));
    let mut text = String::new();
    for record in records {
        text.push_str(&serde_json::to_string(&record)?);
        text.push('\n');
    }
    Ok(text)
}
