//! References of a provider to itself, rewritten to lead through larder, as reverse proxies do.
//!
//! A client that follows a redirect by itself would call the provider without larder, or larder's own
//! address with a path of the provider's. Every reference is checked: larder would call its very URL for it.
//! One for which larder would call another URL names the provider, which is what it meant.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use super::Proxy;
use super::log::Recorded;

/// Headers with such references (RFC 9110, sections 8.7 and 10.2.2).
const REFERENCES: [HeaderName; 2] = [header::CONTENT_LOCATION, header::LOCATION];

impl Proxy {
    /// Rewrites the references of a response to the provider of its request.
    pub(super) fn redirect(
        &self,
        recorded: &Recorded<'_>,
        status: StatusCode,
        headers: &mut HeaderMap,
    ) {
        for name in REFERENCES {
            let reference = headers.get(&name).and_then(|value| value.to_str().ok());
            let through = reference.and_then(|text| self.through(recorded, status, text));
            if let Some(value) = through.and_then(|text| HeaderValue::try_from(text).ok()) {
                headers.insert(name, value);
            }
        }
    }

    /// A reference as a client is to see it; `None` where it may stay.
    fn through(
        &self,
        recorded: &Recorded<'_>,
        status: StatusCode,
        reference: &str,
    ) -> Option<String> {
        let target = recorded.target;
        let whole = target.upstream.own_path(reference)?;
        let (path_and_query, fragment) = whole.split_at(whole.find('#').unwrap_or(whole.len()));
        let routes = &self.routes;
        let has_name = routes.below_name(recorded.path_and_query) != recorded.path_and_query;
        let is_default = Arc::ptr_eq(&target.upstream, routes.default());
        let path = if is_default && !has_name {
            path_and_query.to_owned()
        } else {
            format!("/{}{path_and_query}", target.upstream.name)
        };
        let keeps_method =
            [StatusCode::TEMPORARY_REDIRECT, StatusCode::PERMANENT_REDIRECT].contains(&status);
        let method = if keeps_method { &target.method } else { &Method::GET };
        let leads_there = routes.find(&path).is_ok_and(|(upstream, below)| {
            let url = || upstream.joined(&upstream.tidied(method, below));
            Arc::ptr_eq(upstream, &target.upstream) && url() == path_and_query
        });
        if leads_there {
            return Some(format!("{path}{fragment}"));
        }
        Some(format!("{}{whole}", target.upstream.origin()))
    }
}
