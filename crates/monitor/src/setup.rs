//! What is watched on this machine and how, as `/etc/paquerette` says it.
//!
//! Always true here: a file that cannot be read takes nothing else with it. Where that is the strategy itself, the last one that could
//! be read counts, so that people are told all the same.

use std::path::PathBuf;

use pq_items::{MonitorItem, MonitorStrategy, of_file};
use pq_store::replace;
use pq_stream::Diagnostic;

use crate::{bounded, plan::Plan};

/// Where things are.
#[derive(Debug, Clone)]
pub struct Places {
    /// Items and strategies.
    pub etc: PathBuf,
    /// What tools remember.
    pub lib: PathBuf,
    /// Locks.
    pub run: PathBuf,
}

impl Default for Places {
    fn default() -> Self {
        Places {
            etc: "/etc/paquerette".into(),
            lib: pq_store::STATE_DIR.into(),
            run: pq_store::RUN_DIR.into(),
        }
    }
}

impl Places {
    /// What the monitor remembers.
    pub fn monitor(&self) -> PathBuf {
        self.lib.join("monitor")
    }

    /// The same while that cannot be written: in memory, until the next boot.
    pub fn aside(&self) -> PathBuf {
        self.run.join("monitor")
    }
}

/// What is watched, and how.
#[derive(Debug)]
pub struct Setup {
    /// Where things are.
    pub places: Places,
    /// When, from when on something is told, to whom.
    pub strategy: MonitorStrategy,
    /// What.
    pub plan: Plan,
    /// Files that cannot be read.
    pub broken: Vec<Diagnostic>,
    /// This machine's name.
    pub host: String,
}

/// What the monitor says of itself.
pub const OWN: [(&str, &str); 8] = [
    ("monitor/channels", "every channel takes messages"),
    ("monitor/clock", "the clock runs on evenly"),
    ("monitor/delivery", "messages are taken"),
    ("monitor/history", "the history can be written"),
    ("monitor/items", "what is watched can be read"),
    ("monitor/memory", "what was remembered can be read and written"),
    ("monitor/network", "this machine has a network"),
    ("monitor/runs", "each run comes to its end"),
];

/// What counts where there never was a strategy.
const USUAL: &str = "
schedule: { run: '* * * * *', digest: '0 7 * * 1' }
alerts: { remind_after: [4h, 24h] }
thresholds: { damping: { failures: 3, of: 3 }, disk: { warn: 85, critical: 95 }, disk_full_within: 7d, certificate: { warn: 72, critical: 84 } }
";

impl Setup {
    /// Reads it.
    ///
    /// # Errors
    /// Where the directory of items cannot be read at all.
    pub fn read(places: &Places) -> Result<Self, Diagnostic> {
        let mut broken = Vec::new();
        let strategy = match of_file::<MonitorStrategy>(
            &places.etc.join("monitor.yml"),
            "the strategy",
            bounded::text,
        ) {
            Ok(strategy) => strategy,
            Err(error) => {
                let kept = of_file(&kept(places), "the strategy that was kept", bounded::text);
                let hint = match &kept {
                    Ok(_) => "the last one that could be read counts until it is mended",
                    Err(_) => {
                        "`pq-server` writes it: `pq-inventory HOST | pq-server --apply`; until then nobody is told of anything"
                    }
                };
                broken.push(error.hint(hint));
                match kept {
                    Ok(strategy) => strategy,
                    Err(_) => pq_items::read("the strategy", "", USUAL)?,
                }
            }
        };
        let (read, unread) = pq_items::items::<MonitorItem>(&places.etc.join("monitor.d"), bounded::text)?;
        broken.extend(unread);
        let mut plan = Plan::of(&read, strategy.thresholds.damping);
        plan.own(&OWN);
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Ok(Setup { places: places.clone(), strategy, plan, broken, host })
    }

    /// Keeps the strategy for a time in which it cannot be read; that it cannot be kept is no matter while it can be read.
    pub fn keep(&self) {
        let Ok(text) = pq_items::write(&self.strategy) else { return };
        if bounded::text(&kept(&self.places)).ok().as_ref() != Some(&text) {
            let _ = replace(&kept(&self.places), text.as_bytes());
        }
    }
}

fn kept(places: &Places) -> PathBuf {
    places.monitor().join("strategy.yml")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn world() -> (tempfile::TempDir, Places) {
        let dir = tempfile::tempdir().unwrap();
        let places =
            Places { etc: dir.path().join("etc"), lib: dir.path().join("lib"), run: dir.path().join("run") };
        fs::create_dir_all(places.etc.join("monitor.d")).unwrap();
        (dir, places)
    }

    #[test]
    fn a_broken_item_names_its_line_and_stops_only_itself() {
        let (_dir, places) = world();
        let write =
            |name: &str, text: &str| fs::write(places.etc.join("monitor.d").join(name), text).unwrap();
        write("a.yml", "owner: a\nchecks:\n- { id: x, disk: { path: / } }\n");
        write("b.yml", "owner: b\nchecks:\n- { id: x, dsk: { path: / } }\n");
        write("c.yml", "owner: d\n");
        write("notes.txt", "hello");
        let setup = Setup::read(&places).unwrap();
        assert!(setup.plan.get("a/x").is_some() && setup.plan.len() == 1 + OWN.len());
        let told: Vec<String> = setup.broken.iter().map(ToString::to_string).collect();
        assert!(told[1].contains("monitor.d/b.yml:3:12"), "{told:?}");
        assert!(told[2].contains("says that it is of `d`"), "{told:?}");
    }

    #[test]
    fn where_the_strategy_breaks_the_last_good_one_counts() {
        let (_dir, places) = world();
        let path = places.etc.join("monitor.yml");
        let text = USUAL.replace("alerts: { ", "alerts: { mail: [a@example.org], ");
        fs::write(&path, &text).unwrap();
        let setup = Setup::read(&places).unwrap();
        assert!(setup.broken.is_empty());
        setup.keep();
        fs::write(&path, "schedule: [").unwrap();
        let setup = Setup::read(&places).unwrap();
        assert_eq!(setup.strategy.alerts.mail.len(), 1);
        assert_eq!(setup.broken.len(), 1);
    }
}
