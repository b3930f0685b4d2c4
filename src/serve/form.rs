//! The form of stored vectors: numbers and base64 serve each other only where they are known to be the same numbers.

use std::cell::OnceCell;

use super::embed::{Found, Question};
use super::identity::subject;
use super::{Ask, Service};
use crate::batch::original::Original;
use crate::key::Digest;
use crate::vector::{Numbers, Vector};

impl Service {
    /// Leaves out the vectors that may differ from the provider's in the requested encoding.
    pub(super) fn leave_out_others(
        &self,
        ask: &Ask,
        question: &Question<'_>,
        found: &mut [Option<Found>],
    ) {
        let request = &question.request;
        let subject_once = OnceCell::new();
        let subject = || *subject_once.get_or_init(|| subject(ask, request));
        let fits = |found: &Found| self.batcher.fits(&found.vector, request.encoding, subject);
        for found in found {
            *found = found.take().filter(|found| fits(found));
        }
    }

    /// Whether a vector may be given to a request that is being answered.
    pub(super) fn fits(&self, vector: &Vector, original: &Original) -> bool {
        self.batcher.fits(vector, original.encoding, || original.subject)
    }

    /// Vectors that came as base64 are printed as others of their subject were.
    pub(super) fn print_as_seen(&self, subject: &Digest, vectors: &mut [Vector]) {
        for vector in vectors.iter_mut().filter(|vector| vector.numbers() == Numbers::Unseen) {
            let seen = self.batcher.printing(subject, vector.dimensions());
            if seen != Numbers::Unseen {
                *vector = vector.printed(seen);
            }
        }
    }
}
