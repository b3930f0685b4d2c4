//! Prices of models.

use serde_json::Value;

use super::models::fits;
use super::read::{Key, Reader, Section, Table, section};
use super::units::Setting;

section! {
    /// Prices of tokens, for the estimate of savings. Discounts, batch prices and provider-side caches are
    /// not included.
    Prices {
        /// Date of the prices below: list prices of `LiteLLM` 1.106.2.
        as_of: String = "2026-11-26",
        /// Prices of models: a name, or its beginning before `*`, and US dollars for a million input
        /// tokens, then after `/` for a million output tokens. The first match counts.
        models: PriceList = "text-embedding-3-small=0.02, text-embedding-3-large=0.13, text-embedding-ada-002=0.1, \
            gpt-5.6-terra*=2/12, gpt-5.6-luna*=0.2/1.2, gpt-5.6*=4/20, gpt-5.5*=5/30, gpt-5.4-mini*=0.75/4.5, \
            gpt-5.4-nano*=0.2/1.25, gpt-5.4*=2.5/15, gpt-5.2*=1.75/14, gpt-5-mini*=0.25/2, gpt-5-nano*=0.05/0.4, \
            gpt-5*=1.25/10, gpt-4.1-mini*=0.4/1.6, gpt-4.1-nano*=0.1/0.4, gpt-4.1*=2/8, gpt-4o-mini*=0.15/0.6, \
            gpt-4o*=2.5/10, gpt-3.5-turbo*=0.5/1.5, o4-mini*=1.1/4.4, o3-mini*=1.1/4.4, o3*=2/8, \
            claude-opus-5-5*=4/20, claude-opus-*=5/25, claude-sonnet-5*=2/10, claude-sonnet-4*=3/15, \
            claude-haiku-5-5*=0.1/0.5, claude-haiku-4-5*=1/5, embed-v4.0=0.12, embed-english-v3.0=0.1, \
            embed-multilingual-v3.0=0.1, command-a-*=2.5/10, command-r-plus*=2.5/10, command-r-*=0.15/0.6, \
            voyage-4-large=0.12, voyage-4-lite=0.02, voyage-4=0.06, voyage-code-4=0.12, voyage-3-large=0.18, \
            voyage-3.5-lite=0.02, voyage-3.5=0.06, voyage-code-3=0.18, mistral-embed=0.1, codestral-embed*=0.15, \
            mistral-large-latest=0.5/1.5, mistral-medium-latest=1.5/7.5, mistral-small-latest=0.15/0.6, \
            gemini-embedding-001=0.15, gemini-embedding-2*=0.2, gemini-2.5-pro*=1.25/10, \
            gemini-2.5-flash-lite*=0.1/0.4, gemini-2.5-flash*=0.3/2.5, gemini-3-flash*=0.5/3, \
            gemini-3.1-pro*=2/12, deepseek-chat=0.28/0.42, deepseek-reasoner=0.28/0.42",
        /// Your own prices in the same form. They take precedence over `models`.
        own: PriceList = "",
    }
}

impl Prices {
    /// Nothing is known of any model.
    pub fn none() -> Self {
        let (models, own) = (PriceList::default(), PriceList::default());
        Self { as_of: String::new(), models, own }
    }

    /// What a model costs, if that is known.
    pub fn of(&self, model: &str) -> Option<Price> {
        self.own.of(model).or_else(|| self.models.of(model))
    }
}

/// The price of a model's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Price {
    /// Of those that it reads, in dollars for a million.
    pub input: f64,
    /// Of those that it writes.
    pub output: f64,
}

/// Prices of models: a name, or the beginning of one before `*`, and what a million tokens cost.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PriceList(Vec<(String, Price)>);

impl PriceList {
    /// What the first entry that fits a model says.
    pub fn of(&self, model: &str) -> Option<Price> {
        self.0.iter().find(|(pattern, _)| fits(pattern, model)).map(|(_, price)| *price)
    }
}

impl Setting for PriceList {
    const KIND: &'static str = "list of texts";

    fn parse(text: &str) -> Result<Self, String> {
        let price = |item: String| {
            let wrong =
                || format!("expected MODEL=INPUT or MODEL=INPUT/OUTPUT, in dollars, got {item:?}");
            let (model, prices) = item.rsplit_once('=').ok_or_else(wrong)?;
            let (input, output) = prices.split_once('/').unwrap_or((prices, "0"));
            let price = Price {
                input: dollars(input).ok_or_else(wrong)?,
                output: dollars(output).ok_or_else(wrong)?,
            };
            Ok((model.trim().to_owned(), price))
        };
        Vec::<String>::parse(text)?.into_iter().map(price).collect::<Result<_, _>>().map(Self)
    }

    fn schema() -> Value {
        Vec::<String>::schema()
    }
}

fn dollars(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|dollars: &f64| dollars.is_finite() && *dollars >= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_entry_that_fits_a_model_says_its_price() {
        let list = PriceList::parse("a=0.5, b-mini*=0.15/0.6, b*=2.5/10").unwrap();
        assert_eq!(list.of("a"), Some(Price { input: 0.5, output: 0.0 }));
        assert_eq!(list.of("b-mini-1"), Some(Price { input: 0.15, output: 0.6 }));
        assert_eq!(list.of("b-1"), Some(Price { input: 2.5, output: 10.0 }));
        assert_eq!(list.of("c"), None);
        for wrong in ["a", "a=x", "a=1/x", "a=-1", "a=NaN", "a=inf/1"] {
            assert!(PriceList::parse(wrong).is_err(), "{wrong}");
        }
    }
}
