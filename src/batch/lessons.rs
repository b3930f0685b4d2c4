//! What calls have taught about a provider's models: how it prints numbers and how long its vectors
//! are, whoever asks; how many inputs it takes, which may be another number for another credential.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::key::{Digest, KeyHasher};
use crate::vector::Numbers;

/// Model names are the client's to choose, so there must be a bound on how many are remembered.
const MAX_SUBJECTS: usize = 4_096;

/// What is known about the vectors of one model with one set of parameters, or of what one credential
/// may ask of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Lesson {
    /// How the provider prints them, once it has been seen to.
    pub(super) numbers: Option<Numbers>,
    /// How many inputs it takes, where it has once said no to more.
    pub(super) max_inputs: Option<usize>,
    /// How long they are.
    pub(super) dimensions: Option<usize>,
}

/// The lessons by subject.
#[derive(Debug, Default)]
pub(super) struct Lessons(Mutex<HashMap<Digest, Lesson, KeyHasher>>);

impl Lessons {
    pub(super) fn of(&self, subject: &Digest) -> Lesson {
        self.lock().get(subject).copied().unwrap_or_default()
    }

    /// Notes how the provider prints its numbers. What is neither of the usual forms stays so.
    pub(super) fn learn_numbers(&self, subject: Digest, numbers: Numbers) {
        self.change(subject, |lesson| {
            if lesson.numbers != Some(Numbers::Doubles) {
                lesson.numbers = Some(numbers);
            }
        });
    }

    /// Notes that a call with so many inputs is too large, and what the provider says it takes.
    pub(super) fn learn_cap(&self, subject: Digest, refused: usize, said: Option<usize>) -> usize {
        let cap = said.unwrap_or(refused / 2).max(1);
        self.change(subject, |lesson| {
            lesson.max_inputs = Some(lesson.max_inputs.map_or(cap, |known| known.min(cap)));
        });
        cap
    }

    /// Whether vectors are as long as the last ones were; if not, the next ones shall be as these.
    pub(super) fn expects(&self, subject: Digest, dimensions: usize) -> bool {
        let mut as_before = true;
        self.change(subject, |lesson| {
            as_before = lesson.dimensions.replace(dimensions).is_none_or(|last| last == dimensions);
        });
        as_before
    }

    fn change(&self, subject: Digest, change: impl FnOnce(&mut Lesson)) {
        let mut lessons = self.lock();
        if lessons.len() >= MAX_SUBJECTS && !lessons.contains_key(&subject) {
            // Lessons only save calls; learning anew is cheap, keeping a list of victims is not.
            lessons.clear();
        }
        change(lessons.entry(subject).or_default());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, Lesson, KeyHasher>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cap_only_ever_falls_and_never_to_nothing() {
        let lessons = Lessons::default();
        let subject = Digest::of(b"m");
        assert_eq!(lessons.learn_cap(subject, 100, Some(16)), 16);
        assert_eq!(lessons.learn_cap(subject, 100, Some(64)), 64);
        assert_eq!(lessons.of(&subject).max_inputs, Some(16));
        assert_eq!(lessons.learn_cap(subject, 16, None), 8);
        assert_eq!(lessons.learn_cap(subject, 1, None), 1);
    }

    #[test]
    fn a_change_of_dimensions_is_noticed_once() {
        let lessons = Lessons::default();
        let subject = Digest::of(b"m");
        assert!(lessons.expects(subject, 8));
        assert!(lessons.expects(subject, 8));
        assert!(!lessons.expects(subject, 16));
        assert!(lessons.expects(subject, 16));
    }

    #[test]
    fn the_list_of_subjects_is_bounded() {
        let lessons = Lessons::default();
        for n in 0..2 * MAX_SUBJECTS {
            lessons.expects(Digest::of(&n.to_le_bytes()), 1);
        }
        assert!(lessons.lock().len() <= MAX_SUBJECTS);
    }
}
