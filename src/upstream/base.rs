//! Paths below a provider's base URL, of which nothing is doubled.

use http::Method;
use http::uri::Scheme;

use super::Upstream;
use crate::config::stores::STORE;
use crate::dialect::{Endpoint, store};

impl Upstream {
    /// Host and port, for messages.
    pub(super) fn address(&self) -> String {
        let by_scheme = if self.scheme == Scheme::HTTPS { 443 } else { 80 };
        format!("{}:{}", self.authority.host(), self.authority.port_u16().unwrap_or(by_scheme))
    }

    /// A path below the base URL, without what the base has already: all of its path, as SDKs say it
    /// that are told the host only (Groq's), or its version segment.
    pub fn below_base<'p>(&self, path_and_query: &'p str) -> &'p str {
        let whole = path_and_query.strip_prefix(self.base_path.as_str());
        let mut path_and_query =
            whole.filter(|rest| rest.starts_with('/')).unwrap_or(path_and_query);
        let Some((_, version)) = self.base_path.rsplit_once('/') else { return path_and_query };
        if !is_version(version) {
            return path_and_query;
        }
        while let Some(rest) =
            path_and_query.strip_prefix('/').and_then(|path| path.strip_prefix(version))
            && (rest.is_empty() || rest.starts_with(['/', '?']))
        {
            path_and_query = rest;
        }
        path_and_query
    }

    /// What is understood of a request, by its method and its path below the base URL.
    pub fn endpoint(&self, method: &Method, path_and_query: &str) -> Endpoint {
        if self.settings.dialect == STORE {
            let path = path_and_query.split('?').next().unwrap_or_default();
            return store::endpoint(&self.settings.routes.0, method, path);
        }
        self.dialect.endpoint(method, endpoint(path_and_query))
    }
}

/// A path without its query and without a leading version segment.
pub fn endpoint(path_and_query: &str) -> &str {
    let path = path_and_query.split('?').next().unwrap_or_default();
    let segment = path.strip_prefix('/').and_then(|rest| rest.split('/').next());
    match segment {
        Some(version) if is_version(version) => {
            path.strip_prefix('/').and_then(|rest| rest.strip_prefix(version)).unwrap_or(path)
        }
        _ => path,
    }
}

/// Where a provider has embeddings in the shape that most have: what has a path of its own has its version
/// in there.
pub fn embeddings_below(base_url: &str) -> &'static str {
    let rest = base_url.split_once("://").map_or(base_url, |(_, rest)| rest);
    let has_path = rest.split_once('/').is_some_and(|(_, path)| !path.trim_matches('/').is_empty());
    if has_path { "/embeddings" } else { "/v1/embeddings" }
}

/// Whether a path segment is a version: `v1`, `v1beta`.
fn is_version(segment: &str) -> bool {
    let mut chars = segment.chars();
    chars.next() == Some('v')
        && chars.next().is_some_and(|c| c.is_ascii_digit())
        && chars.all(|c| c.is_ascii_alphanumeric())
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
}
