//! The use of the cache directory by another process.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::config::Disk;
use crate::tier::disk::directory::{Directory, Lock};

/// The use of a cache directory.
#[derive(Debug)]
pub(super) enum Use {
    /// There is no directory, or no other process uses it.
    Free,
    /// Another process holds its lock.
    Busy(Holder),
}

/// The process that holds the lock of a directory.
#[derive(Debug)]
pub(super) struct Holder {
    pub(super) path: String,
    pid: Option<u32>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("in use by the running larder")?;
        self.pid.map_or(Ok(()), |pid| write!(f, " (pid {pid})"))
    }
}

/// The use of the configured directory. A directory that cannot be opened is an error of the build.
pub(super) fn usage(settings: &Disk) -> Use {
    // A directory that does not exist is not made for this.
    if settings.dir.is_empty() || !Path::new(&settings.dir).is_dir() {
        return Use::Free;
    }
    let Ok(directory) = Directory::open(Path::new(&settings.dir)) else { return Use::Free };
    match directory.lock() {
        Ok(Lock::Busy) => {
            let pid = holder(&directory.path().join("lock"));
            Use::Busy(Holder { path: settings.dir.clone(), pid })
        }
        Ok(Lock::Locked(_) | Lock::ReadOnly) | Err(_) => Use::Free,
    }
}

/// The process that holds the lock of a file, where the system tells.
fn holder(lock: &Path) -> Option<u32> {
    let inode = fs::metadata(lock).ok()?.ino();
    find(&fs::read_to_string("/proc/locks").ok()?, inode)
}

/// The process in a line such as `1: FLOCK  ADVISORY  WRITE 812 08:01:4711 0 EOF`.
fn find(locks: &str, inode: u64) -> Option<u32> {
    locks.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (kind, pid, file) = (fields.get(1)?, fields.get(4)?, fields.get(5)?);
        let of_file = file.rsplit(':').next()? == inode.to_string();
        let pid: u32 = pid.parse().ok()?;
        (*kind == "FLOCK" && of_file && pid > 0).then_some(pid)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_a_lock_is_found_by_the_file() {
        let locks = "1: POSIX  ADVISORY  WRITE 9 08:01:4711 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 812 08:01:4711 0 EOF\n";
        assert_eq!(find(locks, 4711), Some(812));
        assert_eq!(find(locks, 4712), None);
        assert_eq!(find("", 1), None);
    }
}
