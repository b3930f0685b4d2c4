//! The writing side: appending, sealing and evicting. One at a time.

use std::io;
use std::sync::Arc;

use super::frame::{self, Key, PREFIX};
use super::hint;
use super::index::{Fingerprint, Place};
use super::segment::{HEADER, Segment};
use super::store::Store;

/// The smallest and the largest segment. Small ones make a log that holds its limit closely, large
/// ones few files.
const SMALLEST: u64 = 1 << 20;
const LARGEST: u64 = 256 << 20;

/// A buffer that has grown larger than this is given back.
const BUFFER: usize = 256 << 10;

/// How large things may become.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// The bytes of all files.
    pub(super) bytes: u64,
    /// The bytes of a segment; one that holds a single larger frame has more.
    pub(super) segment: u64,
}

impl Limits {
    /// A 256th of the limit for a segment, within reason, and never more than a quarter.
    pub(super) fn new(bytes: u64) -> Self {
        let segment = (bytes / 256).clamp(SMALLEST, LARGEST).min(bytes / 4);
        Self { bytes, segment }
    }
}

/// Where the next record goes.
#[derive(Debug)]
pub(super) struct Writer {
    limits: Limits,
    active: Option<Arc<Segment>>,
    next: u32,
    buffer: Vec<u8>,
}

impl Writer {
    /// A writer that makes its first segment, with this number, for its first record: what an
    /// earlier process has written is never appended to.
    pub(super) fn new(limits: Limits, next: u32) -> Self {
        Self { limits, active: None, next, buffer: Vec::new() }
    }

    /// Writes a record, and makes room for it before.
    pub(super) fn put(&mut self, store: &Store, key: &Key, record: &[u8]) -> io::Result<()> {
        let size = frame::size(record);
        if size > self.limits.bytes / 4 {
            let what = format!("a record of {} bytes is too large for this log", record.len());
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
        }
        self.make_room(store, size)?;
        let mut buffer = std::mem::take(&mut self.buffer);
        let place = frame::write(&mut buffer, key, record)
            .and_then(|()| self.append(store, &buffer))
            .inspect(|place| store.insert(Fingerprint::of(key), *place));
        buffer.clear();
        buffer.shrink_to(BUFFER);
        self.buffer = buffer;
        place.map(drop)
    }

    /// Removes what is under some keys, for good: a note of it is on the disk when this returns. Gives the
    /// number of records that were there.
    pub(super) fn remove(&mut self, store: &Store, keys: &[Key]) -> io::Result<u64> {
        let (mut buffer, mut removed) = (Vec::new(), 0);
        for key in keys {
            let fingerprint = Fingerprint::of(key);
            // What was only forgotten is in the files all the same.
            if !store.index.knows(fingerprint) {
                continue;
            }
            frame::write(&mut buffer, key, &[])?;
            self.make_room(store, buffer.len() as u64)?;
            // It may have gone to make room; then so has everything that was written before it.
            if store.index.knows(fingerprint) {
                let grave = self.append(store, &buffer)?;
                removed += u64::from(store.index.peek(fingerprint).is_some());
                store.insert(fingerprint, grave);
            }
        }
        for segment in store.all() {
            segment.sync()?;
        }
        // The note may be in a file that the folder does not have for good yet.
        store.folder.sync()?;
        Ok(removed)
    }

    /// Evicts until so many bytes more are within the limit.
    pub(super) fn make_room(&mut self, store: &Store, size: u64) -> io::Result<()> {
        while store.bytes() + size > self.limits.bytes {
            let Some(oldest) = store.oldest() else { break };
            if self.active.as_ref().is_some_and(|active| Arc::ptr_eq(active, &oldest)) {
                self.active = None;
            }
            self.evict(store, &oldest)?;
        }
        Ok(())
    }

    /// Deletes everything; gives the number of records. What cannot be deleted is an error, but
    /// nothing of it is found any more in this process.
    pub(super) fn clear(&mut self, store: &Store) -> io::Result<u64> {
        self.active = None;
        let count = store.index.clear();
        let mut result = Ok(count);
        for segment in store.all() {
            if let Err(error) = store.remove(segment.number()) {
                result = Err(error);
            }
        }
        store.folder.sync()?;
        result
    }

    /// Puts everything onto the disk, and writes the hint of the active segment.
    pub(super) fn flush(&mut self, store: &Store) -> io::Result<()> {
        for segment in store.all() {
            segment.sync()?;
        }
        if let Some(active) = self.active.as_ref().filter(|active| active.length() > HEADER) {
            write_hint(store, active)?;
        }
        store.folder.sync()
    }

    fn append(&mut self, store: &Store, frame: &[u8]) -> io::Result<Place> {
        let active = self.active_for(store, frame.len() as u64)?;
        let end = active.length();
        active.append(frame).inspect_err(|_| {
            // What came of the frame is cut off; where even that fails, nothing is written after it.
            if active.cut(end).is_err() {
                self.seal(store);
            }
        })
    }

    /// The segment that a frame goes to: the active one, or a new one if it would grow too large.
    fn active_for(&mut self, store: &Store, size: u64) -> io::Result<Arc<Segment>> {
        let fits = |length| length == HEADER || length + size <= self.limits.segment;
        if let Some(active) = self.active.as_ref().filter(|active| fits(active.length())) {
            return Ok(Arc::clone(active));
        }
        self.seal(store);
        let number = self.next;
        self.next = number.checked_add(1).ok_or(io::ErrorKind::StorageFull)?;
        let segment = Arc::new(Segment::create(&store.folder, number)?);
        store.adopt(&segment);
        self.active = Some(Arc::clone(&segment));
        Ok(segment)
    }

    fn seal(&mut self, store: &Store) {
        if let Some(active) = self.active.take() {
            // Without a hint the next opening scans the segment.
            write_hint(store, &active).ok();
        }
    }

    /// Deletes a segment. Records that were read since they were written move to the head of the
    /// log, as far as they take half of the segment's bytes, so that the log gets shorter for
    /// certain.
    fn evict(&mut self, store: &Store, segment: &Segment) -> io::Result<()> {
        let mut allowance = segment.length() / 2;
        let mut evicted = 0;
        for (fingerprint, place) in store.index.of_segment(segment.number()) {
            let size = PREFIX as u64 + u64::from(place.length());
            if place.was_read() && size <= allowance {
                match self.rescue(store, segment, (fingerprint, place)) {
                    Ok(()) => {
                        allowance -= size;
                        continue;
                    }
                    Err(error) if error.kind() == io::ErrorKind::InvalidData => (),
                    // There may be no room. Evicting goes on: that is how room is made.
                    Err(_) => allowance = 0,
                }
            }
            let found = store.forget_from(fingerprint, place);
            // What was removed with it lay in an older segment, which is gone.
            evicted += u64::from(found && !place.is_grave());
        }
        store.has_evicted(evicted);
        store.remove(segment.number())
    }

    fn rescue(
        &mut self,
        store: &Store,
        segment: &Segment,
        (fingerprint, place): (Fingerprint, Place),
    ) -> io::Result<()> {
        let frame = store.read(segment, fingerprint, place)?;
        let moved = self.append(store, &frame)?;
        store.relocate(fingerprint, place, moved);
        Ok(())
    }
}

fn write_hint(store: &Store, segment: &Segment) -> io::Result<()> {
    let entries = store.index.of_segment(segment.number());
    segment.has_hint(hint::write(&store.folder, segment, &entries)?);
    Ok(())
}
