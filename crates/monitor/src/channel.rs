//! The ways by which people are told. Each takes a letter or says why not; only what was taken counts as told.
//!
//! Always true here: no way waits longer than its time, and no error text holds a secret.

mod hook;
mod mail;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use pq_items::{AbsolutePath, Channel, How, MonitorAlerts, Urgency};
use pq_stream::system_cause;

use crate::message::{Letter, Waiting};
use crate::{bounded, program};

/// How long a way may take for one letter.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The name of the way by mail.
pub const MAIL: &str = "mail";

/// A way, ready to take letters.
#[derive(Debug, Clone)]
pub enum Way {
    /// Mail.
    Mail(Box<MonitorAlerts>),
    /// Another one.
    Other(Box<Channel>),
}

/// Every way that the strategy names, by name.
pub fn ways(alerts: &MonitorAlerts) -> BTreeMap<String, Way> {
    let mut ways = BTreeMap::new();
    for channel in &alerts.channels {
        ways.insert(channel.name.to_string(), Way::Other(Box::new(channel.clone())));
    }
    if !alerts.mail.is_empty() {
        ways.insert(MAIL.to_owned(), Way::Mail(Box::new(alerts.clone())));
    }
    ways
}

impl Way {
    /// Whether only what is pressing goes this way.
    pub fn pressing(&self) -> bool {
        match self {
            Way::Mail(_) => false,
            Way::Other(channel) => channel.from == Urgency::Critical,
        }
    }

    /// Hands a letter over.
    ///
    /// # Errors
    /// Where it was not taken, in words.
    pub fn send(&self, letter: &Letter) -> Result<(), String> {
        let channel = match self {
            Way::Mail(alerts) => return mail::send(alerts, letter),
            Way::Other(channel) => channel,
        };
        match &channel.how {
            How::Ntfy(it) => hook::ntfy(it, letter),
            How::Webhook(it) => hook::webhook(it, letter),
            How::Mattermost(it) => hook::mattermost(it, letter),
            How::Matrix(it) => hook::matrix(it, letter),
            How::Exec(it) => {
                let argv: Vec<&str> = it.argv.words().collect();
                let json = serde_json::to_string(letter).map_err(|error| error.to_string())?;
                let user = it.user.as_ref().map(|user| user.as_str());
                let output = program::run(&argv, user, Some(json + "\n"), PATIENCE)?;
                match output.status {
                    0 => Ok(()),
                    status => {
                        let last = output.stderr.trim().lines().next_back().unwrap_or_default();
                        Err(format!("`{}` ended with {status}: {last}", argv.join(" ")))
                    }
                }
            }
        }
    }
}

/// The ways that a message goes, with what each takes of it.
pub fn addressed(ways: &BTreeMap<String, Way>) -> BTreeMap<String, Waiting> {
    let waiting = |way: &Way| Waiting { pressing: way.pressing(), ..Waiting::default() };
    ways.iter().map(|(name, way)| (name.clone(), waiting(way))).collect()
}

/// The first line of a file that only root reads.
fn secret(path: &AbsolutePath) -> Result<String, String> {
    let path = path.as_str();
    let is = fs::metadata(path).map_err(|error| format!("cannot read `{path}`: {}", system_cause(&error)))?;
    if is.permissions().mode() & 0o077 != 0 || is.uid() != rustix::process::geteuid().as_raw() {
        return Err(format!(
            "`{path}` may be read by others than root: `chown root: {path} && chmod 0600 {path}`, and think of it as known to them"
        ));
    }
    let text = bounded::text(Path::new(path))
        .map_err(|error| format!("cannot read `{path}`: {}", system_cause(&error)))?;
    match text.lines().next().map(str::trim).filter(|line| !line.is_empty()) {
        Some(line) => Ok(line.to_owned()),
        None => Err(format!("`{path}` is empty")),
    }
}

#[cfg(test)]
mod tests;
