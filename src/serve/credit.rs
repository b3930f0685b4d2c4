//! The credit of a response with embeddings: tokens that it did not cost.

use super::Ask;
use super::embed::Found;
use crate::ledger::{Credit, Spared};
use crate::metrics::Operation;

/// Tokens of a response that were not billed for it.
#[derive(Debug, Default)]
pub(super) struct Unbilled {
    pub(super) hit: u64,
    pub(super) collapsed: u64,
    /// The part of both that is an estimate.
    pub(super) estimated: u64,
}

impl Unbilled {
    /// Of vectors that were all in the cache.
    pub(super) fn of_hits<'f, F: Iterator<Item = &'f Found> + Clone>(found: F) -> Self {
        let estimated = tokens(found.clone().filter(|found| found.vector.is_estimate()));
        Self { hit: tokens(found), collapsed: 0, estimated }
    }
}

/// The credit of a response.
pub(super) fn credit(ask: &Ask, model: &str, unbilled: &Unbilled) -> Credit {
    let account = ask.target.upstream.accounts.of(Operation::Embed, model);
    let Unbilled { hit, collapsed, estimated } = *unbilled;
    Credit { account, tokens: Spared { hit, collapsed }, estimated, usage: None }
}

/// The sum of tokens, as the provider counted them.
pub(super) fn tokens<'f, I: Iterator<Item = &'f Found>>(found: I) -> u64 {
    found.map(|found| u64::from(found.vector.tokens())).sum()
}
