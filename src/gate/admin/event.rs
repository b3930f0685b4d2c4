//! One answered request as the admin API and the log report it: no body, no query, no credential.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::ledger::Account;
use crate::metrics::{Layer, Operation, Outcome};
use crate::serve::reply::{Items, Verdict};

/// One answered request, without content.
#[derive(Debug, Clone)]
pub(in crate::gate) struct Event {
    /// When its head was received.
    pub(super) received: Instant,
    /// From then to the head of the response.
    pub(super) took: Duration,
    pub(super) subject: Subject,
    pub(super) operation: Operation,
    pub(super) status: u16,
    /// The code of an error that larder made.
    pub(super) error: Option<&'static str>,
    pub(super) cache: CacheResult,
}

/// The provider and the model of a request.
#[derive(Debug, Clone)]
pub(in crate::gate) enum Subject {
    /// Those of an account.
    Account(Arc<Account>),
    /// Those of a request without an account. The model is empty where it is unknown.
    Named {
        /// The provider.
        provider: Box<str>,
        /// The model.
        model: Box<str>,
    },
}

/// The cache outcome of a request.
#[derive(Debug, Clone, Copy)]
pub(in crate::gate) struct CacheResult {
    pub(super) outcome: Outcome,
    pub(super) layer: Layer,
    /// Why the cache was not used.
    pub(super) bypass: Option<&'static str>,
    /// Inputs by outcome, for requests that have several.
    pub(super) items: Option<Items>,
}

impl CacheResult {
    /// The result that a verdict tells.
    pub(in crate::gate) fn of(verdict: &Verdict) -> Self {
        Self {
            outcome: verdict.outcome(),
            layer: verdict.layer,
            bypass: verdict.bypass,
            items: verdict.items.filter(|_| !verdict.undivided),
        }
    }
}

impl Event {
    /// A hit for embeddings.
    pub(in crate::gate) fn hit(
        verdict: Verdict,
        received: Instant,
        took: Duration,
    ) -> Option<Self> {
        let cache = CacheResult::of(&verdict);
        let account = verdict.credit?.account;
        let operation = account.operation;
        let subject = Subject::Account(account);
        Some(Self { received, took, subject, operation, status: 200, error: None, cache })
    }

    /// Any other response.
    pub(in crate::gate) fn of(
        subject: Subject,
        operation: Operation,
        (status, error): (u16, Option<&'static str>),
        (cache, received): (CacheResult, Instant),
    ) -> Self {
        let took = received.elapsed();
        Self { received, took, subject, operation, status, error, cache }
    }

    /// The provider and the model.
    pub(in crate::gate) fn names(&self) -> (&str, &str) {
        self.subject.names()
    }

    /// The status of the response.
    pub(in crate::gate) fn status(&self) -> u16 {
        self.status
    }

    /// The name of the operation.
    pub(in crate::gate) fn operation_label(&self) -> &'static str {
        self.operation.label()
    }

    /// The inputs by outcome.
    pub(in crate::gate) fn items(&self) -> Option<Items> {
        self.cache.items
    }

    /// From the receipt of the request's head to the head of the response.
    pub(in crate::gate) fn took(&self) -> Duration {
        self.took
    }

    /// The event as JSON; `now` is the present, in seconds since 1970.
    pub(super) fn json(&self, now: f64) -> Value {
        let (provider, model) = self.names();
        let CacheResult { outcome, layer, bypass, items } = self.cache;
        let tier = (outcome == Outcome::Hit).then(|| layer.label());
        let items = items.map(|Items { hit, collapsed, miss }| {
            json!({ "hit": hit, "collapsed": collapsed, "miss": miss })
        });
        json!({
            "time": now - self.received.elapsed().as_secs_f64(),
            "provider": provider,
            "model": Some(model).filter(|model| !model.is_empty()),
            "operation": self.operation.label(),
            "status": self.status,
            "cache": outcome.label(),
            "tier": tier,
            "bypass": bypass,
            "items": items,
            "error": self.error,
            "milliseconds": milliseconds(self.took),
        })
    }
}

impl Subject {
    fn names(&self) -> (&str, &str) {
        match self {
            Self::Account(account) => (&account.provider, &account.model),
            Self::Named { provider, model } => (provider, model),
        }
    }
}

/// Milliseconds with three digits after the point.
pub(in crate::gate) fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}
