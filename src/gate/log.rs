//! One line for each request, where it is asked for: what came, and what became of it; never what was said.

use std::time::Instant;

use http::{HeaderMap, Method, Response};

use crate::metrics::Operation;

/// Logs an answer at its head.
pub(super) fn request<B>(
    (method, path_and_query): (&Method, &str),
    (provider, operation): (&str, Operation),
    received: Instant,
    response: &Response<B>,
) {
    // Some have their credentials in the query.
    let path = path_and_query.split('?').next().unwrap_or_default();
    let headers = response.headers();
    tracing::info!(
        %method,
        path,
        provider,
        operation = operation.label(),
        status = response.status().as_u16(),
        cache = text(headers, "cache-status"),
        items = text(headers, "x-larder-items"),
        error = text(headers, "x-larder-error"),
        milliseconds = u64::try_from(received.elapsed().as_millis()).unwrap_or(u64::MAX),
        "answered"
    );
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
