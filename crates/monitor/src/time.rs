//! What time it is, by both clocks: the one that people set, and the one that only runs.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::bounded;
use crate::state::State;

/// How far the clock may be from where it should be, in seconds.
const SLACK: i64 = 60;

/// How far ahead of the last run another boot may be: ten years is no pause.
const PAUSE: i64 = 10 * 365 * 86_400;

/// A moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Now {
    /// Seconds since 1970, by the clock that people set.
    pub wall: i64,
    /// Which boot it is.
    pub boot: String,
    /// Seconds since that.
    pub up: f64,
}

impl Now {
    /// This one.
    pub fn read() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_secs());
        let text = |path: &str| bounded::text(Path::new(path)).unwrap_or_default();
        Now {
            wall: i64::try_from(wall).unwrap_or(i64::MAX),
            boot: text("/proc/sys/kernel/random/boot_id").trim().to_owned(),
            up: text("/proc/uptime").split(' ').next().and_then(|it| it.parse().ok()).unwrap_or_default(),
        }
    }
}

/// Brings what is remembered to the clock of now, where that was set in between; says by how many seconds.
pub fn rebase(state: &mut State, now: &Now) -> Option<i64> {
    let skew = skew(state, now);
    state.shift(skew.unwrap_or_default(), now.wall);
    state.boot.clone_from(&now.boot);
    state.up = now.up;
    state.at = now.wall;
    skew
}

fn skew(state: &State, now: &Now) -> Option<i64> {
    if state.at == 0 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "seconds since a boot")]
    let passed = (now.up - state.up) as i64;
    if state.boot == now.boot && !now.boot.is_empty() && passed >= 0 {
        let skew = now.wall - (state.at + passed);
        return (skew.abs() > SLACK).then_some(skew);
    }
    // How long the machine was off nobody knows; but not less than no time.
    let since = now.wall - state.at;
    (!(-SLACK..=PAUSE).contains(&since)).then_some(since)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Memory;

    const T: i64 = 1_800_000_000;

    fn state() -> State {
        let mut state = State { boot: "a".to_owned(), up: 100.0, at: T, ..State::default() };
        state.checks.insert("x/y".to_owned(), Memory { since: T - 500, ..Memory::default() });
        state
    }

    fn after(wall: i64, boot: &str, up: f64) -> (Option<i64>, i64) {
        let mut state = state();
        let skew = rebase(&mut state, &Now { wall, boot: boot.to_owned(), up });
        (skew, wall - state.checks["x/y"].since)
    }

    #[test]
    fn lengths_of_time_stay_what_they_were_when_the_clock_is_set() {
        assert_eq!(after(T + 60, "a", 160.0), (None, 560));
        assert_eq!(after(T + 60 + 86_400 * 400, "a", 160.0), (Some(86_400 * 400), 560), "it leapt ahead");
        assert_eq!(after(T + 60 - 7_200, "a", 160.0), (Some(-7_200), 560), "it went back");
        assert_eq!(after(T + 3_600, "b", 10.0), (None, 4_100), "it was off for an hour");
        assert_eq!(after(T - 86_400, "b", 10.0), (Some(-86_400), 500), "it was booted with an old clock");
        assert_eq!(after(T + 50 * 365 * 86_400, "b", 10.0).1, 500, "nothing is down for fifty years");
    }

    #[test]
    fn a_state_of_the_future_is_brought_to_now() {
        let mut state = state();
        state.at = T + 1_000_000;
        state.checks.get_mut("x/y").unwrap().since = T + 999_000;
        let skew = rebase(&mut state, &Now { wall: T, boot: "b".to_owned(), up: 1.0 });
        assert_eq!(skew, Some(-1_000_000));
        assert_eq!(state.checks["x/y"].since, T - 1_000);
    }
}
