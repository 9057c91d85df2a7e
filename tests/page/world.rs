//! A machine of an association as `pq-monitor` knows it: items that `pq-server`, `pq-platform` and `pq-instance` write for it, what was
//! answered in ninety days, and the page that the real `pq-monitor page` makes of that. The same each time: what was answered is drawn by
//! one seed, and now is a moment of 2026.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pq_items::Probe;
use pq_monitor::{Answer, History, Level, Memory, Places, Setup, State, Watched};
use pq_tests::{Chance, tools};
use serde_json::{Value, json};
use tempfile::TempDir;

/// 24 November 2026, 14:05 in Paris.
const NOW: i64 = 1_795_525_500;

const MINUTE: i64 = 60;
const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

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

/// Something fails: which check, how long ago it began and how long it lasts in seconds, how bad, what is answered, what helps.
struct Failure {
    check: &'static str,
    ago: i64,
    lasts: i64,
    level: Level,
    code: &'static str,
    message: &'static str,
    hint: &'static str,
    /// The check that explains it.
    because: Option<&'static str>,
}

const JOURNAL: &str = "`journalctl -u pq-dav.service -n 50` says more";
const PROXY: &str = "the web server runs, and what it hands on to does not answer";
const ROOM: &str = "`du -xh --max-depth=2 /srv/paquerette | sort -h | tail` says where; `pq-server space --here` what may go";

#[rustfmt::skip]
const FAILURES: &[Failure] = &[
    Failure { check: "cloud/health", ago: 81 * DAY, lasts: 34 * MINUTE, level: Level::Critical, code: "status", message: "`https://cloud.example.org/status.php` answers 503, not 200", hint: PROXY, because: None },
    Failure { check: "wiki/health", ago: 66 * DAY + 5 * HOUR, lasts: 18 * MINUTE, level: Level::Warning, code: "slow", message: "`https://wiki.example.org/doku.php?id=start` answers slowly: 6.2 s, more than 5 s", hint: "", because: None },
    Failure { check: "platform-mariadb/runs", ago: 52 * DAY + 3 * HOUR, lasts: 26 * MINUTE, level: Level::Critical, code: "failed", message: "`mariadb.service` failed: the kernel ended it for want of memory", hint: "`journalctl -u mariadb.service -n 50` says more", because: None },
    Failure { check: "books/health", ago: 52 * DAY + 3 * HOUR, lasts: 28 * MINUTE, level: Level::Critical, code: "status", message: "`https://books.example.org/` answers 500, not 200", hint: "the application failed: its log says why", because: Some("platform-mariadb/runs") },
    Failure { check: "books/certificate", ago: 38 * DAY, lasts: 2 * DAY, level: Level::Warning, code: "old", message: "the certificate of `books.example.org` is good for 24 days (73 % of its time are over)", hint: "`certbot certificates` says when `books.example.org` is renewed, `certbot renew` does it", because: None },
    Failure { check: "server/memory", ago: 31 * DAY + HOUR, lasts: 3 * HOUR + 10 * MINUTE, level: Level::Warning, code: "memory", message: "91 % of the memory are taken: 702 MiB of 7.8 GiB are left", hint: "`ps -eo rss,user,args --sort=-rss | head` says by whom", because: None },
    Failure { check: "cloud/health", ago: 17 * DAY + 4 * HOUR, lasts: 3 * HOUR + 25 * MINUTE, level: Level::Critical, code: "status", message: "`https://cloud.example.org/status.php` answers 502, not 200", hint: PROXY, because: None },
    Failure { check: "server/backup", ago: 9 * DAY + 2 * HOUR, lasts: 5 * HOUR, level: Level::Critical, code: "late", message: "the newest backup of `cloud` is 27 h old", hint: "`pq-backup status` says how each is; `pq-backup run` makes one now", because: None },
    Failure { check: "books/health", ago: 31 * HOUR, lasts: 45 * MINUTE, level: Level::Critical, code: "timeout", message: "`https://books.example.org/` answers slowly: 9.8 s, more than 5 s", hint: "", because: None },
    Failure { check: "server/disk-production", ago: 20 * HOUR, lasts: 21 * HOUR, level: Level::Warning, code: "full", message: "`/srv/paquerette` is 86 % full, 66.8 GiB are left", hint: ROOM, because: None },
    Failure { check: "dav/runs", ago: 2 * HOUR + 40 * MINUTE, lasts: DAY, level: Level::Critical, code: "failed", message: "`pq-dav.service` failed: it ended with status 1", hint: JOURNAL, because: None },
    Failure { check: "dav/health", ago: 2 * HOUR + 39 * MINUTE, lasts: DAY, level: Level::Critical, code: "status", message: "`https://dav.example.org/.web/` answers 502, not 200", hint: PROXY, because: Some("dav/runs") },
];

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
        // The machine is watched since 83 days; the last week is known by the quarter of an hour.
        let mut now = NOW - 83 * DAY;
        while now <= NOW {
            for watched in setup.plan.iter() {
                let (answer, because) = answer(&setup, watched, now, &mut chance);
                let memory = state.checks.entry(watched.id.clone()).or_default();
                if memory.level != answer.level || memory.asked == 0 {
                    // It is asked each hour, and was so since a minute in between.
                    let of = FAILURES.iter().filter(|it| it.check == watched.id);
                    let edges = of.flat_map(|it| [NOW - it.ago, NOW - it.ago + it.lasts]);
                    memory.since = edges.filter(|it| (now - HOUR..=now).contains(it)).max().unwrap_or(now);
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
            now += if NOW - now > 3 * DAY { HOUR } else { 5 * MINUTE };
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

/// What a check answers at a time, and what explains it.
fn answer(setup: &Setup, watched: &Watched, now: i64, chance: &mut Chance) -> (Answer, Option<String>) {
    let failure = FAILURES
        .iter()
        .find(|it| it.check == watched.id && (NOW - it.ago..NOW - it.ago + it.lasts).contains(&now));
    let well = well(setup, watched, now, chance);
    let Some(it) = failure else { return (well, None) };
    let mut answer = Answer::of(it.level, it.code, it.message);
    if !it.hint.is_empty() {
        answer = answer.hint(it.hint);
    }
    // What is too slow takes as long as it may; what is refused does not.
    let ms =
        if it.message.contains("slowly") { 5_200 + u64::try_from(chance.below(4_000)).unwrap() } else { 3 };
    (Answer { ms, value: well.value, unit: well.unit, ..answer }, it.because.map(str::to_owned))
}

/// What it answers while all is well: numbers that people's days and chance move.
#[expect(clippy::cast_precision_loss, reason = "numbers of a picture")]
fn well(setup: &Setup, watched: &Watched, now: i64, chance: &mut Chance) -> Answer {
    let noise = chance.below(1_000) as f64 / 1_000.0;
    // People are there in the day: from nothing at night to 1 at two o'clock.
    let hour = (now + HOUR).rem_euclid(DAY) as f64 / HOUR as f64;
    let busy = ((hour - 14.0) * std::f64::consts::PI / 12.0).cos().max(0.0);
    let age = (NOW - now) as f64 / DAY as f64;
    let own =
        watched.id.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into())) % 100;
    let own = f64::from(own) / 100.0;
    let ok = |message: String, value: f64, unit: &str| Answer::ok(message).value(value, unit);
    let (answer, ms) = match &watched.probe {
        None => (Answer::ok(watched.about.clone()), 0.0),
        Some(Probe::Http(it)) => {
            let base = if watched.owner == "cloud" { 150.0 } else { 35.0 + own * 60.0 };
            let pause = if chance.one_in(90) { base * 2.5 } else { 0.0 };
            let ms = base * (1.0 + busy * 0.8 + noise * 0.35) + pause;
            (ok(format!("`{}` answers {}", it.url, it.status), ms / 1_000.0, "s"), ms)
        }
        // Timers take no memory of their own.
        Some(Probe::Unit(it)) if it.name.as_str().ends_with(".timer") => {
            (Answer::ok(format!("`{}` runs", it.name)), 1.0)
        }
        Some(Probe::Unit(it)) => {
            (ok(format!("`{}` runs", it.name), (12.0 + own * 300.0).round(), "MiB"), 1.0)
        }
        Some(Probe::Disk(it)) => {
            let share = match watched.id.as_str() {
                // It grows; a month ago somebody made room.
                "server/disk-production" => {
                    86.4 - age * 0.52 + if age > 33.0 { 13.0 } else { 0.0 } + noise * 0.2
                }
                _ => 23.0 + own * 30.0 - age * 0.04 + noise * 0.3,
            };
            (
                ok(
                    format!("`{}` is {share:.0} % full, 88.1 GiB are left", it.path),
                    (share * 10.0).round() / 10.0,
                    "%",
                ),
                0.0,
            )
        }
        Some(Probe::Memory(_)) => {
            let share = 48.0 + busy * 14.0 + noise * 4.0;
            (
                ok(
                    format!("{share:.0} % of the memory are taken: 3.2 GiB of 7.8 GiB are left"),
                    share.round(),
                    "%",
                ),
                0.0,
            )
        }
        Some(Probe::Swap(_)) => {
            (ok("4 % of the swap are taken: 1.9 GiB of 2.0 GiB are left".to_owned(), 4.0, "%"), 0.0)
        }
        Some(Probe::Load(_)) => {
            // Backups are made at night.
            let share =
                6.0 + busy * 24.0 + noise * 12.0 + if (3.4..4.6).contains(&hour) { 55.0 } else { 0.0 };
            (
                ok(
                    format!(
                        "{:.1} processes want one of 4 processors, over five minutes ({share:.0} %)",
                        share / 25.0
                    ),
                    share.round(),
                    "%",
                ),
                0.0,
            )
        }
        Some(Probe::Certificate(it)) => {
            let left = match watched.owner.as_str() {
                "books" => 52.0 + age,
                _ => 29.0 + own * 50.0 + age,
            };
            // Renewed a month before its end, so that it is good for ninety days.
            let left = 28.0 + (left - 28.0).rem_euclid(62.0);
            let name = it.names.first().unwrap();
            let over = (90.0 - left) * 100.0 / 90.0;
            (
                ok(
                    format!(
                        "the certificate of `{name}` is good for {left:.0} days ({over:.0} % of its time are over)"
                    ),
                    left,
                    "d",
                ),
                9.0,
            )
        }
        Some(Probe::Database(_)) => {
            (ok(format!("{} answers", about(watched)), 0.002, "s"), 1.0 + own + noise)
        }
        Some(Probe::Tcp(it)) => (Answer::ok(format!("`{}:{}` answers", it.host, it.port)), noise),
        Some(Probe::Socket(it)) => (Answer::ok(format!("`{}` answers", it.path)), noise),
        // The real answer, of the state that pq-backup would leave.
        Some(Probe::Backup(_)) if now == NOW => (pq_monitor::test(setup, watched, NOW).unwrap(), 2.0),
        Some(Probe::Backup(_)) => (Answer::ok("backups are young, and can be restored"), 2.0),
        Some(Probe::Updates(_)) => (ok("3 updates wait, 0 of them for security".to_owned(), 3.0, ""), 900.0),
        Some(Probe::Queue(_)) => (ok("0 mails wait".to_owned(), 0.0, ""), 4.0),
        Some(_) => (Answer::ok(watched.about.clone()), 5.0),
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "milliseconds")]
    let ms = ms.round() as u64;
    Answer { ms, ..answer }
}

/// What answers, by what its check is about.
fn about(watched: &Watched) -> &str {
    watched.about.trim_end_matches(" answers")
}
