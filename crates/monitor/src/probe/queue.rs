//! The queue of Postfix: how many messages wait, and how long the oldest has.

use std::fs;
use std::path::Path;
use std::time::Instant;

use pq_items::{Program, Queue};
use serde_json::Value;

use super::{Context, file, left};
use crate::{Answer, program};

const SPOOL: &str = "/var/spool/postfix";

/// More are not counted.
const MOST: usize = 100_000;

/// Asks it.
pub fn ask(queue: &Queue, context: &Context, until: Instant) -> Answer {
    let Program::Postfix = queue.of;
    let spool = Path::new(SPOOL);
    if !spool.is_dir() {
        return Answer::unknown("absent", format!("there is no `{SPOOL}`: Postfix is not here"));
    }
    let waiting = ["maildrop", "incoming", "active", "deferred", "hold"]
        .iter()
        .map(|it| files(&spool.join(it), 3))
        .sum::<usize>();
    let hint = "`postqueue -p` says where they should go and why they do not";
    let oldest = match waiting {
        0 => Ok(0),
        _ => oldest(context.now, until),
    };
    let answer = match (&oldest, &queue.oldest) {
        _ if waiting > usize::try_from(queue.most).unwrap_or(usize::MAX) => {
            Answer::critical("many", format!("{waiting} mails wait, more than {}", queue.most)).hint(hint)
        }
        (Ok(age), Some(most)) if *age > most.seconds() => {
            let text =
                format!("a mail waits for {}, more than {most}; {waiting} wait in all", file::span(*age));
            Answer::critical("old", text).hint(hint)
        }
        (Err(why), Some(_)) => {
            Answer::unknown("queue", format!("cannot find out how long mail waits: {why}"))
        }
        _ => Answer::ok(format!("{waiting} mails wait")),
    };
    #[expect(clippy::cast_precision_loss, reason = "a count")]
    answer.value(waiting as f64, "")
}

/// How many files are in a directory, and so deep below it.
fn files(dir: &Path, depth: u8) -> usize {
    let mut count = 0;
    for entry in fs::read_dir(dir).into_iter().flatten().flatten().take(MOST) {
        count += match entry.file_type() {
            Ok(kind) if kind.is_file() => 1,
            Ok(kind) if kind.is_dir() && depth > 0 => files(&entry.path(), depth - 1),
            _ => 0,
        };
    }
    count
}

/// How many seconds the oldest has waited.
fn oldest(now: i64, until: Instant) -> Result<u64, String> {
    let output = program::run(&["postqueue", "-j"], None, None, left(until))?;
    if output.status != 0 {
        return Err(output.stderr.trim().to_owned());
    }
    Ok(eldest(&output.stdout, now))
}

fn eldest(text: &str, now: i64) -> u64 {
    let arrival = |line: &str| serde_json::from_str::<Value>(line).ok()?.get("arrival_time")?.as_i64();
    let first = text.lines().filter_map(arrival).min();
    first.and_then(|first| u64::try_from(now - first).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_mail_is_found_among_lines_that_may_be_cut() {
        let text = "{\"queue_id\":\"A\",\"arrival_time\":900}\n[… cut …]\n{\"queue_id\":\"B\",\"arrival_time\":400}\n{\"queue";
        assert_eq!(eldest(text, 1_000), 600);
        assert_eq!(eldest("", 1_000), 0);
    }
}
