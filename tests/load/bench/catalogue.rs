//! The texts that are asked for more than once: made up from a seed, or the lines of a file.

use std::fs;
use std::path::Path;

use super::Failure;
use super::text;

/// No more lines than this are taken of a file.
const MOST_LINES: usize = 5_000_000;

/// Texts, and each as JSON.
#[derive(Debug)]
pub(crate) struct Catalogue {
    texts: Vec<String>,
    quoted: Vec<String>,
}

impl Catalogue {
    /// So many texts of a seed.
    pub(crate) fn made_up(seed: u64, count: usize) -> Self {
        Self::of((0..count as u64).map(|key| text::of(seed, key)).collect())
    }

    /// The lines of a file; blank ones are none.
    pub(crate) fn read(file: &Path) -> Result<Self, Failure> {
        let wrong = |what: &dyn std::fmt::Display| {
            Failure::Usage(format!("--catalogue {}: {what}", file.display()))
        };
        let bytes = fs::read(file).map_err(|error| wrong(&error))?;
        let whole = String::from_utf8(bytes).map_err(|error| {
            let good = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
            let line = good.filter(|byte| **byte == b'\n').count() + 1;
            wrong(&format_args!("line {line} is not UTF-8"))
        })?;
        let lines = whole.lines().filter(|line| !line.trim().is_empty());
        let texts: Vec<String> = lines.take(MOST_LINES + 1).map(str::to_owned).collect();
        match texts.len() {
            0 => Err(wrong(&"there is no text in it")),
            count if count > MOST_LINES => {
                Err(wrong(&format_args!("it has more than {MOST_LINES} lines")))
            }
            _ => Ok(Self::of(texts)),
        }
    }

    fn of(texts: Vec<String>) -> Self {
        let quoted = texts.iter().map(|text| quote(text)).collect();
        Self { texts, quoted }
    }

    /// How many texts there are.
    pub(crate) fn len(&self) -> usize {
        self.texts.len()
    }

    /// One of them.
    pub(crate) fn text(&self, place: usize) -> &str {
        self.texts.get(place).expect("places are drawn below the number of texts")
    }

    /// One of them as JSON.
    pub(crate) fn quoted(&self, place: usize) -> &str {
        self.quoted.get(place).expect("places are drawn below the number of texts")
    }
}

/// A text as JSON.
pub(crate) fn quote(text: &str) -> String {
    serde_json::to_string(text).expect("a string is JSON")
}
