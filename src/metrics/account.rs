//! The handles of one model of one provider.

use prometheus::{Counter, CounterVec, IntCounter, IntCounterVec, Opts, Registry, Result};

use super::Metrics;
use super::gen_ai::GenAiTokens;
use super::labels::Operation;

/// The series by model.
#[derive(Debug, Clone)]
pub(super) struct AccountFamilies {
    pub(super) inputs: IntCounterVec,
    tokens: IntCounterVec,
    tokens_saved: IntCounterVec,
    seconds_saved: CounterVec,
    dollars: CounterVec,
    dollars_saved: CounterVec,
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
                    "Tokens that providers reported for the calls made, as they bill them."
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
                    "US dollars that the tokens of larder_tokens_total cost, estimated from the price table. Models without a price have no series."
                ),
                &["upstream", "model"]
            ),
            dollars_saved: declare!(
                registry,
                CounterVec,
                Opts::new(
                    "larder_cost_saved_dollars_total",
                    "US dollars that the tokens of larder_tokens_saved_total would have cost, estimated from the price table."
                ),
                &["upstream", "model"]
            ),
        })
    }
}

/// The handles of one operation of one model of one provider.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each is the series of its name; the help text is above")]
pub struct AccountMetrics {
    pub inputs_hit: IntCounter,
    pub inputs_collapsed: IntCounter,
    pub inputs_miss: IntCounter,
    pub tokens_in: IntCounter,
    pub tokens_out: IntCounter,
    pub tokens_saved_by_hit: IntCounter,
    pub tokens_saved_by_collapsing: IntCounter,
    pub seconds_saved_by_hit: Counter,
    pub seconds_saved_by_collapsing: Counter,
    gen_ai: Option<GenAiTokens>,
}

impl AccountMetrics {
    /// Counts the tokens of a call that was made.
    pub fn used(&self, input: u64, output: u64) {
        self.tokens_in.inc_by(input);
        self.tokens_out.inc_by(output);
        if let Some(gen_ai) = &self.gen_ai {
            gen_ai.used(input, output);
        }
    }
}

/// The handles of what tokens of a model with a price cost.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each is the series of its name; the help text is above")]
pub struct CostMetrics {
    pub dollars: Counter,
    pub dollars_saved: Counter,
}

impl Metrics {
    /// The handles of one operation of one model of one provider.
    pub fn account(&self, operation: Operation, upstream: &str, model: &str) -> AccountMetrics {
        let of = [operation.label(), upstream, model];
        let inputs =
            |result| self.accounts.inputs.with_label_values(&[of[0], of[1], of[2], result]);
        let tokens = |kind| self.accounts.tokens.with_label_values(&[of[0], of[1], of[2], kind]);
        let saved = |by| self.accounts.tokens_saved.with_label_values(&[of[0], of[1], of[2], by]);
        let seconds = |by| self.accounts.seconds_saved.with_label_values(&[of[0], of[1], by]);
        AccountMetrics {
            inputs_hit: inputs("hit"),
            inputs_collapsed: inputs("collapsed"),
            inputs_miss: inputs("miss"),
            tokens_in: tokens("input"),
            tokens_out: tokens("output"),
            tokens_saved_by_hit: saved("hit"),
            tokens_saved_by_collapsing: saved("collapsed"),
            seconds_saved_by_hit: seconds("hit"),
            seconds_saved_by_collapsing: seconds("collapsed"),
            gen_ai: self.gen_ai.as_ref().and_then(|all| all.tokens(operation, upstream, model)),
        }
    }

    /// The handles of what tokens of one model of one provider cost.
    pub fn costs(&self, upstream: &str, model: &str) -> CostMetrics {
        CostMetrics {
            dollars: self.accounts.dollars.with_label_values(&[upstream, model]),
            dollars_saved: self.accounts.dollars_saved.with_label_values(&[upstream, model]),
        }
    }
}
