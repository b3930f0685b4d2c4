//! The handles of one model of one provider.

use prometheus::{Counter, CounterVec, IntCounter, IntCounterVec, Opts, Registry, Result};

use super::Metrics;
use super::gen_ai::GenAiTokens;
use super::labels::Operation;
use super::lazy::{LazyCounter, LazyIntCounter};
use crate::usage::{Kind, Tokens};

/// The series by model.
#[derive(Debug, Clone)]
pub(super) struct AccountFamilies {
    pub(super) inputs: IntCounterVec,
    tokens: IntCounterVec,
    tokens_saved: IntCounterVec,
    seconds_saved: CounterVec,
    dollars: CounterVec,
    dollars_saved: CounterVec,
    prompt_cache: CounterVec,
    unpriced: IntCounterVec,
}

impl AccountFamilies {
    #[expect(clippy::too_many_lines, reason = "one declaration after another: a list")]
    pub(super) fn declare(registry: &Registry) -> Result<Self> {
        Ok(Self {
            inputs: declare!(
                registry,
                IntCounterVec,
                Opts::new(
                    "larder_inputs_total",
                    "Inputs of successful requests, by result as in x-larder-items. Result hit divided by all results is the hit rate of a model."
                ),
                &["operation", "upstream", "model", "result"]
            ),
            tokens: declare!(
                registry,
                IntCounterVec,
                Opts::new(
                    "larder_tokens_total",
                    "Tokens that providers reported for the calls made, as they bill them, by kind. The kinds are disjoint: input is neither cached nor audio, output neither thinking nor audio."
                ),
                &["operation", "upstream", "model", "type"]
            ),
            tokens_saved: declare!(
                registry,
                IntCounterVec,
                Opts::new(
                    "larder_tokens_saved_total",
                    "Tokens of responses that needed no call, as the provider counted them originally: hit = from the cache, collapsed = coalesced with another input in flight or in the same request."
                ),
                &["operation", "upstream", "model", "by"]
            ),
            seconds_saved: declare!(
                registry,
                CounterVec,
                Opts::new(
                    "larder_time_saved_seconds_total",
                    "Seconds of waiting saved, estimated as the provider's recent mean call time minus the actual time: hit = responses from the cache, collapsed = coalesced requests."
                ),
                &["operation", "upstream", "by"]
            ),
            dollars: declare!(
                registry,
                CounterVec,
                Opts::new(
                    "larder_cost_dollars_total",
                    "US dollars that the calls made cost: their usage at the prices of [prices], or the provider's own figure. Models without a price have no series."
                ),
                &["upstream", "model"]
            ),
            dollars_saved: declare!(
                registry,
                CounterVec,
                Opts::new(
                    "larder_cost_saved_dollars_total",
                    "US dollars that the tokens of larder_tokens_saved_total would have cost, by the cache (hit) and by sharing calls (collapsed)."
                ),
                &["upstream", "model", "by"]
            ),
            prompt_cache: declare!(
                registry,
                CounterVec,
                Opts::new(
                    "larder_prompt_cache_dollars_total",
                    "US dollars that the provider's own prompt cache took off the calls made (saved), and that writes to it added (spent). Both are part of larder_cost_dollars_total."
                ),
                &["upstream", "model", "result"]
            ),
            unpriced: declare!(
                registry,
                IntCounterVec,
                Opts::new(
                    "larder_unpriced_calls_total",
                    "Successful calls that are not in larder_cost_dollars_total: price = the price list lacks the model, the service tier or another part, usage = the response has no usage."
                ),
                &["upstream", "model", "reason"]
            ),
        })
    }
}

/// The handles of one operation of one model of one provider.
#[derive(Debug)]
#[expect(missing_docs, reason = "each is the series of its name; the help text is above")]
pub struct AccountMetrics {
    pub inputs_hit: IntCounter,
    pub inputs_collapsed: IntCounter,
    pub inputs_miss: IntCounter,
    pub tokens_saved_by_hit: IntCounter,
    pub tokens_saved_by_collapsing: IntCounter,
    pub seconds_saved_by_hit: Counter,
    pub seconds_saved_by_collapsing: Counter,
    pub dollars: LazyCounter,
    pub dollars_saved_by_hit: LazyCounter,
    pub dollars_saved_by_collapsing: LazyCounter,
    pub cache_saved: LazyCounter,
    pub cache_spent: LazyCounter,
    pub without_price: LazyIntCounter,
    pub without_usage: LazyIntCounter,
    tokens: [LazyIntCounter; Kind::ALL.len()],
    gen_ai: Option<GenAiTokens>,
}

impl AccountMetrics {
    /// Counts the tokens of a call that was made.
    pub fn used(&self, tokens: &Tokens) {
        for (counter, (_, number)) in self.tokens.iter().zip(tokens.each()) {
            counter.inc_by(number);
        }
        if let Some(gen_ai) = &self.gen_ai {
            gen_ai.used(tokens.input(), tokens.output());
        }
    }

    /// The tokens of one kind that were counted.
    pub fn tokens(&self, kind: Kind) -> u64 {
        self.tokens.get(kind as usize).map_or(0, LazyIntCounter::get)
    }
}

impl Metrics {
    /// The handles of one operation of one model of one provider.
    pub fn account(&self, operation: Operation, upstream: &str, model: &str) -> AccountMetrics {
        let of = [operation.label(), upstream, model];
        let all = &self.accounts;
        let inputs = |result| all.inputs.with_label_values(&[of[0], of[1], of[2], result]);
        let saved = |by| all.tokens_saved.with_label_values(&[of[0], of[1], of[2], by]);
        let seconds = |by| all.seconds_saved.with_label_values(&[of[0], of[1], by]);
        let dollars_saved = |by| LazyCounter::new(&all.dollars_saved, &[of[1], of[2], by]);
        let prompt_cache = |result| LazyCounter::new(&all.prompt_cache, &[of[1], of[2], result]);
        let unpriced = |reason| LazyIntCounter::new(&all.unpriced, &[of[1], of[2], reason]);
        let tokens = Kind::ALL
            .map(|kind| LazyIntCounter::new(&all.tokens, &[of[0], of[1], of[2], kind.label()]));
        // Every model has these two, so that a rate of them begins at 0.
        for kind in [Kind::Input, Kind::Output] {
            tokens.get(kind as usize).into_iter().for_each(|counter| {
                counter.show();
            });
        }
        AccountMetrics {
            inputs_hit: inputs("hit"),
            inputs_collapsed: inputs("collapsed"),
            inputs_miss: inputs("miss"),
            tokens_saved_by_hit: saved("hit"),
            tokens_saved_by_collapsing: saved("collapsed"),
            seconds_saved_by_hit: seconds("hit"),
            seconds_saved_by_collapsing: seconds("collapsed"),
            dollars: LazyCounter::new(&all.dollars, &[of[1], of[2]]),
            dollars_saved_by_hit: dollars_saved("hit"),
            dollars_saved_by_collapsing: dollars_saved("collapsed"),
            cache_saved: prompt_cache("saved"),
            cache_spent: prompt_cache("spent"),
            without_price: unpriced("price"),
            without_usage: unpriced("usage"),
            tokens,
            gen_ai: self.gen_ai.as_ref().and_then(|all| all.tokens(operation, upstream, model)),
        }
    }
}
