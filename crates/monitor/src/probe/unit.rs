//! A systemd unit. All units of a run are asked about in one question.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use pq_items::UnitRuns;
use serde_json::{Value, json};

use super::{Asked, Context};
use crate::{Answer, bounded, program};

const PROPERTIES: &str = "--property=Id,LoadState,ActiveState,SubState,Result,NRestarts,MemoryCurrent,ExecMainStatus,\
                           ConditionResult,ConditionTimestampMonotonic,ControlGroup";

/// So often since it was last asked, a unit is not well for having been started again: it starts again and again.
const LOOP: u64 = 5;

/// What systemd says of a unit, by property.
pub type Facts = BTreeMap<String, String>;

/// What systemd says of these units, by the names that they were asked for.
///
/// # Errors
/// Where it says nothing, in words.
pub fn facts(names: &[&str], patience: Duration) -> Result<BTreeMap<String, Facts>, String> {
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut argv = vec!["systemctl", "show", "--no-pager", PROPERTIES, "--"];
    argv.extend(names);
    let output = program::run(&argv, None, None, patience)?;
    if output.status != 0 {
        return Err(format!("systemctl: {}", output.stderr.trim()));
    }
    let blocks = output.stdout.split("\n\n").map(|block| {
        let pairs = block.lines().filter_map(|line| line.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<Facts>()
    });
    // One block a name, in their order.
    Ok(names.iter().map(|name| (*name).to_owned()).zip(blocks).collect())
}

/// Judges it.
pub fn ask(unit: &UnitRuns, context: &Context, memo: &Value) -> Asked {
    let name = unit.name.as_str();
    let units = match &context.units {
        Ok(units) => units,
        Err(why) => {
            return Answer::unknown("systemd", format!("systemd does not say how `{name}` is: {why}")).into();
        }
    };
    let Some(facts) = units.get(name) else {
        return Answer::unknown("systemd", format!("systemd says nothing of `{name}`")).into();
    };
    let said = |property: &str| facts.get(property).map_or("", String::as_str);
    let restarts: u64 = said("NRestarts").parse().unwrap_or_default();
    let memo_now = json!({ "restarts": restarts });
    Asked { answer: judged(unit, name, &said, restarts, memo), memo: memo_now }
}

fn judged<'f>(
    unit: &UnitRuns,
    name: &str,
    said: &impl Fn(&str) -> &'f str,
    restarts: u64,
    memo: &Value,
) -> Answer {
    let journal = format!("`journalctl -u {name} -n 50` says more");
    match (said("LoadState"), said("ActiveState")) {
        ("not-found", _) => {
            return Answer::critical("absent", format!("there is no unit `{name}`"))
                .hint("its package may be gone, or its name another one");
        }
        ("masked", _) => return Answer::critical("masked", format!("`{name}` is masked: it may not start")),
        (_, "active" | "reloading") => {}
        (_, "activating") => {
            let sub = said("SubState");
            let answer = match sub {
                "auto-restart" => Answer::critical(
                    "restarting",
                    format!("`{name}` fails, and systemd starts it again and again"),
                ),
                _ => Answer::warning("starting", format!("`{name}` is starting ({sub})")),
            };
            return answer.hint(journal);
        }
        (_, "failed") => {
            let result = match said("Result") {
                "oom-kill" => "the kernel ended it for want of memory".to_owned(),
                "exit-code" => format!("it ended with status {}", said("ExecMainStatus")),
                "signal" | "core-dump" => format!("signal {} ended it", said("ExecMainStatus")),
                "timeout" => "it took too long to start or stop".to_owned(),
                "start-limit-hit" => "it was started too often in a short time".to_owned(),
                other => other.to_owned(),
            };
            return Answer::critical("failed", format!("`{name}` failed: {result}")).hint(journal);
        }
        // Where it was asked to start and its own conditions said no, as those of timesyncd do in a container.
        (_, "inactive")
            if said("ConditionResult") == "no"
                && !["", "0"].contains(&said("ConditionTimestampMonotonic")) =>
        {
            return Answer::ok(format!("`{name}` does not run here: its own conditions are not met"));
        }
        (_, state) => {
            return Answer::critical("inactive", format!("`{name}` does not run ({state})"))
                .hint(format!("`systemctl status {name}`; `systemctl start {name}` starts it"));
        }
    }
    let counted = said("MemoryCurrent").parse::<u64>().ok().filter(|it| *it < u64::MAX / 2);
    let memory = counted.or_else(|| resident(Path::new("/sys/fs/cgroup"), said("ControlGroup")));
    let mib = memory.map(|bytes| bytes / (1 << 20));
    let measured = |answer: Answer| match mib {
        #[expect(clippy::cast_precision_loss, reason = "mebibytes")]
        Some(mib) => answer.value(mib as f64, "MiB"),
        None => answer,
    };
    if let (Some(most), Some(mib)) = (unit.memory_mb, mib)
        && mib > u64::from(most)
    {
        return measured(Answer::warning(
            "memory",
            format!("`{name}` takes {mib} MiB of memory, more than {most}"),
        ));
    }
    let before = memo.get("restarts").and_then(Value::as_u64).unwrap_or(restarts);
    if restarts > before {
        let times = restarts - before;
        let text =
            format!("`{name}` runs, and systemd had to start it again {times} times since it was last asked");
        // It runs in this moment, between two deaths.
        let answer = match times >= LOOP {
            true => Answer::critical("restarting", text),
            false => Answer::warning("restarted", text),
        };
        return measured(answer.hint(journal));
    }
    measured(Answer::ok(format!("`{name}` runs")))
}

/// What the processes of a unit have in memory, in bytes, where the kernel does not count that for it.
fn resident(cgroups: &Path, group: &str) -> Option<u64> {
    let group = group.strip_prefix('/').filter(|it| !it.is_empty())?;
    let processes = bounded::text(&cgroups.join(group).join("cgroup.procs")).ok()?;
    let kilobytes = |process: &str| {
        let text = bounded::text(&Path::new("/proc").join(process).join("status")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().split(' ').next()?.parse::<u64>().ok()
    };
    Some(processes.lines().filter_map(kilobytes).sum::<u64>() * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Level;

    fn judge(facts: &[(&str, &str)], memory_mb: Option<u32>, memo: &Value) -> Answer {
        let unit = UnitRuns { name: "x.service".to_owned().try_into().unwrap(), restart: None, memory_mb };
        let said = |name: &str| facts.iter().find(|it| it.0 == name).map_or("", |it| it.1);
        judged(&unit, "x.service", &said, said("NRestarts").parse().unwrap_or_default(), memo)
    }

    #[test]
    fn where_the_kernel_does_not_count_memory_that_of_the_processes_is_added_up() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("system.slice/x.service")).unwrap();
        let own = format!("{}\n", std::process::id());
        std::fs::write(dir.path().join("system.slice/x.service/cgroup.procs"), own).unwrap();
        assert!(resident(dir.path(), "/system.slice/x.service").unwrap() > 1 << 20);
        assert_eq!(resident(dir.path(), "/system.slice/y.service"), None);
        assert_eq!(resident(dir.path(), ""), None);
    }

    #[test]
    fn what_systemd_says_is_told_with_its_cause() {
        let active = ("ActiveState", "active");
        for (facts, code, word) in [
            (vec![("LoadState", "not-found"), ("ActiveState", "inactive")], "absent", "no unit"),
            (vec![("ActiveState", "inactive")], "inactive", "does not run"),
            (
                vec![
                    ("ActiveState", "inactive"),
                    ("ConditionResult", "no"),
                    ("ConditionTimestampMonotonic", "0"),
                ],
                "inactive",
                "does not run",
            ),
            (
                vec![
                    ("ActiveState", "inactive"),
                    ("ConditionResult", "no"),
                    ("ConditionTimestampMonotonic", "7"),
                ],
                "ok",
                "conditions",
            ),
            (vec![("ActiveState", "failed"), ("Result", "oom-kill")], "failed", "for want of memory"),
            (
                vec![("ActiveState", "failed"), ("Result", "exit-code"), ("ExecMainStatus", "3")],
                "failed",
                "status 3",
            ),
            (
                vec![("ActiveState", "activating"), ("SubState", "auto-restart")],
                "restarting",
                "again and again",
            ),
            (vec![active, ("NRestarts", "4")], "restarted", "3 times"),
            (vec![active, ("NRestarts", "11")], "restarting", "10 times"),
            (vec![active, ("NRestarts", "1")], "ok", "runs"),
            (vec![active, ("NRestarts", "1"), ("MemoryCurrent", "1073741824")], "memory", "1024 MiB"),
            (vec![active, ("NRestarts", "1"), ("MemoryCurrent", "[not set]")], "ok", "runs"),
        ] {
            let answer = judge(&facts, Some(512), &json!({ "restarts": 1 }));
            assert_eq!(answer.code, code, "{answer:?}");
            assert!(answer.message.contains(word), "{answer:?}");
        }
        assert_eq!(
            judge(&[active, ("NRestarts", "7")], None, &Value::Null).level,
            Level::Ok,
            "what was before is not now"
        );
    }
}
