//! A frame: one record as it lies in a segment.
//!
//! `length u32 | checksum u64 | key 32 | record`, little endian. The length counts key and record,
//! so that it is never 0: space that was never written reads as zeros and must not look like a
//! frame. The checksum covers key and record.

use std::io;

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// What identifies a record.
pub(super) type Key = [u8; 32];

/// The bytes of a key.
pub(super) const KEY: u32 = 32;

/// What stands before the key: length and checksum.
pub(super) const PREFIX: usize = 12;

/// What must be read of a frame to know its key and where the next one begins.
pub(super) const HEAD: usize = PREFIX + size_of::<Key>();

/// Key and record together are shorter than this: an index entry keeps one bit of the length.
pub(super) const LONGEST: u32 = 1 << 31;

const SEED: u64 = u64::from_le_bytes(*b"larder 1");

/// The bytes that a record takes in a segment.
pub(super) fn size(record: &[u8]) -> u64 {
    (HEAD + record.len()) as u64
}

/// Writes a frame over what is in the buffer.
pub(super) fn write(buffer: &mut Vec<u8>, key: &Key, record: &[u8]) -> io::Result<()> {
    let length = u32::try_from(record.len()).ok().and_then(|length| length.checked_add(KEY));
    let length = length.filter(|length| *length < LONGEST).ok_or(io::ErrorKind::FileTooLarge)?;
    buffer.clear();
    buffer.reserve(HEAD + record.len());
    buffer.extend(length.to_le_bytes());
    buffer.extend([0; PREFIX - 4]);
    buffer.extend(key);
    buffer.extend(record);
    let sum = buffer.get(PREFIX..).map_or(0, checksum);
    if let Some(place) = buffer.get_mut(4..PREFIX) {
        place.copy_from_slice(&sum.to_le_bytes());
    }
    Ok(())
}

/// The length of key and record, and the key, that a frame's head names.
pub(super) fn read_head(head: &[u8; HEAD]) -> Option<(u32, &Key)> {
    let (length, rest) = head.split_first_chunk::<4>()?;
    let key = rest.last_chunk::<32>()?;
    let length = u32::from_le_bytes(*length);
    (KEY..LONGEST).contains(&length).then_some((length, key))
}

/// The key in a frame that is whole and unchanged.
pub(super) fn verify(frame: &[u8]) -> Option<&Key> {
    let (length, rest) = frame.split_first_chunk::<4>()?;
    let (sum, body) = rest.split_first_chunk::<8>()?;
    let whole = usize::try_from(u32::from_le_bytes(*length)).is_ok_and(|len| len == body.len());
    let good = whole && checksum(body) == u64::from_le_bytes(*sum);
    body.first_chunk().filter(|_| good)
}

/// The record in a frame that was verified.
pub(super) fn into_record(mut frame: Vec<u8>) -> Vec<u8> {
    // Moving the record down costs less than a second read for the head, at usual lengths.
    frame.drain(..HEAD.min(frame.len()));
    frame
}

fn checksum(body: &[u8]) -> u64 {
    xxh3_64_with_seed(body, SEED)
}
