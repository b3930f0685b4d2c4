//! Which entries an operator means.

use std::time::SystemTime;

use globset::GlobMatcher;

use super::super::super::route::Routes;
use super::query::Query;
use super::when;
use crate::key::CacheKey;
use crate::tier::purge::Reach;
use crate::tier::purge::pattern::glob;

/// What must hold of an entry; nothing is said where there is none.
#[derive(Debug)]
pub(super) struct Filter {
    /// Its provider.
    pub(super) provider: Option<String>,
    /// Its model, as the caller wrote it.
    pub(super) model: Option<String>,
    /// What its model or its tag looks like.
    pub(super) like: Option<GlobMatcher>,
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
            like: query.get("match").map(like).transpose()?,
            older_than: query.get("before").map(older_than).transpose()?,
            key: query.get("key").map(key).transpose()?,
        })
    }

    /// Whether it means whole scopes, which a purge reaches without looking at entries.
    pub(super) fn is_of_scopes(&self) -> bool {
        self.like.is_none() && self.older_than.is_none() && self.key.is_none()
    }

    /// The purge by generation that it is, besides a removal one by one: that of a glob.
    pub(super) fn matching(&self) -> Option<Reach> {
        let like =
            self.like.as_ref().filter(|_| self.older_than.is_none() && self.key.is_none())?;
        let (upstream, model) = (self.provider.clone(), self.model.clone());
        Some(Reach::Matching { upstream, model, glob: like.glob().glob().to_owned() })
    }

    /// Whether it says nothing but a key.
    pub(super) fn is_key_alone(&self) -> bool {
        let others = self.provider.is_some() || self.model.is_some() || self.like.is_some();
        self.key.is_some() && !others && self.older_than.is_none()
    }
}

fn like(text: &str) -> Result<GlobMatcher, String> {
    glob(text).map_err(|error| format!("match: {error}"))
}
