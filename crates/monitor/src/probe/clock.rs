//! The clock: no year of the past, and set by others.

use std::time::Instant;

use super::{Context, certificate, left};
use crate::{Answer, program};

/// Asks it.
pub fn ask(context: &Context, until: Instant) -> Answer {
    if context.now < certificate::BUILT {
        return Answer::critical("clock", "the clock is years behind").hint("`timedatectl` says who sets it");
    }
    let argv = ["timedatectl", "show", "--property=NTPSynchronized", "--value"];
    match program::run(&argv, None, None, left(until)) {
        Ok(output) if output.stdout.trim() == "yes" => Answer::ok("the clock is set by others"),
        Ok(output) if output.stdout.trim() == "no" => {
            Answer::warning("unset", "nobody sets the clock: it drifts")
                .hint("`timedatectl timesync-status` or `chronyc tracking` says why")
        }
        Ok(output) => Answer::unknown(
            "clock",
            format!("timedatectl does not say whether the clock is set: {}", output.stderr.trim()),
        ),
        Err(why) => Answer::unknown("clock", format!("timedatectl: {why}")),
    }
}
