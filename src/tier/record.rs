//! How an entry is written in the tiers below memory: everything that it must say for itself, under a
//! keyed digest that also covers its key. Whatever was changed, cut, swapped with another entry or
//! written by somebody else does not open.
//!
//! Layout, little-endian: digest (16 bytes), version (1), generation (8), seconds at which it was
//! stored and at which it ends on the tier's own line (8 each), lengths of provider and model (1
//! each), provider, model, value.

use super::line::Line;
use super::purge::{Mark, Purges};
use super::{Look, Stored};
use crate::clock::Moment;
use crate::key::{CacheKey, Framer};

const VERSION: u8 = 1;
const DIGEST: usize = 16;
const HEAD: usize = DIGEST + 1 + 3 * 8 + 2;

/// A tier's records: sealed, with their times on the tier's line.
#[derive(Debug)]
pub(super) struct Records {
    sealer: Sealer,
    /// Where this process's clock stands.
    pub(super) line: Line,
}

/// What bytes under a key are.
#[derive(Debug)]
pub(super) enum Found {
    /// An entry that is good for whoever looks.
    Good(Stored),
    /// An entry that was purged, or was stored under a clock that was wrong.
    Gone,
    /// Nothing that was written under this key.
    Corrupt,
}

impl Records {
    pub(super) fn new(secret: [u8; 32]) -> Self {
        Self { sealer: Sealer::new(secret), line: Line::default() }
    }

    /// The bytes of an entry.
    pub(super) fn write(&self, key: &CacheKey, stored: &Stored) -> Vec<u8> {
        let record = Record {
            generation: stored.mark.generation,
            stored: self.line.second(stored.stored),
            expires: self.line.second(stored.expires),
            upstream: &stored.mark.scope.upstream,
            model: &stored.mark.scope.model,
            value: &stored.value,
        };
        self.sealer.seal(key, &record)
    }

    /// The entry that bytes are.
    pub(super) fn read(&self, key: &CacheKey, bytes: &[u8], look: &Look<'_>) -> Found {
        match self.sealer.open(key, bytes) {
            Some(record) => self.found(&record, look.mark, look.fresh.now),
            None => Found::Corrupt,
        }
    }

    /// The same for an entry of whatever provider and model it says that it is.
    pub(super) fn read_any(
        &self,
        key: &CacheKey,
        bytes: &[u8],
        (purges, now): (&Purges, Moment),
    ) -> Found {
        let Some(record) = self.sealer.open(key, bytes) else { return Found::Corrupt };
        self.found(&record, purges.scope(record.upstream, record.model).mark(), now)
    }

    fn found(&self, record: &Record<'_>, mark: Mark, now: Moment) -> Found {
        match self.line.moments(record.stored, record.expires, now) {
            Some((stored, expires)) if record.generation == mark.generation => {
                Found::Good(Stored { value: record.value.into(), stored, expires, mark })
            }
            _ => Found::Gone,
        }
    }
}

/// Writes and reads records under a secret.
#[derive(Clone)]
pub(super) struct Sealer {
    secret: [u8; 32],
}

/// An entry as a lower tier has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record<'a> {
    /// The generation of its scope when it was stored.
    pub(super) generation: u64,
    /// When it was stored, in seconds on the tier's line.
    pub(super) stored: i64,
    /// When it ends; `i64::MAX` is never.
    pub(super) expires: i64,
    /// The provider's name.
    pub(super) upstream: &'a str,
    /// The model's name.
    pub(super) model: &'a str,
    /// The answer.
    pub(super) value: &'a [u8],
}

impl Sealer {
    pub(super) fn new(secret: [u8; 32]) -> Self {
        Self { secret }
    }

    /// The record's bytes. Names are cut to what a byte can count; they are for people.
    pub(super) fn seal(&self, key: &CacheKey, record: &Record<'_>) -> Vec<u8> {
        let (upstream, model) = (cut(record.upstream), cut(record.model));
        let mut bytes =
            Vec::with_capacity(HEAD + upstream.len() + model.len() + record.value.len());
        bytes.extend([0; DIGEST]);
        bytes.push(VERSION);
        bytes.extend(record.generation.to_le_bytes());
        bytes.extend(record.stored.to_le_bytes());
        bytes.extend(record.expires.to_le_bytes());
        bytes.extend([length(upstream), length(model)]);
        bytes.extend(upstream.as_bytes());
        bytes.extend(model.as_bytes());
        bytes.extend(record.value);
        let digest = self.digest(key, bytes.get(DIGEST..).unwrap_or_default());
        bytes.splice(..DIGEST, digest);
        bytes
    }

    /// The record that bytes are; `None` for what nobody with the secret wrote under this key.
    pub(super) fn open<'a>(&self, key: &CacheKey, bytes: &'a [u8]) -> Option<Record<'a>> {
        let (digest, rest) = bytes.split_first_chunk::<DIGEST>()?;
        if self.digest(key, rest) != *digest {
            return None;
        }
        let (&version, rest) = rest.split_first()?;
        if version != VERSION {
            return None;
        }
        let (generation, rest) = rest.split_first_chunk()?;
        let (stored, rest) = rest.split_first_chunk()?;
        let (expires, rest) = rest.split_first_chunk()?;
        let (&[upstream, model], rest) = rest.split_first_chunk::<2>()?;
        let (upstream, rest) = rest.split_at_checked(usize::from(upstream))?;
        let (model, value) = rest.split_at_checked(usize::from(model))?;
        Some(Record {
            generation: u64::from_le_bytes(*generation),
            stored: i64::from_le_bytes(*stored),
            expires: i64::from_le_bytes(*expires),
            upstream: std::str::from_utf8(upstream).ok()?,
            model: std::str::from_utf8(model).ok()?,
            value,
        })
    }

    fn digest(&self, key: &CacheKey, bytes: &[u8]) -> [u8; DIGEST] {
        let mut framer = Framer::keyed(&self.secret, "larder record 1");
        let digest = framer.field(b'k', key.as_bytes()).field(b'r', bytes).finish();
        *digest.as_bytes().first_chunk().expect("a digest is longer than what is kept of it")
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealer").finish_non_exhaustive()
    }
}

fn cut(name: &str) -> &str {
    name.get(..name.floor_char_boundary(usize::from(u8::MAX))).unwrap_or_default()
}

fn length(name: &str) -> u8 {
    u8::try_from(name.len()).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Digest;

    fn key(text: &str) -> CacheKey {
        CacheKey::whole(Digest::of(text.as_bytes()))
    }

    const RECORD: Record<'_> = Record {
        generation: 7,
        stored: -5,
        expires: i64::MAX,
        upstream: "openai",
        model: "m",
        value: b"the answer",
    };

    #[test]
    fn what_is_sealed_opens_under_its_key_and_secret_only() {
        let sealer = Sealer::new([1; 32]);
        let bytes = sealer.seal(&key("a"), &RECORD);
        assert_eq!(bytes.len(), HEAD + 7 + RECORD.value.len());
        assert_eq!(sealer.open(&key("a"), &bytes), Some(RECORD));
        assert_eq!(sealer.open(&key("b"), &bytes), None);
        assert_eq!(Sealer::new([2; 32]).open(&key("a"), &bytes), None);
    }

    #[test]
    fn no_bit_can_be_turned_and_nothing_be_cut_or_added() {
        let sealer = Sealer::new([1; 32]);
        let bytes = sealer.seal(&key("a"), &RECORD);
        for at in 0..bytes.len() * 8 {
            let mut other = bytes.clone();
            other[at / 8] ^= 1 << (at % 8);
            assert_eq!(sealer.open(&key("a"), &other), None, "bit {at}");
        }
        for length in 0..bytes.len() {
            assert_eq!(sealer.open(&key("a"), &bytes[..length]), None);
        }
        assert_eq!(sealer.open(&key("a"), &[&bytes[..], b"x"].concat()), None);
    }

    #[test]
    fn a_name_that_is_too_long_is_cut_at_a_character() {
        let sealer = Sealer::new([1; 32]);
        let model = "é".repeat(200);
        let bytes = sealer.seal(&key("a"), &Record { model: &model, ..RECORD });
        assert_eq!(sealer.open(&key("a"), &bytes).unwrap().model, "é".repeat(127));
    }
}
