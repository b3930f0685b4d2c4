//! What an answer has said so far about its end.

use std::collections::BTreeMap;

/// The most choices that are kept count of; an answer with more is not one that is kept.
pub(super) const MOST_CHOICES: usize = 128;

/// Why an answer is not to be given to anybody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spoilt {
    /// It is not in the shape of its endpoint.
    Unreadable,
    /// It tells of an error.
    Error,
    /// It ended for another reason than being complete: a limit, a filter, a call of a tool.
    Reason,
    /// The model declined.
    Refused,
    /// It lacks its end, or the end of a choice.
    Unfinished,
}

/// An answer under watch.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    /// By their number, whether each choice that was seen is complete.
    choices: BTreeMap<u64, bool>,
    ended: bool,
    spoilt: Option<Spoilt>,
}

impl Watch {
    /// An answer with nothing in it yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is wrong with it already.
    pub fn spoilt(&self) -> Option<Spoilt> {
        self.spoilt
    }

    /// Whether an answer that ends here is complete, with so many choices.
    pub fn verdict(&self, choices: u64) -> Result<(), Spoilt> {
        let complete = self.choices.len() as u64 == choices && self.choices.values().all(|c| *c);
        match self.spoilt {
            Some(spoilt) => Err(spoilt),
            None if self.ended && complete => Ok(()),
            None => Err(Spoilt::Unfinished),
        }
    }

    /// A part of a choice came, and with it maybe the reason for its end.
    pub(super) fn choice(&mut self, number: u64, reason: Option<&str>, good: &[&str]) {
        let is_one_more = !self.choices.contains_key(&number);
        if self.ended || (is_one_more && self.choices.len() >= MOST_CHOICES) {
            return self.spoil(Spoilt::Unreadable);
        }
        let complete = self.choices.entry(number).or_default();
        match reason {
            Some(reason) if good.contains(&reason) => *complete = true,
            Some(_) => self.spoil(Spoilt::Reason),
            None => {}
        }
    }

    /// The mark of the end came.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    /// Whether the mark of the end came.
    pub(super) fn is_ended(&self) -> bool {
        self.ended
    }

    /// Whether a frame comes after the end, where only `OpenAI`'s mark may: some add it to the mark of
    /// their own.
    pub(super) fn is_after_end(&mut self, data: &[u8]) -> bool {
        if self.ended && data != b"[DONE]" {
            self.spoil(Spoilt::Unreadable);
        }
        self.ended
    }

    /// Something is wrong; what was wrong first counts.
    pub(super) fn spoil(&mut self, spoilt: Spoilt) {
        self.spoilt.get_or_insert(spoilt);
    }
}
