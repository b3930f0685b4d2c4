//! Whether a provider is called. Calls that got no answer at all, in a row, open it: from then on who
//! asks is told so at once, instead of waiting for nothing. After a pause one call is let through to
//! see; what it brings decides. A provider that answers, with whatever status, is there.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Permit;
use crate::clock::unix_seconds;
use crate::metrics::IntGauge;

/// How long nobody is let through: at first, and at the most. Each trial in vain doubles it.
const PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));

const CLOSED: i64 = 0;
const HALF_OPEN: i64 = 1;
const OPEN: i64 = 2;

/// The breaker of one provider.
#[derive(Debug)]
pub(super) struct Breaker {
    name: String,
    /// So many failures in a row open it; 0 is never.
    most: u32,
    state: Mutex<State>,
    /// The last failure, and the time since which it is open.
    trouble: Mutex<Trouble>,
    gauge: IntGauge,
}

/// The reason why a provider is not called.
#[derive(Debug, Clone, Default)]
pub struct Trouble {
    /// The time since which it is not, in seconds since 1970.
    pub since: f64,
    /// The message of the last call that got no response.
    pub reason: String,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed { failures: u32 },
    Open { until: Instant, pause: Duration },
    Tried { pause: Duration },
}

/// A call that was let through. Dropped without an outcome, it says nothing about the provider.
#[derive(Debug)]
pub(super) struct Admission {
    breaker: Arc<Breaker>,
    trial: bool,
    /// Whether a failure of the call was counted: its repetitions are no calls of their own.
    is_counted: AtomicBool,
}

impl Breaker {
    pub(super) fn new(name: &str, most: u32, gauge: IntGauge) -> Arc<Self> {
        gauge.set(CLOSED);
        let state = Mutex::new(State::Closed { failures: 0 });
        let trouble = Mutex::default();
        Arc::new(Self { name: name.to_owned(), most, state, trouble, gauge })
    }

    /// Whether a call would be let through, or how long it will be until one is.
    pub(super) fn check(&self, now: Instant) -> Result<(), Duration> {
        match *self.lock() {
            State::Open { until, .. } if until > now => Err(until - now),
            State::Tried { pause } => Err(pause),
            State::Closed { .. } | State::Open { .. } => Ok(()),
        }
    }

    /// The reason why it is open; none while it is closed.
    pub(super) fn trouble(&self) -> Option<Trouble> {
        let is_closed = matches!(*self.lock(), State::Closed { .. });
        (!is_closed).then(|| self.last().clone())
    }

    fn last(&self) -> MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a call through, or says how long it will be until one is.
    pub(super) fn admit(self: &Arc<Self>, now: Instant) -> Result<Admission, Duration> {
        let mut state = self.lock();
        let trial = match *state {
            State::Closed { .. } => false,
            State::Open { until, pause } if until <= now => {
                self.set(&mut state, State::Tried { pause });
                true
            }
            State::Open { until, .. } => return Err(until - now),
            State::Tried { pause } => return Err(pause),
        };
        Ok(Admission { breaker: Arc::clone(self), trial, is_counted: AtomicBool::new(false) })
    }

    fn set(&self, state: &mut State, next: State) {
        let was_closed = matches!(state, State::Closed { .. });
        *state = next;
        self.gauge.set(match next {
            State::Closed { .. } => CLOSED,
            State::Tried { .. } => HALF_OPEN,
            State::Open { .. } => OPEN,
        });
        match next {
            State::Open { .. } if was_closed => {
                let calls = self.most;
                let mut trouble = self.last();
                trouble.since = unix_seconds();
                tracing::warn!(
                    upstream = self.name,
                    "circuit breaker opened: no response to the last {calls} calls: {}",
                    trouble.reason
                );
            }
            State::Closed { .. } if !was_closed => {
                tracing::info!(
                    upstream = self.name,
                    "circuit breaker closed: the provider responds"
                );
            }
            _ => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Admission {
    /// The provider answered.
    pub(super) fn answered(&self) {
        let mut state = self.breaker.lock();
        if !matches!(*state, State::Closed { failures: 0 }) {
            self.breaker.set(&mut state, State::Closed { failures: 0 });
        }
    }

    /// The same for a call whose failure was counted before. A trial decides all the same.
    pub(super) fn for_repetition(mut self) -> Self {
        *self.is_counted.get_mut() = !self.trial;
        self
    }

    /// The provider did not respond. A call fails once, however often it is repeated.
    pub(super) fn failed(&self, now: Instant, reason: &str) {
        reason.clone_into(&mut self.breaker.last().reason);
        if self.is_counted.swap(true, Ordering::Relaxed) {
            return;
        }
        let most = self.breaker.most;
        let mut state = self.breaker.lock();
        let next = match *state {
            State::Closed { failures } if most == 0 || failures + 1 < most => {
                State::Closed { failures: failures.saturating_add(1) }
            }
            State::Closed { .. } => State::Open { until: now + PAUSE.0, pause: PAUSE.0 },
            // The outcome of a call from before says nothing new.
            State::Open { .. } | State::Tried { .. } if !self.trial => return,
            State::Open { pause, .. } | State::Tried { pause } => {
                let pause = (pause * 2).min(PAUSE.1);
                State::Open { until: now + pause, pause }
            }
        };
        self.breaker.set(&mut state, next);
    }
}

impl Permit {
    /// The same for inputs whose call got no response a moment ago. The breaker counts calls, and that one was
    /// counted.
    #[must_use]
    pub fn for_repetition(self) -> Self {
        Self { admission: self.admission.for_repetition(), ..self }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        if !self.trial {
            return;
        }
        let mut state = self.breaker.lock();
        // Whoever tried has left; the next may.
        if let State::Tried { pause } = *state {
            self.breaker.set(&mut state, State::Open { until: Instant::now(), pause });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    fn breaker(most: u32) -> Arc<Breaker> {
        let metrics = Metrics::new().expect("fresh").upstream("test");
        Breaker::new("test", most, metrics.breaker)
    }

    fn fail(breaker: &Arc<Breaker>, times: u32, now: Instant) {
        for _ in 0..times {
            breaker.admit(now).expect("let through").failed(now, "no route");
        }
    }

    #[test]
    fn failures_in_a_row_open_it_and_an_answer_between_them_does_not() {
        let (breaker, now) = (breaker(3), Instant::now());
        fail(&breaker, 2, now);
        breaker.admit(now).expect("let through").answered();
        fail(&breaker, 3, now);
        assert_eq!(breaker.admit(now).expect_err("kept out"), PAUSE.0);
    }

    #[test]
    fn one_call_at_a_time_tries_and_decides() {
        let (breaker, now) = (breaker(1), Instant::now());
        let old = breaker.admit(now).expect("let through");
        fail(&breaker, 1, now);
        let later = now + PAUSE.0;
        let trial = breaker.admit(later).expect("let through");
        assert!(breaker.admit(later).is_err());
        old.failed(later, "late");
        trial.failed(later, "late");
        drop(trial);
        assert_eq!(breaker.admit(later).expect_err("kept out"), PAUSE.0 * 2);
        let trial = breaker.admit(later + PAUSE.0 * 2).expect("let through");
        trial.answered();
        drop(trial);
        assert!(breaker.admit(later).is_ok());
    }

    #[test]
    fn a_trial_that_leaves_makes_room_for_the_next() {
        let (breaker, now) = (breaker(1), Instant::now());
        fail(&breaker, 1, now);
        let later = Instant::now() + PAUSE.0;
        drop(breaker.admit(later).expect("let through"));
        assert!(breaker.admit(Instant::now()).is_ok());
    }

    #[test]
    fn without_a_number_it_never_opens() {
        let (breaker, now) = (breaker(0), Instant::now());
        fail(&breaker, 1_000, now);
        assert!(breaker.admit(now).is_ok());
    }
}
