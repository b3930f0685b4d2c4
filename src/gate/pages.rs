//! Web pages as clients of the proxy.
//!
//! A page of another origin could spend a provider's key that larder holds: any page can send a POST to
//! loopback, and by DNS rebinding read the response. Such requests are refused, unless the operator lists
//! the page's origin; for listed origins larder answers as CORS wants it.

use std::net::IpAddr;

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::{Either, Full};

use super::body::Body;
use super::origin::{asked_for, is_foreign, is_of_this_machine};
use crate::config::Config;
use crate::config::origin::Origin;
use crate::config::units::is_loopback;
use crate::config::words::Auth;
use crate::error::{Error, Kind};

/// The kind of listener that a connection came through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entrance {
    /// `server.listen`.
    Tcp,
    /// `server.unix_socket`, which no browser reaches.
    Unix,
}

/// Names under which containers reach the loopback of their host. The suffix is reserved, so that no page
/// can have such a name.
const CONTAINER_HOSTS: &[&str] =
    &["gateway.docker.internal", "host.containers.internal", "host.docker.internal"];

/// Time for which a browser remembers the answer to a preflight, in seconds.
const PREFLIGHT_AGE: &str = "600";

const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";

/// Every header, and those that browsers do not include in it.
const EXPOSED: &str = "*, age, cache-status, server-timing, retry-after, x-larder-error, \
    x-larder-explain, x-larder-items, x-larder-rule, x-request-id";

/// The rules for web pages of one configuration.
#[derive(Debug)]
pub struct Pages {
    /// Whether requests of pages that are not listed are refused: larder holds a provider's key.
    is_guarded: bool,
    /// Whether requests must ask for a name of this machine.
    is_local: bool,
    /// The address of `server.listen`.
    bound: IpAddr,
    allowed: Vec<Origin>,
}

impl Pages {
    /// The rules of a configuration, by whether larder holds the key of a provider.
    ///
    /// Off loopback, the configuration lets larder hold a key only behind an allowlist. Its clients come
    /// under names that larder cannot know (a service of Compose or Kubernetes), and a page that has a
    /// client's key needs no rebinding. So the name counts only on loopback without an allowlist.
    pub fn new(config: &Config, holds_key: bool) -> Self {
        let (bound, allowed) = (config.server.listen.ip(), config.server.allowed_origins.clone());
        let is_open = config.access.auth != Auth::Allowlist;
        let is_local = holds_key && is_open && is_loopback(bound);
        Self { is_guarded: holds_key, is_local, bound, allowed }
    }

    /// The error for a request of a page that may not send it.
    pub(super) fn refuses(&self, head: &Parts, entrance: Entrance) -> Option<Error> {
        if !self.is_guarded || self.listed(&head.headers).is_some() {
            return None;
        }
        let host = asked_for(&head.uri, &head.headers);
        if is_foreign(&head.headers, host.as_ref()) {
            let origin = head.headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
            let message = format!(
                "request of a web page of {}: larder holds a provider's key, and refuses pages that \
                 server.allowed_origins does not list",
                origin.unwrap_or("another site")
            );
            return Some(Error::new(Kind::ForbiddenOrigin, message));
        }
        if !self.is_local || entrance == Entrance::Unix {
            return None;
        }
        // Without one (HTTP/1.0) there is no page.
        let Some(host) = host else { return unreadable(&head.headers) };
        let is_listed = |origin: &Origin| origin.host().eq_ignore_ascii_case(host.host());
        let is_known = is_of_this_machine(&host, self.bound)
            || CONTAINER_HOSTS.iter().any(|name| host.host().eq_ignore_ascii_case(name))
            || self.allowed.iter().any(is_listed);
        if is_known {
            return None;
        }
        let message = format!(
            "the Host {:?} is no name of this listener: larder holds a provider's key, and answers to \
             localhost and loopback addresses; list http://{host} in server.allowed_origins to allow it",
            host.as_str()
        );
        Some(Error::new(Kind::ForbiddenOrigin, message))
    }

    /// The origin of a request, if the operator lists it.
    pub(super) fn listed(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        if self.allowed.is_empty() {
            return None;
        }
        let origin = headers.get(header::ORIGIN)?;
        let is_it =
            |allowed: &Origin| origin.as_bytes().eq_ignore_ascii_case(allowed.as_str().as_bytes());
        self.allowed.iter().any(is_it).then(|| origin.clone())
    }

    /// The response to a preflight of a listed origin. It carries no credential, and needs none.
    pub(super) fn preflight(&self, method: &Method, asked: &HeaderMap) -> Option<Response<Body>> {
        if *method != Method::OPTIONS {
            return None;
        }
        let origin = self.listed(asked)?;
        asked.get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
        let mut response = Response::new(Either::Left(Full::default()));
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let methods = HeaderValue::from_static(METHODS);
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        if let Some(names) = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
        }
        let age = HeaderValue::from_static(PREFLIGHT_AGE);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, age);
        if asked.contains_key("access-control-request-private-network") {
            let allowed = HeaderValue::from_static("true");
            headers.insert("access-control-allow-private-network", allowed);
        }
        let varies = "origin, access-control-request-method, access-control-request-headers";
        headers.insert(header::VARY, HeaderValue::from_static(varies));
        Some(response)
    }
}

/// The error for a `Host` that is no host.
fn unreadable(headers: &HeaderMap) -> Option<Error> {
    let is_blank = headers.get(header::HOST)?.is_empty();
    let error = || Error::new(Kind::ForbiddenOrigin, "the Host is no name of this listener");
    (!is_blank).then(error)
}

/// Lets a page of an origin read a response. The provider's own words about pages are of another hop.
pub(super) fn let_read(headers: &mut HeaderMap, origin: HeaderValue) {
    for name in [header::ACCESS_CONTROL_ALLOW_CREDENTIALS, header::ACCESS_CONTROL_ALLOW_HEADERS] {
        headers.remove(name);
    }
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    headers.append(header::VARY, HeaderValue::from_static("origin"));
}
