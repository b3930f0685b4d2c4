//! A body in chunks: RFC 9112, section 7.1.

use std::io;
use std::mem;

use http::{HeaderMap, HeaderName, HeaderValue};
use httparse::{EMPTY_HEADER, Status, parse_headers};

use super::wrong;

/// How long all the lines of sizes may be that say more than a size, and the trailers.
const MOST: usize = 16 << 10;

/// How many trailers there may be.
const TRAILERS: usize = 100;

/// What comes next in a body.
#[derive(Debug)]
pub(super) enum Found<'a> {
    Data(&'a [u8]),
    /// Its end, and what is said after it.
    End(Option<HeaderMap>),
}

/// Where in a body a reader is.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    at: At,
    /// Of the chunk, what is left.
    left: u64,
    said: Option<Box<Said>>,
}

/// What chunks seldom say besides their sizes.
#[derive(Debug, Default)]
struct Said {
    /// How much was said that is no size.
    beside: usize,
    trailers: Vec<u8>,
}

#[derive(Debug, Clone, Copy, Default)]
enum At {
    #[default]
    Start,
    Size,
    /// Behind a size, where only an extension may come, which says nothing here.
    Blank,
    Extension,
    SizeEnd,
    Data,
    DataEnd,
    LineEnd,
    Trailers,
}

impl Chunks {
    /// What comes next of these bytes, which are shortened by what was read; `None` where there is nothing more
    /// in them.
    pub(super) fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> io::Result<Option<Found<'a>>> {
        loop {
            if let At::Start | At::DataEnd = self.at {
                self.skip(bytes);
            }
            if let At::Data = self.at {
                let here = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
                let (data, rest) = bytes.split_at(here);
                (*bytes, self.left) = (rest, self.left - here as u64);
                if self.left == 0 {
                    self.at = At::DataEnd;
                }
                if here > 0 {
                    return Ok(Some(Found::Data(data)));
                }
            }
            let Some((byte, rest)) = bytes.split_first() else { return Ok(None) };
            *bytes = rest;
            self.at = match (self.at, *byte) {
                (At::Trailers, byte) => match self.trailer(byte)? {
                    None => At::Trailers,
                    end => return Ok(end),
                },
                (at, byte) => self.step(at, byte)?,
            };
        }
    }

    /// Past the line between two pieces of data, if it is as nearly all are: whole, and no more than a size.
    fn skip(&mut self, bytes: &mut &[u8]) {
        let line = match self.at {
            At::DataEnd => bytes.strip_prefix(b"\r\n"),
            _ => Some(*bytes),
        };
        let Some(line) = line else { return };
        let digits = line.iter().take(8).take_while(|byte| byte.is_ascii_hexdigit()).count();
        let (size, rest) = line.split_at(digits);
        let Some(rest) = rest.strip_prefix(b"\r\n") else { return };
        let size = size.iter().fold(0, |size, digit| {
            size * 16 + u64::from(char::from(*digit).to_digit(16).unwrap_or_default())
        });
        if size > 0 {
            (*bytes, self.left, self.at) = (rest, size, At::Data);
        }
    }

    /// One byte on, outside of data and trailers.
    fn step(&mut self, at: At, byte: u8) -> io::Result<At> {
        Ok(match (at, byte) {
            (At::Start | At::Size, byte) if byte.is_ascii_hexdigit() => {
                let digit = u64::from(char::from(byte).to_digit(16).unwrap_or_default());
                let size = self.left.checked_mul(16).and_then(|size| size.checked_add(digit));
                self.left = size.ok_or_else(|| wrong("the size of a chunk is no number"))?;
                At::Size
            }
            (At::Size | At::Blank, b' ' | b'\t') => self.beside(At::Blank)?,
            (At::Size | At::Blank, b';') => At::Extension,
            (At::Size | At::Blank | At::Extension, b'\r') => At::SizeEnd,
            (At::Extension, byte) if byte != b'\n' => self.beside(At::Extension)?,
            (At::SizeEnd, b'\n') if self.left == 0 => At::Trailers,
            (At::SizeEnd, b'\n') => At::Data,
            (At::DataEnd, b'\r') => At::LineEnd,
            (At::LineEnd, b'\n') => At::Start,
            _ => return Err(wrong("a chunk is not as HTTP/1.1 has them")),
        })
    }

    fn beside(&mut self, at: At) -> io::Result<At> {
        let said = self.said.get_or_insert_default();
        said.beside += 1;
        if said.beside > MOST { Err(wrong("chunks say too much of themselves")) } else { Ok(at) }
    }

    /// The end, when the trailers are all there.
    fn trailer(&mut self, byte: u8) -> io::Result<Option<Found<'static>>> {
        let said = &mut self.said.get_or_insert_default().trailers;
        if byte == b'\n' && said.last() != Some(&b'\r') {
            return Err(wrong("a trailer ends in a bare line feed"));
        }
        said.push(byte);
        if *said == b"\r\n" {
            return Ok(Some(Found::End(None)));
        }
        if said.len() > MOST {
            return Err(wrong("the trailers are too long"));
        }
        if !said.ends_with(b"\r\n\r\n") {
            return Ok(None);
        }
        let (mut lines, bytes) = ([EMPTY_HEADER; TRAILERS], mem::take(said));
        let Ok(Status::Complete((_, lines))) = parse_headers(&bytes, &mut lines) else {
            return Err(wrong("the trailers are not as HTTP/1.1 has them"));
        };
        let mut trailers = HeaderMap::with_capacity(lines.len());
        for line in lines {
            let name = HeaderName::from_bytes(line.name.as_bytes());
            let value = HeaderValue::from_bytes(line.value);
            let (Ok(name), Ok(value)) = (name, value) else {
                return Err(wrong("a trailer is not as HTTP/1.1 has them"));
            };
            trailers.append(name, value);
        }
        Ok(Some(Found::End(Some(trailers))))
    }
}
