//! One account: the requests for one operation of one model of one provider, and the calls for them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::pricing::Pricing;
use super::savings::{Credit, Dollars, Inputs, Spared};
use crate::metrics::{AccountMetrics, IntCounter, Operation, Outcome};
use crate::usage::{Kind, Reported, Tokens, Usage};

/// The account.
#[derive(Debug)]
pub struct Account {
    /// The provider.
    pub provider: Box<str>,
    /// The model.
    pub model: Box<str>,
    /// The operation.
    pub operation: Operation,
    metrics: AccountMetrics,
    pricing: Pricing,
    requests: [AtomicU64; Outcome::ALL.len()],
    calls: AtomicU64,
    /// Requests that only joined others.
    joined: AtomicU64,
    batched: AtomicU64,
    /// Tokens saved that are estimates.
    estimated: AtomicU64,
    /// The recent mean of the time of the provider's calls, in microseconds.
    usual: AtomicU64,
    /// Waiting that clients were saved, in microseconds.
    hit_time: AtomicU64,
    collapsed_time: AtomicU64,
}

impl Account {
    pub(super) fn new(
        (provider, model, operation): (&str, &str, Operation),
        metrics: AccountMetrics,
        pricing: Pricing,
    ) -> Self {
        Self {
            provider: provider.into(),
            model: model.into(),
            operation,
            metrics,
            pricing,
            requests: Default::default(),
            calls: AtomicU64::default(),
            joined: AtomicU64::default(),
            batched: AtomicU64::default(),
            estimated: AtomicU64::default(),
            usual: AtomicU64::default(),
            hit_time: AtomicU64::default(),
            collapsed_time: AtomicU64::default(),
        }
    }

    /// Counts a successful call, and its cost.
    pub fn called(&self, reported: &Reported, took: Duration) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.bill(reported);
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        // Of two at once one may be lost; it is a mean.
        let usual = self.usual.load(Ordering::Relaxed);
        let mean = if usual == 0 { took } else { usual - usual / 8 + took / 8 };
        self.usual.store(mean, Ordering::Relaxed);
    }

    /// Counts the cost of a call whose response was broken off, or could not be used. It is billed all the same.
    pub fn cut(&self, reported: &Reported) {
        self.bill(reported);
    }

    fn bill(&self, Reported { usage, model }: &Reported) {
        if !matches!(self.operation, Operation::Embed | Operation::Chat) {
            return;
        }
        let Some(usage) = usage else { return self.metrics.without_usage.inc_by(1) };
        self.metrics.used(&usage.tokens);
        match self.pricing.cost(model, usage) {
            Some(cost) => {
                self.metrics.dollars.show().inc_by(cost.dollars);
                self.metrics.cache_saved.inc_by(cost.cache_saved);
                self.metrics.cache_spent.inc_by(cost.cache_spent);
            }
            None => self.metrics.without_price.inc_by(1),
        }
    }

    /// Counts requests that travelled in another's call.
    pub fn batched(&self, requests: u64) {
        self.batched.fetch_add(requests, Ordering::Relaxed);
    }

    /// Counts a response, and what it saved.
    pub fn answered(&self, outcome: Outcome, inputs: Inputs, (credit, took): (&Credit, Duration)) {
        if let Some(requests) = self.requests.get(outcome as usize) {
            requests.fetch_add(1, Ordering::Relaxed);
        }
        if inputs.collapsed > 0 && inputs.miss == 0 {
            self.joined.fetch_add(1, Ordering::Relaxed);
        }
        add(&self.metrics.inputs_hit, inputs.hit);
        add(&self.metrics.inputs_collapsed, inputs.collapsed);
        add(&self.metrics.inputs_miss, inputs.miss);
        self.credit(credit);
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let less = self.usual.load(Ordering::Relaxed).saturating_sub(took);
        let (time, seconds) = match outcome {
            Outcome::Hit | Outcome::Stale => (&self.hit_time, &self.metrics.seconds_saved_by_hit),
            Outcome::Collapsed => (&self.collapsed_time, &self.metrics.seconds_saved_by_collapsing),
            Outcome::Partial | Outcome::Miss | Outcome::Bypass => return,
        };
        time.fetch_add(less, Ordering::Relaxed);
        seconds.inc_by(Duration::from_micros(less).as_secs_f64());
    }

    fn credit(&self, credit: &Credit) {
        let Spared { hit, collapsed } = credit.tokens;
        if hit > 0 {
            self.spare_hit(&Usage::of_input(hit));
        }
        if let Some(usage) = &credit.usage {
            self.spare_hit(usage);
        }
        if collapsed > 0 {
            self.spare_collapsed(&Usage::of_input(collapsed), 1);
        }
        if credit.estimated > 0 {
            self.estimated.fetch_add(credit.estimated, Ordering::Relaxed);
        }
    }

    /// Counts the usage of a call that the cache saved.
    fn spare_hit(&self, usage: &Usage) {
        add(&self.metrics.tokens_saved_by_hit, usage.tokens.sum());
        if let Some(dollars) = self.pricing.would_cost(usage) {
            self.metrics.dollars_saved_by_hit.show().inc_by(dollars);
        }
    }

    /// Counts the usage of so many calls that sharing one saved.
    #[expect(clippy::cast_precision_loss, reason = "a number of readers")]
    pub fn spare_collapsed(&self, usage: &Usage, calls: u64) {
        if calls == 0 {
            return;
        }
        let tokens = usage.tokens.sum().saturating_mul(calls);
        add(&self.metrics.tokens_saved_by_collapsing, tokens);
        if let Some(dollars) = self.pricing.would_cost(usage) {
            self.metrics.dollars_saved_by_collapsing.show().inc_by(dollars * calls as f64);
        }
    }

    /// Tokens saved that are estimates.
    pub fn tokens_estimated(&self) -> u64 {
        self.estimated.load(Ordering::Relaxed)
    }

    /// The number of responses.
    pub fn answers(&self) -> u64 {
        Outcome::ALL.map(|outcome| self.requests(outcome)).iter().sum()
    }

    fn requests(&self, outcome: Outcome) -> u64 {
        self.requests.get(outcome as usize).map_or(0, |requests| requests.load(Ordering::Relaxed))
    }

    /// The number of successful calls.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Requests that needed no call of their own, since all inputs were cached or in flight.
    pub fn calls_spared(&self) -> Spared<u64> {
        let collapsed = self.joined.load(Ordering::Relaxed);
        Spared { hit: self.requests(Outcome::Hit), collapsed }
    }

    /// Requests that travelled in another's call.
    pub fn calls_spared_by_batching(&self) -> u64 {
        self.batched.load(Ordering::Relaxed)
    }

    /// Inputs by their way.
    pub fn inputs(&self) -> Inputs {
        let AccountMetrics { inputs_hit, inputs_collapsed, inputs_miss, .. } = &self.metrics;
        Inputs { hit: inputs_hit.get(), collapsed: inputs_collapsed.get(), miss: inputs_miss.get() }
    }

    /// Billed tokens.
    pub fn billed(&self) -> Tokens {
        let count = |tokens: Tokens, kind: Kind| tokens.with(kind, self.metrics.tokens(kind));
        Kind::ALL.into_iter().fold(Tokens::default(), count)
    }

    /// Tokens that were saved.
    pub fn tokens_spared(&self) -> Spared<u64> {
        Spared {
            hit: self.metrics.tokens_saved_by_hit.get(),
            collapsed: self.metrics.tokens_saved_by_collapsing.get(),
        }
    }

    /// Waiting that was saved, in seconds.
    pub fn seconds_spared(&self) -> Spared<f64> {
        let seconds =
            |time: &AtomicU64| Duration::from_micros(time.load(Ordering::Relaxed)).as_secs_f64();
        Spared { hit: seconds(&self.hit_time), collapsed: seconds(&self.collapsed_time) }
    }

    /// The dollars; `None` if nothing of the account has a price.
    pub fn dollars(&self) -> Option<Dollars> {
        let metrics = &self.metrics;
        let counters =
            [&metrics.dollars, &metrics.dollars_saved_by_hit, &metrics.dollars_saved_by_collapsing];
        counters.iter().any(|counter| counter.is_shown()).then(|| Dollars {
            billed: metrics.dollars.get(),
            avoided: Spared {
                hit: metrics.dollars_saved_by_hit.get(),
                collapsed: metrics.dollars_saved_by_collapsing.get(),
            },
            cache_saved: metrics.cache_saved.get(),
            cache_spent: metrics.cache_spent.get(),
        })
    }

    /// Calls whose cost is unknown: of a model without a price, and without usage in the response.
    pub fn unpriced(&self) -> (u64, u64) {
        (self.metrics.without_price.get(), self.metrics.without_usage.get())
    }
}

/// Most are nothing, and a counter is shared by all threads.
fn add(counter: &IntCounter, count: u64) {
    if count > 0 {
        counter.inc_by(count);
    }
}
