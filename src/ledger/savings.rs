//! The savings of responses, and the figures of an account.

use std::ops::Add;
use std::sync::Arc;

use super::account::Account;
use crate::usage::Usage;

/// Inputs by their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Inputs {
    /// From the cache.
    pub hit: u64,
    /// With another's call, or twice in a request.
    pub collapsed: u64,
    /// By a call.
    pub miss: u64,
}

/// A part of the savings.
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

/// The savings of one response, and the account for them.
#[derive(Debug, Clone)]
pub struct Credit {
    /// The account.
    pub account: Arc<Account>,
    /// Input tokens of embeddings that were not billed for it.
    pub tokens: Spared<u64>,
    /// The part of them that is an estimate: a call's count was divided by size.
    pub estimated: u64,
    /// The usage of a cached completion.
    pub usage: Option<Box<Usage>>,
}

impl Credit {
    /// No savings yet.
    pub fn none(account: Arc<Account>) -> Self {
        Self { account, tokens: Spared::default(), estimated: 0, usage: None }
    }
}

/// US dollars of an account.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Dollars {
    /// The cost of calls.
    pub billed: f64,
    /// The cost that calls would have had.
    pub avoided: Spared<f64>,
    /// The part that the provider's prompt cache took off the cost.
    pub cache_saved: f64,
    /// The part that writes to the provider's prompt cache added to the cost.
    pub cache_spent: f64,
}

impl Dollars {
    /// The sums.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            billed: self.billed + other.billed,
            avoided: self.avoided.and(other.avoided),
            cache_saved: self.cache_saved + other.cache_saved,
            cache_spent: self.cache_spent + other.cache_spent,
        }
    }
}
