//! Updates that wait, and whether the machine should be booted anew.

use pq_items::{Span, Updates};
use pq_machine::Machine;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Asked, Context, file};
use crate::Answer;

/// Since when each waits.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Memo {
    security: Option<i64>,
    boot: Option<i64>,
}

/// Asks for them.
pub fn ask(updates: &Updates, context: &Context, memo: &Value) -> Asked {
    let machine = Machine::local();
    let pending = match machine.pending() {
        Ok(pending) => pending,
        Err(error) => {
            return Asked {
                answer: Answer::unknown("apt", format!("apt does not say what waits: {error}")),
                memo: memo.clone(),
            };
        }
    };
    let reasons = match machine.reboot_reasons() {
        Ok(reasons) => reasons,
        Err(error) => return Asked { answer: Answer::unknown("apt", error.to_string()), memo: memo.clone() },
    };
    let security = pending.simulation.upgrades.iter().filter(|it| it.security).count();
    let all = pending.simulation.upgrades.len();
    let before: Memo = serde_json::from_value(memo.clone()).unwrap_or_default();
    let (answer, memo) = judge(&before, (all, security), &reasons, context.now, updates);
    let unfinished = pending.unfinished.first().map(|name| {
        Answer::critical("unfinished", format!("`{name}` was not installed to its end"))
            .hint("`dpkg --configure -a` ends it")
    });
    let answer = unfinished.map_or(answer.clone(), |unfinished| answer.or_worse(unfinished));
    Asked { answer, memo: serde_json::to_value(memo).unwrap_or_default() }
}

fn judge(
    before: &Memo,
    (all, security): (usize, usize),
    reasons: &[String],
    now: i64,
    updates: &Updates,
) -> (Answer, Memo) {
    let since = |waits: bool, before: Option<i64>| waits.then(|| before.unwrap_or(now));
    let memo = Memo {
        security: since(security > 0, before.security),
        boot: since(!reasons.is_empty(), before.boot),
    };
    let limit = |own: &Option<Span>, usual: i64| {
        own.as_ref().map_or(usual, |it| i64::try_from(it.seconds()).unwrap_or(i64::MAX))
    };
    let over = |since: Option<i64>, most: i64| since.filter(|since| now - since > most);
    let ago = |since: i64| file::span(u64::try_from(now - since).unwrap_or_default());
    let mut answer = Answer::ok(format!("{all} updates wait, {security} of them for security"));
    if let Some(since) = over(memo.boot, limit(&updates.reboot_within, 14 * 86_400)) {
        let text = format!("the machine should be booted anew, for {}: {}", ago(since), reasons.join("; "));
        answer = answer.or_worse(Answer::warning("boot", text));
    }
    if let Some(since) = over(memo.security, limit(&updates.security_within, 3 * 86_400)) {
        let text = format!("{security} updates for security wait, for {}", ago(since));
        answer = answer.or_worse(
            Answer::warning("security", text)
                .hint("`pq-server packages --here` names them, `--apply` installs them"),
        );
    }
    #[expect(clippy::cast_precision_loss, reason = "a count")]
    let answer = answer.value(all as f64, "");
    (answer, memo)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    #[test]
    fn what_waits_is_told_after_its_time() {
        let updates = Updates::default();
        let reasons = ["kernel".to_owned()];
        let (answer, memo) = judge(&Memo::default(), (5, 2), &reasons, 100 * DAY, &updates);
        assert_eq!(answer.code, "ok");
        let (answer, memo) = judge(&memo, (5, 2), &reasons, 104 * DAY, &updates);
        assert_eq!(answer.code, "security");
        let (answer, memo) = judge(&memo, (3, 0), &reasons, 115 * DAY, &updates);
        assert_eq!(answer.code, "boot");
        let (_, memo) = judge(&memo, (3, 0), &[], 116 * DAY, &updates);
        assert_eq!(memo, Memo::default());
    }
}
