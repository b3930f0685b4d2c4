//! The form of a model's vectors: how the provider prints their numbers, how long they are, and whether its base64
//! is of the same numbers.
//!
//! Base64 is an assumption until a vector came both ways. A provider may pack 64-bit floats, and print the right
//! numbers.

use std::sync::Arc;

use super::Batcher;
use super::original::{Arrival, Original};
use crate::dialect::{EmbedReply, Item};
use crate::key::{CacheKey, Digest};
use crate::request::Encoding;
use crate::vector::{Numbers, Vector};

/// Maximum difference of two components, relative to the largest one, of two vectors of one text that are the same
/// vector. Providers are not deterministic to the last bit; base64 that is scaled or misread is further apart.
const SAME: f64 = 1e-3;

/// The form of one model's vectors.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Form {
    /// The way of printing, from a vector that shows it.
    printed: Option<Numbers>,
    /// The length of vectors that came as numbers, and of those that came as base64.
    numbers: Length,
    base64: Length,
    belief: Belief,
    /// Whether calls for base64 were refused that succeeded otherwise.
    is_declined: bool,
}

/// Whether base64 is of 32-bit floats that are the numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Belief {
    #[default]
    Unproven,
    /// A vector came both ways, and was the same.
    Proven,
    /// A vector was another one, or of another length.
    Refuted,
}

/// A length that one disagreeing response does not change.
#[derive(Debug, Clone, Copy, Default)]
struct Length {
    known: Option<usize>,
    /// The length of the last response, where it was another one.
    other: Option<usize>,
}

impl Length {
    /// Notes a length; whether it is the known one, which it becomes when it comes twice in a row.
    fn agrees(&mut self, length: usize) -> bool {
        let is_new = self.known.is_some_and(|known| known != length);
        if is_new && self.other != Some(length) {
            self.other = Some(length);
            return false;
        }
        *self = Self { known: Some(length), other: None };
        true
    }
}

impl Form {
    /// Notes a way of printing. Numbers that are no 32-bit floats stay so.
    pub(super) fn prints(&mut self, numbers: Numbers) {
        if self.printed != Some(Numbers::Doubles) {
            self.printed = Some(numbers);
        }
    }

    /// Notes the length of a response's vectors; whether it is the known one.
    pub(super) fn agrees(&mut self, length: usize, is_base64: bool) -> bool {
        if is_base64 {
            let agrees = self.base64.agrees(length);
            self.compare_lengths();
            return agrees;
        }
        let before = self.numbers.known;
        let agrees = self.numbers.agrees(length);
        if before.is_some() && self.numbers.known != before {
            // Another model: nothing is known of its base64.
            (self.base64, self.belief) = (Length::default(), Belief::Unproven);
        }
        self.compare_lengths();
        agrees
    }

    fn compare_lengths(&mut self) {
        if let (Some(numbers), Some(base64)) = (self.numbers.known, self.base64.known)
            && numbers != base64
        {
            self.belief = Belief::Refuted;
        }
    }

    /// Notes whether a vector that came both ways is the same.
    pub(super) fn compared(&mut self, is_same: bool) {
        if self.belief == Belief::Unproven {
            self.belief = if is_same { Belief::Proven } else { Belief::Refuted };
        }
    }

    /// Notes that base64 is not of the numbers.
    fn refute(&mut self) {
        self.belief = Belief::Refuted;
    }

    /// Notes that a call for base64 was refused that succeeded otherwise.
    pub(super) fn decline(&mut self) {
        self.is_declined = true;
    }

    pub(super) fn is_declined(&self) -> bool {
        self.is_declined
    }

    pub(super) fn is_unproven(&self) -> bool {
        self.belief == Belief::Unproven
    }

    pub(super) fn is_refuted(&self) -> bool {
        self.belief == Belief::Refuted
    }

    /// Whether larder asks for base64 where clients want numbers.
    pub(super) fn is_base64_believed(&self) -> bool {
        let is_float = matches!(self.printed, Some(Numbers::Shortest | Numbers::Widened));
        self.belief == Belief::Proven && is_float && !self.is_declined
    }

    /// The way in which a vector of this length that came as base64 is printed, where that is known. An unproven
    /// one is requested again as numbers, which is the proof.
    fn printing(&self, length: usize) -> Option<Numbers> {
        let is_known = self.numbers.known == Some(length) && self.belief == Belief::Proven;
        self.printed.filter(|numbers| is_known && *numbers != Numbers::Doubles)
    }

    /// Whether a vector may be given to a client that wants this encoding.
    fn fits(&self, vector: &Vector, encoding: Encoding) -> bool {
        match (encoding, vector.numbers()) {
            (Encoding::Kept, _) | (_, Numbers::Verbatim) | (Encoding::Base64, Numbers::Unseen) => {
                true
            }
            (Encoding::Base64, _) => self.belief != Belief::Refuted,
            (Encoding::Float, Numbers::Unseen) => self.printing(vector.dimensions()).is_some(),
            (Encoding::Float, _) => true,
        }
    }
}

impl Batcher {
    /// Whether a vector is what the provider would give to a client that wants this encoding, as far as is known.
    pub fn fits(
        &self,
        vector: &Vector,
        encoding: Encoding,
        subject: impl FnOnce() -> Digest,
    ) -> bool {
        let is_unseen = vector.numbers() == Numbers::Unseen;
        let is_open = match encoding {
            Encoding::Float => is_unseen,
            Encoding::Base64 => !is_unseen && self.lessons.are_any_refuted(),
            Encoding::Kept => false,
        };
        !is_open || self.lessons.of(&subject()).form.fits(vector, encoding)
    }

    /// The way in which vectors of a subject are printed that came as base64 and have this length.
    pub fn printing(&self, subject: &Digest, length: usize) -> Numbers {
        self.lessons.of(subject).form.printing(length).unwrap_or(Numbers::Unseen)
    }

    /// Whether vectors that larder asked for as base64 disagree with what is known of the numbers.
    pub(super) fn disagrees(&self, original: &Original, reply: &EmbedReply) -> bool {
        let form = self.lessons.of(&original.subject).form;
        let mut base64 = reply.items.iter().filter(|item| item.numbers.is_none());
        base64.any(|item| form.numbers.known.is_some_and(|known| known != item.dimensions()))
    }

    /// Notes that base64 is not of the numbers.
    pub(super) fn refute(&self, original: &Original) {
        self.learn_form(original, Form::refute);
    }

    /// Learns from a response's vectors; whether they are as long as they were before.
    pub(super) fn learn(&self, original: &Original, reply: &EmbedReply) -> bool {
        let telling = reply.items.iter().filter(|item| item.is_telling());
        // Vectors of few digits may look like the shortest form by chance; one that cannot decides.
        let widest = telling.filter_map(|item| item.numbers).max_by_key(|numbers| match numbers {
            Numbers::Unseen | Numbers::Shortest | Numbers::Verbatim => 0,
            Numbers::Widened => 1,
            Numbers::Doubles => 2,
        });
        let Some(first) = reply.items.first() else { return true };
        self.learn_form(original, |form| {
            if let Some(numbers) = widest {
                form.prints(numbers);
            }
            form.agrees(first.dimensions(), first.numbers.is_none())
        })
    }

    /// Compares a vector with the one that is stored under its key, where one of them came as base64.
    pub(super) fn compare(&self, key: &CacheKey, arrival: &Arrival, original: &Original) {
        if !self.lessons.of(&original.subject).form.is_unproven() {
            return;
        }
        let stored = self.tiers.memory.peek(key);
        let stored = stored.and_then(|stored| Vector::view(Arc::clone(&stored.value)));
        let came_as_base64 = |vector: &Vector| vector.numbers() == Numbers::Unseen;
        let vector = &arrival.vector;
        if let Some(stored) = stored.filter(|it| came_as_base64(it) != came_as_base64(vector)) {
            let is_same = is_same(&stored, vector);
            self.learn_form(original, |form| form.compared(is_same));
        }
    }

    /// Changes what is known, and says so once where base64 turns out to be of something else.
    fn learn_form<T>(&self, original: &Original, change: impl FnOnce(&mut Form) -> T) -> T {
        let (result, is_news) = self.lessons.change_form(original.subject, change);
        if is_news {
            tracing::warn!(
                upstream = original.upstream.name,
                model = original.model,
                "base64 of this model is not of the 32-bit floats that it prints: larder requests numbers, and does not serve one form from the other"
            );
        }
        result
    }
}

/// Whether two vectors, one of which came as base64, are one vector. Numbers that the provider rounds for printing
/// are near enough, but of fewer digits: base64 does not tell how they are printed.
fn is_same(one: &Vector, other: &Vector) -> bool {
    let (numbers, base64) =
        if one.numbers() == Numbers::Unseen { (other, one) } else { (one, other) };
    let is_rounded = base64.most_digits() > numbers.most_digits() + 1;
    one.deviation(other) <= SAME && !is_rounded
}

/// The way in which a vector of a response is stored: base64 that was proven is stored as it would be printed. A
/// provider that gives base64 where numbers are requested has no others.
pub(super) fn stored_as(item: &Item, form: &Form, requested: Encoding) -> Numbers {
    let printing = form.printing(item.dimensions());
    let proven = printing.filter(|_| form.belief == Belief::Proven);
    let unseen = match requested {
        Encoding::Float => printing.unwrap_or(Numbers::Shortest),
        Encoding::Base64 | Encoding::Kept => Numbers::Unseen,
    };
    item.numbers.or(proven).unwrap_or(unseen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_disagreeing_response_does_not_change_the_known_length() {
        let mut form = Form::default();
        let lengths = [8, 8, 16, 8, 16, 16, 16].map(|length| form.agrees(length, false));
        assert_eq!(lengths, [true, true, false, true, false, true, true]);
    }

    #[test]
    fn base64_of_another_length_is_refuted_whichever_form_comes_first() {
        for is_base64_first in [false, true] {
            let mut form = Form::default();
            form.prints(Numbers::Shortest);
            form.agrees(if is_base64_first { 16 } else { 8 }, is_base64_first);
            assert!(form.is_unproven());
            form.agrees(if is_base64_first { 8 } else { 16 }, !is_base64_first);
            assert!(form.is_refuted() && !form.is_base64_believed());
            assert_eq!((form.printing(8), form.printing(16)), (None, None));
            // Another model begins anew.
            form.agrees(32, false);
            form.agrees(32, false);
            assert!(form.is_unproven());
        }
    }

    #[test]
    fn base64_is_believed_when_a_vector_came_both_ways() {
        let mut form = Form::default();
        form.prints(Numbers::Widened);
        form.agrees(8, false);
        assert!(!form.is_base64_believed());
        form.compared(true);
        assert!(form.is_base64_believed());
        assert_eq!(form.printing(8), Some(Numbers::Widened));
        form.prints(Numbers::Doubles);
        assert!(!form.is_base64_believed());
        assert_eq!(form.printing(8), None);
    }
}
