//! The dead man's switch: a page that is asked for after each run. Who is there tells of a run that did not come.

use std::time::Duration;

use pq_items::MonitorAlerts;

use crate::web;

/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(8);

/// Asks for it, twice where it does not answer at once; that it does not is told by who is there.
pub fn ping(alerts: &MonitorAlerts, well: bool, offline: bool) {
    let Some(ping) = &alerts.ping else { return };
    if offline {
        return;
    }
    let end = if well { "" } else { "/fail" };
    let url = format!("{}{end}", ping.url.as_str().trim_end_matches('/'));
    if let Ok(agent) = web::agent(None, None, PATIENCE / 2) {
        let _ = agent.get(&url).call().or_else(|_| agent.get(&url).call());
    }
}
