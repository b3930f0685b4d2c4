//! The log of the disk tier: records under keys, in files that only grow, bounded in bytes.
//!
//! A record is written once, at the end of the newest segment (`segment`), in one write. The
//! `index` in memory knows where each key's latest record lies; a read is one look-up and one
//! positioned read, outside of any lock. What a segment holds stands in its `hint`, so that opening
//! reads a few bytes for each record; a segment without one is scanned.
//!
//! It is a cache. A record may be lost: to eviction, to damage, to a crash in the middle of a write.
//! But every record is verified with its key when it is read, so what is given is what was put under
//! that key. After a crash, or damage to a file, that may be an earlier record than the last one.
//!
//! What is removed leaves a note of that, a frame without a record, which an opening reads like any
//! other. It is needed until everything older is gone, and goes with its segment.
//!
//! When the files have grown over the limit, the oldest segment goes. Its records that were read
//! since they were written move to the head of the log, once; the others are evicted.
//!
//! Nothing is put onto the disk for good before [`Log::flush`]. The death of the process loses at
//! most the record that was being written; a power failure loses what the system had not written.

mod folder;
mod frame;
mod hint;
mod index;
mod recover;
mod segment;
mod store;
mod writer;

use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use folder::Folder;
use index::Fingerprint;
use recover::Recovery;
use store::Store;
use writer::{Limits, Writer};

/// Records under keys, on disk.
///
/// Everything here blocks. Reads run beside each other and beside a write; writes take turns.
#[derive(Debug)]
pub struct Log {
    store: Store,
    /// None where the log is open for reading only.
    writer: Option<Mutex<Writer>>,
    dropped: u64,
}

impl Log {
    /// Opens or creates the log in a folder, bounded to so many bytes of files. The folder exists,
    /// and no other process writes to it.
    ///
    /// Files that are not understood are deleted ([`Log::dropped_files`]), and so is what was left
    /// of a write that a crash broke off.
    pub fn open(folder: &Path, limit: u64) -> io::Result<Self> {
        Self::open_within(folder, Limits::new(limit))
    }

    fn open_within(folder: &Path, limits: Limits) -> io::Result<Self> {
        let store = Store::new(Folder::new(folder));
        let Recovery { dropped, next, .. } = Recovery::run(&store, true)?;
        let mut writer = Writer::new(limits, next);
        // The limit may have been lowered since. What cannot be deleted now shows at the next put.
        writer.make_room(&store, 0).ok();
        Ok(Self { store, writer: Some(Mutex::new(writer)), dropped })
    }

    /// Opens a log that another process may be using, or that cannot be written to: what is there
    /// now, without changing any file.
    pub fn open_read_only(folder: &Path) -> io::Result<Self> {
        let store = Store::new(Folder::new(folder));
        let dropped = Recovery::run(&store, false)?.dropped;
        Ok(Self { store, writer: None, dropped })
    }

    /// The record that was put last under a key. One that is damaged is an error of kind
    /// `InvalidData`, and is forgotten.
    pub fn get(&self, key: &[u8; 32]) -> io::Result<Option<Vec<u8>>> {
        self.store.get(key)
    }

    /// The same, for who does not read it in earnest; what is damaged is not there.
    pub fn peek(&self, key: &[u8; 32]) -> Option<Vec<u8>> {
        let frame = self.store.peek(Fingerprint::of(key))?;
        let own = frame::verify(&frame) == Some(key);
        own.then(|| frame::into_record(frame))
    }

    /// Keeps a record, which is not empty, under a key. It may evict others before. An error leaves the
    /// log as it was; one of kind `FileTooLarge` means that the record takes more than a quarter of the
    /// limit.
    pub fn put(&self, key: &[u8; 32], record: &[u8]) -> io::Result<()> {
        if record.is_empty() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.writer()?.put(&self.store, key, record)
    }

    /// Removes the records under some keys, also for whoever opens the log next; gives their number.
    /// After an error some may still be there.
    pub fn remove(&self, keys: &[[u8; 32]]) -> io::Result<u64> {
        self.writer()?.remove(&self.store, keys)
    }

    /// Forgets the record under a key; it may be there again when the log is opened again, since nothing
    /// is deleted.
    pub fn forget(&self, key: &[u8; 32]) {
        self.store.forget(Fingerprint::of(key));
    }

    /// Deletes everything, also from the disk; gives the number of records. After an error some files
    /// are still there, and would be found when the log is opened again.
    pub fn clear(&self) -> io::Result<u64> {
        self.writer()?.clear(&self.store)
    }

    /// Puts what was written onto the disk, and writes the hint of the active segment: for a clean
    /// end.
    pub fn flush(&self) -> io::Result<()> {
        match &self.writer {
            Some(writer) => lock(writer).flush(&self.store),
            None => Ok(()),
        }
    }

    /// Every record, the oldest segment first. Stops at the first error that the visitor returns.
    /// What is damaged is left out, and so may be what is written or moved meanwhile.
    pub fn each(
        &self,
        mut visit: impl FnMut(&[u8; 32], Vec<u8>) -> io::Result<()>,
    ) -> io::Result<()> {
        for segment in self.store.all() {
            let places = self.store.index.of_segment(segment.number());
            for (fingerprint, place) in places.into_iter().filter(|(_, place)| !place.is_grave()) {
                let Ok(frame) = self.store.read(&segment, fingerprint, place) else { continue };
                let Some(key) = frame::verify(&frame).copied() else { continue };
                visit(&key, frame::into_record(frame))?;
            }
        }
        Ok(())
    }

    /// Visits the records after a key in the order of their keys, at most so many, until the visitor has
    /// enough. Gives the key up to which there is nothing more to see; none at the end of all records.
    pub fn next(
        &self,
        after: Option<&[u8; 32]>,
        most: usize,
        mut visit: impl FnMut(&[u8; 32], Vec<u8>) -> ControlFlow<()>,
    ) -> Option<[u8; 32]> {
        let first = after.map(Fingerprint::of);
        let fingerprints = self.store.index.from(first, most);
        for fingerprint in &fingerprints {
            let Some(frame) = self.store.peek(*fingerprint) else { continue };
            let Some(key) = frame::verify(&frame).copied() else { continue };
            // Two keys may begin with the same bytes.
            let late = after.is_some_and(|after| key <= *after);
            if !late && visit(&key, frame::into_record(frame)).is_break() {
                return Some(fingerprint.highest());
            }
        }
        let last = fingerprints.last().filter(|_| fingerprints.len() == most)?;
        Some(last.highest())
    }

    /// The number of records.
    pub fn entries(&self) -> u64 {
        self.store.index.len()
    }

    /// The bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.store.bytes()
    }

    /// The number of records that were evicted for their size so far.
    pub fn evicted(&self) -> u64 {
        self.store.evicted()
    }

    /// The number of files that were found when the log was opened, and were of no use.
    pub fn dropped_files(&self) -> u64 {
        self.dropped
    }

    /// How old the records are on average, by when their segments were begun.
    pub fn average_age(&self, now: SystemTime) -> Duration {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let (mut ages, mut count) = (0_u128, 0_u128);
        for segment in self.store.all() {
            let live = u128::from(segment.live());
            ages += live * u128::from(now.saturating_sub(segment.created()));
            count += live;
        }
        let average = ages.checked_div(count).unwrap_or(0);
        Duration::from_secs(u64::try_from(average).unwrap_or(u64::MAX))
    }

    fn writer(&self) -> io::Result<MutexGuard<'_, Writer>> {
        let closed = || {
            let what = "the log is read-only";
            io::Error::new(io::ErrorKind::ReadOnlyFilesystem, what)
        };
        self.writer.as_ref().map(lock).ok_or_else(closed)
    }
}

/// A writer that panicked has at most left bytes after the end that it knows; they are written over.
fn lock(writer: &Mutex<Writer>) -> MutexGuard<'_, Writer> {
    writer.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use tests::Scratch;
