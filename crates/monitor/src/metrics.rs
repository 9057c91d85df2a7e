//! What a node_exporter reads from its textfile directory (<https://github.com/prometheus/node_exporter#textfile-collector>): no
//! times beside the values, a line end at the last line.

use std::fmt::Write as _;

use crate::View;
use crate::answer::number;

/// The metrics of a machine.
pub fn metrics(view: &View) -> String {
    let mut text = String::new();
    let mut family = |name: &str, help: &str, lines: Vec<(String, f64)>| {
        if lines.is_empty() {
            return;
        }
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
        for (labels, value) in lines {
            let _ = writeln!(text, "{name}{labels} {}", number(value));
        }
    };
    let seen = || view.checks.iter().filter_map(|it| Some((it, it.memory.as_ref()?)));
    let labels = |id: &str, kind: &str| format!("{{check=\"{}\",kind=\"{}\"}}", escaped(id), escaped(kind));
    #[expect(clippy::cast_precision_loss, reason = "seconds and counts")]
    let float = |whole: i64| whole as f64;
    let of = |value: &dyn Fn(&crate::Memory) -> Option<f64>| -> Vec<(String, f64)> {
        seen().filter_map(|(it, memory)| Some((labels(&it.id, &it.kind), value(memory)?))).collect()
    };
    let statuses = of(&|memory| Some(f64::from(memory.last.level.number())));
    family(
        "pq_monitor_check_status",
        "What a check answered last: 0 well, 1 warning, 2 critical, 3 unknown.",
        statuses,
    );
    let counts = of(&|memory| Some(f64::from(memory.level.number())));
    family(
        "pq_monitor_check_counts",
        "What counts of a check, behind its damping, by the same numbers.",
        counts,
    );
    let values = of(&|memory| memory.last.value);
    family("pq_monitor_check_value", "What a check measured last, in its own unit.", values);
    #[expect(clippy::cast_precision_loss, reason = "milliseconds")]
    let times = of(&|memory| Some(memory.last.ms as f64 / 1_000.0));
    family("pq_monitor_check_duration_seconds", "How long a check took last.", times);
    let asked = of(&|memory| Some(float(memory.asked)));
    family("pq_monitor_check_asked_timestamp_seconds", "When a check was last asked.", asked);
    let waiting = i64::try_from(view.waiting).unwrap_or(i64::MAX);
    family(
        "pq_monitor_messages_waiting",
        "Messages that a channel has not taken yet.",
        vec![(String::new(), float(waiting))],
    );
    family(
        "pq_monitor_last_run_timestamp_seconds",
        "When the last run ended.",
        vec![(String::new(), float(view.at))],
    );
    text
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Seen;
    use crate::{Answer, Memory};

    #[test]
    fn the_collector_can_read_it() {
        let memory =
            Memory { asked: 1_800_000_000, last: Answer::ok("x").value(12.5, "%"), ..Memory::default() };
        let seen = Seen {
            id: "a/b".into(),
            owner: "a".into(),
            about: "q\"".into(),
            kind: "disk".into(),
            memory: Some(memory),
        };
        let view = View { host: "web".into(), checks: vec![seen], at: 1_800_000_001, waiting: 2 };
        let text = metrics(&view);
        assert!(text.ends_with("pq_monitor_last_run_timestamp_seconds 1800000001\n"), "{text}");
        assert!(text.contains("pq_monitor_check_value{check=\"a/b\",kind=\"disk\"} 12.5\n"), "{text}");
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            assert_eq!(line.split(' ').count(), 2, "a name and a value, no time: {line}");
        }
    }
}
