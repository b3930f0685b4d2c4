//! Chance that can be had again: the seed is printed, and `LARDER_TEST_SEED` sets it.

use std::env;
use std::time::{SystemTime, UNIX_EPOCH};

/// Numbers that look random, the same for the same seed.
#[derive(Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// Another with each run, unless it is set.
    pub(crate) fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let set = env::var("LARDER_TEST_SEED").ok().map(|seed| seed.parse::<u64>().unwrap());
        let seed = set.unwrap_or(now.as_secs() ^ u64::from(now.subsec_nanos()));
        eprintln!("LARDER_TEST_SEED={seed}");
        Self(seed)
    }

    /// A number below another. (`SplitMix64`.)
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    /// A place in so many.
    pub(crate) fn index(&mut self, count: usize) -> usize {
        usize::try_from(self.below(count as u64)).unwrap()
    }

    /// Numbers of its own for somebody else, the same for the same seed.
    pub(crate) fn another(&mut self) -> Self {
        Self(self.below(u64::MAX))
    }
}
