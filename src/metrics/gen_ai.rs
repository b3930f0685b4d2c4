//! `OpenTelemetry`'s names for what is asked of models, spelled as Prometheus has them, for boards and
//! alerts that are written against those. Of the conventions' status "development"; larder's own names
//! are the contract, and these are only there where they are asked for.
//!
//! Source: open-telemetry/semantic-conventions-genai, `docs/gen-ai/gen-ai-metrics.md`.

use std::time::Duration;

use prometheus::{Histogram, HistogramOpts, HistogramVec, Registry, Result};

use super::labels::Operation;

const SECONDS: &[f64] =
    &[0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
const TOKENS: &[f64] = &[
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1_024.0,
    4_096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];

/// The families.
#[derive(Debug, Clone)]
pub(super) struct GenAiFamilies {
    duration: HistogramVec,
    tokens: HistogramVec,
}

impl GenAiFamilies {
    pub(super) fn declare(registry: &Registry) -> Result<Self> {
        let duration = HistogramOpts::new(
            "gen_ai_client_operation_duration_seconds",
            "Seconds from the start of an embedding or chat call to the end of its response, and for chat to its head. OpenTelemetry's name for larder_upstream_request_duration_seconds.",
        );
        let tokens = HistogramOpts::new(
            "gen_ai_client_token_usage",
            "Tokens of one provider call, as the provider counted them. OpenTelemetry's name for larder_tokens_total.",
        );
        let of = ["gen_ai_operation_name", "gen_ai_provider_name"];
        Ok(Self {
            duration: declare!(
                registry,
                HistogramVec,
                duration.buckets(SECONDS.to_vec()),
                &[of[0], of[1], "error_type"]
            ),
            tokens: declare!(
                registry,
                HistogramVec,
                tokens.buckets(TOKENS.to_vec()),
                &[of[0], of[1], "gen_ai_request_model", "gen_ai_token_type"]
            ),
        })
    }

    /// The handles of the calls to a provider.
    pub(super) fn calls(&self, upstream: &str) -> GenAiCalls {
        GenAiCalls { duration: self.duration.clone(), provider: provider(upstream).to_owned() }
    }

    /// The handles of what one operation of one model reads and writes.
    pub(super) fn tokens(&self, of: Operation, upstream: &str, model: &str) -> Option<GenAiTokens> {
        let of = [operation(of)?, provider(upstream), model];
        let tokens = |kind| self.tokens.with_label_values(&[of[0], of[1], of[2], kind]);
        Some(GenAiTokens { input: tokens("input"), output: tokens("output") })
    }
}

/// The handles of the calls to one provider.
#[derive(Debug, Clone)]
pub(super) struct GenAiCalls {
    duration: HistogramVec,
    provider: String,
}

impl GenAiCalls {
    /// Counts a call, and whose fault its failure was; empty for none.
    pub(super) fn called(&self, of: Operation, error_type: &str, took: Duration) {
        if let Some(operation) = operation(of) {
            let labels = [operation, self.provider.as_str(), error_type];
            self.duration.with_label_values(&labels).observe(took.as_secs_f64());
        }
    }
}

/// The handles of the tokens of one model.
#[derive(Debug, Clone)]
pub(super) struct GenAiTokens {
    input: Histogram,
    output: Histogram,
}

impl GenAiTokens {
    /// Counts the tokens of a call. A call without any of a kind says nothing of that kind.
    #[expect(clippy::cast_precision_loss, reason = "a histogram of tokens")]
    pub(super) fn used(&self, input: u64, output: u64) {
        for (histogram, tokens) in [(&self.input, input), (&self.output, output)] {
            if tokens > 0 {
                histogram.observe(tokens as f64);
            }
        }
    }
}

/// The name of a configured provider in the conventions; its own where it has no other.
pub fn provider(name: &str) -> &str {
    match name {
        "azure" => "azure.ai.openai",
        "gemini" => "gcp.gemini",
        "mistral" => "mistral_ai",
        own => own,
    }
}

/// What the conventions call an operation; `None` for what is no model's.
fn operation(operation: Operation) -> Option<&'static str> {
    match operation {
        Operation::Embed => Some("embeddings"),
        Operation::Chat => Some("chat"),
        Operation::Read | Operation::Relay => None,
    }
}
