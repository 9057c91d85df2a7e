//! Steps that are done altogether or not at all: what was done of them is undone where one fails.
//!
//! The executor does the work (`pq_run`): it alone sees the other steps of the plan. Here is what the step says.

use pq_stream::valid_step_id;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::accounts::yes;
use crate::{AnyStep, Check, Converge, Error, Probe, System};

/// Steps of the plan that are done altogether or not at all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transaction {
    /// The ids of its steps, which are done here, in this order; they are of the same owner.
    pub steps: Vec<String>,
    /// What undoes them, in this order: steps that describe the old state, without secrets. Files and links come back by
    /// themselves, before these.
    #[serde(default)]
    pub rollback: Vec<Rollback>,
    /// For how many minutes at most nobody is alarmed about its owner meanwhile; by default, none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<u32>,
    /// What must be seen before it counts as done; where it is not seen in time, all is undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm: Option<Confirm>,
    /// What undoes it before files and links come back: data, which nobody may use meanwhile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<Rollback>,
    /// What is done once all of its steps are: from the first of these on, nothing is undone any more, and who is killed is gone on with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub finish: Vec<Rollback>,
    /// Whether a run of the same plan goes on with one whose run was killed; else that is undone first, as by every other run.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub resumes: bool,
    /// What is said of its owner once it is undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undone: Option<String>,
}

/// Where the executor lies while a transaction is not finished: boot starts it, and steps that save data or bring it back.
pub const EXECUTOR: &str = "/var/lib/paquerette/recover/pq-apply";

fn is_yes(it: &bool) -> bool {
    *it
}

/// What must be seen before a transaction counts as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Confirm {
    /// Somebody comes in by a new ssh connection, where the machine is reached by one: for what could lock them out.
    Connection,
}

/// A step that undoes something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rollback {
    /// Its id; its owner is the transaction's.
    pub id: String,
    /// What it does, for people.
    pub title: String,
    /// Its type.
    #[serde(rename = "do")]
    pub kind: String,
    /// The fields of its type.
    #[serde(flatten)]
    pub body: Map<String, Value>,
}

/// The longest that nobody is alarmed: a day, in minutes.
const MOST: u32 = 24 * 60;

impl Converge for Transaction {
    fn check(&self, _machine: &dyn Probe) -> Result<Check, Error> {
        Ok(Check::InSync)
    }

    fn apply(&self, _machine: &mut dyn System) -> Result<(), Error> {
        Err(Error::failed("a transaction does nothing by itself", "its steps do"))
    }

    fn validate(&self) -> Result<(), String> {
        if self.steps.is_empty() {
            return Err("`steps` is empty".to_owned());
        }
        if self.maintenance.is_some_and(|minutes| minutes == 0 || minutes > MOST) {
            return Err(format!("`maintenance` is a number of minutes from 1 to {MOST}"));
        }
        let lists = [("data", &self.data), ("rollback", &self.rollback), ("finish", &self.finish)];
        for (list, step) in lists.iter().flat_map(|(name, steps)| steps.iter().map(move |step| (name, step)))
        {
            let within = |why: String| format!("`{list}`: step `{}`: {why}", step.id.escape_debug());
            valid_step_id(&step.id).map_err(|error| within(error.to_string()))?;
            let read = AnyStep::read(&step.kind, &step.body).map_err(|bad| within(bad.cause))?;
            if matches!(
                read,
                AnyStep::Transaction(_)
                    | AnyStep::Package(_)
                    | AnyStep::Assert(_)
                    | AnyStep::Installed(_)
                    | AnyStep::Ready(_)
            ) {
                return Err(within(format!("a `{}` cannot undo anything", step.kind)));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(body: &Value) -> String {
        let body = body.as_object().unwrap();
        AnyStep::read("transaction", body).unwrap_err().cause
    }

    #[test]
    fn what_cannot_be_undone_without_the_plan_is_refused() {
        assert_eq!(refused(&json!({ "steps": [] })), "`steps` is empty");
        assert!(refused(&json!({ "steps": ["a/b"], "maintenance": 0 })).contains("minutes"));
        let with = |step: Value| json!({ "steps": ["a/b"], "rollback": [step] });
        let file =
            with(json!({"id": "a/c", "title": "t", "do": "file", "path": "/x", "content": "@secret{pw}"}));
        assert_eq!(refused(&file), "a secret stands where none may");
        let unknown = with(json!({"id": "a/c", "title": "t", "do": "fil"}));
        assert!(refused(&unknown).contains("there is no step type `fil`"));
        let package = with(json!({"id": "a/c", "title": "t", "do": "package", "names": ["tree"]}));
        assert!(refused(&package).contains("cannot undo anything"));
        let finish = json!({ "steps": ["a/b"], "finish": [{"id": "a/c", "title": "t", "do": "fil"}] });
        assert!(refused(&finish).starts_with("`finish`: step `a/c`: there is no step type"));
        let id = with(json!({"id": "c", "title": "t", "do": "absent", "path": "/srv/x"}));
        assert!(refused(&id).contains("step `c`"));
    }
}
