//! Which entries an operator means.

use std::time::SystemTime;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::super::super::route::Routes;
use super::query::Query;
use super::when;
use crate::key::CacheKey;

/// No model has a longer name; what is compiled is bounded by it.
const LONGEST: usize = 512;

/// What must hold of an entry; nothing is said where there is none.
#[derive(Debug)]
pub(super) struct Filter {
    /// Its provider.
    pub(super) provider: Option<String>,
    /// Its model, as the caller wrote it.
    pub(super) model: Option<String>,
    /// What its model or its tag looks like.
    pub(super) like: Option<GlobSet>,
    /// How many seconds ago, or longer ago, it was stored.
    pub(super) older_than: Option<u64>,
    /// What it is kept under.
    pub(super) key: Option<CacheKey>,
}

impl Filter {
    /// The filters of a query.
    pub(super) fn read(query: &Query, routes: &Routes) -> Result<Self, String> {
        let provider = query.get("provider").map(str::to_owned);
        if let Some(name) = &provider {
            routes.provider(name)?;
        }
        let older_than = |text| when::seconds_since(text, SystemTime::now());
        let key = |text: &str| {
            let key = CacheKey::from_text(text);
            key.ok_or_else(|| format!("key: expected 43 characters of base64url, got {text:?}"))
        };
        Ok(Self {
            provider,
            model: query.get("model").map(str::to_owned),
            like: query.get("match").map(glob).transpose()?,
            older_than: query.get("before").map(older_than).transpose()?,
            key: query.get("key").map(key).transpose()?,
        })
    }

    /// Whether it means whole scopes, which a purge reaches without looking at entries.
    pub(super) fn is_of_scopes(&self) -> bool {
        self.like.is_none() && self.older_than.is_none() && self.key.is_none()
    }

    /// Whether it says nothing but a key.
    pub(super) fn is_key_alone(&self) -> bool {
        let others = self.provider.is_some() || self.model.is_some() || self.like.is_some();
        self.key.is_some() && !others && self.older_than.is_none()
    }
}

/// A glob, in which `*` goes across slashes: names of models have them.
fn glob(text: &str) -> Result<GlobSet, String> {
    if text.is_empty() || text.len() > LONGEST {
        return Err(format!("match: expected 1 to {LONGEST} bytes"));
    }
    let wrong = |error: globset::Error| format!("match: {error}");
    let glob = GlobBuilder::new(text).literal_separator(false).build().map_err(wrong)?;
    GlobSetBuilder::new().add(glob).build().map_err(wrong)
}
