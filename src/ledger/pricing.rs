//! The price of an account's model.

use std::sync::{Arc, Mutex, PoisonError};

use super::OTHER;
use super::cost::{Cost, cost};
use crate::config::{Price, Prices, Seller};
use crate::usage::Usage;

/// The prices of one seller.
#[derive(Debug, Clone)]
pub(super) struct Shop {
    pub(super) prices: Prices,
    pub(super) seller: Seller,
}

impl Shop {
    pub(super) fn price(&self, model: &str) -> Option<Arc<Price>> {
        self.prices.of(self.seller, model)
    }
}

/// The price of a model under the name that requests have, and under the one that responses have. A
/// deployment is sold by the latter, and the latter has the date of the version.
#[derive(Debug)]
pub(super) struct Pricing {
    shop: Shop,
    /// The operator's price for the name that requests have; it takes precedence.
    own: Option<Arc<Price>>,
    requested: Option<Arc<Price>>,
    /// Whether the account is of one model, so that its calls have one price.
    is_single: bool,
    reported: Mutex<Named>,
}

#[derive(Debug, Default)]
struct Named {
    model: String,
    price: Option<Arc<Price>>,
}

impl Pricing {
    pub(super) fn new(shop: &Shop, model: &str) -> Self {
        Self {
            shop: shop.clone(),
            own: shop.prices.own.of(model),
            requested: shop.price(model),
            is_single: model != OTHER,
            reported: Mutex::default(),
        }
    }

    /// The cost of a call that this model responded to; an empty name is the one that was requested.
    pub(super) fn cost(&self, model: &str, usage: &Usage) -> Option<Cost> {
        cost(self.find(model).as_deref(), usage)
    }

    /// The cost that a call would have had again.
    pub(super) fn would_cost(&self, usage: &Usage) -> Option<f64> {
        let price = if self.is_single { self.find("") } else { self.requested.clone() };
        cost(price.as_deref(), usage).map(|cost| cost.dollars)
    }

    fn find(&self, model: &str) -> Option<Arc<Price>> {
        if self.own.is_some() {
            return self.own.clone();
        }
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        if !model.is_empty() && reported.model != model {
            *reported = Named { model: model.to_owned(), price: self.shop.price(model) };
        }
        reported.price.clone().or_else(|| self.requested.clone())
    }
}
