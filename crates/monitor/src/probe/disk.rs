//! A file system: room for bytes and for files, whether it can be written, and when it will be full at its pace.

use std::path::Path;

use pq_items::Disk;
use pq_stream::{size, system_cause};
use rustix::fs::{StatVfsMountFlags, statvfs};
use serde_json::{Value, json};

use super::{Asked, Context};
use crate::{Answer, bounded};

/// How far apart samples of its fill are, in seconds.
const APART: i64 = 1_800;

/// Over how long its pace is taken.
const BACK: i64 = 48 * 3_600;

/// Over how long it must have been watched for a pace to mean something.
const LEAST: i64 = 6 * 3_600;

/// Asks it.
pub fn ask(disk: &Disk, context: &Context, memo: &Value) -> Asked {
    let path = disk.path.as_str();
    let found = match statvfs(path) {
        Ok(found) => found,
        Err(errno) => {
            return Answer::critical(
                "absent",
                format!("cannot look at `{path}`: {}", system_cause(&errno.into())),
            )
            .into();
        }
    };
    let block = found.f_frsize.max(1);
    let (used, free) = (found.f_blocks.saturating_sub(found.f_bfree) * block, found.f_bavail * block);
    let samples = sampled(memo, context.now, used);
    let limits = &context.thresholds.disk;
    let warn = disk.warn.unwrap_or(limits.warn).get();
    let critical = disk.critical.unwrap_or(limits.critical).get();
    let mut answer = share(path, "full", &format!("{} are left", size(free)), used, free, (warn, critical));
    if found.f_files > 0 {
        let taken = found.f_files.saturating_sub(found.f_ffree);
        let text = format!("{} more files fit", found.f_ffree);
        answer = answer.or_worse(share(path, "inodes", &text, taken, found.f_ffree, (warn, critical)));
    }
    if found.f_flag.contains(StatVfsMountFlags::RDONLY) && !is_meant(path) {
        let text = format!("the file system of `{path}` became read-only");
        answer = answer.or_worse(
            Answer::critical("read_only", text)
                .hint("`dmesg | tail` says why: most often the disk is failing"),
        );
    }
    if !answer.level.is_bad()
        && let Some(until) = full_in(&samples, used, free)
        && until < i64::try_from(context.thresholds.disk_full_within.seconds()).unwrap_or(i64::MAX)
    {
        let text = format!(
            "`{path}` will be full in {} at the pace of the last two days ({} are left)",
            hours(until),
            size(free)
        );
        answer = answer.or_worse(
            Answer::warning("pace", text)
                .hint(format!("`du -xh --max-depth=2 {path} | sort -h | tail` says where")),
        );
    }
    let memo = json!({ "samples": samples });
    Asked { answer, memo }
}

/// How much of it is taken, as `df` counts: of what others than root may use.
fn share(path: &str, code: &str, left: &str, used: u64, free: u64, (warn, critical): (u8, u8)) -> Answer {
    let whole = used.saturating_add(free).max(1);
    #[expect(clippy::cast_precision_loss, reason = "a percentage")]
    let percent = used as f64 * 100.0 / whole as f64;
    let what = if code == "inodes" { "has no room for more files" } else { "is" };
    let text = match code {
        "inodes" => format!("`{path}` {what}: {percent:.0} % of them are there, {left}"),
        _ => format!("`{path}` {what} {percent:.0} % full, {left}"),
    };
    let answer = match percent {
        _ if percent >= f64::from(critical) => Answer::critical(code, text),
        _ if percent >= f64::from(warn) => Answer::warning(code, text),
        _ => Answer::ok(text),
    };
    let answer = match (answer.level.is_bad(), code) {
        (false, _) => answer,
        (true, "inodes") => {
            answer.hint(format!("`du --inodes -x --max-depth=2 {path} | sort -n | tail` says where they are"))
        }
        (true, _) => answer.hint(format!(
            "`du -xh --max-depth=2 {path} | sort -h | tail` says where; `pq-server space --here` what may go"
        )),
    };
    answer.value((percent * 10.0).round() / 10.0, "%")
}

/// The samples there were, and this one where the last is old enough.
fn sampled(memo: &Value, now: i64, used: u64) -> Vec<(i64, u64)> {
    let mut samples: Vec<(i64, u64)> =
        memo.get("samples").and_then(|it| serde_json::from_value(it.clone()).ok()).unwrap_or_default();
    samples.retain(|(at, _)| (now - BACK..=now).contains(at));
    if samples.last().is_none_or(|(at, _)| now - at >= APART) {
        samples.push((now, used));
    }
    samples
}

/// In how many seconds it is full, by the line that fits the samples best (least squares); nothing where it does not grow, or was
/// not watched for long.
fn full_in(samples: &[(i64, u64)], used: u64, free: u64) -> Option<i64> {
    let (first, last) = (samples.first()?, samples.last()?);
    if samples.len() < 6 || last.0 - first.0 < LEAST {
        return None;
    }
    // What grows by less than a hundredth of the whole within that time is no pace.
    if used.saturating_sub(first.1) < used.saturating_add(free) / 100 {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "a forecast")]
    let points: Vec<(f64, f64)> =
        samples.iter().map(|(at, used)| ((at - first.0) as f64, *used as f64)).collect();
    #[expect(clippy::cast_precision_loss, reason = "a forecast")]
    let count = points.len() as f64;
    let mean = |of: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(&|it| it.0), mean(&|it| it.1));
    let slope = points.iter().map(|it| (it.0 - x) * (it.1 - y)).sum::<f64>()
        / points.iter().map(|it| (it.0 - x).powi(2)).sum::<f64>();
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a forecast")]
    let seconds = (free as f64 / slope) as i64;
    (slope > 0.0).then_some(seconds)
}

fn hours(seconds: i64) -> String {
    match seconds {
        ..172_800 => format!("{} hours", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Whether it is mounted read-only by those who set the machine up.
fn is_meant(path: &str) -> bool {
    let mounts = bounded::text(Path::new("/proc/self/mounts")).unwrap_or_default();
    let fstab = bounded::text(Path::new("/etc/fstab")).unwrap_or_default();
    let place = |line: &str| line.split_whitespace().nth(1).map(str::to_owned);
    let below = |place: &str| Path::new(path).starts_with(place);
    let mount = mounts.lines().filter_map(place).filter(|it| below(it)).max_by_key(String::len);
    let meant = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        !line.starts_with('#')
            && fields.get(1).map(|it| (*it).to_owned()) == mount
            && fields.get(3).is_some_and(|options| options.split(',').any(|it| it == "ro"))
    };
    fstab.lines().any(meant)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Level;

    const GIB: u64 = 1 << 30;

    #[test]
    fn room_for_bytes_and_for_files_is_told_by_the_same_limits() {
        let level = |used, free| share("/", "full", "x", used, free, (85, 95)).level;
        assert_eq!(
            [level(84, 16), level(85, 15), level(95, 5)],
            [Level::Ok, Level::Warning, Level::Critical]
        );
        let answer = share("/", "inodes", "3 more files fit", 97, 3, (85, 95));
        assert!(
            answer.message.contains("no room for more files") && answer.hint.unwrap().contains("--inodes")
        );
    }

    /// Samples each hour of a disk that grows so much in each.
    fn grown(hours: i64, by: u64) -> Vec<(i64, u64)> {
        (0..hours).map(|hour| (hour * 3_600, 10 * GIB + u64::try_from(hour).unwrap() * by)).collect()
    }

    #[test]
    fn a_disk_that_grows_is_full_at_a_time() {
        let samples = grown(24, GIB);
        let used = samples.last().unwrap().1;
        assert_eq!(full_in(&samples, used, 50 * GIB), Some(50 * 3_600));
        assert_eq!(full_in(&grown(4, GIB), 13 * GIB, 50 * GIB), None, "it was not watched for long");
        assert_eq!(full_in(&grown(24, 0), 10 * GIB, 50 * GIB), None, "it does not grow");
        assert_eq!(full_in(&grown(24, 1 << 20), 10 * GIB + (23 << 20), 50 * GIB), None, "it grows a little");
    }

    #[test]
    fn a_disk_that_filled_and_was_cleaned_has_no_pace() {
        let mut samples = grown(24, GIB);
        samples.push((24 * 3_600, 10 * GIB));
        assert_eq!(full_in(&samples, 10 * GIB, 70 * GIB), None);
    }

    #[test]
    fn samples_stay_apart_and_old_ones_go() {
        let mut memo = Value::Null;
        for minute in 0..(60 * 24 * 4) {
            memo = json!({ "samples": sampled(&memo, minute * 60, 1) });
        }
        let samples: Vec<(i64, u64)> = serde_json::from_value(memo["samples"].clone()).unwrap();
        assert_eq!(samples.len(), 96);
        assert!(samples.windows(2).all(|two| two[1].0 - two[0].0 == APART));
    }
}
