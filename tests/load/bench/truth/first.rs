//! Answers of a provider that nobody can compute: held against the first to the same text.
//!
//! A provider's vectors for the same text differ in their last bits from call to call, so those of two
//! calls are compared by their cosine. A hit is no new call: it has to be the target's last answer, bit for
//! bit.

use std::sync::{Mutex, PoisonError};

use xxhash_rust::xxh3::xxh3_128;

use super::Source;

/// First answers are kept in at most so much memory; of the texts beyond, only digests are.
const MOST_BYTES: usize = 256 << 20;

/// What was said first.
#[derive(Debug)]
pub(crate) struct First {
    entries: Vec<Mutex<Entry>>,
    targets: usize,
    /// The largest distance, 1 less the cosine, of two answers that are the same.
    tolerance: f64,
    /// What of the memory is left.
    room: Mutex<usize>,
}

#[derive(Debug, Default)]
struct Entry {
    vector: Option<Box<[u8]>>,
    /// The last answer of each target, as a digest.
    last: Vec<Option<u128>>,
}

impl First {
    pub(super) fn new(texts: usize, targets: usize, tolerance: f64) -> Self {
        let entries = (0..texts).map(|_| Mutex::default()).collect();
        Self { entries, targets, tolerance, room: Mutex::new(MOST_BYTES) }
    }

    /// Whether an answer is right, if there is something to hold it against.
    pub(super) fn judge(&self, source: Source, place: usize, vector: &[u8]) -> Option<bool> {
        let entry = self.entries.get(place)?;
        let mut entry = entry.lock().unwrap_or_else(PoisonError::into_inner);
        let Entry { vector: first, last } = &mut *entry;
        last.resize(self.targets, None);
        let digest = xxh3_128(vector);
        let last = last.get_mut(source.target)?;
        match *last {
            Some(last) if last == digest => return Some(true),
            Some(_) if source.hit => return Some(false),
            _ => {}
        }
        let Some(first) = first else {
            *last = Some(digest);
            *first = self.keep(vector);
            return None;
        };
        let right = distance(first, vector).is_some_and(|far| far <= self.tolerance);
        if right {
            *last = Some(digest);
        }
        Some(right)
    }

    fn keep(&self, vector: &[u8]) -> Option<Box<[u8]>> {
        let mut room = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        *room = room.checked_sub(vector.len())?;
        Some(vector.into())
    }
}

/// 1 less the cosine of two vectors of the same length.
fn distance(one: &[u8], other: &[u8]) -> Option<f64> {
    if one.len() != other.len() {
        return None;
    }
    let (one, other) = (one.as_chunks().0, other.as_chunks().0);
    let [mut dot, mut left, mut right] = [0.0; 3];
    for (a, b) in one.iter().zip(other) {
        let [a, b] = [a, b].map(|bytes| f64::from(f32::from_le_bytes(*bytes)));
        dot += a * b;
        left += a * a;
        right += b * b;
    }
    let length = (left * right).sqrt();
    (length > 0.0).then(|| 1.0 - dot / length)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIRECT: Source = Source { target: 0, hit: false };
    const HIT: Source = Source { target: 1, hit: true };

    fn vector(numbers: [f32; 2]) -> Vec<u8> {
        numbers.into_iter().flat_map(f32::to_le_bytes).collect()
    }

    #[test]
    fn calls_may_differ_a_little_and_hits_not_at_all() {
        let first = First::new(2, 2, 1e-3);
        let judge = |source, numbers| first.judge(source, 0, &vector(numbers));
        assert_eq!(judge(DIRECT, [1.0, 1.0]), None);
        assert_eq!(judge(DIRECT, [1.0, 1.001]), Some(true));
        assert_eq!(judge(DIRECT, [1.0, -1.0]), Some(false));
        assert_eq!(judge(HIT, [1.001, 1.0]), Some(true));
        assert_eq!(judge(HIT, [1.001, 1.0]), Some(true));
        assert_eq!(judge(HIT, [1.0, 1.0]), Some(false));
        assert_eq!(judge(Source { hit: false, ..HIT }, [1.0, 1.0]), Some(true));
        assert_eq!(first.judge(DIRECT, 1, &vector([5.0, 0.0])), None);
    }

    #[test]
    fn another_length_or_no_direction_is_wrong() {
        let first = First::new(1, 1, 1e-3);
        first.judge(DIRECT, 0, &vector([1.0, 1.0]));
        assert_eq!(first.judge(DIRECT, 0, &vector([1.0, 1.0])[..4]), Some(false));
        assert_eq!(first.judge(DIRECT, 0, &vector([0.0, 0.0])), Some(false));
        assert_eq!(first.judge(DIRECT, 0, &vector([f32::NAN, 0.0])), Some(false));
    }

    #[test]
    fn beyond_its_memory_only_digests_are_kept() {
        let first = First { room: Mutex::new(10), ..First::new(2, 1, 1e-3) };
        let judge = |place, numbers| first.judge(DIRECT, place, &vector(numbers));
        assert_eq!((judge(0, [1.0, 0.0]), judge(1, [1.0, 0.0])), (None, None));
        assert_eq!((judge(0, [0.0, 1.0]), judge(1, [0.0, 1.0])), (Some(false), None));
        assert_eq!(judge(1, [0.0, 1.0]), Some(true));
    }
}
