//! How far a job is.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Of so many inputs it is told why they failed.
const TOLD: usize = 10;

/// How much of a provider's words is kept, in characters.
const LONGEST: usize = 300;

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum State {
    /// It asks.
    #[default]
    Running,
    /// The provider has no time, and is asked again after some.
    Waiting,
    /// Every input was asked for.
    Done,
    /// It has given up.
    Failed,
    /// The server ended before it did.
    Stopped,
}

impl State {
    /// Its name for who asks.
    pub fn label(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }

    /// Whether it goes on.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Running | Self::Waiting)
    }
}

/// What has come of a job so far, in inputs.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Where it stands.
    pub state: State,
    /// That were in the cache.
    pub hits: usize,
    /// That were asked for, or that somebody else was asking for.
    pub embedded: usize,
    /// That nothing came of.
    pub failed: usize,
    /// Why, in the provider's words: the first of them.
    pub errors: Vec<String>,
}

/// A job's counts, as they change.
#[derive(Debug, Default)]
pub(super) struct Progress(Mutex<Counts>);

impl Progress {
    /// What they are now.
    pub(super) fn counts(&self) -> Counts {
        self.lock().clone()
    }

    pub(super) fn came(&self, (hits, embedded): (usize, usize)) {
        let mut counts = self.lock();
        counts.hits += hits;
        counts.embedded += embedded;
        if counts.state.is_open() {
            counts.state = State::Running;
        }
    }

    pub(super) fn failed(&self, inputs: usize, why: &str) {
        let mut counts = self.lock();
        counts.failed += inputs;
        if counts.errors.len() < TOLD {
            counts.errors.push(clipped(why));
        }
    }

    /// Notes where it stands. What has ended has ended.
    pub(super) fn is(&self, state: State) {
        let mut counts = self.lock();
        if counts.state.is_open() {
            counts.state = state;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As much of a text as is kept.
pub(super) fn clipped(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}
