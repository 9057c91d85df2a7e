//! Whether a unit that does not run is started again: within its budget, and not where that cannot help.

use pq_items::Restart;

/// How long is waited after the first start, in seconds; twice as long after each other one.
const FIRST: i64 = 30;

/// What is done about a unit that does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It is started: the how many-th time within its span.
    Start(usize),
    /// It was just started, and gets some time.
    Wait,
    /// It was started as often as it may be.
    Spent,
}

/// Decides; `restarts` are the times at which it was started, and are cut to those that count.
pub fn decide(restarts: &mut Vec<i64>, budget: &Restart, now: i64) -> Decision {
    let within = i64::try_from(budget.within.seconds()).unwrap_or(i64::MAX);
    restarts.retain(|at| now.saturating_sub(*at) < within);
    if restarts.len() >= usize::from(budget.most) {
        return Decision::Spent;
    }
    let Some(last) = restarts.last() else { return Decision::Start(1) };
    let pause = FIRST << (restarts.len() - 1).min(6);
    match now - last >= pause {
        true => Decision::Start(restarts.len() + 1),
        false => Decision::Wait,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_started_less_and_less_often_and_then_left_alone_for_a_while() {
        let budget: Restart = pq_items::read("x", "x", "{ most: 3, within: 1h }").unwrap();
        let (mut restarts, mut started) = (Vec::new(), Vec::new());
        let mut spent = 0;
        for minute in 0..120 {
            match decide(&mut restarts, &budget, minute * 60) {
                Decision::Start(_) => {
                    restarts.push(minute * 60);
                    started.push(minute);
                }
                Decision::Wait => {}
                Decision::Spent => spent += 1,
            }
        }
        assert_eq!(started, [0, 1, 2, 60, 61, 62]);
        assert!(spent > 100);
    }
}
