//! A machine of an association as `pq-monitor` knows it: items that `pq-server`, `pq-platform` and `pq-instance` write for it, what was
//! answered in ninety days, and the page that the real `pq-monitor page` makes of that. The same each time: what was answered is drawn by
//! one seed, and now is a moment of 2026.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pq_monitor::{History, Memory, Places, Setup, State};
use pq_tests::{Chance, tools};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::answers::{FAILURES, answer};

/// 24 November 2026, 14:05 in Paris.
pub const NOW: i64 = 1_795_525_500;

pub const MINUTE: i64 = 60;
pub const HOUR: i64 = 3_600;
pub const DAY: i64 = 86_400;

/// How often it is asked in the first weeks: what failed there began at one of these moments.
const STEP: i64 = 2 * HOUR;

const HOST: &str = "asso.example.org";

const MACHINE: &str = "
monitor_jobs: true
backup_jobs: true
smtp_host: mail.example.org
instances:
  - { app: nextcloud, id: cloud, domain: cloud.example.org, database: postgres }
  - { app: dolibarr, id: books, domain: books.example.org }
  - { app: dokuwiki, id: wiki, domain: wiki.example.org }
  - { app: radicale, id: dav, domain: dav.example.org, users: [alice] }
";

/// The machine's files, as they would lie below its root.
pub struct World {
    root: TempDir,
}

impl World {
    /// Plans the machine, and lives through its ninety days.
    pub fn new() -> World {
        // In memory where there is some: its history is written in thousands of transactions.
        let shm = Path::new("/dev/shm");
        let root = if shm.is_dir() { tempfile::tempdir_in(shm) } else { tempfile::tempdir() }.unwrap();
        let world = World { root };
        world.plan();
        world.back_up();
        world.live();
        world
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.path().join(path.trim_start_matches('/'))
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Writes what the planners would: they read the example's inventory, with a machine of our own.
    fn plan(&self) {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../inventory");
        assert!(
            Command::new("cp").arg("-r").arg(example).arg(self.at("inventory")).status().unwrap().success()
        );
        self.write(&format!("inventory/host_vars/{HOST}.yml"), MACHINE);
        let hosts = fs::read_to_string(self.at("inventory/hosts")).unwrap();
        self.write("inventory/hosts", &hosts.replace("[prod]\n", &format!("[prod]\n{HOST}\n")));
        let script = format!("pq-inventory {HOST} | pq-server | pq-platform | pq-instance");
        let output = Command::new("sh")
            .args(["-c", &script])
            .current_dir(self.root.path())
            .env("PATH", format!("{}:/usr/bin:/bin", tools().display()))
            .env("PQ_IDENTITY", self.at("inventory/demo-identity.txt"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}: {said}");
        for line in output.stdout.split(|it| *it == b'\n').filter(|it| !it.is_empty()) {
            let record: Value = serde_json::from_slice(line).unwrap();
            let (path, content) = (record["path"].as_str().unwrap_or_default(), &record["content"]);
            if path.starts_with("/etc/paquerette/") && path.ends_with(".yml") {
                self.write(path, content.as_str().unwrap());
            }
        }
    }

    /// Each item was backed up last night, and restored for a proof some days ago.
    fn back_up(&self) {
        let mut items = serde_json::Map::new();
        for (at, entry) in fs::read_dir(self.at("/etc/paquerette/backup.d")).unwrap().enumerate() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let at = i64::try_from(at).unwrap();
            let when = |ago: i64| json!({ "when": pq_monitor::utc(NOW - ago) });
            let of = json!({ "newest": when(10 * HOUR + 38 * MINUTE - at * 40), "proven": when(2 * DAY + 8 * HOUR) });
            items.insert(name.trim_end_matches(".yml").to_owned(), of);
        }
        self.write("/var/lib/paquerette/backup/state.json", &json!({ "items": items }).to_string());
    }

    /// Lives through the ninety days: each check is asked, and what it answers is written down.
    fn live(&self) {
        let places = Places {
            etc: self.at("/etc/paquerette"),
            lib: self.at("/var/lib/paquerette"),
            run: self.at("/run/paquerette"),
        };
        fs::create_dir_all(places.monitor()).unwrap();
        let setup = Setup::read(&places).unwrap();
        assert!(setup.broken.is_empty() && setup.plan.len() > 40, "{:?}", setup.broken);
        for it in FAILURES {
            assert!(setup.plan.get(it.check).is_some(), "{} is not watched", it.check);
        }
        let (mut history, _) = History::open(&places.monitor()).unwrap();
        let asked: Vec<String> = setup.plan.iter().map(|it| it.id.clone()).collect();
        let mut state = State { schema: 1, ..State::default() };
        let mut chance = Chance::new(7);
        // The machine is watched since 83 days; the last three are known by the quarter of an hour.
        let mut now = NOW - 83 * DAY;
        while now <= NOW {
            for watched in setup.plan.iter() {
                let (answer, because) = answer(&setup, watched, now, &mut chance);
                let memory = state.checks.entry(watched.id.clone()).or_default();
                if memory.level != answer.level || memory.asked == 0 {
                    // It was so since a minute between two steps.
                    let of = FAILURES.iter().filter(|it| it.check == watched.id);
                    let edges = of.flat_map(|it| [NOW - it.ago, NOW - it.ago + it.lasts]);
                    memory.since = edges.filter(|it| (now - STEP..=now).contains(it)).max().unwrap_or(now);
                }
                let since = memory.since;
                *memory = Memory {
                    level: answer.level,
                    since,
                    asked: now,
                    last: answer,
                    because,
                    ..Memory::default()
                };
            }
            state.at = now;
            history.record(&state, &asked, now).unwrap();
            now += if NOW - now > 3 * DAY { STEP } else { 15 * MINUTE };
        }
        state.runs = 119_520;
        state.save(&places.monitor()).unwrap();
    }

    /// The page, as the real program makes it, in a namespace in which the files lie where it looks for them.
    pub fn page(&self) -> String {
        let script = format!(
            "hostname {HOST}; mkdir -p \"$1/out\" \"$1/run\"; mount --bind \"$1/etc\" /etc; mount --bind \"$1/var/lib\" /var/lib; \
             mount --bind \"$1/run\" /run; exec \"$0\" page \"$1/out\""
        );
        let mut command = Command::new("unshare");
        command.args(["--mount", "--uts"]);
        if !nix::unistd::geteuid().is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        let output = command
            .args(["--", "sh", "-euc", &script])
            .arg(tools().join("pq-monitor"))
            .arg(self.root.path())
            .env("SOURCE_DATE_EPOCH", NOW.to_string())
            .env("TZ", "Europe/Paris")
            .output()
            .unwrap();
        assert!(output.status.success(), "pq-monitor page: {}", String::from_utf8_lossy(&output.stderr));
        fs::read_to_string(self.at("out/index.html")).unwrap()
    }
}
