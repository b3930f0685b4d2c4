//! The last requests and the last failures, and failures by kind since the start.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use http::{Response, header::HeaderName};

use super::event::Event;
use super::feed::Feed;
use crate::clock::unix_seconds;
use crate::metrics::Operation;

/// Failures that are held one by one.
const MOST: usize = 50;

/// Kinds of failures that are counted. Providers are the configuration's, codes a closed list.
const MOST_KINDS: usize = 200;

static CODE: HeaderName = HeaderName::from_static("x-larder-error");

/// The last requests and failures.
#[derive(Debug, Default)]
pub struct Recent {
    /// The last requests, and their readers.
    pub(in crate::gate) feed: Arc<Feed>,
    /// The last responses that were failures, newest first.
    errors: Mutex<VecDeque<Mishap>>,
    /// Every failed response by kind.
    failed: Mutex<BTreeMap<FailureKind, Failures>>,
}

/// A response that was a failure.
#[derive(Debug, Clone)]
pub struct Mishap {
    /// When, in seconds since 1970.
    pub time: f64,
    /// Whose answer it was to be.
    pub provider: String,
    /// What was asked for.
    pub operation: Operation,
    /// The status.
    pub status: u16,
    /// What larder calls it, where it is its own.
    pub code: Option<String>,
    /// How often it came, one after the other.
    pub count: u64,
}

/// One kind of failure.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FailureKind {
    pub(super) provider: String,
    pub(super) status: u16,
    /// The code of an error that larder made.
    pub(super) code: Option<&'static str>,
}

/// The failures of a kind.
#[derive(Debug, Clone)]
pub(super) struct Failures {
    pub(super) count: u64,
    /// When the last one was, in seconds since 1970.
    pub(super) last: f64,
    /// The message of the last one, where larder made it.
    pub(super) reason: Option<String>,
}

impl Recent {
    /// Notes a failure, if a response is one that an operator has to look at.
    pub fn note<B>(&self, (provider, operation): (&str, Operation), response: &Response<B>) {
        let status = response.status();
        if !status.is_server_error() && status.as_u16() != 429 {
            return;
        }
        let code = response.headers().get(&CODE).and_then(|code| code.to_str().ok());
        let mishap = Mishap {
            time: unix_seconds(),
            provider: provider.to_owned(),
            operation,
            status: status.as_u16(),
            code: code.map(str::to_owned),
            count: 1,
        };
        let mut recent = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = recent.front_mut().filter(|last| last.is_like(&mishap)) {
            (last.time, last.count) = (mishap.time, last.count + 1);
            return;
        }
        recent.truncate(MOST - 1);
        recent.push_front(mishap);
    }

    /// Counts a failed response of any kind, with the reason where larder made it.
    pub(in crate::gate) fn count(&self, event: &Event, provider: &str, reason: Option<&str>) {
        if event.status < 400 {
            return;
        }
        let provider = provider.to_owned();
        let kind = FailureKind { provider, status: event.status, code: event.error };
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.len() >= MOST_KINDS && !failed.contains_key(&kind) {
            return;
        }
        let none = Failures { count: 0, last: 0.0, reason: None };
        let failures = failed.entry(kind).or_insert(none);
        failures.count += 1;
        failures.last = unix_seconds();
        failures.reason = reason.map(str::to_owned);
    }

    /// The last failures, newest first.
    pub fn all(&self) -> Vec<Mishap> {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// All failures by kind, the most frequent first.
    pub(super) fn failed(&self) -> Vec<(FailureKind, Failures)> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut failed: Vec<_> = failed.into_iter().collect();
        failed.sort_by_key(|(_, failures)| std::cmp::Reverse(failures.count));
        failed
    }
}

impl Mishap {
    fn is_like(&self, other: &Self) -> bool {
        let kind = |mishap: &Self| (mishap.operation, mishap.status);
        kind(self) == kind(other) && self.provider == other.provider && self.code == other.code
    }
}
