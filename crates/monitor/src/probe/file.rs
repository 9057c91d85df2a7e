//! The age of a file.

use std::fs;

use pq_items::FileAge;
use pq_stream::system_cause;

use super::Context;
use crate::Answer;

/// Asks it.
pub fn ask(file: &FileAge, context: &Context) -> Answer {
    let path = file.path.as_str();
    let written = match fs::metadata(path).and_then(|it| it.modified()) {
        Ok(written) => written,
        Err(error) => {
            return Answer::critical("absent", format!("cannot look at `{path}`: {}", system_cause(&error)));
        }
    };
    let written = written.duration_since(std::time::UNIX_EPOCH).map_or(0, |it| it.as_secs());
    let age = u64::try_from(context.now).unwrap_or_default().saturating_sub(written);
    let answer = match age > file.max_age.seconds() {
        true => Answer::critical(
            "old",
            format!("`{path}` was last written {} ago, more than {}", span(age), file.max_age),
        ),
        false => Answer::ok(format!("`{path}` was last written {} ago", span(age))),
    };
    #[expect(clippy::cast_precision_loss, reason = "seconds")]
    answer.value(age as f64, "s")
}

/// How long, as people say it.
pub fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}
