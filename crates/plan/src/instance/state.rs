//! Whether an instance is to be there, closed, or gone.

use pq_stream::{Diagnostic, Host, Instance};

use super::keys;
use crate::values::at;

/// What the inventory wants of an instance that is not to be gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It is served.
    Present,
    /// Its site is closed, nothing of it runs, and everything is kept.
    Closed,
}

impl State {
    /// Reads what `state` says.
    pub fn of(host: &Host, instance: &Instance, text: Option<&str>) -> Result<Self, Diagnostic> {
        match text {
            None | Some("present") => Ok(State::Present),
            Some("closed") => Ok(State::Closed),
            Some(other) => {
                let text = format!("`{}` on `{}` cannot be `{other}`", instance.id, host.host);
                Err(at(Diagnostic::new(text), keys::place(host, instance, "state")))
            }
        }
    }
}

/// Whether an instance is only listed so that it goes.
pub(crate) fn is_absent(instance: &Instance) -> bool {
    instance.keys.get("state").and_then(serde_json::Value::as_str) == Some("absent")
}

/// The instances of a host that are to be there, closed ones among them.
pub(crate) fn wanted(host: &Host) -> impl Iterator<Item = &Instance> {
    host.instances.iter().filter(|instance| !is_absent(instance))
}
