//! The errors of calls that got no response, or a broken one, in words.

use std::time::Duration;

use super::Upstream;
use crate::error::{Error, Kind};
use crate::os_error::plain;
use crate::throttle::Throttle;

/// The words of rustls for bytes that are no TLS, and of both clients for a response that is no HTTP.
const NO_TLS: &str = "InvalidContentType";
const NO_HTTP: [&str; 2] = ["not HTTP/1", "invalid HTTP version parsed"];

impl Upstream {
    pub(super) fn broken(&self, left: Duration) -> Error {
        let reason = self.breaker.trouble().map(|trouble| trouble.reason).unwrap_or_default();
        let message = format!(
            "circuit breaker open: {} did not respond to recent calls ({reason}); retry later",
            self.name
        );
        let error = Error::new(Kind::CircuitOpen, message);
        Error { retry_after: Some(left), ..error }
    }

    pub(super) fn late(&self, what: &str, setting: &str, limit: Duration) -> Error {
        let message = format!("no {what} from {} within {limit:?} ({setting})", self.name);
        Error::new(Kind::UpstreamTimeout, message)
    }

    pub(super) fn cut(&self, error: &(dyn std::error::Error + 'static)) -> Error {
        if let Some(suppressed) = Throttle::shared(&self.cuts) {
            let error = innermost(error);
            tracing::warn!(
                upstream = self.name,
                error,
                suppressed,
                "provider response ended early"
            );
        }
        Error::new(Kind::UpstreamInvalid, format!("the response of {} ended early", self.name))
    }

    /// Warns of a response that is not stored, since it cannot be trusted.
    pub fn tell_invalid(&self, reason: &str) {
        if let Some(suppressed) = Throttle::shared(&self.invalid) {
            let upstream = &self.name;
            tracing::warn!(upstream, suppressed, "provider response failed validation: {reason}");
        }
    }

    pub(super) fn unreachable(&self, error: &(dyn std::error::Error + 'static)) -> Error {
        let (address, reason) = (self.address(), innermost(error));
        let reason = with_remedy(reason, self.settings.has_tls());
        if let Some(suppressed) = Throttle::shared(&self.failures) {
            let (upstream, error) = (&self.name, &reason);
            tracing::warn!(upstream, address, error, suppressed, "provider call failed");
        }
        let message = format!("cannot reach {} at {address}: {reason}", self.name);
        Error::new(Kind::UpstreamUnreachable, message)
    }
}

/// The cause at the bottom, which says what happened; those above say where.
pub(super) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    plain(cause)
}

/// The reason of a failed call, with the remedy where one side speaks TLS and the other does not.
fn with_remedy(reason: String, has_tls: bool) -> String {
    if has_tls && reason.contains(NO_TLS) {
        return "the server does not speak TLS there: set base_url to http://, or to its TLS port"
            .to_owned();
    }
    if !has_tls && NO_HTTP.iter().any(|words| reason.contains(words)) {
        return format!(
            "the response is no HTTP ({reason}): if the server expects TLS, set base_url to https://"
        );
    }
    reason
}
