//! Runs that were left out because another one was at work: counted, so that the next one tells; and where that other one hangs for
//! long, told at once, without it.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use jiff::tz::TimeZone;
use pq_stream::from_utc;

use crate::Message;
use crate::channel::{addressed, ways};
use crate::setup::{Places, Setup};

/// From when on a run that is at work hangs.
const HANGS: Duration = Duration::from_secs(300);

/// How long it is not told again.
const AGAIN: Duration = Duration::from_secs(4 * 3_600);

fn file(places: &Places) -> PathBuf {
    places.run.join("monitor.skipped")
}

/// Counts a run that is left out; where the one at work hangs, people are told.
pub fn skipped(setup: &Setup, holder: &str, now: i64) {
    let path = file(&setup.places);
    let count = count(&path) + 1;
    let _ = fs::write(&path, count.to_string());
    let since = holder.rsplit("since ").next().and_then(|text| from_utc(text.trim()));
    let hangs =
        since.and_then(|since| SystemTime::now().duration_since(since).ok()).is_some_and(|age| age > HANGS);
    let told = setup.places.run.join("monitor.hangs");
    let lately = fs::metadata(&told).and_then(|it| it.modified()).ok();
    let lately =
        lately.and_then(|it| SystemTime::now().duration_since(it).ok()).is_some_and(|age| age < AGAIN);
    if !hangs || lately {
        return;
    }
    let ways = ways(&setup.strategy.alerts);
    let lines = vec![
        format!("the run of {holder} does not end, and nothing is watched meanwhile"),
        "hint: the kernel may not answer it (`dmesg | tail`); `kill -9` of that process lets the next run begin".to_owned(),
    ];
    let message =
        Message::words(&setup.host, now, "CRITICAL monitor/runs: a run hangs", lines, addressed(&ways));
    let taken =
        ways.values().filter_map(|way| Some(way.send(&message.letter(way.pressing(), &TimeZone::system())?)));
    if taken.filter(Result::is_ok).count() > 0 {
        let _ = fs::write(&told, "");
    }
}

/// How many were left out since the last one that ran; they are counted anew.
pub fn taken(places: &Places) -> u64 {
    let path = file(places);
    let count = count(&path);
    let _ = fs::remove_file(&path);
    count
}

fn count(path: &PathBuf) -> u64 {
    fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok()).unwrap_or_default()
}
