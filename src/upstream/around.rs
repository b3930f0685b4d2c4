//! What a provider has in common with others.

use std::sync::Arc;

use crate::ceiling::Ceiling;
use crate::config::{Prices, Seller};
use crate::ledger::Accounts;
use crate::metrics::{Metrics, UpstreamMetrics};

/// What a provider has in common with others.
#[derive(Debug)]
pub struct Around {
    /// Its series.
    pub metrics: UpstreamMetrics,
    /// Room for answers that are read to the end.
    pub answers: Arc<Ceiling>,
    /// What is asked of it, by model.
    pub accounts: Arc<Accounts>,
}

impl Around {
    /// Nothing in common with anybody, for who makes calls of its own.
    pub fn nobody(name: &str) -> Result<Self, String> {
        let metrics = Metrics::new().map_err(|error| error.to_string())?;
        let accounts = Accounts::new(name, &metrics, (&Prices::none(), Seller::of(name, "", "")));
        let (metrics, answers) = (metrics.upstream(name), Ceiling::new(usize::MAX));
        Ok(Self { metrics, answers, accounts: Arc::new(accounts) })
    }
}
