//! Whether an entry is one that is meant, and what is told of it.

use std::collections::HashMap;
use std::ptr;
use std::sync::Arc;

use globset::GlobMatcher;

use super::filter::Filter;
use crate::clock::Moment;
use crate::key::CacheKey;
use crate::metrics::Operation;
use crate::tier::Stored;
use crate::tier::purge::Scope;
use crate::tier::purge::pattern::tag;
use crate::vector::Vector;

/// What is told of an entry: nothing of what it says.
#[derive(Debug)]
pub(super) struct Told {
    /// Whose it is.
    pub(super) scope: &'static Scope,
    /// What was asked for.
    pub(super) operation: Operation,
    /// How many bytes are kept.
    pub(super) bytes: usize,
    /// When it was stored.
    pub(super) stored: Moment,
    /// When it ends.
    pub(super) expires: Moment,
}

impl Told {
    /// The entry's tag, which `match` looks at beside its model.
    pub(super) fn tag(&self) -> String {
        tag(&self.scope.upstream, &self.scope.model, self.operation)
    }
}

/// A filter at a moment. Whether a scope is meant is found out once.
pub(super) struct Fits {
    pub(super) filter: Filter,
    now: Moment,
    like: HashMap<(usize, &'static str), bool>,
}

impl Fits {
    pub(super) fn new(filter: Filter, now: Moment) -> Self {
        Self { filter, now, like: HashMap::new() }
    }

    /// What is told of an entry, if it is meant.
    pub(super) fn told(&mut self, key: &CacheKey, stored: &Stored) -> Option<Told> {
        let (filter, scope) = (&self.filter, stored.mark.scope);
        let is = |wanted: &Option<String>, name: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == name)
        };
        let age = self.now.since(stored.stored);
        let fits = is(&filter.provider, &scope.upstream)
            && is(&filter.model, &scope.model)
            && filter.older_than.is_none_or(|seconds| age > seconds)
            && filter.key.is_none_or(|wanted| wanted == *key);
        if !fits {
            return None;
        }
        let operation = match Vector::view(Arc::clone(&stored.value)) {
            Some(_) => Operation::Embed,
            None => Operation::Chat,
        };
        if let Some(like) = &filter.like {
            let place = (ptr::from_ref(scope).addr(), operation.label());
            let known = self.like.entry(place).or_insert_with(|| is_like(like, scope, operation));
            known.then_some(())?;
        }
        let Stored { value, stored, expires, .. } = stored;
        let (bytes, stored, expires) = (value.len(), *stored, *expires);
        Some(Told { scope, operation, bytes, stored, expires })
    }
}

fn is_like(glob: &GlobMatcher, scope: &Scope, operation: Operation) -> bool {
    glob.is_match(&*scope.model) || glob.is_match(tag(&scope.upstream, &scope.model, operation))
}
