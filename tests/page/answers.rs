//! What is answered on the demo machine, in words that the checks of `pq-monitor` use: what failed, and what numbers are while all is
//! well.

use pq_items::Probe;
use pq_monitor::{Answer, Level, Setup, Watched};
use pq_tests::Chance;

use crate::world::{DAY, HOUR, MINUTE, NOW};

/// Something fails: which check, how long ago it began and how long it lasts in seconds, how bad, what is answered, what helps.
pub struct Failure {
    pub check: &'static str,
    pub ago: i64,
    pub lasts: i64,
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
pub const FAILURES: &[Failure] = &[
    Failure { check: "cloud/health", ago: 81 * DAY, lasts: 34 * MINUTE, level: Level::Critical, code: "status", message: "`https://cloud.example.org/status.php` answers 503, not 200", hint: PROXY, because: None },
    Failure { check: "wiki/health", ago: 66 * DAY + 4 * HOUR, lasts: 18 * MINUTE, level: Level::Warning, code: "slow", message: "`https://wiki.example.org/doku.php?id=start` answers slowly: 6.2 s, more than 5 s", hint: "", because: None },
    Failure { check: "platform-mariadb/runs", ago: 52 * DAY + 2 * HOUR, lasts: 26 * MINUTE, level: Level::Critical, code: "failed", message: "`mariadb.service` failed: the kernel ended it for want of memory", hint: "`journalctl -u mariadb.service -n 50` says more", because: None },
    Failure { check: "books/health", ago: 52 * DAY + 2 * HOUR, lasts: 28 * MINUTE, level: Level::Critical, code: "status", message: "`https://books.example.org/` answers 500, not 200", hint: "the application failed: its log says why", because: Some("platform-mariadb/runs") },
    Failure { check: "books/certificate", ago: 38 * DAY, lasts: 2 * DAY, level: Level::Warning, code: "old", message: "the certificate of `books.example.org` is good for 24 days (73 % of its time are over)", hint: "`certbot certificates` says when `books.example.org` is renewed, `certbot renew` does it", because: None },
    Failure { check: "server/memory", ago: 31 * DAY + 2 * HOUR, lasts: 3 * HOUR + 10 * MINUTE, level: Level::Warning, code: "memory", message: "91 % of the memory are taken: 702 MiB of 7.8 GiB are left", hint: "`ps -eo rss,user,args --sort=-rss | head` says by whom", because: None },
    Failure { check: "cloud/health", ago: 17 * DAY + 4 * HOUR, lasts: 3 * HOUR + 25 * MINUTE, level: Level::Critical, code: "status", message: "`https://cloud.example.org/status.php` answers 502, not 200", hint: PROXY, because: None },
    Failure { check: "server/backup", ago: 9 * DAY + 2 * HOUR, lasts: 5 * HOUR, level: Level::Critical, code: "late", message: "the newest backup of `cloud` is 27 h old", hint: "`pq-backup status` says how each is; `pq-backup run` makes one now", because: None },
    Failure { check: "books/health", ago: 31 * HOUR, lasts: 45 * MINUTE, level: Level::Critical, code: "timeout", message: "`https://books.example.org/` answers slowly: 9.8 s, more than 5 s", hint: "", because: None },
    Failure { check: "server/disk-production", ago: 20 * HOUR, lasts: 21 * HOUR, level: Level::Warning, code: "full", message: "`/srv/paquerette` is 86 % full, 66.8 GiB are left", hint: ROOM, because: None },
    Failure { check: "dav/runs", ago: 2 * HOUR + 40 * MINUTE, lasts: DAY, level: Level::Critical, code: "failed", message: "`pq-dav.service` failed: it ended with status 1", hint: JOURNAL, because: None },
    Failure { check: "dav/health", ago: 2 * HOUR + 39 * MINUTE, lasts: DAY, level: Level::Critical, code: "status", message: "`https://dav.example.org/.web/` answers 502, not 200", hint: PROXY, because: Some("dav/runs") },
];

/// What a check answers at a time, and what explains it.
pub fn answer(setup: &Setup, watched: &Watched, now: i64, chance: &mut Chance) -> (Answer, Option<String>) {
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
