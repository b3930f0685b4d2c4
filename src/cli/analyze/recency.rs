//! How much was asked for since the same was asked for last, in bytes: what a cache that forgets the
//! least recently used has to hold for it to be there still.
//!
//! Exact for every size of a cache at once (Mattson's stack distances, with a weight for each key),
//! in memory that is bounded by the number of keys: 25 bytes each in a map that is at most seven
//! eighths full, and 4 bytes in each of at most twice as many slots.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::key::CacheKey;

/// How many keys are told apart. They fit a map of 2²³ places with some to spare, since a full one
/// grows before it is known whether the next key is new.
pub(super) const MOST_KEYS: usize = 7_000_000;

/// How many slots there are at the least.
const FEWEST_SLOTS: usize = 1_024;

/// How many slots are summed up as one.
const BLOCK: usize = 64;

/// Half a key, which is enough to tell millions apart.
type Short = [u8; 16];

/// What an access finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// The key is new.
    First,
    /// The key was asked for before, and a cache of so many bytes holds it still.
    Again(u64),
    /// There is no room to tell whether it was asked for before.
    Untold,
}

/// The keys in the order in which they were last asked for.
pub(super) struct Recency {
    last: HashMap<Short, Last>,
    slots: Slots,
    most: usize,
}

/// The last access to a key.
struct Last {
    slot: u32,
    weight: u32,
}

impl Recency {
    /// Of at most so many keys.
    pub(super) fn of(most: usize) -> Self {
        Self { last: HashMap::new(), slots: Slots::of(FEWEST_SLOTS), most }
    }

    /// Notes that a key is asked for, whose entry weighs so much if it is new.
    pub(super) fn touch(&mut self, key: &CacheKey, weight: u64) -> Seen {
        if self.slots.are_full() {
            self.compact();
        }
        let weight = u32::try_from(weight).unwrap_or(u32::MAX);
        let (short, _) = key.as_bytes().split_first_chunk::<16>().expect("a key has 32 bytes");
        let is_full = self.last.len() >= self.most;
        match self.last.entry(*short) {
            Entry::Occupied(mut entry) => {
                let last = entry.get_mut();
                let distance = self.slots.newer_than(last.slot) + u64::from(last.weight);
                self.slots.leave(last.slot, last.weight);
                last.slot = self.slots.take(last.weight);
                Seen::Again(distance)
            }
            Entry::Vacant(_) if is_full => {
                // It takes room all the same, in a slot that no key will leave.
                self.slots.take(weight);
                Seen::Untold
            }
            Entry::Vacant(entry) => {
                let slot = self.slots.take(weight);
                entry.insert(Last { slot, weight });
                Seen::First
            }
        }
    }

    /// Gives up the slots that no key is in any more. What stays in one belongs to keys that could
    /// not be told apart, and goes to the next newer slot; no more than 4 GiB can be in one.
    fn compact(&mut self) {
        let mut held = vec![false; self.slots.next];
        for last in self.last.values() {
            if let Some(held) = held.get_mut(last.slot as usize) {
                *held = true;
            }
        }
        let mut slots = Slots::of((self.last.len() * 2).max(FEWEST_SLOTS));
        let mut moved = Vec::with_capacity(held.len());
        let mut weight = 0_u32;
        for (held, old) in held.into_iter().zip(&self.slots.weights) {
            weight = weight.saturating_add(*old);
            moved.push(slots.next_slot());
            if held {
                slots.take(weight);
                weight = 0;
            }
        }
        if weight > 0 {
            slots.take(weight);
        }
        for last in self.last.values_mut() {
            last.slot = moved.get(last.slot as usize).copied().expect("every slot has moved");
        }
        self.slots = slots;
    }
}

/// The accesses in their order, each with the weight of what is nowhere later.
struct Slots {
    weights: Vec<u32>,
    /// A binary indexed tree over the sums of blocks.
    blocks: Vec<u64>,
    total: u64,
    next: usize,
}

impl Slots {
    fn of(count: usize) -> Self {
        let blocks = vec![0; count.div_ceil(BLOCK) + 1];
        Self { weights: vec![0; count], blocks, total: 0, next: 0 }
    }

    fn are_full(&self) -> bool {
        self.next == self.weights.len()
    }

    fn next_slot(&self) -> u32 {
        u32::try_from(self.next).expect("there are fewer slots than 2³²")
    }

    /// Takes the next slot.
    fn take(&mut self, weight: u32) -> u32 {
        let slot = self.next_slot();
        if let Some(place) = self.weights.get_mut(self.next) {
            *place = weight;
        }
        self.add(slot, u64::from(weight));
        self.next += 1;
        slot
    }

    /// Takes a weight out of a slot.
    fn leave(&mut self, slot: u32, weight: u32) {
        if let Some(place) = self.weights.get_mut(slot as usize) {
            *place -= weight;
        }
        self.add(slot, u64::from(weight).wrapping_neg());
    }

    fn add(&mut self, slot: u32, weight: u64) {
        self.total = self.total.wrapping_add(weight);
        let mut block = slot as usize / BLOCK + 1;
        while let Some(sum) = self.blocks.get_mut(block) {
            *sum = sum.wrapping_add(weight);
            block += block & block.wrapping_neg();
        }
    }

    /// The weight of all slots after this one.
    fn newer_than(&self, slot: u32) -> u64 {
        let slot = slot as usize;
        let mut block = slot / BLOCK;
        let first = block * BLOCK;
        let within = self.weights.get(first..=slot).unwrap_or_default();
        let mut older: u64 = within.iter().copied().map(u64::from).sum();
        while block > 0 {
            older = older.wrapping_add(self.blocks.get(block).copied().unwrap_or_default());
            block &= block - 1;
        }
        self.total.wrapping_sub(older)
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;
    use crate::key::{Digest, Place};
    use crate::request::Input;

    fn key(n: u64) -> CacheKey {
        CacheKey::of(&Digest::of(b"test"), &Input::Tokens(Cow::Owned(vec![n])), Place::Anywhere)
    }

    /// Each key weighs the same whenever it comes.
    fn weight(n: u64) -> u64 {
        1 + n * n % 97
    }

    /// A cache that forgets the least recently used, played through.
    struct Played {
        held: VecDeque<u64>,
        bytes: u64,
        limit: u64,
    }

    impl Played {
        fn has(&mut self, n: u64) -> bool {
            if let Some(at) = self.held.iter().position(|held| *held == n) {
                self.held.remove(at);
                self.held.push_front(n);
                return true;
            }
            self.held.push_front(n);
            self.bytes += weight(n);
            while self.bytes > self.limit {
                self.bytes -= weight(self.held.pop_back().unwrap());
            }
            false
        }
    }

    proptest! {
        #[test]
        fn a_distance_is_what_a_cache_must_hold(
            keys in prop::collection::vec(prop_oneof![0..12_u64, 0..400_u64], 0..6_000),
            limits in prop::collection::vec(1..20_000_u64, 1..6),
        ) {
            let mut recency = Recency::of(usize::MAX);
            let mut caches: Vec<Played> = limits
                .iter()
                .map(|&limit| Played { held: VecDeque::new(), bytes: 0, limit })
                .collect();
            for n in keys {
                let seen = recency.touch(&key(n), weight(n));
                for cache in &mut caches {
                    let hit = matches!(seen, Seen::Again(distance) if distance <= cache.limit);
                    prop_assert_eq!(cache.has(n), hit);
                }
            }
        }

        #[test]
        fn keys_beyond_the_bound_only_take_room(
            keys in prop::collection::vec(0..300_u64, 0..4_000),
            most in 1..200_usize,
        ) {
            let (mut bounded, mut whole) = (Recency::of(most), Recency::of(usize::MAX));
            for n in keys {
                let (told, truth) =
                    (bounded.touch(&key(n), weight(n)), whole.touch(&key(n), weight(n)));
                match (told, truth) {
                    (Seen::Again(told), Seen::Again(truth)) => prop_assert!(told >= truth),
                    (Seen::First, Seen::First) | (Seen::Untold, _) => {}
                    other => prop_assert!(false, "{:?}", other),
                }
                prop_assert!(bounded.last.len() <= most);
                prop_assert!(bounded.slots.weights.len() <= FEWEST_SLOTS.max(2 * most));
            }
        }
    }
}
