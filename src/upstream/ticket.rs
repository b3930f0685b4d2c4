//! How a call waits for its turn: with whom, before whom, and how long.

use std::fmt;
use std::time::Instant;

use crate::key::Digest;

/// Who is asked by people, and who works in bulk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Priority {
    /// Somebody waits for the answer.
    #[default]
    Interactive,
    /// Nobody minds when it is there.
    Bulk,
}

/// One of something for each priority.
#[derive(Debug, Default)]
pub(super) struct Each<T> {
    pub(super) interactive: T,
    pub(super) bulk: T,
}

impl<T> Each<T> {
    pub(super) fn of(&self, priority: Priority) -> &T {
        match priority {
            Priority::Interactive => &self.interactive,
            Priority::Bulk => &self.bulk,
        }
    }

    pub(super) fn of_mut(&mut self, priority: Priority) -> &mut T {
        match priority {
            Priority::Interactive => &mut self.interactive,
            Priority::Bulk => &mut self.bulk,
        }
    }
}

/// Who wants to call.
#[derive(Debug, Clone, Copy)]
pub struct Ticket {
    /// The same for everybody with the same credential.
    pub line: Digest,
    /// Before whom.
    pub priority: Priority,
    /// How long it waits; `None` is as long as it takes.
    pub until: Option<Instant>,
}

impl Ticket {
    /// Of one who waits as long as it takes.
    pub fn patient(line: Digest) -> Self {
        Self { line, priority: Priority::Interactive, until: None }
    }
}

/// Who waits for a call.
pub struct Patience<'a> {
    /// How long; `None` is as long as it takes.
    pub until: Option<Instant>,
    /// Whether anybody still does.
    pub is_wanted: &'a (dyn Fn() -> bool + Sync),
}

impl fmt::Debug for Patience<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Patience").field("until", &self.until).finish_non_exhaustive()
    }
}
