//! A segment: one file of frames, which only ever grows at its end.
//!
//! `magic 8 | creation time u64 LE, unix seconds`, then frames.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use super::folder::{Folder, create, remove};
use super::frame::{self, HEAD, PREFIX};
use super::index::{Fingerprint, Place};

/// The magic; its last byte is the version of the format.
const MAGIC: [u8; 8] = *b"larder\0\x01";

/// Where the first frame begins.
pub(super) const HEADER: u64 = 16;

/// One file of frames.
#[derive(Debug)]
pub(super) struct Segment {
    number: u32,
    created: u64,
    file: File,
    length: AtomicU64,
    hint_bytes: AtomicU64,
    live: AtomicU64,
    dirty: AtomicBool,
}

impl Segment {
    /// Makes an empty segment.
    pub(super) fn create(folder: &Folder, number: u32) -> io::Result<Self> {
        let path = folder.segment(number);
        let file = create(&path)?;
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let created = since.as_secs();
        let mut header = MAGIC.to_vec();
        header.extend(created.to_le_bytes());
        if let Err(error) = file.write_all_at(&header, 0) {
            // What is left of it is dropped when the log is opened again.
            remove(&path).ok();
            return Err(error);
        }
        Ok(Self::new(number, created, file, HEADER))
    }

    /// Opens a segment; none if it is not one of this version.
    pub(super) fn open(folder: &Folder, number: u32, writable: bool) -> io::Result<Option<Self>> {
        let file = OpenOptions::new().read(true).write(writable).open(folder.segment(number))?;
        let length = file.metadata()?.len();
        let mut header = [0; 16];
        if length < HEADER {
            return Ok(None);
        }
        file.read_exact_at(&mut header, 0)?;
        let created = header.last_chunk().copied().map_or(0, u64::from_le_bytes);
        let ours = header.starts_with(&MAGIC);
        Ok(ours.then(|| Self::new(number, created, file, length)))
    }

    fn new(number: u32, created: u64, file: File, length: u64) -> Self {
        Self {
            number,
            created,
            file,
            length: length.into(),
            hint_bytes: AtomicU64::default(),
            live: AtomicU64::default(),
            dirty: AtomicBool::default(),
        }
    }

    /// Its number: a segment with a higher one is younger.
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// When it was made, in unix seconds.
    pub(super) fn created(&self) -> u64 {
        self.created
    }

    /// Where the next frame would begin.
    pub(super) fn length(&self) -> u64 {
        self.length.load(Ordering::Acquire)
    }

    /// The bytes of the file and of its hint.
    pub(super) fn bytes(&self) -> u64 {
        self.length() + self.hint_bytes.load(Ordering::Relaxed)
    }

    /// Notes how long its hint is.
    pub(super) fn has_hint(&self, bytes: u64) {
        self.hint_bytes.store(bytes, Ordering::Relaxed);
    }

    /// How many of its records the index knows.
    pub(super) fn live(&self) -> u64 {
        self.live.load(Ordering::Relaxed)
    }

    /// Sets how many of its records the index knows.
    pub(super) fn has(&self, live: u64) {
        self.live.store(live, Ordering::Relaxed);
    }

    /// Counts a record that the index knows from now on.
    pub(super) fn gained(&self) {
        self.live.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a record that the index does not know any more.
    pub(super) fn lost(&self) {
        self.live.fetch_sub(1, Ordering::Relaxed);
    }

    /// Adds a frame; gives its place.
    pub(super) fn append(&self, frame: &[u8]) -> io::Result<Place> {
        let (offset, length) = (self.length(), frame.len() as u64);
        let too_large = |_| io::ErrorKind::FileTooLarge;
        let start = u32::try_from(offset).map_err(too_large)?;
        let body = u32::try_from(frame.len().saturating_sub(PREFIX)).map_err(too_large)?;
        self.dirty.store(true, Ordering::Relaxed);
        self.file.write_all_at(frame, offset)?;
        self.length.store(offset + length, Ordering::Release);
        Ok(Place::new(self.number, start, body))
    }

    /// Ends the file at a place.
    pub(super) fn cut(&self, end: u64) -> io::Result<()> {
        self.end_at(end);
        self.file.set_len(end)
    }

    /// Takes no notice of what comes after a place.
    pub(super) fn end_at(&self, end: u64) {
        self.length.store(end, Ordering::Release);
    }

    /// The frame in a place, as it is.
    pub(super) fn read(&self, place: Place) -> io::Result<Vec<u8>> {
        let offset = u64::from(place.offset);
        let size = PREFIX as u64 + u64::from(place.length());
        // A place may come from a damaged file: no memory for what cannot be there.
        if offset < HEADER || offset + size > self.length() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let size = usize::try_from(size).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let mut frame = vec![0; size];
        self.file.read_exact_at(&mut frame, offset)?;
        Ok(frame)
    }

    /// Goes from frame to frame and says what is where; gives the end of the last one. Whole frames
    /// are read and verified, or their heads only believed.
    pub(super) fn scan(
        &self,
        from: u64,
        verify: bool,
        mut visit: impl FnMut(Fingerprint, Place),
    ) -> u64 {
        let mut at = from;
        while let Some((fingerprint, place)) = self.head(at) {
            let good = |frame: Vec<u8>| frame::verify(&frame).is_some();
            if verify && !self.read(place).is_ok_and(good) {
                break;
            }
            visit(fingerprint, place);
            at += PREFIX as u64 + u64::from(place.length());
        }
        at
    }

    fn head(&self, at: u64) -> Option<(Fingerprint, Place)> {
        let mut head = [0; HEAD];
        if at + HEAD as u64 > self.length() {
            return None;
        }
        self.file.read_exact_at(&mut head, at).ok()?;
        let (length, key) = frame::read_head(&head)?;
        let end = at + PREFIX as u64 + u64::from(length);
        let place = Place::new(self.number, u32::try_from(at).ok()?, length);
        (end <= self.length()).then_some((Fingerprint::of(key), place))
    }

    /// Puts what was written onto the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        if self.dirty.swap(false, Ordering::Relaxed) {
            self.file.sync_data().inspect_err(|_| self.dirty.store(true, Ordering::Relaxed))?;
        }
        Ok(())
    }
}
