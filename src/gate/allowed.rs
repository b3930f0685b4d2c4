//! Who may use the proxy at all: whoever shows one of the keys that the operator lists.

use std::fmt;

use http::HeaderMap;

use crate::config::Access;
use crate::credential;
use crate::error::{Error, Kind};
use crate::key::{Digest, Framer};

/// The keys that are listed, as digests that nobody can make without the secret.
pub struct Allowed {
    secret: [u8; 32],
    keys: Vec<Digest>,
}

impl Allowed {
    /// The keys that the settings list, and no others.
    pub fn new(secret: [u8; 32], access: &Access) -> Self {
        let keys = access.all_keys().map(|key| digest(&secret, key.expose().as_bytes())).collect();
        Self { secret, keys }
    }

    /// Why a request may not go on. Of several credentials each must be listed, since it is the
    /// provider that chooses among them.
    pub(super) fn refuses(&self, headers: &HeaderMap, path_and_query: &str) -> Option<Error> {
        let mut shown = credential::shown(headers, path_and_query).peekable();
        let message = if shown.peek().is_none() {
            "missing API key: send a client key of this larder in place of the provider's key"
        } else if shown.all(|key| self.has(key)) {
            return None;
        } else {
            "unknown API key"
        };
        Some(Error::new(Kind::Unauthorized, message))
    }

    /// All are compared, each in the same time wherever it differs.
    fn has(&self, key: &[u8]) -> bool {
        let digest = digest(&self.secret, key);
        self.keys.iter().fold(false, |has, known| has | known.matches(&digest))
    }
}

fn digest(secret: &[u8; 32], key: &[u8]) -> Digest {
    Framer::keyed(secret, "larder client key").field(b'k', key).finish()
}

impl fmt::Debug for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Allowed").field("keys", &self.keys.len()).finish_non_exhaustive()
    }
}
