//! What a machine is rebuilt from: the plan on standard input, or the plans that are in its backup.

use std::io::{Read as _, stdin};

use pq_backup::{Plans, Session, Teller as _};
use pq_cli::{Failure, Form};
use pq_fleet::Crew;
use pq_run::{Mode, Options, Take};
use pq_secrets::KeyFiles;
use pq_stream::{ConnectionKind, Diagnostic, Status};

use super::super::input::{is_empty_pipe, names_hosts};
use super::super::say::Voice;

/// How a plan is given.
const LINE: &str = "type `pq-inventory HOST | pq-server | pq-platform | pq-instance | pq-backup rebuild`";

/// A plan of one machine, which is this one.
pub enum Plan {
    /// As it came: the stream, and its instances.
    Given(String, Vec<String>),
    /// As the machine kept it.
    Kept(Plans),
}

impl Plan {
    /// The plan on standard input, where one comes.
    ///
    /// # Errors
    /// Where it is not one of this machine.
    pub fn given() -> Result<Option<Self>, Failure> {
        if is_empty_pipe() {
            return Err(Failure::input(
                Diagnostic::new("no plan came on standard input, which is a pipe")
                    .cause("a command before it may have failed: its message says why")
                    .hint("`< /dev/null` takes the plans that are in the backup; nothing was touched"),
            ));
        }
        let mut text = String::new();
        if names_hosts("`< /dev/null` takes the plans that are in the backup") {
            stdin().read_to_string(&mut text).map_err(|error| {
                Failure::input(Diagnostic::new("cannot read the plan").cause(error.to_string()))
            })?;
        }
        if text.is_empty() {
            return Ok(None);
        }
        let work = pq_run::read(text.as_bytes()).map_err(|error| Failure::input(error.hint(LINE)))?;
        let [host] = work.hosts.as_slice() else {
            let many = work.hosts.len();
            let error = Diagnostic::new(format!("{many} hosts are in the plan: one is rebuilt at a time"));
            return Err(Failure::input(error.hint(LINE)));
        };
        if host.host.connection.kind != ConnectionKind::Local {
            let error = Diagnostic::new(format!("host `{}` is another machine", host.host.host));
            return Err(Failure::input(error.hint("run this on it, with `ansible_connection=local`")));
        }
        let instances = host.host.instances.iter().map(|it| it.id.clone()).collect();
        Ok(Some(Plan::Given(text, instances)))
    }

    /// The plans that are in the newest backup of the machine itself.
    ///
    /// # Errors
    /// Where there are none.
    pub fn kept(session: &Session, voice: &mut Voice) -> Result<Self, Failure> {
        let plans = Plans::fetch(session, voice).map_err(|error| Failure::failed(error.hint(LINE)))?;
        voice.note(&format!("by the plans in the backup of {}", plans.time));
        Ok(Plan::Kept(plans))
    }

    /// The machine's instances.
    pub fn instances(&self) -> Vec<String> {
        match self {
            Plan::Given(_, instances) => instances.clone(),
            Plan::Kept(plans) => plans.instances(),
        }
    }

    /// Executes what it says of some owners; of all where none is named, and every application is asked whether it is well.
    ///
    /// # Errors
    /// Where something of it cannot be done.
    pub fn execute(&self, owners: &[&str], keys: &KeyFiles) -> Result<Status, Failure> {
        let instances = self.instances();
        let (text, only) = match self {
            Plan::Given(text, _) => {
                (text.clone(), owners.iter().map(|owner| format!("{owner}/*")).collect::<Vec<_>>())
            }
            Plan::Kept(plans) => {
                let all = ["server", "platform"].into_iter().chain(instances.iter().map(String::as_str));
                let owners = if owners.is_empty() { all.collect() } else { owners.to_vec() };
                (plans.stream(&owners).map_err(Failure::failed)?, Vec::new())
            }
        };
        let options = Options {
            mode: Mode::Apply,
            verify: owners.is_empty(),
            only,
            take: Take::default(),
            resume: Vec::new(),
            data_loss: Vec::new(),
            keys: keys.clone(),
            form: Form::Text,
            verbose: false,
        };
        let plan = pq_fleet::read(text.as_bytes(), &options).map_err(Failure::input)?;
        let crew = Crew { jobs: 1, max_fail: None, yes: true, ask_become_pass: false };
        match pq_fleet::execute(plan, &options, &crew)? {
            Status::Done => Ok(Status::Done),
            status => Err(Failure::Told(status)),
        }
    }
}
