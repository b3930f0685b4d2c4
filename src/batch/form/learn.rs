//! The lessons that responses teach about the form of vectors.

use std::sync::Arc;

use super::super::Batcher;
use super::super::original::{Arrival, Original};
use super::{Belief, Form, is_of_other_form};
use crate::dialect::{EmbedReply, Item};
use crate::key::{CacheKey, Digest};
use crate::request::Encoding;
use crate::vector::{Numbers, Vector};

/// Maximum difference of two components, relative to the largest one, of two vectors of one text that are the same
/// vector. Providers are not deterministic to the last bit; base64 that is scaled or misread is further apart.
const SAME: f64 = 1e-3;

impl Batcher {
    /// Whether a vector is what the provider would give to a client that wants this encoding, as far as is known.
    pub fn fits(
        &self,
        vector: &Vector,
        encoding: Encoding,
        subject: impl FnOnce() -> Digest,
    ) -> bool {
        !is_of_other_form(vector, encoding)
            || self.lessons.of(&subject()).form.fits(vector, encoding)
    }

    /// Whether requests that want numbers and requests that want base64 may share a call.
    pub fn mixes_forms(&self, subject: &Digest) -> bool {
        self.lessons.of(subject).form.is_one()
    }

    /// The way in which vectors of a subject are printed that came as base64 and have this length.
    pub fn printing(&self, subject: &Digest, length: usize) -> Numbers {
        self.lessons.of(subject).form.printing(length).unwrap_or(Numbers::Unseen)
    }

    /// Whether vectors that larder asked for as base64 disagree with what is known of the numbers.
    pub(in crate::batch) fn disagrees(&self, original: &Original, reply: &EmbedReply) -> bool {
        let form = self.lessons.of(&original.subject).form;
        let mut base64 = reply.items.iter().filter(|item| item.numbers.is_none());
        base64.any(|item| form.numbers.known.is_some_and(|known| known != item.dimensions()))
    }

    /// Notes that base64 is not of the numbers.
    pub(in crate::batch) fn refute(&self, original: &Original) {
        self.learn_form(original, Form::refute);
    }

    /// Learns from the vectors of a response to a call for an encoding; whether they are as long as they were before.
    pub(in crate::batch) fn learn(
        &self,
        original: &Original,
        reply: &EmbedReply,
        requested: Encoding,
    ) -> bool {
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
            if requested == Encoding::Base64 {
                form.ignores(first.numbers.is_some());
            }
            form.agrees(first.dimensions(), first.numbers.is_none())
        })
    }

    /// Compares a vector with the one that is stored under its key, where one of them came as base64.
    pub(in crate::batch) fn compare(&self, key: &CacheKey, arrival: &Arrival, original: &Original) {
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
pub(in crate::batch) fn stored_as(item: &Item, form: &Form, requested: Encoding) -> Numbers {
    let printing = form.printing(item.dimensions());
    let proven = printing.filter(|_| form.belief == Belief::Proven);
    let unseen = match requested {
        Encoding::Float => printing.unwrap_or(Numbers::Shortest),
        Encoding::Base64 | Encoding::Kept => Numbers::Unseen,
    };
    item.numbers.or(proven).unwrap_or(unseen)
}
