//! What models cost, by name.

use super::models::fits;
use super::units::Setting;

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
