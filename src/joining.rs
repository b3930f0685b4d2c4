//! Rules for joining a call in flight. A request joins a call that its caller can still get an answer from:
//! not one that is overdue, not one whose first caller has given up, and not the attempt that it retries.

use std::time::{Duration, Instant};

/// Maximum age of a call that a retry joins. SDKs pause at least 375 ms before a retry (`openai` 2.x:
/// 0.5 s less a quarter), so that a younger call is never the attempt that is retried.
const RETRY_JOINS: Duration = Duration::from_millis(300);

/// Minimum age at which a call counts as overdue by the usual time. A shorter one would double calls to a fast
/// provider for every pause of it.
const LEAST: Duration = Duration::from_secs(1);

/// Minimum age at which a call is given up because its first request has left. A fast provider's usual time is
/// less than the delay of a busy machine.
const LEAST_LEFT: Duration = Duration::from_millis(100);

/// A request that looks for a call to join, and the rules for the call that it starts if there is none.
#[derive(Debug, Clone, Copy)]
pub struct Joining {
    /// The current time.
    pub now: Instant,
    /// The time-out of the request's client, if it sends one.
    pub timeout: Option<Duration>,
    /// The time within which such calls usually have a response, if it is known.
    pub usual: Option<Duration>,
    /// Whether the request is a retry, by its `x-stainless-retry-count`.
    pub is_retry: bool,
}

/// The rules by which others join a call in flight.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    began: Instant,
    until: Option<Instant>,
    usual: Duration,
}

impl Joining {
    /// The terms of the call that the request starts.
    pub fn terms(&self) -> Terms {
        let overdue = self.usual.map(|usual| usual.max(LEAST));
        let patience = self.timeout.into_iter().chain(overdue).min();
        let until = patience.and_then(|patience| self.now.checked_add(patience));
        let usual = self.usual.map_or(Duration::ZERO, |usual| usual.max(LEAST_LEFT));
        Terms { began: self.now, until, usual }
    }

    /// Whether the request is a retry, and the call may be the attempt that it retries.
    pub fn may_retry(&self, terms: &Terms) -> bool {
        self.is_retry && self.age(terms) > RETRY_JOINS
    }

    /// Whether a call without a response is no longer worth to wait for: it is overdue, or the request that
    /// began it has left after the usual time. One that left before says nothing of the call.
    pub fn is_given_up(&self, terms: &Terms, has_left: bool) -> bool {
        let is_overdue = terms.until.is_some_and(|until| self.now >= until);
        is_overdue || has_left && self.age(terms) >= terms.usual
    }

    fn age(&self, terms: &Terms) -> Duration {
        self.now.saturating_duration_since(terms.began)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    fn joining(now: Instant) -> Joining {
        Joining { now, timeout: None, usual: None, is_retry: false }
    }

    #[test]
    fn a_call_is_overdue_after_the_time_out_of_its_first_request_or_the_usual_time() {
        let start = Instant::now();
        let given_up_after = |first: Joining, after: Duration| {
            joining(start + after).is_given_up(&first.terms(), false)
        };
        let hasty = Joining { timeout: Some(500 * MILLI), ..joining(start) };
        assert!(!given_up_after(hasty, 499 * MILLI) && given_up_after(hasty, 500 * MILLI));
        let slow = Joining { usual: Some(3_000 * MILLI), ..joining(start) };
        assert!(!given_up_after(slow, 2_999 * MILLI) && given_up_after(slow, 3_000 * MILLI));
        let fast = Joining { usual: Some(MILLI), ..joining(start) };
        assert!(!given_up_after(fast, 999 * MILLI) && given_up_after(fast, LEAST));
        assert!(!given_up_after(joining(start), 900_000 * MILLI));
    }

    #[test]
    fn a_request_that_leaves_within_the_usual_time_says_nothing_of_its_call() {
        let start = Instant::now();
        let left_after = |usual, after| {
            let terms = Joining { usual, ..joining(start) }.terms();
            joining(start + after).is_given_up(&terms, true)
        };
        assert!(left_after(None, MILLI));
        assert!(!left_after(Some(MILLI), 99 * MILLI));
        assert!(left_after(Some(MILLI), LEAST_LEFT));
        assert!(!left_after(Some(200 * MILLI), 199 * MILLI));
        assert!(left_after(Some(200 * MILLI), 200 * MILLI));
    }

    #[test]
    fn a_retry_joins_a_call_that_began_after_the_attempt_before_it_ended() {
        let start = Instant::now();
        let terms = joining(start).terms();
        let retry = |after| Joining { is_retry: true, ..joining(start + after) };
        assert!(!retry(300 * MILLI).may_retry(&terms));
        assert!(retry(301 * MILLI).may_retry(&terms));
        assert!(!joining(start + RETRY_JOINS * 2).may_retry(&terms));
    }
}
