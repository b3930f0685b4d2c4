//! Paths of requests and of URLs: a request's path is joined to a base URL so that the URL is the one that
//! the provider's own SDK would call.
//!
//! Two steps. [`Upstream::below_base`] takes from a request's path all that the base URL has already, so that
//! every way to write a path gives one cache key. [`Upstream::joined`] puts the rest where it belongs: below
//! the base path, in the place of its version, or beside it.

use std::borrow::Cow;

use http::Method;
use http::uri::{Authority, Scheme};

use super::Upstream;
use crate::config::stores::STORE;
use crate::dialect::{Endpoint, store};

impl Upstream {
    /// Host and port, for messages.
    pub(super) fn address(&self) -> String {
        address(&self.scheme, &self.authority)
    }

    /// A path below the base URL, without the parts that the base path has too: all of it, the version that it
    /// ends in, or segments that clients of the provider repeat. Slashes before and between them may be
    /// repeated. A version further up belongs to a gateway: its paths may have the provider's own below it.
    pub fn below_base<'p>(&self, path_and_query: &'p str) -> &'p str {
        let mut rest = after(path_and_query, &self.base_path).unwrap_or(path_and_query);
        let last = self.base_path.rsplit('/').next().filter(|segment| is_version(segment));
        while let Some(below) = last.and_then(|version| after(rest, version)) {
            rest = below;
        }
        let layout = self.dialect.layout();
        for segment in layout.map_or(&[][..], |layout| layout.repeated(&self.base_path)) {
            rest = after(rest, segment).unwrap_or(rest);
        }
        let tidy = one_slash(rest);
        let is_known = rest.len() < path_and_query.len()
            || is_version(first_segment(tidy))
            || self.beside(tidy).is_some();
        // Two slashes before any other path may be a part of it.
        if is_known { tidy } else { path_and_query }
    }

    /// A path below the base URL as it is sent. One with repeated or trailing slashes loses them where larder
    /// understands the endpoint without them; every other path stays, since a slash may be part of a name.
    pub fn tidied<'p>(&self, method: &Method, path_and_query: &'p str) -> Cow<'p, str> {
        let end = path_and_query.find('?').unwrap_or(path_and_query.len());
        let (path, query) = path_and_query.split_at(end);
        let is_tidy = !path.contains("//") && (path.len() < 2 || !path.ends_with('/'));
        if is_tidy || self.settings.dialect == STORE {
            return Cow::Borrowed(path_and_query);
        }
        let mut tidy = String::with_capacity(path_and_query.len());
        for segment in path.split('/').filter(|segment| !segment.is_empty()) {
            tidy.push('/');
            tidy.push_str(segment);
        }
        if matches!(self.endpoint(method, &tidy), Endpoint::Other) {
            return Cow::Borrowed(path_and_query);
        }
        tidy.push_str(query);
        Cow::Owned(tidy)
    }

    /// The path and query of the URL that a path below the base URL stands for.
    pub fn joined(&self, below: &str) -> String {
        let path = match self.beside(below) {
            Some(base) => format!("{base}{below}"),
            None => format!("{}{below}", self.base_of(below)),
        };
        if path.starts_with('/') { path } else { format!("/{path}") }
    }

    /// The base path of an endpoint that lies beside the provider's usual one.
    fn beside(&self, below: &str) -> Option<String> {
        self.dialect.layout()?.beside(&self.base_path, below)
    }

    /// The base path of every other endpoint: without its version before another one, and none at all before
    /// a path that begins as the base path does.
    fn base_of(&self, below: &str) -> &str {
        let Some((before, version)) = self.base_path.rsplit_once('/') else { return "" };
        if !is_version(version) {
            return &self.base_path;
        }
        if is_version(first_segment(below)) {
            return before;
        }
        let is_whole = !before.is_empty() && after(below, before).is_some();
        if is_whole { "" } else { &self.base_path }
    }

    /// The path, query and fragment of a reference that points to this provider: a URL of its host, or an
    /// absolute path (RFC 3986, section 4.2).
    pub fn own_path<'r>(&self, reference: &'r str) -> Option<&'r str> {
        let rest = match reference.split_once("//") {
            Some(("", rest)) => rest,
            Some((scheme, rest)) if scheme.strip_suffix(':').is_some_and(|s| self.speaks(s)) => {
                rest
            }
            _ => return reference.starts_with('/').then_some(reference),
        };
        let (authority, path) = rest.split_at(rest.find('/')?);
        let authority: Authority = authority.parse().ok()?;
        let is_plain = !authority.as_str().contains('@');
        let is_own = address(&self.scheme, &authority).eq_ignore_ascii_case(&self.address());
        (is_plain && is_own).then_some(path)
    }

    /// Scheme, host and port, as a URL begins with them.
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }

    fn speaks(&self, scheme: &str) -> bool {
        scheme.eq_ignore_ascii_case(self.scheme.as_str())
    }

    /// What is understood of a request, by its method and its path below the base URL.
    pub fn endpoint(&self, method: &Method, path_and_query: &str) -> Endpoint {
        if self.settings.dialect == STORE {
            let path = without_query(path_and_query);
            return store::endpoint(&self.settings.routes.0, method, path);
        }
        self.dialect.endpoint(method, endpoint(path_and_query))
    }

    /// Whether the body of a request to a store decides what it does.
    pub fn needs_body(&self, method: &Method, path_and_query: &str) -> bool {
        let path = without_query(path_and_query);
        self.settings.dialect == STORE && store::needs_body(&self.settings.routes.0, method, path)
    }

    /// The effect of a request to a store, by its body too.
    pub fn endpoint_by_body(&self, method: &Method, path_and_query: &str, body: &[u8]) -> Endpoint {
        let path = without_query(path_and_query);
        store::endpoint_by_body(&self.settings.routes.0, method, path, body)
    }
}

fn without_query(path_and_query: &str) -> &str {
    path_and_query.split('?').next().unwrap_or_default()
}

/// A path without its query and without a leading version segment.
pub fn endpoint(path_and_query: &str) -> &str {
    let path = without_query(path_and_query);
    let version = first_segment(path);
    if is_version(version) { path.get(version.len() + 1..).unwrap_or(path) } else { path }
}

/// Where a provider has embeddings in the shape that most have: what has a path of its own has its version
/// in there.
pub fn embeddings_below(base_url: &str) -> &'static str {
    let rest = base_url.split_once("://").map_or(base_url, |(_, rest)| rest);
    let has_path = rest.split_once('/').is_some_and(|(_, path)| !path.trim_matches('/').is_empty());
    if has_path { "/embeddings" } else { "/v1/embeddings" }
}

/// The rest of a path that begins with these segments, each after a slash. Slashes may be repeated.
fn after<'p>(path: &'p str, segments: &str) -> Option<&'p str> {
    let mut rest = path;
    for segment in segments.split('/').filter(|segment| !segment.is_empty()) {
        let name = rest.trim_start_matches('/');
        rest = name.strip_prefix(segment).filter(|_| name.len() < rest.len())?;
        let is_end = rest.is_empty() || rest.starts_with(['/', '?']);
        is_end.then_some(())?;
    }
    Some(rest)
}

/// A path with one of the slashes that it begins with.
fn one_slash(path: &str) -> &str {
    let slashes = path.len() - path.trim_start_matches('/').len();
    path.get(slashes.saturating_sub(1)..).unwrap_or(path)
}

/// The first segment of a path that begins with a slash.
fn first_segment(path: &str) -> &str {
    let rest = path.strip_prefix('/').unwrap_or_default();
    rest.split(['/', '?']).next().unwrap_or_default()
}

/// Whether a path segment is a version: `v1`, `v1beta`.
fn is_version(segment: &str) -> bool {
    let mut chars = segment.chars();
    chars.next() == Some('v')
        && chars.next().is_some_and(|c| c.is_ascii_digit())
        && chars.all(|c| c.is_ascii_alphanumeric())
}

/// Host and port, with the port that the scheme has by default.
fn address(scheme: &Scheme, authority: &Authority) -> String {
    let by_scheme = if *scheme == Scheme::HTTPS { 443 } else { 80 };
    format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(by_scheme))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_with_a_path_has_the_version_in_it() {
        for (url, path) in [
            ("http://a/v1", "/embeddings"),
            ("http://a/v1/", "/embeddings"),
            ("http://a/v1/openai", "/embeddings"),
            ("http://a:80", "/v1/embeddings"),
            ("http://a/", "/v1/embeddings"),
        ] {
            assert_eq!(embeddings_below(url), path, "{url}");
        }
    }

    #[test]
    fn segments_are_taken_from_a_path_as_a_whole() {
        for (path, segments, rest) in [
            ("/v1/x", "/v1", Some("/x")),
            ("//openai///v1//x", "/openai/v1", Some("//x")),
            ("/v1?x", "v1", Some("?x")),
            ("/v1", "v1", Some("")),
            ("/v10/x", "v1", None),
            ("v1/x", "v1", None),
            ("/x", "", Some("/x")),
        ] {
            assert_eq!(after(path, segments), rest, "{path}");
        }
    }
}
