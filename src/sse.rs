//! Streams of frames: server-sent events, and lines of JSON. Bytes in as they come, frames out.
//!
//! Nothing is ever written here: a reader gets the provider's own bytes, and frames are only looked
//! at to know how an answer ends.

use crate::request::Framing;

/// One frame of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The name of the event; empty where none is given, and for lines.
    pub event: &'a [u8],
    /// What it says.
    pub data: &'a [u8],
}

/// A frame is longer than any that is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

/// Takes bytes apart into frames, wherever they were split on their way.
#[derive(Debug)]
pub struct Splitter {
    framing: Framing,
    /// The most bytes that one frame may have.
    limit: usize,
    line: Vec<u8>,
    event: Vec<u8>,
    data: Vec<u8>,
    /// Whether the frame has a line of data yet; an empty one counts.
    has_data: bool,
    /// Whether a line feed that comes now belongs to a carriage return before it.
    after_return: bool,
    /// Whether the first line is over, which may begin with a byte order mark.
    begun: bool,
}

impl Splitter {
    /// At the beginning of a stream whose frames have at most so many bytes.
    pub fn new(framing: Framing, limit: usize) -> Self {
        Self {
            framing,
            limit,
            line: Vec::new(),
            event: Vec::new(),
            data: Vec::new(),
            has_data: false,
            after_return: false,
            begun: false,
        }
    }

    /// Takes what came, and gives each frame that ends in it.
    pub fn push(
        &mut self,
        mut bytes: &[u8],
        each: &mut dyn FnMut(Frame<'_>),
    ) -> Result<(), TooLong> {
        while let Some(first) = bytes.first() {
            if std::mem::take(&mut self.after_return) && *first == b'\n' {
                bytes = bytes.get(1..).unwrap_or_default();
                continue;
            }
            let end = bytes.iter().position(|byte| self.ends_a_line(*byte));
            let (line, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
            if self.line.len() + self.data.len() + line.len() > self.limit {
                return Err(TooLong);
            }
            self.line.extend(line);
            let Some((mark, rest)) = rest.split_first() else { return Ok(()) };
            self.after_return = *mark == b'\r';
            bytes = rest;
            self.end_line(each);
        }
        Ok(())
    }

    /// Ends the stream; whether it ends between two frames. The last of several lines need not be
    /// ended itself, while an event is none before its blank line.
    pub fn end(&mut self, each: &mut dyn FnMut(Frame<'_>)) -> bool {
        if self.framing == Framing::Lines {
            self.end_line(each);
            return true;
        }
        self.line.is_empty() && self.event.is_empty() && !self.has_data
    }

    fn ends_a_line(&self, byte: u8) -> bool {
        byte == b'\n' || byte == b'\r' && self.framing == Framing::Events
    }

    fn end_line(&mut self, each: &mut dyn FnMut(Frame<'_>)) {
        let mut line = std::mem::take(&mut self.line);
        let marked = !std::mem::replace(&mut self.begun, true) && line.starts_with(b"\xef\xbb\xbf");
        let text = line.get(if marked { 3 } else { 0 }..).unwrap_or_default();
        match self.framing {
            Framing::Lines if text.trim_ascii().is_empty() => {}
            Framing::Lines => each(Frame { event: b"", data: text.trim_ascii() }),
            Framing::Events if text.is_empty() => self.dispatch(each),
            Framing::Events => self.field(text),
        }
        line.clear();
        self.line = line;
    }

    /// One line of an event. Comments, `id` and `retry` say nothing about the answer.
    fn field(&mut self, line: &[u8]) {
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (name, value) = line.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.data.push(b'\n');
                }
                self.data.extend(value);
            }
            b"event" => {
                self.event.clear();
                self.event.extend(value);
            }
            _ => {}
        }
    }

    fn dispatch(&mut self, each: &mut dyn FnMut(Frame<'_>)) {
        if std::mem::take(&mut self.has_data) {
            each(Frame { event: &self.event, data: &self.data });
        }
        self.data.clear();
        self.event.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Owned = (String, String);

    const EVENTS: &str = "\u{feff}: ping\r\n\r\nevent: one\r\ndata: {\"a\":1}\r\n\r\ndata:two\rdata:  \
                          lines\r\rid: 7\nretry: 9\n\ndata\n\nevent: lone\n\ndata: [DONE]\n\n";

    fn split(framing: Framing, pieces: &[&[u8]]) -> (Vec<Owned>, bool) {
        let mut splitter = Splitter::new(framing, 1 << 20);
        let mut frames = Vec::new();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut each = |frame: Frame<'_>| frames.push((text(frame.event), text(frame.data)));
        for piece in pieces {
            splitter.push(piece, &mut each).unwrap();
        }
        let clean = splitter.end(&mut each);
        (frames, clean)
    }

    fn owned(frames: &[(&str, &str)]) -> Vec<Owned> {
        frames.iter().map(|(event, data)| ((*event).to_owned(), (*data).to_owned())).collect()
    }

    fn events() -> Vec<Owned> {
        owned(&[("one", "{\"a\":1}"), ("", "two\n lines"), ("", ""), ("", "[DONE]")])
    }

    #[test]
    fn every_split_gives_the_same_frames() {
        let bytes = EVENTS.as_bytes();
        for at in 0..=bytes.len() {
            let (before, after) = bytes.split_at(at);
            assert_eq!(split(Framing::Events, &[before, after]), (events(), true), "at {at}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(split(Framing::Events, &single), (events(), true));
    }

    #[test]
    fn line_ends_of_all_three_kinds_are_the_same() {
        for end in ["\n", "\r", "\r\n"] {
            let text = "event: x\ndata: a\ndata: b\n\n: comment\ndata: c\n\n".replace('\n', end);
            let right = owned(&[("x", "a\nb"), ("", "c")]);
            assert_eq!(split(Framing::Events, &[text.as_bytes()]), (right, true), "{end:?}");
        }
    }

    #[test]
    fn an_event_that_is_cut_is_none() {
        for cut in ["data: x", "data: x\n", "event: x\n", "da"] {
            let text = format!("data: a\n\n{cut}");
            let (frames, clean) = split(Framing::Events, &[text.as_bytes()]);
            assert_eq!((frames, clean), (owned(&[("", "a")]), false), "{cut:?}");
        }
    }

    #[test]
    fn lines_are_frames_and_blank_ones_are_not() {
        let text = b"{\"a\":1}\r\n\n  \n{\"b\":\"\\r\"}";
        let right = owned(&[("", "{\"a\":1}"), ("", "{\"b\":\"\\r\"}")]);
        for at in 0..=text.len() {
            let (before, after) = text.split_at(at);
            assert_eq!(split(Framing::Lines, &[before, after]), (right.clone(), true), "at {at}");
        }
    }

    #[test]
    fn a_frame_has_a_bound() {
        let mut splitter = Splitter::new(Framing::Events, 100);
        let line = b"data: 0123456789\n".as_slice();
        let taken = (0..20).take_while(|_| splitter.push(line, &mut |_| {}).is_ok()).count();
        assert!((5..12).contains(&taken), "{taken}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn no_bytes_break_it_and_no_split_matters(
            bytes in proptest::collection::vec(
                prop_oneof![
                    proptest::sample::select(b"\r\n:d ata{}\"event".to_vec()),
                    any::<u8>(),
                ],
                0..200,
            ),
            cuts in proptest::collection::vec(0_usize..200, 0..6),
            lines in any::<bool>(),
        ) {
            let framing = if lines { Framing::Lines } else { Framing::Events };
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts.into_iter().chain([bytes.len()]) {
                pieces.push(&bytes[from..cut]);
                from = cut;
            }
            prop_assert_eq!(split(framing, &pieces), split(framing, &[&bytes]));
        }
    }
}
