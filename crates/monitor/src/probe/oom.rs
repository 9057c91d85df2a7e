//! What the kernel ended for want of memory.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use pq_items::OomKills;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Asked, Context};
use crate::{Answer, bounded};

/// What is remembered: how many there were, by unit, and when the last was seen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Memo {
    count: u64,
    units: BTreeMap<String, u64>,
    seen: i64,
    whom: Vec<String>,
}

/// Asks for it.
pub fn ask(oom: &OomKills, context: &Context, memo: &Value) -> Asked {
    let count = vmstat(&bounded::text(Path::new("/proc/vmstat")).unwrap_or_default());
    let units = units(Path::new("/sys/fs/cgroup/system.slice"));
    let Some(count) = count.or_else(|| (!units.is_empty()).then_some(0)) else {
        return Answer::unknown("proc", "this kernel does not count what it ends for want of memory").into();
    };
    let within = oom.within.as_ref().map_or(3_600, pq_items::Span::seconds);
    let before = serde_json::from_value(memo.clone()).ok();
    let (answer, memo) = judge(before, count, units, context.now, i64::try_from(within).unwrap_or(i64::MAX));
    Asked { answer, memo: serde_json::to_value(memo).unwrap_or_default() }
}

fn judge(
    before: Option<Memo>,
    count: u64,
    units: BTreeMap<String, u64>,
    now: i64,
    within: i64,
) -> (Answer, Memo) {
    let Some(before) = before else {
        let memo = Memo { count, units, ..Memo::default() };
        return (Answer::ok("from now on it is seen what the kernel ends for want of memory"), memo);
    };
    let more = |unit: &str, now: u64| now > before.units.get(unit).copied().unwrap_or_default();
    let mut whom: Vec<String> =
        units.iter().filter(|(unit, it)| more(unit, **it)).map(|(unit, _)| unit.clone()).collect();
    let new = count > before.count || !whom.is_empty();
    let mut memo = Memo { count, units, ..before.clone() };
    if new {
        if whom.is_empty() {
            whom.push("a process".to_owned());
        }
        memo.seen = now;
        memo.whom = whom;
    }
    let answer = match memo.seen > 0 && now - memo.seen < within {
        true => {
            Answer::critical("oom", format!("the kernel ended {} for want of memory", memo.whom.join(", ")))
                .hint("`journalctl -k | grep -i oom` says which process was how large")
        }
        false => Answer::ok("the kernel ended nothing for want of memory"),
    };
    (answer, memo)
}

fn vmstat(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

/// How many processes of each service were ended so.
fn units(slice: &Path) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(slice).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Ok(text) = fs::read_to_string(entry.path().join("memory.events"))
            && let Some(count) = vmstat(&text).filter(|it| *it > 0)
        {
            found.insert(name, count);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Level;

    #[test]
    fn a_kill_is_told_with_its_service_for_a_while() {
        let units = |count: u64| BTreeMap::from([("mariadb.service".to_owned(), count)]);
        let (answer, memo) = judge(None, 7, units(1), 1_000, 3_600);
        assert_eq!(answer.level, Level::Ok, "what was before is not told");
        let (answer, memo) = judge(Some(memo), 8, units(2), 2_000, 3_600);
        assert!(answer.level == Level::Critical && answer.message.contains("mariadb.service"), "{answer:?}");
        let (answer, memo) = judge(Some(memo), 8, units(2), 5_000, 3_600);
        assert_eq!(answer.code, "oom");
        let (answer, memo) = judge(Some(memo), 8, units(2), 5_601, 3_600);
        assert_eq!(answer.level, Level::Ok);
        // Booted anew, it counts from nothing.
        let (answer, _) = judge(Some(memo), 0, BTreeMap::new(), 6_000, 3_600);
        assert_eq!(answer.level, Level::Ok);
    }
}
