//! A plan, read and understood, in the form in which it waits for its turn.
//!
//! A machine's steps are held once: as they will be executed where it is this one, as lines where it is another.

use std::collections::BTreeSet;
use std::io::BufRead;
use std::sync::Arc;

use pq_cli::Form;
use pq_run::{Allowed, Decisions, Only, Options, Planned, WorkHost, read_each};
use pq_stream::{ConnectionKind, Diagnostic, Record, Run, Secret, Status};

use crate::executor;
use crate::login::{Login, Password, Sudo};
use crate::secrets::tokens;

/// A plan for some machines.
#[derive(Debug)]
pub struct Plan {
    pub(crate) run: Run,
    pub(crate) members: Vec<Member>,
    /// The worst verdict of executions further up in the pipe.
    pub(crate) status: Status,
    /// Steps that `--only` left out.
    pub(crate) left_out: usize,
}

/// One machine of the plan.
#[derive(Debug)]
pub struct Member {
    /// Its name.
    pub host: String,
    /// Its records that are no steps; none where nobody is shown them.
    pub lines: Vec<String>,
    /// The verdict of an execution further up in the pipe.
    pub earlier: Option<Status>,
    /// How many steps it has.
    pub steps: usize,
    /// Where it is.
    pub place: Place,
}

/// Where a machine is.
#[derive(Debug)]
pub enum Place {
    /// It is this one.
    Here(Box<WorkHost>),
    /// It is another.
    There(Box<There>),
}

/// What waits for another machine.
#[derive(Debug)]
pub struct There {
    /// The way to it.
    pub login: Login,
    /// Its steps, as lines of the stream.
    pub plan: Arc<String>,
    /// Their ids and titles.
    pub steps: Vec<(String, String)>,
    /// The tokens in them.
    pub tokens: BTreeSet<String>,
    /// The secrets that they need.
    pub names: Vec<String>,
    /// All of the host's secrets, sealed.
    pub sealed: Option<Secret>,
}

impl Member {
    /// Whether a failure further up in the pipe forbids to go on with it.
    pub fn ended_before(&self) -> Option<Status> {
        self.earlier.filter(|status| matches!(status, Status::Failed | Status::Busy | Status::Input))
    }
}

/// Reads a plan to its end.
///
/// # Errors
/// Where the stream is not whole, or something in it cannot be executed. Nothing was touched.
pub fn read(input: impl BufRead, options: &Options) -> Result<Plan, Diagnostic> {
    let mut only = Only::new(&options.only)?;
    let mut decisions = Decisions::new(&options.take)?;
    let mut allowed = Allowed::new(&options.data_loss, &options.resume);
    let mut members = Vec::new();
    let mut alone = true;
    let mut steps = 0;
    let (run, status) = read_each(input, |mut host| {
        steps += host.steps.len();
        only.keep(&mut host);
        decisions.see(&host);
        allowed.see(&host);
        if host.host.connection.kind == ConnectionKind::Ssh && std::mem::take(&mut alone) {
            executor::prepare();
        }
        let lines = match options.form {
            Form::Json => std::mem::take(&mut host.lines),
            Form::Text => Vec::new(),
        };
        members.push(Member {
            host: host.host.host.clone(),
            lines,
            earlier: host.status,
            steps: host.steps.len(),
            place: match host.host.connection.kind {
                ConnectionKind::Local => Place::Here(Box::new(host)),
                ConnectionKind::Ssh => Place::There(Box::new(there(host)?)),
            },
        });
        Ok(())
    })?;
    if steps == 0 {
        return Err(Diagnostic::new("there is nothing to execute: the stream holds no step").hint(
            "put the tools that plan before this one: `pq-inventory HOST | pq-server | pq-platform | pq-instance | pq-apply`",
        ));
    }
    decisions.all_fit()?;
    allowed.all_fit()?;
    let mut here = members.iter().filter(|member| matches!(member.place, Place::Here(_)));
    if let (Some(one), Some(other)) = (here.next(), here.next()) {
        return Err(Diagnostic::new("cannot execute the steps of several hosts here")
            .cause(format!("`{}` and `{}` would both be this machine", one.host, other.host))
            .hint(format!("name one: `pq-inventory {} | …`; nothing was touched", one.host)));
    }
    Ok(Plan { run, members, status, left_out: only.left_out()? })
}

/// What is kept of a machine that is another.
fn there(mut host: WorkHost) -> Result<There, Diagnostic> {
    let untouched = |error: Diagnostic| error.hint("nothing was touched");
    let login = Login::of(&host.host).map_err(untouched)?;
    let mut found = BTreeSet::new();
    if let Sudo::Allowed(Some(Password(text))) = &login.sudo {
        tokens(text, &mut BTreeSet::new()).map_err(untouched)?;
    }
    let mut names = BTreeSet::new();
    let mut plan = String::new();
    let mut steps = Vec::with_capacity(host.steps.len());
    for Planned { record, mut step, .. } in host.steps.drain(..) {
        for text in step.texts().into_iter().filter(|text| text.is_secret()) {
            tokens(text.as_str(), &mut found).map_err(untouched)?;
        }
        names.extend(record.secrets.iter().cloned());
        steps.push((record.id.clone(), record.title.clone()));
        let line = serde_json::to_string(&Record::Step(record))
            .map_err(|error| untouched(Diagnostic::new("cannot write a step").cause(error.to_string())))?;
        plan.push_str(&line);
        plan.push('\n');
    }
    plan.shrink_to_fit();
    let names = names.into_iter().collect();
    Ok(There { login, plan: Arc::new(plan), steps, tokens: found, names, sealed: host.secret })
}
