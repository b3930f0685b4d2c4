//! What entries are called in Redis: the prefix, the version of what is stored, the key. Braces, so
//! that in a cluster an entry and its lease lie together.

use crate::key::CacheKey;

/// Of what is stored under the names. Another version has other names, and never meets this one.
const VERSION: u8 = 1;

/// Makes names.
#[derive(Debug, Clone)]
pub(super) struct Names {
    prefix: String,
}

impl Names {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: format!("{prefix}:{VERSION}:") }
    }

    pub(super) fn entry(&self, key: &CacheKey) -> String {
        format!("{}{{{}}}", self.prefix, key.to_text())
    }

    pub(super) fn lease(&self, key: &CacheKey) -> String {
        format!("{}:lease", self.entry(key))
    }

    /// The hash of what was purged.
    pub(super) fn purged(&self) -> String {
        format!("{}purged", self.prefix)
    }

    /// The hash of when stores were written to.
    pub(super) fn written(&self) -> String {
        format!("{}written", self.prefix)
    }
}
