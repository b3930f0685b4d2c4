//! The operator's own prices, as a list of settings.

use std::sync::Arc;

use serde_json::Value;

use super::super::models::fits;
use super::super::units::Setting;
use super::price::{Price, is_price};

/// Prices of models: a name, or the beginning of one before `*`, and the price of a million tokens.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PriceList(Vec<(String, Arc<Price>)>);

impl PriceList {
    /// The price of the first entry that fits a model.
    pub fn of(&self, model: &str) -> Option<Arc<Price>> {
        let entry = self.0.iter().find(|(pattern, _)| fits(pattern, model));
        entry.map(|(_, price)| Arc::clone(price))
    }
}

impl Setting for PriceList {
    const KIND: &'static str = "list of texts";

    fn parse(text: &str) -> Result<Self, String> {
        Vec::<String>::parse(text)?
            .iter()
            .map(|item| entry(item))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    fn schema() -> Value {
        Vec::<String>::schema()
    }
}

fn entry(item: &str) -> Result<(String, Arc<Price>), String> {
    let wrong = || format!("expected MODEL=INPUT or MODEL=INPUT/OUTPUT, in dollars, got {item:?}");
    let (model, prices) = item.rsplit_once('=').ok_or_else(wrong)?;
    let (input, output) = prices.split_once('/').unwrap_or((prices, "0"));
    let dollars = |text: &str| text.trim().parse().ok().filter(|price| is_price(*price));
    let price = Price::plain(dollars(input).ok_or_else(wrong)?, dollars(output).ok_or_else(wrong)?);
    Ok((model.trim().to_owned(), Arc::new(price)))
}
