//! One account: what was asked for with one operation of one model of one provider.

use std::ops::Add;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::config::Price;
use crate::metrics::{AccountMetrics, CostMetrics, IntCounter, Operation, Outcome};

/// Tokens as a provider counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tokens {
    /// That a model reads.
    pub input: u64,
    /// That it writes.
    pub output: u64,
}

/// How many inputs came how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Inputs {
    /// From the cache.
    pub hit: u64,
    /// With another's call, or twice in a request.
    pub collapsed: u64,
    /// By asking.
    pub miss: u64,
}

/// What was spared, by the cache and by sharing calls.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Spared<T> {
    /// By the cache.
    pub hit: T,
    /// By sharing calls.
    pub collapsed: T,
}

impl<T: Add<Output = T>> Spared<T> {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { hit: self.hit + other.hit, collapsed: self.collapsed + other.collapsed }
    }
}

/// What an answer is to be credited with, and where.
#[derive(Debug, Clone)]
pub struct Credit {
    /// The account.
    pub account: Arc<Account>,
    /// The tokens of what was spared.
    pub tokens: Spared<Tokens>,
    /// The part of them that is an estimate: a call's count was divided by size.
    pub estimated: u64,
}

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
    price: Option<(Price, CostMetrics)>,
    requests: [AtomicU64; Outcome::ALL.len()],
    calls: AtomicU64,
    /// Requests that only joined others.
    joined: AtomicU64,
    batched: AtomicU64,
    /// Tokens saved that are estimates.
    estimated: AtomicU64,
    /// What the provider's calls take of late, in microseconds.
    usual: AtomicU64,
    /// What callers did not wait, in microseconds.
    hit_time: AtomicU64,
    collapsed_time: AtomicU64,
}

impl Account {
    pub(super) fn new(
        (provider, model, operation): (&str, &str, Operation),
        metrics: AccountMetrics,
        price: Option<(Price, CostMetrics)>,
    ) -> Self {
        Self {
            provider: provider.into(),
            model: model.into(),
            operation,
            metrics,
            price,
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

    /// Counts a call that was answered well, and what it is billed as.
    pub fn called(&self, tokens: Tokens, took: Duration) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.metrics.used(tokens.input, tokens.output);
        if let Some((price, costs)) = &self.price {
            costs.dollars.inc_by(price.of(tokens));
        }
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        // Of two at once one may be lost; it is a mean.
        let usual = self.usual.load(Ordering::Relaxed);
        let mean = if usual == 0 { took } else { usual - usual / 8 + took / 8 };
        self.usual.store(mean, Ordering::Relaxed);
    }

    /// Counts requests that travelled in another's call.
    pub fn batched(&self, requests: u64) {
        self.batched.fetch_add(requests, Ordering::Relaxed);
    }

    /// Counts an answer.
    pub fn answered(
        &self,
        outcome: Outcome,
        inputs: Inputs,
        (spared, took): (Spared<Tokens>, Duration),
    ) {
        if let Some(requests) = self.requests.get(outcome as usize) {
            requests.fetch_add(1, Ordering::Relaxed);
        }
        if inputs.collapsed > 0 && inputs.miss == 0 {
            self.joined.fetch_add(1, Ordering::Relaxed);
        }
        add(&self.metrics.inputs_hit, inputs.hit);
        add(&self.metrics.inputs_collapsed, inputs.collapsed);
        add(&self.metrics.inputs_miss, inputs.miss);
        self.spare(spared);
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

    /// Counts what need not be paid for.
    pub fn spare(&self, Spared { hit, collapsed }: Spared<Tokens>) {
        add(&self.metrics.tokens_saved_by_hit, hit.sum());
        add(&self.metrics.tokens_saved_by_collapsing, collapsed.sum());
        if let Some((price, costs)) = &self.price {
            costs.dollars_saved.inc_by(price.of(hit) + price.of(collapsed));
        }
    }

    /// Counts tokens saved that are parts of a call's count, which was divided by size.
    pub fn estimate(&self, tokens: u64) {
        if tokens > 0 {
            self.estimated.fetch_add(tokens, Ordering::Relaxed);
        }
    }

    /// Tokens saved that are estimates.
    pub fn tokens_estimated(&self) -> u64 {
        self.estimated.load(Ordering::Relaxed)
    }

    /// How many requests were answered.
    pub fn answers(&self) -> u64 {
        Outcome::ALL.map(|outcome| self.requests(outcome)).iter().sum()
    }

    fn requests(&self, outcome: Outcome) -> u64 {
        self.requests.get(outcome as usize).map_or(0, |requests| requests.load(Ordering::Relaxed))
    }

    /// How many calls were answered well.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// How many requests needed no call of their own, since all was there, or was being asked for.
    pub fn calls_spared(&self) -> Spared<u64> {
        let collapsed = self.joined.load(Ordering::Relaxed);
        Spared { hit: self.requests(Outcome::Hit), collapsed }
    }

    /// How many requests travelled in another's call.
    pub fn calls_spared_by_batching(&self) -> u64 {
        self.batched.load(Ordering::Relaxed)
    }

    /// How many inputs came how.
    pub fn inputs(&self) -> Inputs {
        let AccountMetrics { inputs_hit, inputs_collapsed, inputs_miss, .. } = &self.metrics;
        Inputs { hit: inputs_hit.get(), collapsed: inputs_collapsed.get(), miss: inputs_miss.get() }
    }

    /// What was billed.
    pub fn billed(&self) -> Tokens {
        let AccountMetrics { tokens_in, tokens_out, .. } = &self.metrics;
        Tokens { input: tokens_in.get(), output: tokens_out.get() }
    }

    /// How many tokens were spared.
    pub fn tokens_spared(&self) -> Spared<u64> {
        Spared {
            hit: self.metrics.tokens_saved_by_hit.get(),
            collapsed: self.metrics.tokens_saved_by_collapsing.get(),
        }
    }

    /// How much time was, in seconds.
    pub fn seconds_spared(&self) -> Spared<f64> {
        let seconds =
            |time: &AtomicU64| Duration::from_micros(time.load(Ordering::Relaxed)).as_secs_f64();
        Spared { hit: seconds(&self.hit_time), collapsed: seconds(&self.collapsed_time) }
    }

    /// The dollars that were billed, and those that were spared; `None` for a model without a price.
    pub fn dollars(&self) -> Option<(f64, f64)> {
        let (_, costs) = self.price.as_ref()?;
        Some((costs.dollars.get(), costs.dollars_saved.get()))
    }
}

impl Tokens {
    /// So many times as many.
    #[must_use]
    pub fn times(self, factor: u64) -> Self {
        Self {
            input: self.input.saturating_mul(factor),
            output: self.output.saturating_mul(factor),
        }
    }

    fn sum(self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

impl Price {
    /// What so many tokens cost, in dollars.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub fn of(&self, tokens: Tokens) -> f64 {
        (tokens.input as f64 * self.input + tokens.output as f64 * self.output) / 1e6
    }
}

/// Most are nothing, and a counter is shared by all threads.
fn add(counter: &IntCounter, count: u64) {
    if count > 0 {
        counter.inc_by(count);
    }
}
