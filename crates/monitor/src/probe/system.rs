//! Processors, memory and swap, as the kernel counts them.

use std::path::Path;

use pq_items::{Load, Memory, Percent, Swap};
use pq_stream::size;

use crate::{Answer, bounded};

/// The processors: the average of five minutes beside what they can do.
pub fn load(load: &Load) -> Answer {
    let text = bounded::text(Path::new("/proc/loadavg")).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let Some(average) = text.split(' ').nth(1).and_then(|it| it.parse::<f64>().ok()) else {
        return Answer::unknown("proc", "the kernel does not say how much the processors have to do");
    };
    of_load(average, cores, load)
}

fn of_load(average: f64, cores: usize, load: &Load) -> Answer {
    #[expect(clippy::cast_precision_loss, reason = "a count of processors")]
    let percent = average * 100.0 / cores as f64;
    let text =
        format!("{average:.1} processes want one of {cores} processors, over five minutes ({percent:.0} %)");
    let hint = "`top -b -n 1 | head -20` says which";
    let answer = match percent {
        _ if percent >= f64::from(load.critical) => Answer::critical("load", text).hint(hint),
        _ if percent >= f64::from(load.warn) => Answer::warning("load", text).hint(hint),
        _ => Answer::ok(text),
    };
    answer.value(percent.round(), "%")
}

/// Memory that is taken and cannot be given back.
pub fn memory(memory: &Memory) -> Answer {
    let text = bounded::text(Path::new("/proc/meminfo")).unwrap_or_default();
    let read = meminfo(&text);
    match (read("MemTotal"), read("MemAvailable")) {
        (Some(total), Some(available)) => {
            taken("memory", total, available, (memory.warn, 90), (memory.critical, 97))
        }
        _ => Answer::unknown("proc", "the kernel does not say how much memory there is"),
    }
}

/// Swap that is taken.
pub fn swap(swap: &Swap) -> Answer {
    let text = bounded::text(Path::new("/proc/meminfo")).unwrap_or_default();
    let read = meminfo(&text);
    match (read("SwapTotal"), read("SwapFree")) {
        (Some(0), _) => Answer::ok("there is no swap"),
        (Some(total), Some(free)) => taken("swap", total, free, (swap.warn, 60), (swap.critical, 90)),
        _ => Answer::unknown("proc", "the kernel does not say how much swap there is"),
    }
}

/// A reader of `Name:   123 kB`, in bytes.
fn meminfo(text: &str) -> impl Fn(&str) -> Option<u64> {
    move |name: &str| {
        let rest = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        Some(rest.trim().split(' ').next()?.parse::<u64>().ok()? * 1024)
    }
}

fn taken(
    what: &str,
    total: u64,
    free: u64,
    warn: (Option<Percent>, u8),
    critical: (Option<Percent>, u8),
) -> Answer {
    #[expect(clippy::cast_precision_loss, reason = "a percentage")]
    let percent = total.saturating_sub(free) as f64 * 100.0 / total.max(1) as f64;
    let limit = |(own, usual): (Option<Percent>, u8)| f64::from(own.map_or(usual, Percent::get));
    let text = format!("{percent:.0} % of the {what} are taken: {} of {} are left", size(free), size(total));
    let hint = "`ps -eo rss,user,args --sort=-rss | head` says by whom";
    let answer = match percent {
        _ if percent >= limit(critical) => Answer::critical(what, text).hint(hint),
        _ if percent >= limit(warn) => Answer::warning(what, text).hint(hint),
        _ => Answer::ok(text),
    };
    answer.value(percent.round(), "%")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Level;

    #[test]
    fn what_the_kernel_counts_is_told_in_percent() {
        let text = "MemTotal:       1000 kB\nMemFree:          10 kB\nMemAvailable:     80 kB\nSwapTotal:         0 kB\n";
        let read = meminfo(text);
        let (total, available) = (read("MemTotal").unwrap(), read("MemAvailable").unwrap());
        let answer = taken("memory", total, available, (None, 90), (None, 97));
        assert_eq!((answer.level, answer.value), (Level::Warning, Some(92.0)));
        assert_eq!(read("Mem"), None);
        let limits = Load::default();
        assert_eq!(of_load(3.9, 2, &limits).level, Level::Ok);
        assert_eq!(of_load(4.0, 2, &limits).level, Level::Warning);
        assert_eq!(of_load(8.0, 2, &limits).level, Level::Critical);
    }

    #[test]
    fn this_machine_says_it() {
        for answer in [load(&Load::default()), memory(&Memory::default()), swap(&Swap::default())] {
            assert_ne!(answer.level, Level::Unknown, "{answer:?}");
        }
    }
}
