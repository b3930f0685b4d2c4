//! The form of a model's vectors: how the provider prints their numbers, how long they are, and whether its base64
//! is of the same numbers.
//!
//! Base64 is an assumption until a vector came both ways. A provider may pack 64-bit floats, and print the right
//! numbers.

mod learn;

pub(super) use learn::stored_as;

use crate::request::Encoding;
use crate::vector::{Numbers, Vector};

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
    /// Whether the last call for base64 got numbers.
    is_ignored: bool,
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

    /// Notes whether a call for base64 got numbers: the provider has no base64 that could differ.
    fn ignores(&mut self, is_ignored: bool) {
        self.is_ignored = is_ignored;
    }

    /// Whether numbers and base64 of a vector can be made of each other, as far as is known.
    pub(super) fn is_one(&self) -> bool {
        self.belief == Belief::Proven || (self.is_ignored && self.belief == Belief::Unproven)
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

    /// Whether a vector that came in the other form may be given to a client that wants this encoding.
    fn fits(&self, vector: &Vector, encoding: Encoding) -> bool {
        match encoding {
            Encoding::Base64 => self.is_one(),
            Encoding::Float => self.printing(vector.dimensions()).is_some(),
            Encoding::Kept => true,
        }
    }
}

/// Whether a vector came in another form than the one that a client wants, and was not known to be one in both.
fn is_of_other_form(vector: &Vector, encoding: Encoding) -> bool {
    match (encoding, vector.numbers()) {
        (Encoding::Kept, _) | (_, Numbers::Verbatim) => false,
        (Encoding::Base64, numbers) => numbers != Numbers::Unseen && !vector.has_both_forms(),
        (Encoding::Float, numbers) => numbers == Numbers::Unseen,
    }
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
