//! The entries of a cache directory, for a command that moves them: read while a sidecar may be using
//! it, written while none is.

use std::io;

use super::directory::{Directory, Guard, Lock};
use super::log::Log;
use super::notes;
use crate::key::CacheKey;
use crate::tier::record::{Found, Records};
use crate::tier::{Freshness, Ground, Stored};

/// An opened directory.
#[derive(Debug)]
pub struct Shelf {
    directory: Directory,
    log: Log,
    records: Records,
    ground: Ground,
    _guard: Option<Guard>,
}

impl Shelf {
    /// Opens a directory to read it.
    pub fn to_read(directory: Directory, ground: Ground) -> io::Result<Self> {
        let log = Log::open_read_only(directory.path())?;
        Self::new(directory, log, ground, None)
    }

    /// Opens a directory to write to it, up to so many bytes.
    pub fn to_write(directory: Directory, limit: u64, ground: Ground) -> io::Result<Self> {
        let guard = match directory.lock()? {
            Lock::Locked(guard) => guard,
            Lock::Busy => {
                let what = "cache directory in use by another process: stop it first";
                return Err(io::Error::new(io::ErrorKind::ResourceBusy, what));
            }
            Lock::ReadOnly => return Err(io::ErrorKind::ReadOnlyFilesystem.into()),
        };
        let log = Log::open(directory.path(), limit)?;
        Self::new(directory, log, ground, Some(guard))
    }

    fn new(
        directory: Directory,
        log: Log,
        ground: Ground,
        guard: Option<Guard>,
    ) -> io::Result<Self> {
        let records = Records::new(ground.secret);
        notes::read(&directory, &ground, &records.line)?;
        Ok(Self { directory, log, records, ground, _guard: guard })
    }

    /// How many entries there are, good or not.
    pub fn entries(&self) -> u64 {
        self.log.entries()
    }

    /// Visits every entry, with `None` for one that is not good: ended, purged or damaged.
    pub fn each(
        &self,
        mut visit: impl FnMut(CacheKey, Option<Stored>) -> io::Result<()>,
    ) -> io::Result<()> {
        let fresh = Freshness::at(self.ground.clock.now());
        self.log.each(|key, bytes| {
            let key = CacheKey::from_bytes(*key);
            match self.records.read_any(&key, &bytes, (&self.ground.purges, fresh.now)) {
                Found::Good(stored) => {
                    visit(key, Some(stored).filter(|stored| fresh.accepts(stored)))
                }
                Found::Gone | Found::Corrupt => visit(key, None),
            }
        })
    }

    /// Writes an entry.
    pub fn put(&self, key: &CacheKey, stored: &Stored) -> io::Result<()> {
        self.log.put(key.as_bytes(), &self.records.write(key, stored))
    }

    /// Puts everything onto the disk.
    pub fn close(self) -> io::Result<()> {
        notes::note_time(&self.directory, &self.ground, &self.records.line)?;
        self.log.flush()
    }
}
