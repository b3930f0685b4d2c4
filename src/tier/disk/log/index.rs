//! The index: where the record of each key lies.
//!
//! An entry is 20 bytes and a tag byte in a hash table: eight bytes of the key as its fingerprint,
//! and the place. Measured as growth of the process, that is 26 to 48 bytes for an entry, as full as
//! the tables are: 46.6 at 1,000,000 entries, 31.1 at 1,500,000. Two keys with one fingerprint share an entry, and the later has it; the frame
//! names its whole key, so that this is a miss and never a wrong answer.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::frame::Key;

const SHARDS: usize = 64;

const READ: u32 = 1 << 31;

/// What the index knows of a key. Bytes and not a number, which would pad an entry to 24 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

    fn is(self, other: Self) -> bool {
        self.segment == other.segment && self.offset == other.offset
    }
}

type Shard = HashMap<Fingerprint, Place, BuildHasherDefault<Uniform>>;

/// The places of all records.
#[derive(Debug)]
pub(super) struct Index {
    shards: Vec<Mutex<Shard>>,
}

impl Index {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        Self { shards: std::iter::repeat_with(Mutex::default).take(SHARDS).collect() }
    }

    /// Makes room for so many more.
    pub(super) fn reserve(&self, count: usize) {
        self.shards.iter().for_each(|shard| lock(shard).reserve(count / SHARDS));
    }

    /// The place of a record that is about to be read.
    pub(super) fn find(&self, fingerprint: Fingerprint) -> Option<Place> {
        let mut shard = self.shard(fingerprint);
        let place = shard.get_mut(&fingerprint)?;
        place.length |= READ;
        Some(*place)
    }

    /// Puts a record's place; gives the one it had before.
    pub(super) fn insert(&self, fingerprint: Fingerprint, place: Place) -> Option<Place> {
        self.shard(fingerprint).insert(fingerprint, place)
    }

    /// Forgets a record, wherever it is.
    pub(super) fn remove(&self, fingerprint: Fingerprint) -> Option<Place> {
        self.shard(fingerprint).remove(&fingerprint)
    }

    /// Forgets a record if it still is in this place.
    pub(super) fn remove_from(&self, fingerprint: Fingerprint, place: Place) -> bool {
        let mut shard = self.shard(fingerprint);
        let found = shard.get(&fingerprint).is_some_and(|now| now.is(place));
        if found {
            shard.remove(&fingerprint);
        }
        found
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
            for place in lock(shard).values() {
                *counts.entry(place.segment).or_default() += 1;
            }
        }
        counts
    }

    /// Forgets everything, and gives its memory back; says how much it was.
    pub(super) fn clear(&self) -> u64 {
        let clear = |shard| std::mem::take(&mut *lock(shard)).len() as u64;
        self.shards.iter().map(clear).sum()
    }

    /// The number of records.
    pub(super) fn len(&self) -> u64 {
        self.shards.iter().map(|shard| lock(shard).len() as u64).sum()
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
