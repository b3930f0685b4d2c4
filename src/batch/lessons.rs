//! The lessons of calls about a provider's models: the form of their vectors, whether calls can be merged, and the
//! size of calls that a credential may make.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::caps::Caps;
use super::form::Form;
use super::merging::Merging;
use super::pause::Pause;
use crate::key::{Digest, KeyHasher};

/// Subjects that are remembered at most: a model's name is chosen by the client.
const MAX_SUBJECTS: usize = 4_096;

/// The first pause after a call that got a response to none of its parts, and the longest: the provider is down.
const SEEKING: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// Knowledge of the vectors of one model with one set of parameters, or of the calls of one credential.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lesson {
    /// The form of the vectors.
    pub(super) form: Form,
    /// The merging of calls.
    pub(super) merging: Merging,
    /// The size of calls.
    pub(super) caps: Caps,
    /// The time in which calls that get no response are not sent again in parts.
    pub(super) seeking: Pause,
}

impl Default for Lesson {
    fn default() -> Self {
        let seeking = Pause::between(SEEKING.0, SEEKING.1);
        Self { form: Form::default(), merging: Merging::default(), caps: Caps::default(), seeking }
    }
}

/// The lessons by subject.
#[derive(Debug, Default)]
pub(super) struct Lessons {
    by_subject: Mutex<HashMap<Digest, Lesson, KeyHasher>>,
}

impl Lessons {
    pub(super) fn of(&self, subject: &Digest) -> Lesson {
        self.lock().get(subject).copied().unwrap_or_default()
    }

    /// Changes a lesson.
    pub(super) fn change<T>(&self, subject: Digest, change: impl FnOnce(&mut Lesson) -> T) -> T {
        let mut lessons = self.lock();
        if lessons.len() >= MAX_SUBJECTS && !lessons.contains_key(&subject) {
            // Lessons only save calls; learning again is cheap, a list of victims is not.
            lessons.clear();
        }
        change(lessons.entry(subject).or_default())
    }

    /// Changes the form of a subject's vectors; also whether its base64 is refuted since.
    pub(super) fn change_form<T>(
        &self,
        subject: Digest,
        change: impl FnOnce(&mut Form) -> T,
    ) -> (T, bool) {
        self.change(subject, |Lesson { form, .. }| {
            let was_refuted = form.is_refuted();
            let result = change(form);
            (result, form.is_refuted() && !was_refuted)
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, Lesson, KeyHasher>> {
        self.by_subject.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_subjects_is_bounded() {
        let lessons = Lessons::default();
        for n in 0..2 * MAX_SUBJECTS {
            lessons.change(Digest::of(&n.to_le_bytes()), |_| ());
        }
        assert!(lessons.lock().len() <= MAX_SUBJECTS);
    }
}
