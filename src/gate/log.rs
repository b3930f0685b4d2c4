//! What became of a request: remembered for the page, and a line in the log where it is asked for; never
//! what was said.

use http::{HeaderMap, Response};

use super::{Body, Proxy};
use crate::metrics::Operation;
use crate::serve::Target;

impl Proxy {
    /// Notes what became of a request.
    pub(super) fn note(&self, target: &Target, operation: Operation, response: &Response<Body>) {
        self.recent.note((target.upstream.name.as_str(), operation), response);
        if self.log_requests {
            request(target, operation, response);
        }
    }
}

/// Logs an answer at its head.
fn request(target: &Target, operation: Operation, response: &Response<Body>) {
    let Target { upstream, method, received, .. } = target;
    // Some have their credentials in the query.
    let path = target.path_and_query.split('?').next().unwrap_or_default();
    let headers = response.headers();
    tracing::info!(
        %method,
        path,
        provider = upstream.name,
        operation = operation.label(),
        status = response.status().as_u16(),
        cache = headers.get_all("cache-status").iter().next_back().and_then(|value| value.to_str().ok()),
        items = text(headers, "x-larder-items"),
        error = text(headers, "x-larder-error"),
        milliseconds = u64::try_from(received.elapsed().as_millis()).unwrap_or(u64::MAX),
        "response sent"
    );
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
