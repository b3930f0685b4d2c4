//! Counting many things at once: how often each small number occurred, and how many different
//! digests were seen. Both have a bound.

use std::array;
use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

const SHARDS: usize = 64;

/// How often each number occurred; numbers past the end count as the last.
#[derive(Debug)]
pub(super) struct Tally {
    counts: Box<[AtomicU64]>,
}

impl Tally {
    /// For the numbers from 0 to `last`.
    pub(super) fn up_to(last: usize) -> Self {
        Self { counts: (0..=last).map(|_| AtomicU64::new(0)).collect() }
    }

    /// Counts one.
    pub(super) fn add(&self, number: usize) {
        if let Some(count) = self.counts.get(number).or(self.counts.last()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The numbers that occurred, and how often.
    pub(super) fn counts(&self) -> BTreeMap<usize, u64> {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        counts.enumerate().filter(|(_, count)| *count > 0).collect()
    }

    /// Forgets all.
    pub(super) fn reset(&self) {
        for count in &self.counts {
            count.store(0, Ordering::Relaxed);
        }
    }
}

/// How many different digests were seen; once full, new ones no longer count.
#[derive(Debug)]
pub(super) struct Distinct {
    /// By shard, so that connections on different threads seldom meet.
    shards: [Mutex<HashSet<u64>>; SHARDS],
    shard_room: usize,
}

impl Distinct {
    /// Counts up to about `most` digests.
    pub(super) fn up_to(most: usize) -> Self {
        let shards = array::from_fn(|_| Mutex::default());
        Self { shards, shard_room: most.div_ceil(SHARDS) }
    }

    /// Counts a digest unless it was seen before.
    pub(super) fn add(&self, digest: u64) {
        let Some(shard) = self.shards.get((digest >> 58) as usize) else { return };
        let mut seen = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() < self.shard_room {
            seen.insert(digest);
        }
    }

    /// How many were seen.
    pub(super) fn count(&self) -> usize {
        let lengths = self.shards.iter().map(|shard| {
            let seen = shard.lock().unwrap_or_else(PoisonError::into_inner);
            seen.len()
        });
        lengths.sum()
    }

    /// Forgets all.
    pub(super) fn reset(&self) {
        for shard in &self.shards {
            *shard.lock().unwrap_or_else(PoisonError::into_inner) = HashSet::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_past_the_end_count_as_the_last() {
        let tally = Tally::up_to(4);
        for number in [0, 4, 9] {
            tally.add(number);
        }
        assert_eq!(tally.counts(), BTreeMap::from([(0, 1), (4, 2)]));
        tally.reset();
        assert!(tally.counts().is_empty());
    }

    #[test]
    fn a_digest_counts_once_and_a_full_set_grows_no_more() {
        let distinct = Distinct::up_to(SHARDS);
        for digest in [u64::MAX, 1, 1, 2] {
            distinct.add(digest);
        }
        assert_eq!(distinct.count(), 2);
    }
}
