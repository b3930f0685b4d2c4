//! The cache directory: what the operator gives us, and what we make of it.
//!
//! Everything lies in one folder inside it, whose name is the version of the format. It is ours
//! alone: what is in it are answers to whoever asked, and a secret. One process at a time writes to
//! it, which holds the lock; others may read.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process;

/// The folder inside the operator's.
const FOLDER: &str = "v1";

/// The name of the lock's file.
const LOCK: &str = "lock";

/// The largest small file. Ours have some hundred bytes.
pub(super) const SMALL: u64 = 64 << 10;

/// The folder that the files of the cache are in.
#[derive(Debug, Clone)]
pub struct Directory {
    path: PathBuf,
}

/// What came of asking for the lock.
#[derive(Debug)]
pub enum Lock {
    /// This process may write, for as long as it holds this.
    Locked(Guard),
    /// Another process writes.
    Busy,
    /// Nobody can write here, or we may not.
    ReadOnly,
}

/// The right to write to a directory; it ends with the process at the latest.
#[derive(Debug)]
pub struct Guard(#[expect(dead_code, reason = "the lock lasts as long as the file is open")] File);

impl Directory {
    /// Opens the cache directory, or makes it.
    ///
    /// An error says in a sentence what is wrong with which path: it is not a folder, it belongs to
    /// somebody else, or the system says no.
    pub fn open(directory: &Path) -> io::Result<Self> {
        let path = directory.join(FOLDER);
        let mut builder = DirBuilder::new();
        builder.mode(0o700);
        // First the operator's, with what is above it: it may be a link, ours may not.
        builder.recursive(true).create(directory).map_err(failed("create", directory))?;
        match builder.recursive(false).create(&path) {
            Err(error) if exists(&path, &error) => check(&path)?,
            made => made.map_err(failed("create", &path))?,
        }
        Ok(Self { path })
    }

    /// Whether there is a cache in a directory. Makes nothing.
    pub fn exists(directory: &Path) -> bool {
        directory.join(FOLDER).is_dir()
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Asks for the right to write.
    pub fn lock(&self) -> io::Result<Lock> {
        let path = self.path.join(LOCK);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let file = match options.open(&path) {
            Err(error) if is_read_only(&error) => return Ok(Lock::ReadOnly),
            opened => opened.map_err(failed("open", &path))?,
        };
        match file.try_lock() {
            Ok(()) => Ok(Lock::Locked(Guard(file))),
            Err(TryLockError::WouldBlock) => Ok(Lock::Busy),
            Err(TryLockError::Error(error)) => Err(failed("lock", &path)(error)),
        }
    }

    /// The bytes of a small file; none if there is no such file.
    pub fn read_small(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let path = self.path.join(name);
        let file = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(failed("open", &path))?,
        };
        let mut bytes = Vec::new();
        file.take(SMALL + 1).read_to_end(&mut bytes).map_err(failed("read", &path))?;
        if bytes.len() as u64 > SMALL {
            let error = io::Error::new(ErrorKind::InvalidData, "too large for a file of larder");
            return Err(failed("read", &path)(error));
        }
        Ok(Some(bytes))
    }

    /// The bytes of a small file, which is written if it is not there. Of several processes that do so
    /// at once, all get the bytes of the first.
    pub fn create_small(&self, name: &str, bytes: &[u8]) -> io::Result<Vec<u8>> {
        if let Some(there) = self.read_small(name)? {
            return Ok(there);
        }
        let path = self.path.join(name);
        let unfinished = format!("{name}-{}", process::id());
        self.write_small(&unfinished, bytes)?;
        let unfinished = self.path.join(unfinished);
        let linked = fs::hard_link(&unfinished, &path);
        fs::remove_file(&unfinished).ok();
        match linked {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                Err(failed("write", &path)(error))
            }
            _ => Ok(self.read_small(name)?.unwrap_or_default()),
        }
    }

    /// Writes a small file. After a crash it has the old bytes or the new ones, all of them.
    pub fn write_small(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.path.join(name);
        let unfinished = self.path.join(format!("{name}.tmp"));
        let written = replace(&unfinished, &path, bytes);
        if written.is_err() {
            // The error that matters is the first one.
            fs::remove_file(&unfinished).ok();
        }
        written.and_then(|()| File::open(&self.path)?.sync_all()).map_err(failed("write", &path))
    }
}

fn replace(unfinished: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(unfinished, path)
}

/// Whether making the folder failed because it is there: a read-only file system may say that first.
fn exists(path: &Path, error: &io::Error) -> bool {
    error.kind() == ErrorKind::AlreadyExists
        || (is_read_only(error) && fs::symlink_metadata(path).is_ok())
}

fn is_read_only(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied)
}

/// Whether a folder that we find is one that we could have made.
fn check(path: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(path).map_err(failed("inspect", path))?;
    if !found.is_dir() {
        return Err(refused(path, "it is not a directory, or it is a symbolic link"));
    }
    if let Some(us) = user(path).filter(|us| *us != found.uid()) {
        let why = format!("it belongs to user {}, but larder runs as user {us}", found.uid());
        return Err(refused(path, &why));
    }
    let others = found.mode() & 0o077;
    if others == 0 {
        return Ok(());
    }
    match fs::set_permissions(path, Permissions::from_mode(0o700)) {
        // Nobody can change anything there, the mode included.
        Err(error) if error.kind() == ErrorKind::ReadOnlyFilesystem => Ok(()),
        set => set.map_err(failed("restrict the permissions of", path)),
    }
}

/// The user that a file of ours in this folder has; none where that cannot be known.
fn user(folder: &Path) -> Option<u32> {
    let probe = folder.join(format!("probe-{}", process::id()));
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&probe);
    match made.and_then(|file| file.metadata()) {
        Ok(found) => {
            // A probe that stays is empty, and harms nobody.
            fs::remove_file(&probe).ok();
            Some(found.uid())
        }
        // Where we cannot write, the system knows who we are, if it is Linux.
        Err(_) => fs::metadata("/proc/self").ok().map(|found| found.uid()),
    }
}

fn refused(path: &Path, why: &str) -> io::Error {
    let what = format!("cannot use {} for the cache: {why}", path.display());
    io::Error::new(ErrorKind::PermissionDenied, what)
}

fn failed(what: &str, path: &Path) -> impl Fn(io::Error) -> io::Error {
    move |error| {
        let sentence = format!("cannot {what} {}: {error}", path.display());
        io::Error::new(error.kind(), sentence)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{chown, symlink};

    use super::*;
    use crate::tier::disk::log::Scratch;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("it is there").mode() & 0o777
    }

    fn open(scratch: &Scratch) -> Directory {
        Directory::open(scratch.path()).expect("it opens")
    }

    #[test]
    fn it_is_made_with_its_parents_for_us_alone() {
        let scratch = Scratch::new();
        let wanted = scratch.path().join("a/b");
        let directory = Directory::open(&wanted).expect("it opens");
        assert_eq!(directory.path(), wanted.join("v1"));
        assert_eq!((mode(&wanted), mode(directory.path())), (0o700, 0o700));
        Directory::open(&wanted).expect("it opens again");
        assert_eq!(fs::read_dir(directory.path()).expect("listed").count(), 0);
    }

    #[test]
    fn a_folder_that_others_may_read_is_closed_to_them() {
        let scratch = Scratch::new();
        let path = open(&scratch).path().to_owned();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("set");
        open(&scratch);
        assert_eq!(mode(&path), 0o700);
    }

    #[test]
    fn what_is_not_our_folder_is_refused_with_its_path() {
        let scratch = Scratch::new();
        let path = scratch.path().join("v1");
        let refusal = || Directory::open(scratch.path()).expect_err("refused").to_string();
        symlink(std::env::temp_dir(), &path).expect("linked");
        assert!(refusal().contains("v1") && refusal().contains("not a directory"), "{}", refusal());
        fs::remove_file(&path).expect("removed");
        fs::write(&path, "").expect("written");
        assert!(refusal().contains("not a directory"), "{}", refusal());
        fs::remove_file(&path).expect("removed");
        fs::create_dir(&path).expect("made");
        if chown(&path, Some(12_345), None).is_ok() {
            assert!(refusal().contains("belongs to user 12345"), "{}", refusal());
        }
        let inside_a_file = Path::new("/proc/self/cmdline/cache");
        let error = Directory::open(inside_a_file).expect_err("refused").to_string();
        assert!(error.contains("/proc/self/cmdline"), "{error}");
    }

    #[test]
    fn one_process_at_a_time_writes() {
        let scratch = Scratch::new();
        let directory = open(&scratch);
        let guard = match directory.lock().expect("asked") {
            Lock::Locked(guard) => guard,
            other => panic!("{other:?}"),
        };
        assert!(matches!(directory.lock().expect("asked"), Lock::Busy));
        drop(guard);
        assert!(matches!(directory.lock().expect("asked"), Lock::Locked(_)));
        assert_eq!(mode(&directory.path().join("lock")), 0o600);
    }

    #[test]
    fn small_files_are_replaced_whole() {
        let scratch = Scratch::new();
        let directory = open(&scratch);
        assert_eq!(directory.read_small("secret").expect("read"), None);
        for bytes in [b"one".as_slice(), b"", b"three"] {
            directory.write_small("secret", bytes).expect("written");
            assert_eq!(directory.read_small("secret").expect("read").as_deref(), Some(bytes));
        }
        let path = directory.path().join("secret");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(fs::read_dir(directory.path()).expect("listed").count(), 1);
        fs::write(&path, vec![0; 1 << 20]).expect("written");
        let error = directory.read_small("secret").expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::InvalidData);
    }
}
