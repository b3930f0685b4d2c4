//! The figures of `/api/stats` that are shown as text.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::failures::Failed;

#[derive(Debug, Deserialize)]
pub(super) struct Stats {
    /// All responses, also those that the ledger does not have: relayed and failed ones.
    #[serde(default)]
    pub(super) responses: u64,
    #[serde(default)]
    pub(super) failed: Vec<Failed>,
    /// The mode of the sidecar.
    #[serde(default)]
    pub(super) mode: String,
    #[serde(default)]
    pub(super) providers: Vec<Provider>,
    pub(super) prices: Prices,
    pub(super) totals: Account,
    pub(super) accounts: Vec<Account>,
}

/// The calls of a provider, failed ones included. The ledger has those that succeeded.
#[derive(Debug, Deserialize)]
pub(super) struct Provider {
    pub(super) calls: u64,
    pub(super) failures: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Prices {
    pub(super) date: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Account {
    #[serde(default)]
    pub(super) provider: String,
    #[serde(default)]
    pub(super) model: String,
    #[serde(default)]
    pub(super) operation: String,
    pub(super) requests: u64,
    pub(super) inputs: Inputs,
    pub(super) calls: Calls,
    pub(super) tokens: Tokens,
    pub(super) dollars: Option<Dollars>,
    pub(super) seconds: Seconds,
}

#[derive(Debug, Deserialize)]
pub(super) struct Inputs {
    pub(super) hit: u64,
    pub(super) collapsed: u64,
    pub(super) miss: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Calls {
    pub(super) made: u64,
    pub(super) saved: Saved,
    #[serde(default)]
    pub(super) unpriced: Unpriced,
}

/// Calls whose cost is unknown.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Unpriced {
    pub(super) price: u64,
    pub(super) usage: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Saved {
    pub(super) hit: u64,
    pub(super) collapsed: u64,
    pub(super) batched: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Tokens {
    /// By kind.
    pub(super) billed: BTreeMap<String, u64>,
    pub(super) avoided: Avoided<u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Avoided<T> {
    pub(super) hit: T,
    pub(super) collapsed: T,
}

#[derive(Debug, Deserialize)]
pub(super) struct Dollars {
    pub(super) billed: f64,
    pub(super) avoided: f64,
    #[serde(default)]
    pub(super) prompt_cache: PromptCache,
}

/// Dollars of the providers' own caches.
#[derive(Debug, Default, Deserialize)]
pub(super) struct PromptCache {
    pub(super) saved: f64,
    pub(super) spent: f64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Seconds {
    pub(super) avoided: Avoided<f64>,
}
