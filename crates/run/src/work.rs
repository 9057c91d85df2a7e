//! The whole plan, read to its end and understood, before anything is touched.

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead;

use pq_steps::AnyStep;
use pq_stream::{
    Diagnostic, Host, Piece, Reader, Record, Run, Secret, Status, Step, StreamError, owner_of, pieces,
};
use sha2::{Digest, Sha256};

use crate::audit::{WORDS, holds};
use crate::transact::members;

/// A plan for some machines.
#[derive(Debug)]
pub struct Work {
    /// The stream's first line.
    pub run: Run,
    /// The machines, in the stream's order.
    pub hosts: Vec<WorkHost>,
    /// The worst verdict of executions further up in the pipe.
    pub status: Status,
}

/// What is to be done on one machine.
#[derive(Debug)]
pub struct WorkHost {
    /// Its record.
    pub host: Host,
    /// Its sealed secrets.
    pub secret: Option<Secret>,
    /// Its records that are no steps, as they came: what comes after in the pipe reads them again.
    pub lines: Vec<String>,
    /// Its steps in the stream's order, each once.
    pub steps: Vec<Planned>,
    /// The verdict of an execution further up in the pipe.
    pub status: Option<Status>,
}

/// A step that was understood.
#[derive(Debug, Clone)]
pub struct Planned {
    /// As it came.
    pub record: Step,
    /// What it means.
    pub step: AnyStep,
    /// SHA-256 of the step as it came, in hexadecimal.
    pub digest: String,
}

/// Reads a plan to its end.
///
/// # Errors
/// Where the stream is not whole, a step is not understood or lacks a secret, or one id stands for two things.
/// Nothing was touched then.
pub fn read(input: impl BufRead) -> Result<Work, Diagnostic> {
    let mut hosts = Vec::new();
    let (run, status) = read_each(input, |host| {
        hosts.push(host);
        Ok(())
    })?;
    Ok(Work { run, hosts, status })
}

/// Reads a plan to its end, and hands over each host when its last record was read; answers the stream's first line,
/// and the worst verdict of executions further up in the pipe.
///
/// # Errors
/// As [`read`], also after hosts were handed over; and what `each` answers.
pub fn read_each(
    input: impl BufRead,
    mut each: impl FnMut(WorkHost) -> Result<(), Diagnostic>,
) -> Result<(Run, Status), Diagnostic> {
    let mut reader = Reader::new(input);
    let mut run = None;
    let mut current: Option<WorkHost> = None;
    let mut whole = |host: WorkHost| {
        host.secrets_are_there()?;
        host.transactions_hold()?;
        host.places_hold()?;
        each(host)
    };
    while let Some((record, line)) = reader.next_record().map_err(|error| broken(&error))? {
        if let Record::Run(it) = record {
            run = Some(it);
            continue;
        }
        match (record, &mut current) {
            (Record::Host(host), _) => {
                let next =
                    WorkHost { host, secret: None, lines: vec![line], steps: Vec::new(), status: None };
                if let Some(host) = current.replace(next) {
                    whole(host)?;
                }
            }
            (Record::Secret(secret), Some(host)) => {
                host.secret = Some(secret);
                host.lines.push(line);
            }
            (
                Record::Facts(_)
                | Record::Status(_)
                | Record::Packages(_)
                | Record::Space(_)
                | Record::Installed(_),
                Some(host),
            ) => host.lines.push(line),
            (Record::Step(step), Some(host)) => host.add(step)?,
            (Record::End(end), Some(host)) if end.host.is_some() => {
                host.status = host.status.max(Some(end.status));
            }
            _ => {}
        }
    }
    let status = reader.finish().map_err(|error| broken(&error))?.status;
    let Some(run) = run else { return Err(broken(&StreamError::Empty)) };
    if let Some(host) = current {
        whole(host)?;
    }
    Ok((run, status))
}

/// A stream that is not whole, in the words of the person who typed the pipe.
fn broken(error: &StreamError) -> Diagnostic {
    let diagnostic = Diagnostic::from_error(error).hint("nothing was touched");
    match error {
        StreamError::Empty
        | StreamError::Ended { .. }
        | StreamError::Cut { .. }
        | StreamError::Hosts { .. } => {
            diagnostic.hint("did `pq-inventory`, or another tool before this one, fail? its message says why")
        }
        StreamError::Upstream(_) => diagnostic.hint("its message says why"),
        _ => diagnostic,
    }
}

impl WorkHost {
    /// Takes a step; the same one again is the same, another under its id is refused.
    fn add(&mut self, record: Step) -> Result<(), Diagnostic> {
        let refused =
            || Diagnostic::new(format!("cannot execute step `{}` of host `{}`", record.id, record.host));
        pq_stream::valid_step_id(&record.id).map_err(|error| refused().cause(error.to_string()))?;
        if !matches!(record.before.as_deref(), None | Some("packages")) {
            return Err(refused().cause("`before` can only be `packages`").hint("nothing was touched"));
        }
        if !matches!(record.after.as_deref(), None | Some("files")) {
            return Err(refused().cause("`after` can only be `files`").hint("nothing was touched"));
        }
        if !matches!(record.destroys.as_deref(), None | Some("data")) {
            return Err(refused().cause("`destroys` can only be `data`").hint("nothing was touched"));
        }
        if record.audit.as_deref().is_some_and(|word| !WORDS.contains(&word)) {
            return Err(refused()
                .cause("`audit` can only be `always` or `carried`")
                .hint("nothing was touched"));
        }
        let step = AnyStep::read(&record.kind, &record.body).map_err(|bad| {
            let diagnostic = refused().cause(bad.cause);
            bad.hint.into_iter().fold(diagnostic, Diagnostic::hint).hint("nothing was touched")
        })?;
        let content = serde_json::to_string(&(
            &record.kind,
            &record.before,
            &record.after,
            &record.destroys,
            &record.audit,
            &record.secrets,
            canonical(&record),
        ))
        .map_err(|error| refused().cause(error.to_string()))?;
        let digest = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        match self.steps.iter().find(|known| known.record.id == record.id) {
            Some(known) if known.digest == digest => Ok(()),
            Some(known) => Err(Diagnostic::new(format!(
                "host `{}` has two different steps with the id `{}`",
                record.host, record.id
            ))
            .cause(differing(&known.record, &record))
            .hint("give them different ids, or the same content; nothing was touched")),
            None => {
                self.steps.push(Planned { record, step, digest });
                Ok(())
            }
        }
    }

    /// No two steps write the same, or each run would write it twice; but steps of a transaction that no run goes on with may: each is done
    /// once, on the way from one state to another.
    fn places_hold(&self) -> Result<(), Diagnostic> {
        let mut passing = BTreeSet::new();
        for planned in &self.steps {
            if let AnyStep::Transaction(it) = &planned.step
                && !it.resumes
            {
                passing.extend(it.steps.iter().map(String::as_str));
            }
        }
        let mut places: BTreeMap<String, &Planned> = BTreeMap::new();
        for planned in self.steps.iter().filter(|it| !passing.contains(it.record.id.as_str())) {
            let Some(place) = place_of(&planned.step) else { continue };
            let Some(other) = places.insert(place, planned) else { continue };
            let (step, record) = (&planned.step, &planned.record);
            let what = match matches!(step, AnyStep::Database(_) | AnyStep::DatabaseUser(_)) {
                true => step.kind(),
                false => "path",
            };
            return Err(Diagnostic::new(format!(
                "cannot execute step `{}` of host `{}`",
                record.id, record.host
            ))
            .cause(format!("step `{}` (\"{}\") writes the same {what}", other.record.id, other.record.title))
            .hint("what two steps write, each run would write twice; nothing was touched"));
        }
        Ok(())
    }

    /// Every transaction names steps of its own owner, which no other one names and nothing moves to another phase.
    fn transactions_hold(&self) -> Result<(), Diagnostic> {
        let mut named = BTreeSet::new();
        for planned in &self.steps {
            let AnyStep::Transaction(transaction) = &planned.step else { continue };
            let id = &planned.record.id;
            let refused = |cause: String| {
                Err(Diagnostic::new(format!("cannot execute transaction `{id}`"))
                    .cause(cause)
                    .hint("nothing was touched"))
            };
            for name in &transaction.steps {
                let Some(step) = self.steps.iter().find(|step| step.record.id == *name) else {
                    return refused(format!("it names the step `{name}`, which the plan does not have"));
                };
                if owner_of(name) != owner_of(id) {
                    return refused(format!("step `{name}` is of another owner"));
                }
                if !named.insert(name) {
                    return refused(format!("step `{name}` is named twice"));
                }
                let fixed = matches!(
                    step.step,
                    AnyStep::Package(_)
                        | AnyStep::Assert(_)
                        | AnyStep::Installed(_)
                        | AnyStep::Ready(_)
                        | AnyStep::Transaction(_)
                ) || step.record.before.is_some()
                    || step.record.after.is_some();
                if fixed {
                    return refused(format!("step `{name}` has its own place in a plan"));
                }
            }
            holds(planned, &members(transaction, &self.steps))?;
            let undoing = transaction.data.iter().chain(&transaction.rollback).chain(&transaction.finish);
            if let Some(other) = undoing.into_iter().find(|it| owner_of(&it.id) != owner_of(id)) {
                return refused(format!("step `{}` is of another owner", other.id));
            }
        }
        Ok(())
    }

    /// Every secret that a step needs is named by it and sealed for its host.
    fn secrets_are_there(&self) -> Result<(), Diagnostic> {
        let sealed: &[String] = self.secret.as_ref().map_or(&[], |secret| &secret.names);
        for planned in &self.steps {
            let refused = |cause: String| {
                Diagnostic::new(format!(
                    "cannot execute step `{}` of host `{}`",
                    planned.record.id, planned.record.host
                ))
                .cause(cause)
            };
            let mut step = planned.step.clone();
            for text in step.texts() {
                for piece in pieces(text.as_str()).map_err(|error| refused(error.to_string()))? {
                    let Piece::Token(token) = piece else { continue };
                    if let Some(name) =
                        token.needs().find(|name| !planned.record.secrets.iter().any(|n| n == name))
                    {
                        return Err(refused(format!("it holds the secret `{name}` and does not list it"))
                            .hint(
                                "a step lists the secrets that it needs in `secrets`; nothing was touched",
                            ));
                    }
                }
            }
            if let Some(name) = planned.record.secrets.iter().find(|name| !sealed.contains(name)) {
                return Err(refused(format!("the stream holds no secret `{name}` for this host")).hint(format!(
                    "set `{name}` in an age file of the inventory, such as `group_vars/all/secrets.yml.age`; \
                     nothing was touched"
                )));
            }
        }
        Ok(())
    }
}

/// The file or link, the line of one, the database or the user of one that a step writes.
fn place_of(step: &AnyStep) -> Option<String> {
    match step {
        AnyStep::File(step) => Some(step.path.as_str().to_owned()),
        AnyStep::Symlink(step) => Some(step.path.as_str().to_owned()),
        AnyStep::Cron(step) => Some(step.place()),
        AnyStep::Release(step) => Some(step.path.as_str().to_owned()),
        AnyStep::Unpack(step) => Some(step.into.as_str().to_owned()),
        AnyStep::Unit(step) => Some(format!("/etc/systemd/system/{}", step.name)),
        AnyStep::ApacheModule(step) => Some(step.place()),
        AnyStep::AuthorizedKey(step) => Some(step.place()),
        AnyStep::AptSource(step) => Some(step.place()),
        AnyStep::Site(step) => Some(step.place()),
        AnyStep::Tls(step) => Some(step.path.as_str().to_owned()),
        AnyStep::Sysctl(step) => Some(step.place()),
        AnyStep::Database(step) => Some(format!("database {}/{}", step.engine.word(), step.name)),
        AnyStep::DatabaseUser(step) => {
            Some(format!("database user {}/{}", step.engine.word(), step.account()))
        }
        _ => None,
    }
}

/// The fields of a step in an order that does not depend on its writer.
fn canonical(record: &Step) -> BTreeMap<&str, String> {
    record.body.iter().map(|(key, value)| (key.as_str(), sorted(value).to_string())).collect()
}

fn sorted(value: &serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Object(map) => {
            let map: BTreeMap<_, _> = map.iter().map(|(key, value)| (key.clone(), sorted(value))).collect();
            serde_json::Value::Object(map.into_iter().collect())
        }
        serde_json::Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

/// In what two steps of one id differ, by the names of their fields, and which titles wrote them.
fn differing(one: &Step, other: &Step) -> String {
    let (a, b) = (canonical(one), canonical(other));
    let mut fields: Vec<&str> =
        a.keys().chain(b.keys()).filter(|key| a.get(*key) != b.get(*key)).copied().collect();
    if one.kind != other.kind {
        fields.push("do");
    }
    if one.secrets != other.secrets {
        fields.push("secrets");
    }
    if one.before != other.before {
        fields.push("before");
    }
    if one.after != other.after {
        fields.push("after");
    }
    if one.audit != other.audit {
        fields.push("audit");
    }
    if one.destroys != other.destroys {
        fields.push("destroys");
    }
    fields.sort_unstable();
    fields.dedup();
    let fields: Vec<_> = fields.iter().map(|field| format!("`{field}`")).collect();
    format!("\"{}\" and \"{}\" differ in {}", one.title, other.title, fields.join(", "))
}
