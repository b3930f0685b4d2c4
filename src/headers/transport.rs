//! The request headers that change no response: the transport, by name.
//!
//! Every other header is part of the identity of a request: of its cache key, its batch and its flight.
//! A prefix stands here only where one party owns the whole family and uses it for telemetry alone.
//! Headers of sign-in proxies (`x-forwarded-user`, `x-forwarded-access-token`, `x-auth-request-email`,
//! `cf-access-jwt-assertion`) look like transport and name the user; so `x-forwarded-` is no prefix here.
//! `Forwarded` (RFC 7239) may carry extensions of any meaning; so it is not listed either.

use std::collections::HashSet;
use std::sync::LazyLock;

use http::header::HeaderName;

use super::is_hop_by_hop;

/// Framing and negotiation of this hop. larder sets its own towards the provider, or reads them itself.
const MESSAGE: &[&str] = &[
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "expect",
    "host",
    "pragma",
    "priority",
];

/// The route that a request took: proxies add addresses, schemes and ports, which differ per client.
const ROUTE: &[&str] = &[
    "cdn-loop",
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "cf-ipcountry",
    "cf-ray",
    "cf-visitor",
    "true-client-ip",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-proto",
    "x-forwarded-protocol",
    "x-forwarded-scheme",
    "x-forwarded-server",
    "x-forwarded-ssl",
    "x-queue-start",
    "x-real-ip",
    "x-request-start",
    "x-scheme",
];

/// Numbers of one request, and the traces that it belongs to. They differ with every request.
const TRACING: &[&str] = &[
    "amz-sdk-invocation-id",
    "amz-sdk-request",
    "b3",
    "baggage",
    "newrelic",
    "request-context",
    "request-id",
    "sentry-trace",
    "traceparent",
    "tracestate",
    "uber-trace-id",
    "x-amzn-requestid",
    "x-amzn-trace-id",
    "x-b3-flags",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "x-b3-spanid",
    "x-b3-traceid",
    "x-client-request-id",
    "x-cloud-trace-context",
    "x-correlation-id",
    "x-datadog-origin",
    "x-datadog-parent-id",
    "x-datadog-sampled",
    "x-datadog-sampling-priority",
    "x-datadog-tags",
    "x-datadog-trace-id",
    "x-ms-client-request-id",
    "x-ms-return-client-request-id",
    "x-ot-span-context",
    "x-request-id",
];

/// Telemetry of SDKs: language, version and platform of the client.
const SDKS: &[&str] = &[
    "user-agent",
    "x-client-name",
    "x-goog-api-client",
    "x-ms-useragent",
    "x-openai-client-user-agent",
    "x-server-timeout",
];

/// The browser, its platform, and the page that a request is for. No provider answers one page
/// differently from another; requests of foreign pages are refused at the door where that matters.
const BROWSERS: &[&str] = &[
    "dnt",
    "origin",
    "referer",
    "save-data",
    "sec-ch-ua",
    "sec-ch-ua-arch",
    "sec-ch-ua-bitness",
    "sec-ch-ua-form-factors",
    "sec-ch-ua-full-version",
    "sec-ch-ua-full-version-list",
    "sec-ch-ua-mobile",
    "sec-ch-ua-model",
    "sec-ch-ua-platform",
    "sec-ch-ua-platform-version",
    "sec-ch-ua-wow64",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "sec-fetch-storage-access",
    "sec-fetch-user",
    "sec-gpc",
    "sec-purpose",
    "upgrade-insecure-requests",
];

/// Families with one owner: telemetry of the SDK generators Stainless and Fern, and larder's own
/// directives, which no provider sees.
const FAMILIES: &[&str] = &["x-fern-", "x-larder-", "x-stainless-"];

static LISTED: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    [MESSAGE, ROUTE, TRACING, SDKS, BROWSERS].into_iter().flatten().copied().collect()
});

/// Whether a request header changes no response: transport, telemetry, tracing.
pub fn is_harmless(name: &HeaderName) -> bool {
    LISTED.contains(name.as_str())
        || is_hop_by_hop(name)
        || FAMILIES.iter().any(|family| name.as_str().starts_with(family))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_headers_are_no_part_of_the_identity() {
        let is_harmless = |name: &str| is_harmless(&name.parse().unwrap());
        for transport in [
            "user-agent",
            "x-stainless-retry-count",
            "x-fern-sdk-version",
            "traceparent",
            "connection",
            "x-forwarded-for",
            "sec-fetch-mode",
        ] {
            assert!(is_harmless(transport), "{transport}");
        }
        for telling in [
            "authorization",
            "cookie",
            "forwarded",
            "openai-beta",
            "openai-organization",
            "sec-user",
            "x-api-key",
            "x-b3-user",
            "x-datadog-user",
            "x-forwarded-access-token",
            "x-forwarded-user",
            "x-new",
        ] {
            assert!(!is_harmless(telling), "{telling}");
        }
    }
}
