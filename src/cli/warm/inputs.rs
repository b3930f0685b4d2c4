//! The inputs of files, line by line, in the batches that they are sent in: no more of them in memory than
//! is under way.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::mem::take;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use indicatif::ProgressBar;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use super::super::lines::{Line, Lines};
use crate::codec;
use crate::serve::warm::Portion;

/// Batches that are read ahead.
const AHEAD: usize = 2;

/// Inputs that are sent together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) portion: Portion,
    /// Where each of them is.
    pub(super) places: Vec<Place>,
}

/// A line of a file.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) file: Arc<str>,
    pub(super) line: u64,
}

/// What comes of reading.
#[derive(Debug)]
pub(super) enum Found {
    /// Some inputs.
    Batch(Batch),
    /// A line that is none, and why.
    Bad(Place, &'static str),
    /// A file that cannot be read on.
    Broken(String),
}

/// A line in which an input is written down.
#[derive(Deserialize)]
struct Written<'a> {
    #[serde(borrow)]
    input: &'a RawValue,
}

/// Reads files on a thread of their own, as fast as what is found is taken.
pub(super) fn read(
    (files, jsonl): (Vec<PathBuf>, bool),
    bar: ProgressBar,
) -> mpsc::Receiver<Found> {
    let (to, found) = mpsc::channel(AHEAD);
    thread::spawn(move || {
        let mut reading = Reading { open: Batch::default(), to };
        for path in &files {
            let read = reading.file(path, jsonl || is_jsonl(path), &bar);
            if let Err(error) = read {
                let message = format!("{}: {error}", path.display());
                reading.tell(Found::Broken(message)).ok();
                return;
            }
        }
        reading.send().ok();
    });
    found
}

/// Whether a file's name says that its lines are JSON.
fn is_jsonl(path: &Path) -> bool {
    let name = path.to_string_lossy().to_ascii_lowercase();
    let name = [".gz", ".zst"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
    Path::new(name).extension().is_some_and(|end| end == "jsonl" || end == "ndjson")
}

struct Reading {
    open: Batch,
    to: mpsc::Sender<Found>,
}

impl Reading {
    fn file(&mut self, path: &Path, jsonl: bool, bar: &ProgressBar) -> io::Result<()> {
        let reader: Box<dyn Read> = if path == Path::new("-") {
            Box::new(io::stdin())
        } else {
            codec::reader(&path.to_string_lossy(), bar.wrap_read(File::open(path)?))
        };
        let mut lines = Lines::of(BufReader::with_capacity(1 << 16, reader));
        let mut place = Place { file: path.to_string_lossy().into(), line: 0 };
        while let Some(line) = lines.next()? {
            place.line += 1;
            match inputs(&line, jsonl) {
                Ok(inputs) => inputs.iter().try_for_each(|input| self.take(&place, input))?,
                Err(why) => self.tell(Found::Bad(place.clone(), why))?,
            }
        }
        Ok(())
    }

    fn take(&mut self, place: &Place, input: &str) -> io::Result<()> {
        if self.open.portion.is_full_for(input.len()) {
            self.send()?;
        }
        self.open.portion.add(input);
        self.open.places.push(place.clone());
        Ok(())
    }

    fn send(&mut self) -> io::Result<()> {
        if self.open.places.is_empty() {
            return Ok(());
        }
        let batch = take(&mut self.open);
        self.tell(Found::Batch(batch))
    }

    /// Hands over what was found; an error if nobody wants it any more.
    fn tell(&self, found: Found) -> io::Result<()> {
        self.to.blocking_send(found).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

/// The inputs of a line as JSON text; none of an empty one.
fn inputs(line: &Line<'_>, jsonl: bool) -> Result<Vec<String>, &'static str> {
    let Line::Whole(line) = line else { return Err("it is too long") };
    let text = std::str::from_utf8(line).map_err(|_| "it is not UTF-8")?;
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    if !jsonl {
        return Ok(vec![serde_json::Value::from(text).to_string()]);
    }
    let written: Written<'_> =
        serde_json::from_str(text).map_err(|_| "not a JSON object with `input`")?;
    let input = written.input.get();
    if is_one(input) {
        return Ok(vec![input.to_owned()]);
    }
    let list: Vec<&RawValue> = serde_json::from_str(input).unwrap_or_default();
    if list.is_empty() || !list.iter().all(|input| is_one(input.get())) {
        return Err("its `input` is neither a text, nor token ids, nor a list of those");
    }
    Ok(list.iter().map(|input| input.get().to_owned()).collect())
}

/// Whether JSON text is one input.
fn is_one(json: &str) -> bool {
    let is_tokens = || serde_json::from_str::<Vec<u64>>(json).is_ok_and(|list| !list.is_empty());
    serde_json::from_str::<String>(json).is_ok() || is_tokens()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_text_or_an_object_with_inputs() {
        let of = |text: &str, jsonl| inputs(&Line::Whole(text.as_bytes()), jsonl);
        assert_eq!(of(" a \"b\"\r", false).unwrap(), [r#"" a \"b\"""#]);
        assert_eq!(of(r#"{"input":"a"}"#, false).unwrap(), [r#""{\"input\":\"a\"}""#]);
        assert!(of("  ", false).unwrap().is_empty() && of("", true).unwrap().is_empty());
        for (line, found) in [
            (r#"{"input": "a", "model": "m"}"#, &[r#""a""#][..]),
            (r#"{"input": [1, 2]}"#, &["[1, 2]"]),
            (r#"{"input": ["a", [3], "b"]}"#, &[r#""a""#, "[3]", r#""b""#]),
        ] {
            assert_eq!(of(line, true).unwrap(), found, "{line}");
        }
        for line in ["a", "\"a\"", "{}", "{\"input\":[]}", "{\"input\":[\"a\",1]}", "{\"input\":7}"]
        {
            of(line, true).expect_err(line);
        }
        assert!(inputs(&Line::Whole(b"\xff"), false).is_err());
        assert!(inputs(&Line::TooLong, false).is_err());
    }

    #[test]
    fn a_name_says_what_is_in_a_file() {
        let is = |name: &str| is_jsonl(Path::new(name));
        assert!(is("a.jsonl") && is("b/A.JSONL.gz") && is("c.ndjson.zst"));
        assert!(!is("a.txt") && !is("-") && !is("jsonl"));
    }
}
