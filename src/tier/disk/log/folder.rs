//! The folder of a log: which file is called what.

use std::collections::BTreeSet;
use std::fs::{self, DirEntry, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Numbers from here on were never given out: a file that bears one is not ours.
const NUMBERS: u32 = 1 << 31;

/// Where the files of a log are.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

/// What is in the folder.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// The numbers of the segments.
    pub(super) segments: BTreeSet<u32>,
    /// The numbers of the hints.
    pub(super) hints: BTreeSet<u32>,
    /// What a process left half done.
    pub(super) litter: Vec<PathBuf>,
    /// What bears such a name and cannot be ours.
    pub(super) foreign: Vec<PathBuf>,
}

enum Kind {
    Segment,
    Hint,
    Litter,
}

impl Folder {
    /// A folder that exists.
    pub(super) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// The path of a segment.
    pub(super) fn segment(&self, number: u32) -> PathBuf {
        self.0.join(format!("{number:010}.log"))
    }

    /// The path of a segment's hint.
    pub(super) fn hint(&self, number: u32) -> PathBuf {
        self.0.join(format!("{number:010}.hint"))
    }

    /// The path of a hint that is being written.
    pub(super) fn unfinished_hint(&self, number: u32) -> PathBuf {
        self.0.join(format!("{number:010}.hint.tmp"))
    }

    /// Deletes a segment with its hint, the hint first: without its segment it means nothing.
    pub(super) fn remove(&self, number: u32) -> io::Result<()> {
        remove(&self.hint(number))?;
        remove(&self.segment(number))
    }

    /// Puts what was deleted and renamed onto the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        File::open(&self.0)?.sync_all()
    }

    /// What is in the folder. Names that no log gives are left alone.
    pub(super) fn list(&self) -> io::Result<Listing> {
        let mut listing = Listing::default();
        for entry in fs::read_dir(&self.0)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some((number, kind)) = name.to_str().and_then(parse) else { continue };
            listing.add(&entry, number, &kind);
        }
        Ok(listing)
    }
}

impl Listing {
    fn add(&mut self, entry: &DirEntry, number: u64, kind: &Kind) {
        let number = u32::try_from(number).ok().filter(|number| (1..NUMBERS).contains(number));
        let file = entry.file_type().is_ok_and(|kind| kind.is_file());
        match (number.filter(|_| file), kind) {
            (Some(number), Kind::Segment) => drop(self.segments.insert(number)),
            (Some(number), Kind::Hint) => drop(self.hints.insert(number)),
            (Some(_), Kind::Litter) => self.litter.push(entry.path()),
            (None, _) => self.foreign.push(entry.path()),
        }
    }
}

fn parse(name: &str) -> Option<(u64, Kind)> {
    let (number, extension) = name.split_once('.')?;
    let kind = match extension {
        "log" => Kind::Segment,
        "hint" => Kind::Hint,
        "hint.tmp" => Kind::Litter,
        _ => return None,
    };
    let digits = number.len() == 10 && number.bytes().all(|byte| byte.is_ascii_digit());
    Some((number.parse().ok().filter(|_| digits)?, kind))
}

/// Makes a file that nobody else may read. It must not exist.
pub(super) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)
}

/// Deletes a file, if it is there.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
