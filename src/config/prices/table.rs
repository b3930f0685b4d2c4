//! A file of prices: a section for each seller, an entry for each model.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::sync::{Arc, LazyLock};

use super::super::units::Setting;
use super::names::{fine_tuned, plain, undated};
use super::price::Price;
use super::seller::Seller;

/// The list prices that are built in.
static BUILT_IN: LazyLock<Arc<Table>> = LazyLock::new(|| {
    let table = Table::read(include_str!("../../../config/prices.toml"));
    Arc::new(table.expect("a test reads it"))
});

/// A larger file is no price list.
const MAX_FILE: u64 = 16 << 20;

/// A file of prices, read with the configuration. Empty is the list that is built in.
#[derive(Clone, PartialEq)]
pub struct PriceFile {
    name: String,
    /// `None` for the list that is built in: it is read when the first price is looked up.
    table: Option<Arc<Table>>,
}

/// The prices of each seller, by the lower-case name of the model.
#[derive(Debug, PartialEq, Default)]
pub(super) struct Table {
    as_of: String,
    sellers: HashMap<String, HashMap<String, Arc<Price>>>,
}

impl PriceFile {
    pub(super) fn none() -> Self {
        Self { name: String::new(), table: Some(Arc::default()) }
    }

    #[cfg(test)]
    pub(super) fn of_table(table: Table) -> Self {
        Self { name: "test".to_owned(), table: Some(Arc::new(table)) }
    }

    pub(super) fn as_of(&self) -> &str {
        &self.table().as_of
    }

    pub(super) fn of(&self, seller: Seller, model: &str) -> Option<Arc<Price>> {
        self.table().of(seller, model)
    }

    fn table(&self) -> &Table {
        self.table.as_ref().unwrap_or(&BUILT_IN)
    }
}

impl Setting for PriceFile {
    const KIND: &'static str = "TOML file";

    fn parse(text: &str) -> Result<Self, String> {
        let name = text.to_owned();
        if name.is_empty() {
            return Ok(Self { name, table: None });
        }
        let wrong = |error: &dyn fmt::Display| format!("{name}: {error}");
        let size = fs::metadata(&name).map_err(|error| wrong(&error))?.len();
        if size > MAX_FILE {
            return Err(wrong(&format!("{size} bytes are too many for a file of prices")));
        }
        let text = fs::read_to_string(&name).map_err(|error| wrong(&error))?;
        let table = Table::read(&text).map_err(|error| wrong(&error))?;
        Ok(Self { table: Some(Arc::new(table)), name })
    }
}

impl fmt::Debug for PriceFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.name)
    }
}

impl Table {
    /// Reads a file. An error has the line, or the seller and the model.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let file: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let line = error.span().map_or(1, |span| {
                1 + text.get(..span.start).unwrap_or_default().matches('\n').count()
            });
            format!("line {line}: {}", error.message().replace('\n', "; "))
        })?;
        let mut table = Self::default();
        for (name, value) in file {
            match (name.as_str(), value) {
                ("as_of", toml::Value::String(date)) => table.as_of = date,
                ("source", toml::Value::String(_)) => {}
                (_, toml::Value::Table(models)) => {
                    let models = section(&models).map_err(|error| format!("[{name}] {error}"))?;
                    table.sellers.insert(name, models);
                }
                _ => return Err(format!("{name}: expected [SELLER] with MODEL = {{ input = … }}")),
            }
        }
        Ok(table)
    }

    fn of(&self, seller: Seller, model: &str) -> Option<Arc<Price>> {
        let name = plain(model);
        if seller.is_certain {
            // The seller's own models may have slashes in their names, and its own name before them.
            let own = || {
                let (prefix, rest) = name.split_once('/')?;
                (Seller::named(prefix) == Some(seller.name)).then_some(rest)
            };
            return self.find(seller.name, &name).or_else(|| self.find(seller.name, own()?));
        }
        let prefixed = || {
            let (prefix, rest) = name.split_once('/')?;
            self.find(Seller::named(prefix)?, rest)
        };
        self.find(seller.name, &name).or_else(prefixed)
    }

    fn find(&self, seller: &str, name: &str) -> Option<Arc<Price>> {
        let models = self.sellers.get(seller)?;
        let tuned = fine_tuned(name);
        let name = tuned.as_deref().unwrap_or(name);
        let price = models.get(name).or_else(|| models.get(undated(name)?));
        price.map(Arc::clone)
    }

    #[cfg(test)]
    pub(super) fn price(&self, seller: &str, model: &str) -> &Price {
        &self.sellers[seller][model]
    }

    /// Every model with its seller.
    #[cfg(test)]
    pub(super) fn models(&self) -> impl Iterator<Item = (&str, &str)> {
        self.sellers.iter().flat_map(|(seller, models)| {
            models.keys().map(move |model| (seller.as_str(), model.as_str()))
        })
    }
}

/// The models of a seller. A name without a date is that of the newest version, if the file has no other.
fn section(models: &toml::Table) -> Result<HashMap<String, Arc<Price>>, String> {
    let mut prices = HashMap::with_capacity(models.len());
    let mut versions: Vec<(String, Arc<Price>)> = Vec::new();
    for (name, value) in models {
        let entry =
            value.as_table().ok_or_else(|| format!("{name:?}: expected {{ input = … }}"))?;
        let price = Arc::new(Price::read(entry).map_err(|error| format!("{name:?}: {error}"))?);
        let name = plain(name);
        if undated(&name).is_some() {
            versions.push((name.clone(), Arc::clone(&price)));
        }
        prices.insert(name, price);
    }
    versions.sort_by(|one, other| other.0.cmp(&one.0));
    for (name, price) in versions {
        if let Some(base) = undated(&name) {
            prices.entry(base.to_owned()).or_insert(price);
        }
    }
    Ok(prices)
}
