//! What runs of these tools left: transactions that are not finished, runs that were killed, files that stay as somebody changed
//! them.

use pq_stream::HostStatus;

use crate::Answer;

/// Asks for it.
pub fn ask() -> Answer {
    match pq_run::status() {
        Ok(status) => judge(&status),
        Err(error) => Answer::unknown("state", error.to_string()),
    }
}

fn judge(status: &HostStatus) -> Answer {
    let by_hand = match status.edited.len() {
        0 => String::new(),
        1 => format!("; `{}` stays as somebody changed it", status.edited[0]),
        count => format!("; {count} files stay as somebody changed them"),
    };
    if let Some(it) = status.transactions.first() {
        let text = format!(
            "the transaction `{}` is {} since {}, begun by `{}`{by_hand}",
            it.id, it.state, it.since, it.command
        );
        let hint = match it.state.as_str() {
            "held" => format!(
                "`pq-apply --rollback {}` undoes it, `--resume {}` with its plan goes on",
                it.id, it.id
            ),
            _ => "the next run that changes this machine goes on with it, or undoes it".to_owned(),
        };
        return Answer::critical("transaction", text).hint(hint);
    }
    if let Some(run) = status.runs.last() {
        let how = if run.killed { "was killed" } else { "failed" };
        let step = run.step.as_ref().map_or_else(String::new, |step| format!(" within `{step}`"));
        return Answer::warning("run", format!("the run of {} {how}{step}{by_hand}", run.began))
            .hint("run the same command again");
    }
    Answer::ok(format!("no run was left half-way{by_hand}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pq_stream::{RunLeft, TransactionLeft};

    #[test]
    fn a_transaction_counts_more_than_a_run_and_files_kept_by_hand_are_only_said() {
        let mut status = HostStatus { edited: vec!["/etc/x".to_owned()], ..HostStatus::default() };
        assert_eq!(judge(&status).message, "no run was left half-way; `/etc/x` stays as somebody changed it");
        status.runs.push(RunLeft { began: "t".into(), killed: true, step: Some("wiki/site".into()) });
        assert_eq!(judge(&status).code, "run");
        let held = TransactionLeft {
            id: "wiki/upgrade".into(),
            state: "held".into(),
            since: "t".into(),
            command: "pq-upgrade wiki".into(),
        };
        status.transactions.push(held);
        let answer = judge(&status);
        assert!(answer.code == "transaction" && answer.hint.unwrap().contains("--rollback wiki/upgrade"));
    }
}
