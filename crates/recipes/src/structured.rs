//! Variables that are mappings: jobs and scripts of the operator's own, tools, targets of backups, windows.
//!
//! Each becomes its normal form, with every field, or nothing where it is not of its form.

use pq_items::{Target, Window, cron_time};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::Kind;

/// What a release of these tools brings.
pub const TOOLS: [&str; 6] =
    ["pq-inventory", "pq-server", "pq-platform", "pq-instance", "pq-apply", "pq-secret"];

/// A job of the operator's own: `name`, `command`, `schedule`, and `user`, who is root by default.
pub(crate) fn cron_job(fields: &Map<String, Value>) -> Option<Value> {
    only(fields, &["name", "command", "schedule", "user"])?;
    let name = text(fields, "name").filter(|name| file_name(name) && !name.contains('.'))?;
    let command = text(fields, "command").filter(|command| one_line(command))?;
    let schedule = text(fields, "schedule").filter(|schedule| cron_time(schedule).is_ok())?;
    let user = fields.get("user").map_or(Some(Value::from("root")), |user| Kind::Login.accept(user))?;
    Some(json!({ "name": name, "command": command, "schedule": schedule, "user": user }))
}

/// A script of the operator's own: `name` and `content`.
pub(crate) fn script(fields: &Map<String, Value>) -> Option<Value> {
    only(fields, &["name", "content"])?;
    let name = text(fields, "name").filter(|name| file_name(name))?;
    let control = |c: char| c.is_control() && c != '\n' && c != '\t';
    let content = text(fields, "content").filter(|it| it.starts_with("#!") && !it.contains(control))?;
    Some(json!({ "name": name, "content": content }))
}

/// Where a release of these tools comes from: `url`, `version`, `sha256`, and `tools`, which are those of today.
pub(crate) fn tools(fields: &Map<String, Value>) -> Option<Value> {
    only(fields, &["url", "version", "sha256", "tools"])?;
    let url = Kind::Url.accept(fields.get("url")?)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || ".+-".contains(c);
    let version = text(fields, "version").filter(|it| {
        it.starts_with(|c: char| c.is_ascii_digit()) && it.len() <= 64 && it.chars().all(plain)
    })?;
    let sha256 = text(fields, "sha256")
        .filter(|it| it.len() == 64 && it.bytes().all(|byte| byte.is_ascii_hexdigit()))?
        .to_ascii_lowercase();
    let tools = match fields.get("tools") {
        None => TOOLS.map(Value::from).to_vec(),
        Some(tools) => {
            let tool = |tool: &Value| {
                tool.as_str().filter(|it| it.starts_with("pq-") && file_name(it)).map(Value::from)
            };
            tools.as_array()?.iter().map(tool).collect::<Option<_>>()?
        }
    };
    Some(json!({ "url": url, "version": version, "sha256": sha256, "tools": tools }))
}

/// Where backups go.
pub(crate) fn target(value: &Value) -> Option<Value> {
    typed::<Target>(value)
}

/// A time in which nobody is woken.
pub(crate) fn window(value: &Value) -> Option<Value> {
    typed::<Window>(value)
}

fn typed<T: DeserializeOwned + Serialize>(value: &Value) -> Option<Value> {
    let read: T = serde_json::from_value(value.clone()).ok()?;
    serde_json::to_value(read).ok()
}

fn only(fields: &Map<String, Value>, known: &[&str]) -> Option<()> {
    fields.keys().all(|key| known.contains(&key.as_str())).then_some(())
}

fn text<'v>(fields: &'v Map<String, Value>, key: &str) -> Option<&'v str> {
    fields.get(key)?.as_str()
}

/// A name that a file may have, wherever it lies, and that no program takes for an option or leaves out.
fn file_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    (1..=64).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(plain)
}

/// A command as cron takes it: one line, in which a `%` that would end it is written `\%`.
fn one_line(command: &str) -> bool {
    let length = (1..=998).contains(&command.len()) && !command.trim().is_empty();
    length && !command.chars().any(char::is_control) && !command.replace("\\%", "").contains('%')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_cron_would_read_otherwise_is_refused() {
        let job = |change: &dyn Fn(&mut Value)| {
            let mut job =
                json!({ "name": "quota", "command": "/usr/local/bin/quota", "schedule": "5 4 * * *" });
            change(&mut job);
            Kind::CronJob.accept(&job)
        };
        assert_eq!(job(&|_| {}).unwrap()["user"], "root");
        assert!(job(&|job| job["schedule"] = json!("@daily")).is_some());
        assert!(job(&|job| job["command"] = json!(r"date +\%F")).is_some());
        for (key, wrong) in [
            ("name", "a.b"),
            ("name", "../x"),
            ("name", "-x"),
            ("name", ""),
            ("command", "date +%F"),
            ("command", "true\n* * * * * root id"),
            ("command", " "),
            ("schedule", "5 4 * *"),
            ("schedule", "5 4 * * *\n"),
            ("schedule", "61 4 * * *"),
            ("user", "root;"),
            ("shedule", "5 4 * * *"),
        ] {
            assert_eq!(job(&|job| job[key] = json!(wrong)), None, "{key}: {wrong:?}");
        }
    }

    #[test]
    fn a_script_has_a_plain_name_and_says_what_runs_it() {
        let script = |name: &str, content: &str| {
            Kind::Script.accept(&json!({ "name": name, "content": content })).is_some()
        };
        assert!(script("quota.sh", "#!/bin/sh\ndate\n"));
        for (name, content) in [
            ("../quota", "#!/bin/sh\n"),
            (".quota", "#!/bin/sh\n"),
            ("a b", "#!/bin/sh\n"),
            ("quota", "date\n"),
            ("quota", "#!/bin/sh\0"),
            ("quota", ""),
        ] {
            assert!(!script(name, content), "{name:?} {content:?}");
        }
    }

    #[test]
    fn a_release_of_the_tools_is_named_by_its_digest() {
        let tools =
            json!({ "url": "https://a.org/paquerette.tar.xz", "version": "0.1.0", "sha256": "A".repeat(64) });
        let read = Kind::Tools.accept(&tools).unwrap();
        assert_eq!(read["sha256"], "a".repeat(64));
        assert_eq!(read["tools"], json!(TOOLS));
        for (key, wrong) in [
            ("url", json!("file:///x")),
            ("version", json!("../1")),
            ("version", json!(0.1)),
            ("sha256", json!("aa")),
            ("tools", json!(["sh"])),
            ("tools", json!(["pq-../x"])),
        ] {
            let mut tools = tools.clone();
            tools[key] = wrong.clone();
            assert_eq!(Kind::Tools.accept(&tools), None, "{key}: {wrong}");
        }
    }
}
