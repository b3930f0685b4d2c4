//! A hint: what the index knows of one segment, so that opening need not read the segment.
//!
//! `magic 8 | covers u64 | count u64 | checksum u64`, then for each record `fingerprint 8 | offset u32
//! | length u32`, little endian. It speaks for the segment's first so many bytes only (`covers`): a
//! segment may grow after its hint was written. Whatever a hint says, a record is still verified
//! when it is read.

use std::fs;
use std::io::{self, Write};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::folder::{Folder, create, remove};
use super::frame::{KEY, LONGEST, PREFIX};
use super::index::{Fingerprint, Place};
use super::segment::{HEADER, Segment};

const MAGIC: [u8; 8] = *b"larhint\x01";
const HEAD: usize = 32;
const ENTRY: usize = 16;
const SEED: u64 = u64::from_le_bytes(*b"larder h");

/// What a hint says.
#[derive(Debug)]
pub(super) struct Hint {
    /// How many bytes of the segment it speaks for.
    pub(super) covers: u64,
    bytes: Vec<u8>,
}

impl Hint {
    /// Its own length.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// The number of records, or a few more.
    pub(super) fn count(&self) -> usize {
        self.bytes.len() / ENTRY
    }

    /// The records, as places in the segment with this number.
    pub(super) fn entries(&self, segment: u32) -> impl Iterator<Item = (Fingerprint, Place)> {
        let entries = self.bytes.get(HEAD..).unwrap_or_default().as_chunks::<ENTRY>().0;
        entries.iter().filter_map(move |entry| decode_entry(entry, segment, self.covers))
    }
}

/// Writes a segment's hint; gives its length.
pub(super) fn write(
    folder: &Folder,
    segment: &Segment,
    entries: &[(Fingerprint, Place)],
) -> io::Result<u64> {
    let bytes = encode(segment.length(), entries);
    let unfinished = folder.unfinished_hint(segment.number());
    remove(&unfinished)?;
    let written = create(&unfinished).and_then(|mut file| file.write_all(&bytes));
    let done = written.and_then(|()| fs::rename(&unfinished, folder.hint(segment.number())));
    if let Err(error) = done {
        remove(&unfinished)?;
        return Err(error);
    }
    Ok(bytes.len() as u64)
}

/// Reads a segment's hint. An error is of kind `NotFound` if there is none, and `InvalidData` if it
/// is not a hint for this segment.
pub(super) fn read(folder: &Folder, segment: &Segment) -> io::Result<Hint> {
    let path = folder.hint(segment.number());
    // No memory for more than this segment can have.
    let most = (segment.length() / u64::from(KEY)).saturating_mul(ENTRY as u64) + HEAD as u64;
    if fs::metadata(&path)?.len() > most {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let bytes = fs::read(&path)?;
    let covers = check(&bytes, segment.length()).ok_or(io::ErrorKind::InvalidData)?;
    Ok(Hint { covers, bytes })
}

fn encode(covers: u64, entries: &[(Fingerprint, Place)]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD + entries.len() * ENTRY);
    bytes.extend(MAGIC);
    bytes.extend(covers.to_le_bytes());
    bytes.extend((entries.len() as u64).to_le_bytes());
    bytes.extend([0; 8]);
    for (fingerprint, place) in entries {
        bytes.extend(fingerprint.to_bytes());
        bytes.extend(place.offset.to_le_bytes());
        bytes.extend(place.length().to_le_bytes());
    }
    let sum = checksum(&bytes).unwrap_or(0).to_le_bytes();
    if let Some(place) = bytes.get_mut(HEAD - 8..HEAD) {
        place.copy_from_slice(&sum);
    }
    bytes
}

/// How many bytes a hint speaks for, of a segment that has so many, if it is sound.
fn check(bytes: &[u8], length: u64) -> Option<u64> {
    let (magic, rest) = bytes.split_first_chunk::<8>()?;
    let (covers, rest) = rest.split_first_chunk::<8>()?;
    let (count, rest) = rest.split_first_chunk::<8>()?;
    let (sum, rest) = rest.split_first_chunk::<8>()?;
    let covers = u64::from_le_bytes(*covers);
    let (entries, remainder) = rest.as_chunks::<ENTRY>();
    let whole = remainder.is_empty() && entries.len() as u64 == u64::from_le_bytes(*count);
    let fits = (HEADER..=length).contains(&covers);
    let sound = *magic == MAGIC && whole && fits && checksum(bytes)? == u64::from_le_bytes(*sum);
    sound.then_some(covers)
}

/// Over everything but itself.
fn checksum(bytes: &[u8]) -> Option<u64> {
    let head = xxh3_64_with_seed(bytes.get(..HEAD - 8)?, SEED);
    Some(xxh3_64_with_seed(bytes.get(HEAD..)?, head))
}

fn decode_entry(bytes: &[u8; ENTRY], segment: u32, covers: u64) -> Option<(Fingerprint, Place)> {
    let (fingerprint, rest) = bytes.split_first_chunk::<8>()?;
    let (offset, length) = rest.split_first_chunk::<4>()?;
    let offset = u32::from_le_bytes(*offset);
    let length = u32::from_le_bytes(*length.first_chunk()?);
    let end = u64::from(offset) + PREFIX as u64 + u64::from(length);
    let plausible = (KEY..LONGEST).contains(&length) && end <= covers;
    plausible.then(|| (Fingerprint::from_bytes(*fingerprint), Place::new(segment, offset, length)))
}
