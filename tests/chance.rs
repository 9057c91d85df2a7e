//! Chance that can be repeated: the same seed draws the same.

use std::time::{SystemTime, UNIX_EPOCH};

/// Whether all is to be tried (`PQ_MATRIX=whole`), and by which seed a sample is drawn where not: `PQ_SEED`, or the clock's.
pub fn wish() -> (bool, u64) {
    let whole = std::env::var("PQ_MATRIX").is_ok_and(|wish| wish == "whole");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |now| u64::from(now.subsec_nanos()));
    let seed = std::env::var("PQ_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(now);
    (whole, seed.max(1))
}

/// A source of numbers (Marsaglia's xorshift64).
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// The chance of a seed.
    pub fn new(seed: u64) -> Self {
        // Small seeds would begin alike; 0 would stay 0.
        Chance((seed ^ 0x9E37_79B9_7F4A_7C15).max(1).wrapping_mul(0x2545_F491_4F6C_DD1D).max(1))
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or(0) % end.max(1)
    }

    /// Whether a thing happens that happens once in so many times.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of some things.
    ///
    /// # Panics
    /// Where there is none.
    pub fn pick<'t, T>(&mut self, things: &'t [T]) -> &'t T {
        &things[self.below(things.len())]
    }

    /// Things in another order.
    pub fn shuffle<T>(&mut self, things: &mut [T]) {
        for at in (1..things.len()).rev() {
            things.swap(at, self.below(at + 1));
        }
    }
}
