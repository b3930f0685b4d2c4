//! The web page that a request comes from, and the name by which it asks for this machine.
//!
//! Browsers send requests of any page to any address. Two headers tell of the page (`Origin`,
//! `Sec-Fetch-Site`); scripts cannot set them. A page whose own name leads here (DNS rebinding) is of the
//! same origin, but asks for that name.

use std::net::IpAddr;

use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Uri, header};

use crate::config::units::is_loopback;

/// The host and port that a request asks for: of its URL, or of its `Host`.
pub(super) fn asked_for(uri: &Uri, headers: &HeaderMap) -> Option<Authority> {
    let host = || headers.get(header::HOST)?.to_str().ok()?.parse().ok();
    uri.authority().cloned().or_else(host)
}

/// Whether a host is a name or address of this machine that no page can have: `localhost`, names below it
/// (RFC 6761), loopback addresses, and the address that the listener is bound to.
pub(super) fn is_of_this_machine(authority: &Authority, bound: IpAddr) -> bool {
    let host = authority.host().trim_end_matches('.');
    let is_localhost = |name: &str| name.eq_ignore_ascii_case("localhost");
    if is_localhost(host) || host.rsplit_once('.').is_some_and(|(_, last)| is_localhost(last)) {
        return true;
    }
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.parse().is_ok_and(|ip| is_loopback(ip) || ip == bound)
}

/// Whether a request comes from a web page of another origin.
pub(super) fn is_foreign(headers: &HeaderMap, asked_for: Option<&Authority>) -> bool {
    let text = |name| headers.get(name).map(HeaderValue::as_bytes);
    let is_other_site =
        text("sec-fetch-site").is_some_and(|site| site != b"same-origin" && site != b"none");
    is_other_site || text("origin").is_some_and(|origin| !is_same(origin, asked_for))
}

/// Whether an origin is the host and port that its request asks for.
fn is_same(origin: &[u8], asked_for: Option<&Authority>) -> bool {
    let rest = origin.strip_prefix(b"http://").or_else(|| origin.strip_prefix(b"https://"));
    let own = asked_for.map(|authority| authority.as_str().as_bytes());
    rest.zip(own).is_some_and(|(rest, own)| rest.eq_ignore_ascii_case(own))
}
