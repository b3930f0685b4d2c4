//! The index: where the record of each key lies.
//!
//! An entry is 20 bytes and a tag byte in a hash table: eight bytes of the key as its fingerprint,
//! and the place. Measured as growth of the process, that is 26 to 48 bytes for an entry, as full as
//! the tables are: 46.6 at 1,000,000 entries, 31.1 at 1,500,000. Two keys with one fingerprint share an entry, and the later has it; the frame
//! names its whole key, so that this is a miss and never a wrong answer.

use std::collections::{BinaryHeap, HashMap};
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::frame::{KEY, Key};

const SHARDS: usize = 64;

const READ: u32 = 1 << 31;

/// What the index knows of a key, in the order of the keys. Bytes and not a number, which would pad an
/// entry to 24 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fingerprint([u8; 8]);

impl Fingerprint {
    /// A key's first bytes: a key is a digest, hence uniform.
    pub(super) fn of(key: &Key) -> Self {
        Self(key.first_chunk().copied().unwrap_or_default())
    }

    /// As it was written down.
    pub(super) fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// To be written down.
    pub(super) fn to_bytes(self) -> [u8; 8] {
        self.0
    }

    /// The highest key that has it.
    pub(super) fn highest(self) -> Key {
        let mut key = [u8::MAX; size_of::<Key>()];
        if let Some(beginning) = key.first_chunk_mut() {
            *beginning = self.0;
        }
        key
    }

    fn as_number(self) -> u64 {
        u64::from_le_bytes(self.0)
    }
}

impl Hash for Fingerprint {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.as_number());
    }
}

/// Where a frame lies, and whether it was read since it was written there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// The number of the segment.
    pub(super) segment: u32,
    /// Where in the segment the frame begins.
    pub(super) offset: u32,
    length: u32,
}

impl Place {
    /// A place that nobody has read from. The length is that of key and record.
    pub(super) fn new(segment: u32, offset: u32, length: u32) -> Self {
        Self { segment, offset, length: length & !READ }
    }

    /// The length of key and record.
    pub(super) fn length(self) -> u32 {
        self.length & !READ
    }

    /// Whether it was read since it was written.
    pub(super) fn was_read(self) -> bool {
        self.length & READ != 0
    }

    /// Whether there is only a note that what was under the key was removed.
    pub(super) fn is_grave(self) -> bool {
        self.length() == KEY
    }

    fn is(self, other: Self) -> bool {
        self.segment == other.segment && self.offset == other.offset
    }
}

type Shard = HashMap<Fingerprint, Place, BuildHasherDefault<Uniform>>;

/// The places of all records, and of what was removed: hints are written from here, and an opening has to
/// know of a removal for as long as the files may have what was removed.
#[derive(Debug)]
pub(super) struct Index {
    shards: Vec<Mutex<Shard>>,
    graves: AtomicU64,
}

impl Index {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        let shards = std::iter::repeat_with(Mutex::default).take(SHARDS).collect();
        Self { shards, graves: AtomicU64::default() }
    }

    /// Makes room for so many more.
    pub(super) fn reserve(&self, count: usize) {
        self.shards.iter().for_each(|shard| lock(shard).reserve(count / SHARDS));
    }

    /// The place of a record that is about to be read.
    pub(super) fn find(&self, fingerprint: Fingerprint) -> Option<Place> {
        let mut shard = self.shard(fingerprint);
        let place = shard.get_mut(&fingerprint).filter(|place| !place.is_grave())?;
        place.length |= READ;
        Some(*place)
    }

    /// The place of a record, for who does not read it in earnest.
    pub(super) fn peek(&self, fingerprint: Fingerprint) -> Option<Place> {
        self.shard(fingerprint).get(&fingerprint).filter(|place| !place.is_grave()).copied()
    }

    /// Whether a record is there, or was.
    pub(super) fn knows(&self, fingerprint: Fingerprint) -> bool {
        self.shard(fingerprint).contains_key(&fingerprint)
    }

    /// The first records from a fingerprint on, in their order, and at most so many.
    pub(super) fn from(&self, first: Option<Fingerprint>, most: usize) -> Vec<Fingerprint> {
        let mut lowest = BinaryHeap::with_capacity(most.saturating_add(1));
        for shard in &self.shards {
            for (fingerprint, place) in &*lock(shard) {
                let late = first.is_some_and(|first| *fingerprint < first);
                let full = lowest.len() >= most;
                let far = full && lowest.peek().is_none_or(|highest| fingerprint > highest);
                if late || far || place.is_grave() {
                    continue;
                }
                lowest.push(*fingerprint);
                if full {
                    lowest.pop();
                }
            }
        }
        lowest.into_sorted_vec()
    }

    /// Puts a record's place; gives the one it had before.
    pub(super) fn insert(&self, fingerprint: Fingerprint, place: Place) -> Option<Place> {
        let old = self.shard(fingerprint).insert(fingerprint, place);
        if place.is_grave() {
            self.graves.fetch_add(1, Ordering::Relaxed);
        }
        self.gone(old);
        old
    }

    /// Forgets a record, in this place or in any; gives where it was. Its place stays as one of a removal:
    /// without it the next opening might find what the record had replaced.
    pub(super) fn bury(&self, fingerprint: Fingerprint, at: Option<Place>) -> Option<Place> {
        let mut shard = self.shard(fingerprint);
        let there = |now: &&mut Place| !now.is_grave() && at.is_none_or(|at| now.is(at));
        let place = shard.get_mut(&fingerprint).filter(there)?;
        let old = std::mem::replace(place, Place { length: KEY, ..*place });
        self.graves.fetch_add(1, Ordering::Relaxed);
        Some(old)
    }

    /// Forgets what is in this place, which is about to go, if it still is there.
    pub(super) fn remove_from(&self, fingerprint: Fingerprint, place: Place) -> bool {
        let mut shard = self.shard(fingerprint);
        let found = shard.get(&fingerprint).is_some_and(|now| now.is(place));
        if found {
            self.gone(shard.remove(&fingerprint));
        }
        found
    }

    fn gone(&self, old: Option<Place>) {
        if old.is_some_and(Place::is_grave) {
            self.graves.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Notes that a record has moved, if nobody has overwritten or forgotten it meanwhile.
    pub(super) fn relocate(&self, fingerprint: Fingerprint, from: Place, to: Place) -> bool {
        let mut shard = self.shard(fingerprint);
        match shard.get_mut(&fingerprint).filter(|now| now.is(from)) {
            Some(place) => *place = to,
            None => return false,
        }
        true
    }

    /// All records in a segment, in the order in which they lie.
    ///
    /// Looks at every entry. A segment is a 256th of the log, so this is some 256 steps for each
    /// record that is ever written, and saves a list of entries for each segment.
    pub(super) fn of_segment(&self, segment: u32) -> Vec<(Fingerprint, Place)> {
        let mut entries = Vec::new();
        for shard in &self.shards {
            let shard = lock(shard);
            let here = shard.iter().filter(|(_, place)| place.segment == segment);
            entries.extend(here.map(|(fingerprint, place)| (*fingerprint, *place)));
        }
        entries.sort_unstable_by_key(|(_, place)| place.offset);
        entries
    }

    /// How many records each segment has.
    pub(super) fn count(&self) -> HashMap<u32, u64, BuildHasherDefault<Uniform>> {
        let mut counts = HashMap::<_, u64, _>::default();
        for shard in &self.shards {
            for place in lock(shard).values().filter(|place| !place.is_grave()) {
                *counts.entry(place.segment).or_default() += 1;
            }
        }
        counts
    }

    /// Forgets everything, and gives its memory back; says how much it was.
    pub(super) fn clear(&self) -> u64 {
        let clear = |shard| std::mem::take(&mut *lock(shard)).len() as u64;
        let all: u64 = self.shards.iter().map(clear).sum();
        all - self.graves.swap(0, Ordering::Relaxed).min(all)
    }

    /// The number of records.
    pub(super) fn len(&self) -> u64 {
        let all: u64 = self.shards.iter().map(|shard| lock(shard).len() as u64).sum();
        all - self.graves.load(Ordering::Relaxed).min(all)
    }

    fn shard(&self, fingerprint: Fingerprint) -> MutexGuard<'_, Shard> {
        // From the middle: the table takes its buckets from the low bits and its tags from the top.
        let at = usize::try_from(fingerprint.as_number() >> 40 & 0xff).unwrap_or(0) % SHARDS;
        lock(self.shards.get(at).expect("the remainder is below the number of shards"))
    }
}

/// A poisoned shard is still a whole map: nothing in here panics between two changes of it.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes a fingerprint for its own hash. Whoever would crowd a bucket must search for texts by their
/// digests and then pay a provider for each, to make a look-up slower by less than a disk read.
#[derive(Debug, Default)]
pub(super) struct Uniform(u64);

impl Hasher for Uniform {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
