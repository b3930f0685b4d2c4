//! What was asked of providers and what of it was saved, by provider and model. What it counts is what
//! the metrics say and what clients are told, each counted in one place only.

mod account;
mod cost;
mod pricing;
mod savings;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use pricing::{Pricing, Shop};

use crate::config::{Prices, Seller};
use crate::metrics::{Metrics, Operation};

pub use account::Account;
pub use savings::{Credit, Dollars, Inputs, Spared};

/// How many models of a provider have accounts of their own. A model with a price gets one while there are
/// fewer than the first number, any other while there are fewer than the second. A model is the caller's word.
const MOST_PRICED: usize = 80;
const MOST: usize = 50;

/// The account of every other model.
pub const OTHER: &str = "other";

/// No model's name is longer.
const LONGEST_NAME: usize = 128;

/// The accounts of all providers.
#[derive(Debug)]
pub struct Ledger {
    metrics: Metrics,
    prices: Prices,
    providers: Mutex<BTreeMap<String, Arc<Accounts>>>,
}

/// The accounts of one provider.
pub struct Accounts {
    provider: String,
    metrics: Metrics,
    shop: Shop,
    models: RwLock<HashMap<String, ByOperation>>,
}

type ByOperation = [OnceLock<Arc<Account>>; Operation::ALL.len()];

/// An account with whose it is.
#[derive(Debug)]
pub struct Entry {
    /// The provider's name.
    pub provider: String,
    /// The model's, or `other`.
    pub model: String,
    /// What was asked for.
    pub operation: Operation,
    /// What is in it.
    pub account: Arc<Account>,
}

impl Ledger {
    /// No account yet.
    pub fn new(metrics: &Metrics, prices: &Prices) -> Self {
        Self { metrics: metrics.clone(), prices: prices.clone(), providers: Mutex::default() }
    }

    /// The accounts of a provider. Its seller is that of the first configuration with the provider.
    pub fn of(&self, provider: &str, seller: Seller) -> Arc<Accounts> {
        let mut providers = self.providers.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Accounts::new(provider, &self.metrics, (&self.prices, seller)));
        Arc::clone(providers.entry(provider.to_owned()).or_insert_with(new))
    }

    /// When the prices were looked up.
    pub fn priced_as_of(&self) -> &str {
        self.prices.as_of()
    }

    /// Every account, by provider and model.
    pub fn entries(&self) -> Vec<Entry> {
        let providers = self.providers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut entries: Vec<Entry> = providers.values().flat_map(|one| one.entries()).collect();
        entries.sort_by(|one, other| {
            (&one.provider, &one.model).cmp(&(&other.provider, &other.model))
        });
        entries
    }
}

impl Accounts {
    /// Those of a provider that no ledger knows of.
    pub fn new(provider: &str, metrics: &Metrics, (prices, seller): (&Prices, Seller)) -> Self {
        let shop = Shop { prices: prices.clone(), seller };
        let (provider, metrics) = (provider.to_owned(), metrics.clone());
        Self { provider, metrics, shop, models: RwLock::default() }
    }

    /// The account of a model, or that of all others.
    pub fn of(&self, operation: Operation, model: &str) -> Arc<Account> {
        let models = self.models.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = self.find(&models, operation, model) {
            return account;
        }
        drop(models);
        let mut models = self.models.write().unwrap_or_else(PoisonError::into_inner);
        let most = if self.shop.price(model).is_some() { MOST_PRICED } else { MOST };
        let fits = !model.is_empty() && model.len() <= LONGEST_NAME;
        let name = if fits && models.len() < most { model } else { OTHER };
        models.entry(name.to_owned()).or_default();
        self.find(&models, operation, name).expect("it is there, or was put there")
    }

    fn find(
        &self,
        models: &HashMap<String, ByOperation>,
        operation: Operation,
        model: &str,
    ) -> Option<Arc<Account>> {
        let account = models.get(model)?.get(operation as usize)?;
        Some(Arc::clone(account.get_or_init(|| Arc::new(self.open(operation, model)))))
    }

    fn open(&self, operation: Operation, model: &str) -> Account {
        let metrics = self.metrics.account(operation, &self.provider, model);
        Account::new((&self.provider, model, operation), metrics, Pricing::new(&self.shop, model))
    }

    fn entries(&self) -> Vec<Entry> {
        let models = self.models.read().unwrap_or_else(PoisonError::into_inner);
        let opened = models.iter().flat_map(|(model, accounts)| {
            let accounts = Operation::ALL.into_iter().zip(accounts);
            accounts
                .filter_map(move |(operation, account)| Some((model, operation, account.get()?)))
        });
        opened
            .map(|(model, operation, account)| Entry {
                provider: self.provider.clone(),
                model: model.clone(),
                operation,
                account: Arc::clone(account),
            })
            .collect()
    }
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts").field("provider", &self.provider).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn accounts() -> Accounts {
        let prices = Config::read("test", "[prices]\nown = [\"mine=1\"]\n", &[]).unwrap().prices;
        let seller = Seller::of("openai", "openai", "");
        Accounts::new("openai", &Metrics::new().unwrap(), (&prices, seller))
    }

    #[test]
    fn names_that_callers_make_up_share_an_account_and_those_with_a_price_do_not() {
        let accounts = accounts();
        for number in 0..10_000 {
            accounts.of(Operation::Embed, &format!("made-up-{number}"));
        }
        let mine = accounts.of(Operation::Embed, "mine");
        assert!(!Arc::ptr_eq(&mine, &accounts.of(Operation::Embed, "another")));
        assert!(Arc::ptr_eq(&mine, &accounts.of(Operation::Embed, "mine")));
        let long = "x".repeat(1_000);
        let other = accounts.of(Operation::Embed, "another");
        assert!(Arc::ptr_eq(&other, &accounts.of(Operation::Embed, &long)));
        assert_eq!(accounts.entries().len(), MOST + 2);
    }
}
