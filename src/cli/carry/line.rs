//! The lines of an export: first what it is, then an entry each.

use std::borrow::Cow;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64_simd::{STANDARD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::clock::Moment;
use crate::key::{CacheKey, Framer};
use crate::tier::purge::Purges;
use crate::tier::{Ground, Stored};

/// The version of the format.
const VERSION: u32 = 1;

/// The first line.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(super) struct Header {
    /// The version of the format.
    larder_export: u32,
    /// Tells the secret that the keys are made with from another.
    secret: String,
}

impl Header {
    pub(super) fn of(ground: &Ground) -> Self {
        let told = Framer::keyed(&ground.secret, "larder export").finish();
        Self { larder_export: VERSION, secret: URL_SAFE_NO_PAD.encode_to_string(told.as_bytes()) }
    }

    /// An error if the entries under this header would never be found in a cache directory.
    pub(super) fn check(&self, ground: &Ground, directory: &Path) -> Result<(), String> {
        let ours = Self::of(ground);
        if self.larder_export != ours.larder_export {
            return Err(format!("version {} of the format is not known", self.larder_export));
        }
        if self.secret != ours.secret {
            return Err(format!(
                "the entries are of another secret, and would never be found: copy it first, `cp -p \
                 EXPORTED/v1/secret '{}/v1/secret'`, with the directory that was exported, or set the same \
                 cache.secret",
                directory.display().to_string().replace('\'', r"'\''")
            ));
        }
        Ok(())
    }
}

/// An entry.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Line<'a> {
    /// Its key, base64url.
    key: Cow<'a, str>,
    provider: Cow<'a, str>,
    model: Cow<'a, str>,
    /// Seconds since 1970.
    stored: u64,
    /// Seconds since 1970; absent for never.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<u64>,
    /// The answer as it is kept, base64.
    value: Cow<'a, str>,
}

impl<'a> Line<'a> {
    pub(super) fn of(key: &CacheKey, stored: &'a Stored, now: Moment) -> Self {
        let wall = wall();
        let ends = (stored.expires != Moment::NEVER).then(|| wall + stored.expires.since(now));
        Self {
            key: key.to_text().into(),
            provider: Cow::Borrowed(&stored.mark.scope.upstream),
            model: Cow::Borrowed(&stored.mark.scope.model),
            stored: wall.saturating_sub(now.since(stored.stored)),
            expires: ends,
            value: STANDARD.encode_to_string(&stored.value).into(),
        }
    }

    /// The entry; `None` if it has ended.
    pub(super) fn read(
        &self,
        purges: &Purges,
        now: Moment,
    ) -> Result<Option<(CacheKey, Stored)>, String> {
        let wall = wall();
        let key = CacheKey::from_text(&self.key).ok_or("key: expected 32 bytes in base64url")?;
        let value = STANDARD.decode_to_vec(self.value.as_bytes());
        let value = value.map_err(|_| "value: expected base64")?;
        let left = match self.expires {
            None => None,
            Some(expires) if expires <= wall => return Ok(None),
            Some(expires) => Some(Duration::from_secs(expires - wall)),
        };
        let stored = Stored {
            value: value.into(),
            stored: now.before(wall.saturating_sub(self.stored)),
            expires: left.map_or(Moment::NEVER, |left| now.after(left)),
            mark: purges.scope(&self.provider, &self.model).mark(),
        };
        Ok(Some((key, stored)))
    }
}

/// Seconds since 1970.
fn wall() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
