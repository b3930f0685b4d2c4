//! A file's lines, one at a time and none longer than a bound.

use std::io::{self, BufRead};

/// How long a line may be that is looked at: as long as the longest body that is served by default.
const LONGEST: usize = 64 << 20;

/// The lines of a file.
pub(super) struct Lines<R> {
    reader: R,
    line: Vec<u8>,
    longest: usize,
}

/// A line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// As it stands there, without its end.
    Whole(&'a [u8]),
    /// Longer than is looked at.
    TooLong,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn of(reader: R) -> Self {
        Self { reader, line: Vec::new(), longest: LONGEST }
    }

    /// The next line; none at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.line.clear();
        loop {
            let read = self.reader.fill_buf()?;
            let end = read.iter().position(|byte| *byte == b'\n');
            let piece = read.get(..end.unwrap_or(read.len())).unwrap_or_default();
            if piece.is_empty() && end.is_none() {
                // The last line need not be ended.
                return Ok((!self.line.is_empty()).then(|| self.line()));
            }
            let room = (self.longest + 1).saturating_sub(self.line.len());
            self.line.extend(piece.iter().take(room));
            let used = piece.len() + usize::from(end.is_some());
            self.reader.consume(used);
            if end.is_some() {
                return Ok(Some(self.line()));
            }
        }
    }

    fn line(&self) -> Line<'_> {
        if self.line.len() > self.longest { Line::TooLong } else { Line::Whole(&self.line) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_where_it_ends_and_a_long_one_is_no_line() {
        let text = b"one\n\n12345678\n123456789\nlast";
        for buffer in [1, 3, 64] {
            let reader = io::BufReader::with_capacity(buffer, &text[..]);
            let mut lines = Lines { longest: 8, ..Lines::of(reader) };
            let mut found = Vec::new();
            while let Some(line) = lines.next().unwrap() {
                found.push(match line {
                    Line::Whole(line) => String::from_utf8(line.to_vec()).unwrap(),
                    Line::TooLong => "too long".to_owned(),
                });
            }
            assert_eq!(found, ["one", "", "12345678", "too long", "last"]);
        }
    }
}
