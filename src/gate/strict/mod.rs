//! HTTP/1 as it comes from a client, held to its grammar before hyper sees it.
//!
//! hyper repairs what two servers may read in two ways (a length beside chunks, a length twice, lines
//! that end in a bare line feed), and hides it from whoever serves the request. Here such a head is
//! refused: what hyper gets instead of it is something that it cannot read, so that it answers 400,
//! in its turn, and closes. Bodies are followed to their ends, so that what hyper takes for the next
//! request is what was taken for it here.
//!
//! The refused alternative is an HTTP/1 server of larder's own: it would have to be as good as hyper's
//! in all that hyper does right. Of a head only that is looked at which hyper lets through: the ends of
//! lines, and the few fields that say where a message ends or whom it is for.

mod head;

use head::{Framing, Head};
use memchr::memchr;

/// How an HTTP/2 connection begins.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What hyper gets in the place of what is refused: no byte of a head, then a head's end, for which it
/// waits where the head came in pieces.
const UNREADABLE: &[u8] = b"\0\r\n\r\n";

/// The first byte of a TLS connection: a handshake record (RFC 8446, section 5.1). No method begins with it.
const HANDSHAKE: u8 = 0x16;

/// The reason for a client that speaks TLS to a listener without it.
pub(super) const TLS: Wrong = "TLS on a listener without it";

/// Why a client's bytes are refused, for the log.
pub(super) type Wrong = &'static str;

/// What of the bytes that came hyper may have.
pub(super) struct Passed {
    /// So many as they are.
    pub(super) bytes: usize,
    /// Why the rest is not for it.
    pub(super) wrong: Option<Wrong>,
}

/// Where in a client's bytes a connection is.
#[derive(Debug)]
pub(super) struct Strict {
    at: At,
    head: Head,
    /// A line that has come in part, as far as it has come.
    line: Vec<u8>,
    /// How long a line may be: more than hyper takes, whose answer says which bound it was.
    longest: usize,
    /// How many heads have begun.
    begun: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// So far in what may be the preface of HTTP/2.
    Opening(usize),
    /// Before a request line.
    Request,
    Field,
    /// Within a body, or a chunk, that goes on for so long.
    Body(u64),
    Chunk(u64),
    ChunkSize,
    ChunkEnd,
    Trailer,
    /// Behind what is not HTTP/1.
    Beyond,
    /// Where something was refused; hyper is still to be given this, or else to be told of it.
    Refused(Option<&'static [u8]>),
}

impl Strict {
    /// For what hyper's buffer takes of a head.
    pub(super) fn new(buffer: usize) -> Self {
        let longest = buffer.saturating_mul(2);
        Self { at: At::Opening(0), head: Head::default(), line: Vec::new(), longest, begun: 0 }
    }

    /// Whether the bytes are none of HTTP/1's, and are for hyper as they are.
    pub(super) fn is_beyond(&self) -> bool {
        self.at == At::Beyond
    }

    /// How many requests have begun, where all of them have come to their end.
    pub(super) fn between(&self) -> Option<u32> {
        let is_between = matches!(self.at, At::Request | At::Opening(0)) && self.line.is_empty();
        is_between.then_some(self.begun)
    }

    /// From now on the connection speaks another protocol.
    pub(super) fn step_aside(&mut self) {
        self.at = At::Beyond;
        self.line = Vec::new();
    }

    /// What hyper is still to be given after something was refused, at the most so much; an error
    /// where it is within a body, for which there is nothing unreadable.
    pub(super) fn instead(&mut self, most: usize) -> Option<Result<&'static [u8], Wrong>> {
        let At::Refused(rest) = self.at else { return None };
        let Some(rest) = rest else {
            self.at = At::Refused(Some(&[]));
            return Some(Err("invalid HTTP/1.1 body framing"));
        };
        let (now, later) = rest.split_at(most.min(rest.len()));
        self.at = At::Refused(Some(later));
        Some(Ok(now))
    }

    /// Looks at what came.
    pub(super) fn look(&mut self, bytes: &[u8]) -> Passed {
        let mut from = 0;
        while let Some(rest) = bytes.get(from..).filter(|rest| !rest.is_empty()) {
            match self.step(rest) {
                Ok(read) => from += read,
                Err(wrong) => {
                    let in_body = matches!(self.at, At::ChunkSize | At::ChunkEnd | At::Trailer);
                    self.at = At::Refused((!in_body).then_some(UNREADABLE));
                    self.line = Vec::new();
                    return Passed { bytes: from, wrong: Some(wrong) };
                }
            }
        }
        Passed { bytes: bytes.len(), wrong: None }
    }

    /// Goes on by a line, or by what there is of a body.
    fn step(&mut self, bytes: &[u8]) -> Result<usize, Wrong> {
        match self.at {
            At::Beyond | At::Refused(_) => Ok(bytes.len()),
            At::Opening(known) => self.open(known, bytes),
            At::Body(left) => Ok(self.skip(left, bytes, (At::Body, At::Request))),
            At::Chunk(left) => Ok(self.skip(left, bytes, (At::Chunk, At::ChunkEnd))),
            At::Request | At::Field | At::ChunkSize | At::ChunkEnd | At::Trailer => {
                self.gather(bytes)
            }
        }
    }

    /// As long as it may be HTTP/2 nothing is known; once it is not, what came is a request line.
    fn open(&mut self, known: usize, bytes: &[u8]) -> Result<usize, Wrong> {
        if known == 0 && bytes.first() == Some(&HANDSHAKE) {
            return Err(TLS);
        }
        let expected = PREFACE.get(known..).unwrap_or_default();
        let same = bytes.iter().zip(expected).take_while(|(came, due)| came == due).count();
        self.at = if known + same == PREFACE.len() {
            At::Beyond
        } else if same == bytes.len() {
            At::Opening(known + same)
        } else {
            let begun = PREFACE.get(..known).unwrap_or_default();
            self.at = At::Request;
            let passed = self.look(begun);
            return passed.wrong.map_or(Ok(0), Err);
        };
        Ok(same)
    }

    fn skip(&mut self, left: u64, bytes: &[u8], (on, after): (fn(u64) -> At, At)) -> usize {
        let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let left = left.saturating_sub(here as u64);
        self.at = if left == 0 { after } else { on(left) };
        here
    }

    /// Takes a line to its end, or what there is of it.
    fn gather(&mut self, bytes: &[u8]) -> Result<usize, Wrong> {
        let Some(end) = memchr(b'\n', bytes) else {
            if self.line.len() + bytes.len() > self.longest {
                return Err("line longer than the header limit");
            }
            self.line.extend_from_slice(bytes);
            return Ok(bytes.len());
        };
        let (line, _) = bytes.split_at(end);
        self.at = if self.line.is_empty() {
            self.read(line)?
        } else {
            let mut whole = std::mem::take(&mut self.line);
            whole.extend_from_slice(line);
            let next = self.read(&whole)?;
            whole.clear();
            self.line = whole;
            next
        };
        Ok(end + 1)
    }

    /// What a line without its line feed says of what follows it.
    fn read(&mut self, line: &[u8]) -> Result<At, Wrong> {
        let line = line.strip_suffix(b"\r").ok_or("line ends with a bare LF")?;
        if memchr(b'\r', line).is_some() {
            return Err("bare CR in a line");
        }
        match self.at {
            At::Request | At::Trailer if line.is_empty() => Ok(At::Request),
            At::Request => {
                self.head = Head::begin(line)?;
                self.begun = self.begun.wrapping_add(1);
                Ok(At::Field)
            }
            At::Field if line.is_empty() => Ok(match self.head.end()? {
                Framing::None => At::Request,
                Framing::Length(length) => At::Body(length),
                Framing::Chunks => At::ChunkSize,
            }),
            At::Field => self.head.field(line).map(|()| At::Field),
            At::ChunkSize => Ok(match head::chunk_size(line)? {
                0 => At::Trailer,
                size => At::Chunk(size),
            }),
            At::ChunkEnd if line.is_empty() => Ok(At::ChunkSize),
            At::ChunkEnd => Err("chunk longer than its declared size"),
            At::Trailer => head::field(line).map(|_| At::Trailer),
            other => Ok(other),
        }
    }
}

#[cfg(test)]
mod against;
#[cfg(test)]
mod tests;
