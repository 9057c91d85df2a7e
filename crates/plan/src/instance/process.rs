//! What runs an instance: a pool of PHP, or a hardened unit of its own.

use std::net::SocketAddr;

use pq_recipes::{Data, Node, Phase, WebKind};
use pq_stream::Diagnostic;
use serde_json::{Map, Value, json};

use super::life::Life;
use crate::draft::{Draft, Draught};

/// Where the pool of an instance listens.
pub(super) fn socket(draft: &Draft<'_>, life: &Life<'_>) -> String {
    format!("{}/{}.sock", draft.os.php.run, life.id())
}

/// The name of its own unit.
pub(super) fn unit(life: &Life<'_>) -> String {
    format!("pq-{}.service", life.id())
}

/// Its pool of PHP, where it is made of PHP.
pub(super) fn php(draft: &mut Draft<'_>, life: &Life<'_>) -> Result<(), Diagnostic> {
    if life.app.web.kind != WebKind::Php {
        return Ok(());
    }
    let mut values = Map::new();
    for (name, node) in &life.app.php_values {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if !name.chars().all(plain) {
            return Err(Diagnostic::new(format!("`{name}` is no setting of PHP"))
                .at(life.app.source.place(node.mark)));
        }
        values.insert(name.clone(), draft.renderer.text(&life.app.source, node, &life.scope)?.into());
    }
    let scope = life
        .scope
        .with("php_values", values)
        .with("env", life.env.clone())
        .with("site", json!({ "socket": socket(draft, life) }));
    let content = draft.renderer.file(draft.catalogue.path("instance/pool.conf")?, &scope)?;
    let path = format!("{}/pool.d/{}.conf", draft.os.php.etc, life.id());
    let title = format!("PHP pool {}", life.id());
    draft.step(&life.step("pool"), title, "file", json!({ "path": path, "content": content }))
}

/// Its own unit, where it has one.
pub(super) fn service(draft: &mut Draft<'_>, life: &Life<'_>) -> Result<(), Diagnostic> {
    let Some(service) = &life.app.service else { return Ok(()) };
    let source = &life.app.source;
    let texts = |nodes: &[Node]| -> Result<Vec<String>, Diagnostic> {
        nodes.iter().map(|node| draft.renderer.text(source, node, &life.scope)).collect()
    };
    let unit = unit(life);
    let exec: Vec<String> = texts(&service.exec)?.iter().map(|word| quoted_argument(word)).collect();
    let mut all = life.env.clone();
    for (name, node) in &service.env {
        all.insert(name.clone(), draft.renderer.text(source, node, &life.scope)?.into());
    }
    let value = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let env: Vec<String> = all.iter().map(|(name, it)| quoted(&format!("{name}={}", value(it)))).collect();
    let writes: Vec<String> = texts(&service.writes)?.iter().map(|path| quoted(path)).collect();
    let (after, files) = (texts(&service.after)?, texts(&service.env_files)?);
    let mut reads = vec![format!("/etc/systemd/system/{unit}"), life.paths.current.clone()];
    reads.extend(files.iter().cloned());
    reads.extend(texts(&service.reads)?);
    let mut settings = Vec::new();
    for (name, node) in &service.settings {
        if !name.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Err(
                Diagnostic::new(format!("`{name}` is no setting of a unit")).at(source.place(node.mark))
            );
        }
        let text = draft.renderer.text(source, node, &life.scope)?;
        if text.chars().any(char::is_control) {
            return Err(
                Diagnostic::new(format!("`{name}` is more than one line")).at(source.place(node.mark))
            );
        }
        settings.push(format!("{name}={text}"));
    }
    let socket = service.socket.then(|| listening(draft, life)).transpose()?;
    let block = json!({
        "unit": unit, "exec": exec.join(" "), "env": env, "writes": writes, "notify": service.notify,
        "after": after.iter().map(|unit| format!(" {unit}")).collect::<String>(), "env_files": files.iter().map(|path| quoted(path)).collect::<Vec<_>>(), "socket": socket, "settings": settings,
    });
    let scope = life.scope.with("service", block);
    let content = draft.renderer.file(draft.catalogue.path("instance/unit.service")?, &scope)?;
    draft.step(
        &life.step("unit"),
        format!("unit {unit}"),
        "unit",
        json!({ "name": unit, "content": content }),
    )?;
    if let Some(socket) = &socket {
        let title = format!("{socket} listens");
        draft.step(&life.step("listens"), title, "service", json!({ "unit": socket }))?;
    }
    let mut fields = json!({ "unit": unit, "reads": reads });
    let upstream = life.app.web.upstream.as_ref().filter(|_| socket.is_none());
    if let Some(node) = upstream {
        let address = draft.renderer.text(source, node, &life.scope)?;
        if let Ok(address) = address.parse::<SocketAddr>() {
            fields["listens"] = address.port().into();
        }
    }
    draft.step(&life.step("service"), format!("{unit} runs"), "service", fields)?;
    let fields: Value = json!({ "unit": unit, "reads": reads, "how": "restart" });
    draft.step(&life.step("restart"), format!("{unit} runs what is on the disk"), "reload", fields)
}

/// Services of one that is closed which its recipe starts and its package brings: they stay there, and rest. An application of which a
/// machine can have several would stop those of another.
pub(super) fn rests(draft: &mut Draft<'_>, life: &Life<'_>) -> Result<(), Diagnostic> {
    let app = life.app;
    let all = [&app.before_packages, &app.configure, &app.install, &app.enable].into_iter().flatten();
    for step in all.filter(|step| step.kind == "service" && app.single) {
        let scalar = |value: Value| Node { mark: step.node.mark, data: Data::Scalar(value) };
        let unit = step.fields.iter().find(|(name, _)| name == "unit").and_then(|(_, unit)| unit.text());
        let mut rests = step.clone();
        rests.title = scalar(format!("{} does not run", unit.unwrap_or_default()).into());
        rests.fields.retain(|(name, _)| name == "unit");
        for (name, value) in [("running", false), ("enabled", false), ("optional", true)] {
            rests.fields.push((name.to_owned(), scalar(value.into())));
        }
        draft.recipe(&life.recipe(Some(Phase::InOrder)), &[rests], &life.scope)?;
    }
    Ok(())
}

/// The unit of systemd that listens for it, so that what is asked waits while it starts.
fn listening(draft: &mut Draft<'_>, life: &Life<'_>) -> Result<String, Diagnostic> {
    let socket = format!("pq-{}.socket", life.id());
    let scope = life.scope.with("service", json!({ "unit": socket }));
    let content = draft.renderer.file(draft.catalogue.path("instance/unit.socket")?, &scope)?;
    let fields = json!({ "name": socket, "content": content });
    draft.step(&life.step("socket"), format!("unit {socket}"), "unit", fields)?;
    Ok(socket)
}

/// What it does from time to time.
pub(super) fn jobs(draft: &mut Draft<'_>, life: &Life<'_>) -> Result<(), Diagnostic> {
    let source = &life.app.source;
    for job in &life.app.cron {
        let schedule = draft.renderer.text(source, &job.schedule, &life.scope)?;
        let mut words = Vec::new();
        for node in &job.argv {
            words.push(shell_word(&draft.renderer.text(source, node, &life.scope)?));
        }
        let draught = Draught {
            id: life.step(&format!("cron-{}", job.id)),
            title: format!("cron runs {} of {}", job.id, life.id()),
            kind: "cron".to_owned(),
            phase: Phase::InOrder,
            hardening: false,
            fields: Map::from_iter([
                ("name".to_owned(), format!("pq-{}-{}", life.id(), job.id).into()),
                ("schedule".to_owned(), schedule.into()),
                ("user".to_owned(), life.id().into()),
                ("command".to_owned(), words.join(" ").into()),
                ("env".to_owned(), life.env.clone().into()),
            ]),
        };
        draft.push(draught, Some(source.place(job.schedule.mark)))?;
    }
    Ok(())
}

/// A word as `/bin/sh` reads it from cron, which ends a line at `%` unless a backslash stands before it.
fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-=:,+@".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''").replace('%', "'\\%'")),
    }
}

/// A word of a command line, where systemd would also replace `$NAME`: systemd.service(5), "Command lines".
fn quoted_argument(word: &str) -> String {
    quoted(&word.replace('$', "$$"))
}

/// A word of another setting, such as `Environment=` or `ReadWritePaths=`, so that systemd reads exactly it.
fn quoted(word: &str) -> String {
    let mut out = String::from("\"");
    for c in word.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '%' => out.push_str("%%"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out.push('"');
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-=:,+@".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => out,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_cannot_leave_its_place_in_a_unit_file() {
        assert_eq!(quoted("/usr/bin/a-b"), "/usr/bin/a-b");
        assert_eq!(quoted("a b"), "\"a b\"");
        assert_eq!(quoted("100% \"$HOME\" \\\n"), r#""100%% \"$HOME\" \\\n""#);
        assert_eq!(quoted(""), "\"\"");
    }

    #[test]
    fn a_word_reaches_the_shell_through_cron_as_it_is() {
        assert_eq!(shell_word("/usr/bin/php"), "/usr/bin/php");
        assert_eq!(shell_word("it's 5%"), r"'it'\''s 5'\%''");
        assert_eq!(shell_word(""), "''");
    }

    #[test]
    fn a_dollar_is_doubled_in_a_command_line_and_nowhere_else() {
        assert_eq!(quoted_argument("a$HOME b"), "\"a$$HOME b\"");
        assert_eq!(quoted("KEY=a$HOME"), "\"KEY=a$HOME\"");
    }
}
