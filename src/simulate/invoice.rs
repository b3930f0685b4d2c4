//! The invoice: the usage of each model, and its price. It knows nothing of larder's price list: the prices of
//! some models stand here, as their providers had them in November 2026.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::bill::{Bill, Tier};
use super::prompt_cache::Prompt;

/// The lines of the invoice by model.
#[derive(Debug, Default)]
pub(super) struct Invoice(Mutex<BTreeMap<String, Line>>);

/// The most models; the calls of further ones are not on the invoice.
const MAX_MODELS: usize = 1_000;

/// One model of the invoice.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Line {
    calls: u64,
    input: u64,
    cache_read: u64,
    cache_write: u64,
    cache_write_1h: u64,
    output: u64,
    thinking: u64,
    /// `null` for a model without a price.
    dollars: Option<f64>,
}

/// Dollars for a million tokens: input, cache read, cache write, cache write for an hour, output.
type Rates = [f64; 5];

struct Price {
    model: &'static str,
    plain: Rates,
    flex: Rates,
    priority: Rates,
    /// For prompts of more than so many tokens.
    long: Option<(u64, Rates)>,
}

const fn flat(model: &'static str, plain: Rates) -> Price {
    Price { model, plain, flex: plain, priority: plain, long: None }
}

const PRICES: &[Price] = &[
    Price {
        model: "gpt-5.6-terra",
        plain: [2.0, 0.2, 2.5, 0.0, 12.0],
        flex: [1.0, 0.1, 1.25, 0.0, 6.0],
        priority: [4.0, 0.4, 5.0, 0.0, 24.0],
        long: Some((272_000, [4.0, 0.4, 5.0, 0.0, 18.0])),
    },
    Price {
        priority: [0.25, 0.125, 0.25, 0.0, 1.0],
        ..flat("gpt-4o-mini", [0.15, 0.075, 0.15, 0.0, 0.6])
    },
    flat("claude-sonnet-4-5-20250929", [3.0, 0.3, 3.75, 6.0, 15.0]),
    flat("gemini-2.5-flash", [0.3, 0.03, 0.3, 0.0, 2.5]),
    flat("deepseek-chat", [0.28, 0.028, 0.28, 0.0, 0.42]),
    flat("command-a-03-2025", [2.5, 2.5, 2.5, 0.0, 10.0]),
    flat("text-embedding-3-small", [0.02, 0.0, 0.0, 0.0, 0.0]),
    flat("embed-v4.0", [0.12, 0.0, 0.0, 0.0, 0.0]),
];

impl Invoice {
    /// Bills a call.
    pub(super) fn add(&self, model: &str, bill: &Bill) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() >= MAX_MODELS && !lines.contains_key(model) {
            return;
        }
        let Prompt { fresh, read, written, written_1h } = bill.prompt;
        let line = lines.entry(model.to_owned()).or_default();
        line.calls += 1;
        line.input += fresh;
        line.cache_read += read;
        line.cache_write += written;
        line.cache_write_1h += written_1h;
        line.output += bill.output;
        line.thinking += bill.thinking;
        if let Some(dollars) = dollars(model, bill) {
            *line.dollars.get_or_insert(0.0) += dollars;
        }
    }

    /// The invoice so far.
    pub(super) fn lines(&self) -> BTreeMap<String, Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Starts a new invoice.
    pub(super) fn reset(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[expect(clippy::cast_precision_loss, reason = "a call has less than 2^52 tokens")]
fn dollars(model: &str, bill: &Bill) -> Option<f64> {
    let price = PRICES.iter().find(|price| price.model == model)?;
    let long = price.long.filter(|(above, _)| bill.prompt.sum() > *above);
    let rates = match (bill.tier, long) {
        (Some(Tier::Flex), _) => price.flex,
        (Some(Tier::Priority), _) => price.priority,
        (_, Some((_, rates))) => rates,
        _ => price.plain,
    };
    let Prompt { fresh, read, written, written_1h } = bill.prompt;
    let tokens = [fresh, read, written, written_1h, bill.completion()];
    Some(tokens.iter().zip(rates).map(|(tokens, rate)| *tokens as f64 * rate / 1e6).sum())
}
