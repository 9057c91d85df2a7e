//! The logs that an application writes itself: each is there from the beginning, is rotated, and is where fail2ban finds who guesses
//! passwords, on hosts that have it.

use std::fmt::Write;

use pq_recipes::Phase;
use pq_stream::Diagnostic;
use serde_json::{Map, Value, json};

use super::life::Life;
use crate::draft::{Draft, Draught};
use crate::values;

/// Its logs and their rotation.
pub(super) fn logs(draft: &mut Draft<'_>, life: &Life<'_>) -> Result<(), Diagnostic> {
    let (app, id) = (life.app, life.id());
    let mut content = "# Written by paquerette.\n".to_owned();
    for (index, node) in app.logs.iter().enumerate() {
        let path = draft.renderer.text(&app.source, node, &life.scope)?;
        // fail2ban does not start without the log that it is to read
        let fields =
            json!({ "path": path, "content": "", "owner": id, "group": id, "mode": "0640", "seed": true });
        draft.step(&life.step(&format!("log-{}", index + 1)), format!("log {path}"), "file", fields)?;
        // as its own user: it may write where the log lies
        let _ = write!(
            content,
            "{path} {{\n    su {id} {id}\n    weekly\n    rotate {}\n    missingok\n    notifempty\n    compress\n    delaycompress\n    create 0640 {id} {id}\n}}\n",
            life.scope.var("log_weeks").unwrap_or(&Value::from(54)),
        );
    }
    if app.logs.is_empty() {
        return Ok(());
    }
    let fields = json!({ "path": format!("/etc/logrotate.d/pq-{id}"), "content": content });
    draft.step(&life.step("logrotate"), format!("rotation of logs of {id}"), "file", fields)
}

/// Its jail, where the host has fail2ban.
pub(super) fn jail(draft: &mut Draft<'_>, life: &Life<'_>) -> Result<(), Diagnostic> {
    let Some(guarded) = &life.app.fail2ban else { return Ok(()) };
    if values::of_host(draft.host, "fail2ban")?.is_some_and(|found| found.value == &Value::Bool(false)) {
        return Ok(());
    }
    let id = life.id();
    let log = draft.renderer.text(&life.app.source, &guarded.log, &life.scope)?;
    // a line that begins with blanks goes on with the setting above it, and `%` stands for another setting
    let patterns: Vec<String> = guarded.failregex.iter().map(|it| it.replace('%', "%%")).collect();
    let mut filter =
        format!("# Written by paquerette.\n[Definition]\nfailregex = {}\n", patterns.join("\n            "));
    if let Some(pattern) = &guarded.datepattern {
        let _ = writeln!(filter, "datepattern = {}", pattern.replace('%', "%%"));
    }
    let jail = format!(
        "# Written by paquerette.\n[paquerette-{id}]\nenabled = true\nbackend = auto\nport = http,https\nfilter = paquerette-{id}\nlogpath = {log}\n"
    );
    let etc = "/etc/fail2ban";
    for (step, title, kind, phase, fields) in [
        (
            "fail2ban-filter",
            format!("fail2ban, who guesses passwords of {id}"),
            "file",
            Phase::InOrder,
            json!({ "path": format!("{etc}/filter.d/paquerette-{id}.conf"), "content": filter }),
        ),
        (
            "fail2ban-jail",
            format!("fail2ban watches {log}"),
            "file",
            Phase::InOrder,
            json!({ "path": format!("{etc}/jail.d/paquerette-{id}.local"), "content": jail }),
        ),
        (
            "fail2ban-reload",
            format!("fail2ban knows {id}"),
            "reload",
            Phase::AfterFiles,
            json!({
                "unit": "fail2ban.service",
                "reads": [format!("{etc}/jail.d/paquerette-{id}.local"), format!("{etc}/filter.d/paquerette-{id}.conf")],
                "test": ["fail2ban-client", "--test"],
            }),
        ),
    ] {
        let fields = fields.as_object().cloned().unwrap_or_else(Map::new);
        let kind = kind.to_owned();
        // as fail2ban itself
        draft.push(Draught { id: life.step(step), title, kind, phase, hardening: true, fields }, None)?;
    }
    Ok(())
}
