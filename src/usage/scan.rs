//! Finds the members that say what a response used in JSON that comes in pieces, without holding or parsing the rest.
//!
//! It follows the structure, so that no text of a model is taken for a count. It looks into the response
//! itself, into items of a list of responses (Gemini's streams), and into the wrappers of events. Everything
//! else is skipped: inside a string by looking for its end, elsewhere by counting brackets.

use memchr::memchr2;

use super::places::{Member, Next, Place, is_object, next};

/// The longest value that is captured; a longer one is skipped.
const LONGEST_VALUE: usize = 16 << 10;

/// The longest key that may be of interest.
const LONGEST_KEY: usize = 24;

/// Takes a member and the JSON text of its value.
pub(super) type Sink<'s> = dyn FnMut(Member, &[u8]) + 's;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    /// Not in a string.
    None,
    /// In a string; the flag is set after a backslash.
    Inside { escaped: bool },
}

#[derive(Debug)]
struct Level {
    place: Place,
    /// Whether the next string is a key.
    before_key: bool,
    next: Next,
}

/// The state of a scan.
#[derive(Debug)]
pub(super) struct Scanner {
    levels: Vec<Level>,
    text: Text,
    /// Open brackets of a value that is skipped or captured.
    depth: usize,
    key: Vec<u8>,
    in_key: bool,
    captured: Vec<u8>,
    capturing: Option<Member>,
}

impl Scanner {
    pub(super) fn new() -> Self {
        Self {
            levels: Vec::new(),
            text: Text::None,
            depth: 0,
            key: Vec::new(),
            in_key: false,
            captured: Vec::new(),
            capturing: None,
        }
    }

    /// Forgets an unfinished value: the next byte begins another one.
    pub(super) fn reset(&mut self) {
        self.levels.clear();
        (self.text, self.depth, self.in_key, self.capturing) = (Text::None, 0, false, None);
    }

    /// Scans the next piece.
    pub(super) fn take(&mut self, piece: &[u8], sink: &mut Sink<'_>) {
        let mut rest = piece;
        while let Some((&byte, after)) = rest.split_first() {
            rest = match self.text {
                Text::Inside { escaped } => self.inside(escaped, rest, sink),
                Text::None => {
                    self.outside(byte, sink);
                    after
                }
            };
        }
    }

    /// Goes on in a string, and returns what follows the part that was read.
    fn inside<'p>(&mut self, escaped: bool, rest: &'p [u8], sink: &mut Sink<'_>) -> &'p [u8] {
        if escaped {
            self.text = Text::Inside { escaped: false };
            return self.pass(rest, 1);
        }
        let Some(at) = memchr2(b'"', b'\\', rest) else {
            return self.pass(rest, rest.len());
        };
        if rest.get(at) == Some(&b'\\') {
            self.text = Text::Inside { escaped: true };
            return self.pass(rest, at + 1);
        }
        self.text = Text::None;
        if !self.in_key {
            let after = self.pass(rest, at + 1);
            self.value_may_end(sink);
            return after;
        }
        let after = self.pass(rest, at);
        self.in_key = false;
        if let Some(level) = self.levels.last_mut() {
            level.before_key = false;
            level.next = next(level.place, &self.key);
        }
        after.get(1..).unwrap_or_default()
    }

    /// Notes the first bytes of the rest where they are wanted.
    fn pass<'p>(&mut self, rest: &'p [u8], count: usize) -> &'p [u8] {
        let (passed, after) = rest.split_at_checked(count).unwrap_or((rest, &[]));
        if self.in_key {
            let room = LONGEST_KEY.saturating_sub(self.key.len());
            self.key.extend(passed.iter().take(room + 1));
        } else if self.capturing.is_some() {
            self.capture(passed);
        }
        after
    }

    fn capture(&mut self, bytes: &[u8]) {
        if self.captured.len() + bytes.len() > LONGEST_VALUE {
            self.capturing = None;
        } else {
            self.captured.extend(bytes);
        }
    }

    fn outside(&mut self, byte: u8, sink: &mut Sink<'_>) {
        if self.depth > 0 {
            return self.below(byte, sink);
        }
        match byte {
            b'"' => self.begin_string(),
            b'{' | b'[' => self.open(byte),
            b'}' | b']' => {
                self.end_scalar(sink);
                self.levels.pop();
                self.after_value();
            }
            b',' => {
                self.end_scalar(sink);
                if let Some(level) = self.levels.last_mut() {
                    level.before_key = is_object(level.place);
                }
            }
            b':' | b' ' | b'\t' | b'\r' | b'\n' => {}
            _ => self.scalar(byte),
        }
    }

    /// Inside a value that is skipped or captured.
    fn below(&mut self, byte: u8, sink: &mut Sink<'_>) {
        if self.capturing.is_some() {
            self.capture(&[byte]);
        }
        match byte {
            b'"' => self.text = Text::Inside { escaped: false },
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth -= 1;
                self.value_may_end(sink);
            }
            _ => {}
        }
    }

    fn begin_string(&mut self) {
        self.text = Text::Inside { escaped: false };
        let Some(level) = self.levels.last() else { return };
        if level.before_key {
            self.in_key = true;
            self.key.clear();
        } else if let Next::Capture(member) = level.next {
            self.begin_capture(member, b'"');
        }
    }

    fn begin_capture(&mut self, member: Member, byte: u8) {
        self.capturing = Some(member);
        self.captured.clear();
        self.captured.push(byte);
    }

    fn open(&mut self, byte: u8) {
        let next = match self.levels.last() {
            None if byte == b'[' => Next::Enter(Place::List),
            None => Next::Enter(Place::Response),
            Some(level) => level.next,
        };
        match next {
            Next::Enter(place) if is_object(place) == (byte == b'{') => {
                let next = match place {
                    Place::List => Next::Enter(Place::Response),
                    Place::Choices => Next::Enter(Place::Choice),
                    _ => Next::Skip,
                };
                self.levels.push(Level { place, before_key: is_object(place), next });
            }
            Next::Capture(member) => {
                self.depth = 1;
                self.begin_capture(member, byte);
            }
            Next::Skip | Next::Enter(_) => self.depth = 1,
        }
    }

    fn scalar(&mut self, byte: u8) {
        if self.capturing.is_some() {
            self.capture(&[byte]);
        } else if let Some(Level { next: Next::Capture(member), before_key: false, .. }) =
            self.levels.last()
        {
            self.begin_capture(*member, byte);
        }
    }

    /// A number or a word has no end of its own.
    fn end_scalar(&mut self, sink: &mut Sink<'_>) {
        self.value_may_end(sink);
    }

    /// Gives a captured value to the sink, if it is complete.
    fn value_may_end(&mut self, sink: &mut Sink<'_>) {
        if self.depth > 0 {
            return;
        }
        if let Some(member) = self.capturing.take() {
            sink(member, &self.captured);
        }
        self.after_value();
    }

    /// A member has one value; a list has many.
    fn after_value(&mut self) {
        if let Some(level) = self.levels.last_mut().filter(|level| is_object(level.place)) {
            level.next = Next::Skip;
        }
    }
}
