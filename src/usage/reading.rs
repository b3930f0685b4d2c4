//! Reads the usage of one response while its bytes pass.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde_json::Value;

use super::Usage;
use super::members::{Count, Counts, whole_number};
use super::places::{Member, member};
use super::scan::Scanner;

/// The longest name of a model that is read.
const LONGEST_NAME: usize = 256;

/// Parts of the names of the members that have counts. A line of a stream without any of them has no count.
static HINTS: LazyLock<[Finder<'static>; 3]> =
    LazyLock::new(|| ["usage", "eval_count", "billed_units"].map(Finder::new));

/// The bytes of a stream in which its model is looked for. Cohere's streams never name it.
const WITH_MODEL: usize = 4 << 10;

/// The form of a response's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// One JSON text.
    Whole,
    /// JSON texts in lines, or the lines of `text/event-stream`.
    Lines,
}

impl Layout {
    /// The form that a media type has.
    pub fn of(media_type: &str) -> Self {
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        let lines = [
            "text/event-stream",
            "application/x-ndjson",
            "application/jsonl",
            "application/stream+json",
        ];
        let is_lines = lines.iter().any(|lines| essence.eq_ignore_ascii_case(lines));
        if is_lines { Self::Lines } else { Self::Whole }
    }
}

/// The usage of a response, and the model that it names.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reported {
    /// The usage; `None` if the response has none.
    pub usage: Option<Usage>,
    /// The model as the provider names it, often with a date; empty if it does not.
    pub model: String,
}

/// Reads the usage of a response.
#[derive(Debug)]
pub struct UsageReader {
    layout: Layout,
    /// Whether the last piece ended within a line.
    is_within: bool,
    scanner: Scanner,
    counts: Counts,
    model: String,
    /// Bytes of a stream that were scanned for the model.
    searched: usize,
}

impl UsageReader {
    /// Expects a response in this form.
    pub fn new(layout: Layout) -> Self {
        Self {
            layout,
            is_within: false,
            scanner: Scanner::new(),
            counts: Counts::default(),
            model: String::new(),
            searched: 0,
        }
    }

    /// Reads the next piece of the body.
    pub fn take(&mut self, piece: &[u8]) {
        if self.layout == Layout::Whole {
            return self.scan(piece);
        }
        // Most pieces are whole lines without counts.
        let ends_line = piece.ends_with(b"\n");
        let seeks_model = self.model.is_empty() && self.searched < WITH_MODEL;
        if self.is_within || !ends_line || seeks_model || may_count(piece) {
            self.searched = self.searched.saturating_add(piece.len());
            for line in piece.split_inclusive(|byte| *byte == b'\n') {
                self.scan(line);
                if line.ends_with(b"\n") {
                    self.scanner.reset();
                }
            }
        }
        self.is_within = !ends_line;
    }

    fn scan(&mut self, piece: &[u8]) {
        let Self { scanner, counts, model, .. } = self;
        scanner.take(piece, &mut |member, text| note(counts, model, member, text));
    }

    /// Reads a member of a response that was parsed elsewhere: its name, and the JSON text of its value.
    pub fn member(&mut self, name: &str, text: &str) {
        if let Some(member) = member(name) {
            note(&mut self.counts, &mut self.model, member, text.as_bytes());
        }
    }

    /// The usage as far as it was reported.
    pub fn reported(&self) -> Reported {
        Reported { usage: self.counts.usage(), model: self.model.clone() }
    }
}

impl Reported {
    /// The usage of a complete JSON body.
    pub fn of(body: &[u8]) -> Self {
        let mut reader = UsageReader::new(Layout::Whole);
        reader.take(body);
        reader.reported()
    }

    /// A response that reported input tokens and no model.
    pub fn of_input(tokens: u64) -> Self {
        Self { usage: Some(Usage::of_input(tokens)), model: String::new() }
    }
}

fn may_count(piece: &[u8]) -> bool {
    HINTS.iter().any(|hint| hint.find(piece).is_some())
}

fn note(counts: &mut Counts, model: &mut String, member: Member, text: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(text) else { return };
    match member {
        Member::Usage => counts.take(&value),
        Member::PromptEval => counts.set(Count::Prompt, whole_number(&value)),
        Member::Eval => counts.set(Count::Completion, whole_number(&value)),
        Member::Tier => value.as_str().into_iter().for_each(|word| counts.tier(word)),
        Member::Model => {
            if let Some(name) = value.as_str().filter(|name| name.len() <= LONGEST_NAME) {
                name.clone_into(model);
            }
        }
    }
}
