//! What a caller asks of the cache: RFC 9111 request directives and larder's own headers.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};

static TTL: HeaderName = HeaderName::from_static("x-larder-ttl");
static CACHED: HeaderName = HeaderName::from_static("x-larder-cache");

/// What a caller asks of the cache. Without any header: everything it can give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Directives {
    /// Neither read, nor store, nor coalesce.
    pub no_store: bool,
    /// Do not read, do not coalesce; store the new answer.
    pub no_cache: bool,
    /// Answer from the cache or not at all.
    pub only_if_cached: bool,
    /// Nothing older, in seconds.
    pub max_age: Option<u64>,
    /// How many seconds after its end an answer will do where the provider fails (RFC 5861).
    pub stale_if_error: Option<u64>,
    /// How long what this request stores is good.
    pub ttl: Option<Duration>,
    /// Whether an answer of a model is to be cached whatever the settings say.
    pub cached: Option<bool>,
}

impl Directives {
    /// Reads a request's headers. What is not understood is ignored, as RFC 9111 asks.
    pub fn read(headers: &HeaderMap) -> Self {
        let mut directives = Self::default();
        for value in headers.get_all(header::CACHE_CONTROL) {
            for directive in value.to_str().unwrap_or_default().split(',') {
                directives.take(directive.trim());
            }
        }
        let ttl = headers.get(&TTL).and_then(|value| value.to_str().ok());
        directives.ttl = ttl.and_then(|ttl| ttl.trim().parse().ok()).map(Duration::from_secs);
        directives.cached = match headers.get(&CACHED).map(HeaderValue::as_bytes) {
            Some(b"on") => Some(true),
            Some(b"off") => Some(false),
            _ => None,
        };
        directives
    }

    /// How many seconds after its end an answer will do where the provider fails, if at all.
    pub(super) fn stale_seconds(&self, unasked: Duration) -> Option<u64> {
        // Whoever says how old an answer may be says so for this, too.
        let any_age = self.max_age.is_none() && !self.no_cache;
        let unasked = any_age.then_some(unasked.as_secs());
        self.stale_if_error.or(unasked).filter(|seconds| *seconds > 0)
    }

    fn take(&mut self, directive: &str) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "no-store" => self.no_store = true,
            "no-cache" => self.no_cache = true,
            "only-if-cached" => self.only_if_cached = true,
            // An age that cannot be read is the strictest one.
            "max-age" => self.max_age = smaller(self.max_age, Some(seconds(value).unwrap_or(0))),
            "stale-if-error" => {
                self.stale_if_error = smaller(self.stale_if_error, seconds(value));
            }
            _ => {}
        }
    }
}

/// A number of seconds. One that is too large for a number counts as the largest (RFC 9111, section 1.2.2).
fn seconds(value: &str) -> Option<u64> {
    let digits = value.trim().trim_matches('"');
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

/// The smaller of two values of a directive, where both are there.
fn smaller(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.into_iter().chain(other).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cache_control: &'static str) -> Directives {
        let mut headers = HeaderMap::new();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache_control));
        Directives::read(&headers)
    }

    #[test]
    fn directives_are_read_whatever_their_case_and_company() {
        let directives = read("No-Cache, max-age = 60 ,foo=bar");
        assert_eq!(
            directives,
            Directives { no_cache: true, max_age: Some(60), ..Directives::default() }
        );
        assert!(read("no-store").no_store);
        assert!(read("only-if-cached").only_if_cached);
        for (text, max_age) in [
            ("max-age=9, max-age=5", 5),
            ("max-age=5, max-age=9", 5),
            ("max-age=9, max-age=soon", 0),
            ("max-age=soon", 0),
            ("max-age", 0),
            ("max-age=-1", 0),
            ("max-age=99999999999999999999", u64::MAX),
        ] {
            assert_eq!(read(text).max_age, Some(max_age), "{text}");
        }
        assert_eq!(read("stale-if-error=9, stale-if-error=5").stale_if_error, Some(5));
        assert_eq!(read("stale-if-error=soon"), Directives::default());
        assert_eq!(read("stale-if-error=\"9\"").stale_if_error, Some(9));
    }

    #[test]
    fn a_time_to_live_is_in_seconds() {
        let mut headers = HeaderMap::new();
        headers.insert("x-larder-ttl", HeaderValue::from_static("30"));
        assert_eq!(Directives::read(&headers).ttl, Some(Duration::from_secs(30)));
    }
}
