//! What readers and the writer share: the index, and the segments that it points into.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::folder::Folder;
use super::frame::{self, Key};
use super::index::{Fingerprint, Index, Place};
use super::segment::Segment;

/// How often a reader looks where a record has gone that moves before its eyes.
const LOOKS: usize = 4;

type Segments = BTreeMap<u32, Arc<Segment>>;

/// The index with its segments.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) folder: Folder,
    pub(super) index: Index,
    segments: RwLock<Segments>,
    evicted: AtomicU64,
}

impl Store {
    /// Nothing yet.
    pub(super) fn new(folder: Folder) -> Self {
        let index = Index::new();
        Self { folder, index, segments: RwLock::default(), evicted: AtomicU64::default() }
    }

    /// The record under a key. What is damaged is an error of kind `InvalidData`, and forgotten.
    pub(super) fn get(&self, key: &Key) -> io::Result<Option<Vec<u8>>> {
        let fingerprint = Fingerprint::of(key);
        for _ in 0..LOOKS {
            let Some(place) = self.index.find(fingerprint) else { return Ok(None) };
            // The segment may just have been evicted, and the record rescued from it.
            let Some(segment) = self.segment(place.segment) else { continue };
            let frame = self.read(&segment, fingerprint, place)?;
            // Another key with the same fingerprint is a miss.
            let own = frame::verify(&frame) == Some(key);
            return Ok(own.then(|| frame::into_record(frame)));
        }
        Ok(None)
    }

    /// The frame of a fingerprint, verified, without noting that it was read; none if it is gone.
    pub(super) fn peek(&self, fingerprint: Fingerprint) -> Option<Vec<u8>> {
        for _ in 0..LOOKS {
            let place = self.index.peek(fingerprint)?;
            let Some(segment) = self.segment(place.segment) else { continue };
            return self.read(&segment, fingerprint, place).ok();
        }
        None
    }

    /// The frame in a place, verified; its key has the fingerprint.
    pub(super) fn read(
        &self,
        segment: &Segment,
        fingerprint: Fingerprint,
        place: Place,
    ) -> io::Result<Vec<u8>> {
        let frame = match segment.read(place) {
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(error),
            frame => frame.unwrap_or_default(),
        };
        if frame::verify(&frame).map(Fingerprint::of) == Some(fingerprint) {
            return Ok(frame);
        }
        if let Some(old) = self.index.bury(fingerprint, Some(place)) {
            self.lost(old);
        }
        let number = segment.number();
        let what = format!("the record at {} of segment {number} is damaged", place.offset);
        Err(io::Error::new(io::ErrorKind::InvalidData, what))
    }

    /// Puts a record's place.
    pub(super) fn insert(&self, fingerprint: Fingerprint, place: Place) {
        // Counted before anybody can find it, and forget it.
        self.gained(place);
        if let Some(old) = self.index.insert(fingerprint, place) {
            self.lost(old);
        }
    }

    /// Counts the records of all segments anew, after the index was filled.
    pub(super) fn recount(&self) {
        let counts = self.index.count();
        for segment in self.segments().values() {
            segment.has(counts.get(&segment.number()).copied().unwrap_or(0));
        }
    }

    /// Notes that a record has moved.
    pub(super) fn relocate(&self, fingerprint: Fingerprint, from: Place, to: Place) {
        self.gained(to);
        let moved = self.index.relocate(fingerprint, from, to);
        self.lost(if moved { from } else { to });
    }

    /// Forgets a record.
    pub(super) fn forget(&self, fingerprint: Fingerprint) {
        if let Some(place) = self.index.bury(fingerprint, None) {
            self.lost(place);
        }
    }

    /// Forgets what is in a place that is about to go, if it still is there.
    pub(super) fn forget_from(&self, fingerprint: Fingerprint, place: Place) -> bool {
        let found = self.index.remove_from(fingerprint, place);
        if found {
            self.lost(place);
        }
        found
    }

    fn gained(&self, place: Place) {
        if let Some(segment) = self.segment_of_record(place) {
            segment.gained();
        }
    }

    fn lost(&self, place: Place) {
        if let Some(segment) = self.segment_of_record(place) {
            segment.lost();
        }
    }

    fn segment_of_record(&self, place: Place) -> Option<Arc<Segment>> {
        if place.is_grave() { None } else { self.segment(place.segment) }
    }

    /// A segment by its number.
    pub(super) fn segment(&self, number: u32) -> Option<Arc<Segment>> {
        self.segments().get(&number).cloned()
    }

    /// The oldest segment.
    pub(super) fn oldest(&self) -> Option<Arc<Segment>> {
        self.segments().values().next().cloned()
    }

    /// All segments, oldest first.
    pub(super) fn all(&self) -> Vec<Arc<Segment>> {
        self.segments().values().cloned().collect()
    }

    /// Adds a segment.
    pub(super) fn adopt(&self, segment: &Arc<Segment>) {
        self.segments_mut().insert(segment.number(), Arc::clone(segment));
    }

    /// Deletes a segment that the index does not point into any more. Whoever reads from it still
    /// has it open. One that cannot be deleted stays and counts.
    pub(super) fn remove(&self, number: u32) -> io::Result<()> {
        self.folder.remove(number)?;
        self.segments_mut().remove(&number);
        Ok(())
    }

    /// The bytes of all files.
    pub(super) fn bytes(&self) -> u64 {
        self.segments().values().map(|segment| segment.bytes()).sum()
    }

    /// How many records were evicted.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }

    /// Counts evicted records.
    pub(super) fn has_evicted(&self, count: u64) {
        self.evicted.fetch_add(count, Ordering::Relaxed);
    }

    /// A poisoned map is still whole: nothing in here panics between two changes of it.
    fn segments(&self) -> RwLockReadGuard<'_, Segments> {
        self.segments.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn segments_mut(&self) -> RwLockWriteGuard<'_, Segments> {
        self.segments.write().unwrap_or_else(PoisonError::into_inner)
    }
}
