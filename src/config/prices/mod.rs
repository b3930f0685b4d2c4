//! Prices of models.

mod names;
mod own;
mod price;
mod seller;
mod table;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::read::{Key, Reader, Section, Table, section};
use super::units::Setting;

pub use own::PriceList;
pub use price::{Price, RATES, Rates, Tiers};
pub use seller::Seller;
use table::PriceFile;

section! {
    /// Prices of calls. Costs and savings are computed from them and from the usage that providers report.
    Prices {
        /// File with prices, in the form of `config/prices.toml`. Empty: the list prices that larder has
        /// built in. A new file is read at a restart.
        file: PriceFile = "",
        /// Your own prices: `MODEL=INPUT/OUTPUT`, in US dollars for a million tokens; without `/OUTPUT`
        /// output is free. `MODEL` may end in `*`. The first match counts, before the file.
        own: PriceList = "",
    }
}

impl Prices {
    /// No price of any model.
    pub fn none() -> Self {
        Self { file: PriceFile::none(), own: PriceList::default() }
    }

    /// The date of the prices in the file; empty if it has none.
    pub fn as_of(&self) -> &str {
        self.file.as_of()
    }

    /// The price of a model of a seller; `None` if it is not known. It is never guessed from another model.
    pub fn of(&self, seller: Seller, model: &str) -> Option<Arc<Price>> {
        self.own.of(model).or_else(|| self.file.of(seller, model))
    }
}
