//! How a request waits for its turn to call: with whom, before whom, and how long.

use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, HeaderValue};

use super::Target;
use crate::joining::Joining;
use crate::key::Digest;
use crate::upstream::{Priority, Ticket, Upstream};

/// Where a request says which it is.
pub(super) static PRIORITY: HeaderName = HeaderName::from_static("x-larder-priority");

/// What it says if nobody minds when the answer is there.
pub(super) const BULK: HeaderValue = HeaderValue::from_static("bulk");

/// How long an SDK waits for an answer, in seconds, by the names that SDKs tell it with.
static PATIENCE: [HeaderName; 2] = [
    HeaderName::from_static("x-stainless-read-timeout"),
    HeaderName::from_static("x-stainless-timeout"),
];

/// The number of attempts before this one, by the header of the SDKs that Stainless generates.
static RETRY_COUNT: HeaderName = HeaderName::from_static("x-stainless-retry-count");

/// The longest patience that is believed: a day.
const LONGEST: f64 = 86_400.0;

/// The ticket of a request for a model, with so many inputs.
pub(super) fn ticket(
    target: &Target,
    headers: &HeaderMap,
    (model, inputs): (&str, usize),
) -> Ticket {
    let settings = &target.upstream.settings;
    let priority = match headers.get(&PRIORITY).map(HeaderValue::as_bytes) {
        Some(b"interactive") => Priority::Interactive,
        Some(b"bulk") => Priority::Bulk,
        // Nobody reads so much at once.
        _ if inputs > settings.batch_inputs as usize => Priority::Bulk,
        _ => Priority::Interactive,
    };
    let patience = patience(headers).unwrap_or(settings.permit_timeout);
    let until: Option<Instant> = target.received.checked_add(patience);
    let line = target.upstream.line(headers, &target.path_and_query, model);
    Ticket { line, priority, until }
}

/// The properties of a request that decide which calls in flight it joins, and which requests join its own.
#[derive(Clone, Copy)]
pub(super) struct Joins {
    /// The client's own time-out, if it sends one.
    timeout: Option<Duration>,
    is_retry: bool,
}

impl Joins {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let count = headers.get(&RETRY_COUNT).map(HeaderValue::as_bytes);
        Self { timeout: patience(headers), is_retry: count.is_some_and(|count| count != b"0") }
    }

    /// The rules at this moment, with what is known of the provider's usual time.
    pub(super) fn now(&self, upstream: &Upstream, line: &Digest) -> Joining {
        let Self { timeout, is_retry } = *self;
        Joining { now: Instant::now(), timeout, usual: upstream.usual_time(line), is_retry }
    }
}

fn patience(headers: &HeaderMap) -> Option<Duration> {
    let said = PATIENCE.iter().find_map(|name| headers.get(name)?.to_str().ok()?.parse().ok());
    said.filter(|seconds| *seconds > 0.0)
        .and_then(|seconds: f64| Duration::try_from_secs_f64(seconds.min(LONGEST)).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(name: &'static str, value: &'static str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static(value));
        patience(&headers)
    }

    #[test]
    fn an_sdk_tells_how_long_it_waits() {
        assert_eq!(said("x-stainless-read-timeout", "600"), Some(Duration::from_mins(10)));
        assert_eq!(said("x-stainless-timeout", "0.5"), Some(Duration::from_millis(500)));
        assert_eq!(said("x-stainless-timeout", "1e300"), Some(Duration::from_hours(24)));
        for nothing in ["NOT_GIVEN", "0", "-1", "NaN", "None", ""] {
            assert_eq!(said("x-stainless-timeout", nothing), None, "{nothing}");
        }
    }
}
