//! What a log gives back, and what it never does.

mod basic;
mod bounds;
mod damage;
mod property;

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::key::Digest;

/// Many segments from few bytes.
const SEGMENT: u64 = 4 << 10;

/// A folder of a test's own, which goes when the test ends.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// A fresh one.
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("larder-log-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a fresh folder");
        Self(path)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    fn open(&self, limit: u64) -> Log {
        let limits = Limits { bytes: limit, segment: SEGMENT };
        Log::open_within(&self.0, limits).expect("a log always opens")
    }

    /// The files with an ending, oldest first.
    fn files(&self, ending: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.0).expect("listed");
        let paths = entries.map(|entry| entry.expect("listed").path());
        let mut paths: Vec<_> =
            paths.filter(|path| path.to_string_lossy().ends_with(ending)).collect();
        paths.sort();
        paths
    }

    fn bytes(&self) -> u64 {
        let length = |path| fs::metadata(path).map_or(0, |found| found.len());
        self.files("").into_iter().map(length).sum()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn key(n: u64) -> [u8; 32] {
    *Digest::of(&n.to_le_bytes()).as_bytes()
}

/// A record that says whose it is.
fn record(n: u64, length: usize) -> Vec<u8> {
    let mut record = n.to_le_bytes().to_vec();
    record.extend((0..length).map(|at| u8::try_from((at as u64 * 31 + n) % 251).expect("below")));
    record
}

fn fill(log: &Log, numbers: std::ops::Range<u64>) {
    for n in numbers {
        log.put(&key(n), &record(n, 500)).expect("put");
    }
}

/// Asserts that each number has its record or none, and gives how many have theirs.
fn found(log: &Log, numbers: std::ops::Range<u64>) -> u64 {
    let mut found = 0;
    for n in numbers {
        match log.get(&key(n)) {
            Ok(Some(bytes)) => {
                assert!(bytes == record(n, 500), "a wrong record under {n}");
                found += 1;
            }
            Ok(None) => (),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::InvalidData),
        }
    }
    found
}
