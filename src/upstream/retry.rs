//! Whether a call is made again that got nothing, and how much of that there may be: each call earns a
//! part of one, so that a provider in trouble is not called many times as often.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// What a second call costs; each call earns as many of these as the settings say.
const COST: u32 = 100;

/// Second calls that may be saved up, and are there at the start.
const MOST: u32 = 10 * COST;

/// How long a second call waits, at the least and at the most.
const WAIT: (u64, u64) = (20, 100);

/// What is left for second calls.
#[derive(Debug)]
pub(super) struct Budget {
    /// A hundredth of a second call for each call.
    earns: u32,
    left: AtomicU32,
}

impl Budget {
    /// So many second calls for a hundred calls.
    pub(super) fn new(earns: u32) -> Self {
        Self { earns, left: AtomicU32::new(if earns == 0 { 0 } else { MOST }) }
    }

    /// A call is made.
    pub(super) fn earn(&self) {
        let more = |left: u32| Some(left.saturating_add(self.earns).min(MOST));
        // It always changes something.
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok();
    }

    /// Whether a second call may be made, and after what time. `chance` spreads those that fail
    /// together.
    pub(super) fn spend(&self, chance: u64) -> Option<Duration> {
        let less = |left: u32| left.checked_sub(COST);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).ok()?;
        Some(Duration::from_millis(WAIT.0 + chance % (WAIT.1 - WAIT.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_calls_are_a_part_of_the_calls() {
        let budget = Budget::new(10);
        let saved = (0..100).filter(|chance| budget.spend(*chance).is_some()).count();
        assert_eq!(saved, 10);
        let earned = (0..1_000).filter(|chance| {
            budget.earn();
            budget.spend(*chance).is_some()
        });
        assert_eq!(earned.count(), 100);
        assert!(Budget::new(0).spend(0).is_none());
    }

    #[test]
    fn they_wait_a_little_each_another_time() {
        for chance in [0, 1, 79, 80, u64::MAX] {
            let wait = Budget::new(100).spend(chance).unwrap();
            assert!((20..100).contains(&wait.as_millis()), "{wait:?}");
        }
    }
}
