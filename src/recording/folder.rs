//! The files of a recording: their names, reading them, and writing them whole or not at all.

use std::fs::{self, DirEntry};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crate::key::{CacheKey, Digest};

/// Where answers are, and where vectors.
const ANSWERS: &str = "answers";
const INPUTS: &str = "inputs";

/// What the name of a file that is not whole yet begins with.
const UNFINISHED: &str = ".unfinished-";

/// How old such a file is, at the least, that nobody is writing any more.
const FORGOTTEN: Duration = Duration::from_hours(1);

/// How large a file may be that is read.
const LARGEST: u64 = 256 << 20;

/// The folder of a recording.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

/// What files there are.
#[derive(Debug)]
pub(super) struct Files {
    /// Those of answers: which question's, and the number.
    pub(super) answers: Vec<(Digest, u32)>,
    /// Those of vectors.
    pub(super) inputs: Vec<CacheKey>,
}

impl Folder {
    pub(super) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// The file of a question's answer, by its number from 1 on.
    pub(super) fn answer(&self, question: &Digest, number: u32) -> PathBuf {
        let name = hex(question.as_bytes());
        let number = if number == 1 { String::new() } else { format!("-{number}") };
        self.0.join(ANSWERS).join(format!("{name}{number}.json"))
    }

    /// The file of an input's vector.
    pub(super) fn input(&self, key: &CacheKey) -> PathBuf {
        self.0.join(INPUTS).join(format!("{}.json", hex(key.as_bytes())))
    }

    /// Makes it, where it is not there, and removes what writers left that were killed.
    pub(super) fn prepare(&self) -> io::Result<()> {
        for below in [ANSWERS, INPUTS] {
            let path = self.0.join(below);
            fs::create_dir_all(&path).map_err(|error| at(&path, &error))?;
            let forgotten = |entry: &DirEntry| {
                let modified = entry.metadata().and_then(|found| found.modified());
                let age = modified.map(|then| SystemTime::now().duration_since(then));
                is_unfinished(&entry.path()) && matches!(age, Ok(Ok(age)) if age > FORGOTTEN)
            };
            for entry in entries(&path)?.into_iter().filter(forgotten) {
                fs::remove_file(entry.path()).map_err(|error| at(&entry.path(), &error))?;
            }
        }
        Ok(())
    }

    /// Its files, in the order of their names.
    pub(super) fn files(&self) -> io::Result<Files> {
        fs::metadata(&self.0).map_err(|error| at(&self.0, &error))?;
        let (answers, inputs) = (self.named(ANSWERS, answer_of)?, self.named(INPUTS, input_of)?);
        Ok(Files { answers, inputs })
    }

    fn named<T>(&self, below: &str, name: impl Fn(&str) -> Option<T>) -> io::Result<Vec<T>> {
        let mut named = Vec::new();
        let path = self.0.join(below);
        if !path.exists() {
            // Version control keeps no empty folders.
            return Ok(named);
        }
        for entry in entries(&path)? {
            let path = entry.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            let unnamed = || at(&path, &"not the file name of a recording");
            named.push(stem.and_then(&name).ok_or_else(unnamed)?);
        }
        Ok(named)
    }
}

/// Reads a file; an error names it.
pub(super) fn read<T>(path: &Path, parse: impl Fn(&[u8]) -> io::Result<T>) -> io::Result<T> {
    let read = fs::metadata(path).and_then(|found| match found.len() {
        0..=LARGEST => parse(&fs::read(path)?),
        _ => Err(io::Error::new(ErrorKind::InvalidData, "too large for a recording")),
    });
    read.map_err(|error| at(path, &error))
}

/// Writes a file under another name and gives it its own when it is whole.
pub(super) fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    // Another machine may write into the same folder, so the clock is part of the name.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("{UNFINISHED}{}-{}-{number}", process::id(), now.as_nanos());
    let unfinished = path.with_file_name(name);
    fs::write(&unfinished, text)
        .and_then(|()| fs::rename(&unfinished, path))
        .map_err(|error| at(path, &error))
}

/// Removes a file, if it is there; whether it was.
pub(super) fn remove(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(at(path, &error)),
    }
}

fn entries(path: &Path) -> io::Result<Vec<DirEntry>> {
    let entries = fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut entries = entries.map_err(|error| at(path, &error))?;
    entries.sort_by_key(DirEntry::file_name);
    Ok(entries)
}

fn is_unfinished(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with(UNFINISHED))
}

fn answer_of(stem: &str) -> Option<(Digest, u32)> {
    let (digest, number) = match stem.split_once('-') {
        None => (stem, 1),
        Some((digest, number)) => (digest, number.parse().ok().filter(|number| *number > 1)?),
    };
    Some((input_of(digest)?.digest(), number))
}

fn input_of(stem: &str) -> Option<CacheKey> {
    let digit = |byte: &u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let digits: Vec<u8> = stem.as_bytes().iter().map(digit).collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    let bytes: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
    rest.is_empty().then(|| bytes.try_into().ok().map(CacheKey::from_bytes))?
}

fn hex(bytes: &[u8; 32]) -> String {
    bytes.iter().fold(String::with_capacity(64), |text, byte| text + &format!("{byte:02x}"))
}

/// An error with the file that it is about.
fn at(path: &Path, error: &dyn std::fmt::Display) -> io::Error {
    io::Error::other(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_is_written() {
        let (folder, digest) = (Folder::new(Path::new("x")), Digest::of(b"q"));
        for number in [1, 2, 17] {
            let path = folder.answer(&digest, number);
            let stem = path.file_stem().unwrap().to_str().unwrap();
            assert_eq!(answer_of(stem), Some((digest, number)));
        }
        for wrong in ["", "0", "xy", &"0".repeat(63), &"A".repeat(64)] {
            assert!(answer_of(wrong).is_none(), "{wrong}");
        }
        assert!(answer_of(&("0".repeat(64) + "-1")).is_none());
    }
}
