//! The provider of a path. Nothing else of a request chooses the provider.

use std::collections::HashMap;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, header};

use super::target::fully_decoded;
use crate::config::{is_api_path, leading_name, meant_provider, unknown};
use crate::dialect::Endpoint;
use crate::error::{Error, Kind};
use crate::headers::is_json;
use crate::upstream::Upstream;
pub use crate::upstream::endpoint;

/// The providers by the first segment of their paths, and the one for every other path.
#[derive(Debug)]
pub struct Routes {
    by_name: HashMap<String, Arc<Upstream>>,
    default: Arc<Upstream>,
}

impl Routes {
    /// A table with a default.
    pub fn new(by_name: HashMap<String, Arc<Upstream>>, default: Arc<Upstream>) -> Self {
        Self { by_name, default }
    }

    /// All providers.
    pub fn upstreams(&self) -> impl Iterator<Item = &Arc<Upstream>> {
        self.by_name.values()
    }

    /// The provider of a name. An error has the nearest name.
    pub fn provider(&self, name: &str) -> Result<&Arc<Upstream>, String> {
        self.by_name.get(name).ok_or_else(|| {
            let mut names: Vec<&str> = self.by_name.keys().map(String::as_str).collect();
            names.sort_unstable();
            format!("{name:?}: {}", unknown("provider", name, &names))
        })
    }

    /// The provider of a path, and the path below the provider's base URL. An error is for a path that
    /// begins nearly with a provider's name, or with the name of one that is not configured: it must not
    /// reach the default provider with a credential of another one.
    pub fn find<'p>(
        &self,
        path_and_query: &'p str,
    ) -> Result<(&Arc<Upstream>, &'p str), Stray<'_>> {
        if let Some((upstream, rest)) = self.named(path_and_query) {
            return Ok((upstream, upstream.below_base(rest)));
        }
        let rest = self.default.below_base(path_and_query);
        // Repeated slashes before the path are no part of the base URL.
        let is_below = rest.len() <= path_and_query.trim_start_matches('/').len();
        let stray = if is_below { None } else { self.stray(path_and_query) };
        stray.map_or(Ok((&self.default, rest)), Err)
    }

    /// The provider of every path without a name.
    pub fn default(&self) -> &Arc<Upstream> {
        &self.default
    }

    /// The error for a path whose first segment is meant as a provider's name.
    fn stray(&self, path_and_query: &str) -> Option<Stray<'_>> {
        let path = path_and_query.split('?').next().unwrap_or_default();
        let segment = path.split('/').find(|segment| !segment.is_empty())?;
        if is_api_path(segment) {
            return None;
        }
        let decoded = fully_decoded(path);
        let written = leading_name(&decoded)?;
        let names: Vec<&str> = self.by_name.keys().map(String::as_str).collect();
        let name = meant_provider(written, &names)?;
        let near = self.by_name.get(name);
        let message = match near {
            Some(_) => format!("unknown provider {written:?}; did you mean /{name}/?"),
            None => format!(
                "unknown provider {written:?}: {name} is not configured; add [providers.{name}] with its \
                 base_url"
            ),
        };
        Some(Stray { near, error: Error::new(Kind::UnknownProvider, message) })
    }

    /// A path without the name of a provider that it begins with.
    pub fn below_name<'p>(&self, path_and_query: &'p str) -> &'p str {
        self.named(path_and_query).map_or(path_and_query, |(_, rest)| rest)
    }

    /// Where a provider's requests go while it fails, in the order of the settings.
    pub fn fallbacks(&self, upstream: &Upstream) -> impl Iterator<Item = &Arc<Upstream>> {
        upstream.settings.fallback.iter().filter_map(|name| self.by_name.get(name))
    }

    fn named<'p>(&self, path_and_query: &'p str) -> Option<(&Arc<Upstream>, &'p str)> {
        // Base URLs that end in a slash make two of it.
        let path = path_and_query.strip_prefix('/')?.trim_start_matches('/');
        let end = path.find(['/', '?']).unwrap_or(path.len());
        let (name, rest) = path.split_at(end);
        Some((self.by_name.get(name)?, rest))
    }
}

/// A path that is meant for a provider which is not there.
#[derive(Debug)]
pub struct Stray<'r> {
    /// The provider with the nearest name, if one is configured.
    pub near: Option<&'r Arc<Upstream>>,
    /// The answer to the request.
    pub error: Error,
}

/// What is understood of a request, from its head.
pub(super) fn understood(upstream: &Upstream, head: &Parts, path_and_query: &str) -> Endpoint {
    match upstream.endpoint(&head.method, path_and_query) {
        // It changes something, whatever it is written in.
        write @ Endpoint::Write(_) => write,
        endpoint if may_be_json(&head.headers) => endpoint,
        _ => Endpoint::Other,
    }
}

/// Whether a body may be JSON. Some clients (litellm) send JSON without saying so.
pub(super) fn may_be_json(headers: &HeaderMap) -> bool {
    is_json(headers) || !headers.contains_key(header::CONTENT_TYPE)
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use crate::config::Config;
    use crate::dialect;
    use crate::upstream::Around;

    fn routes() -> Routes {
        let file = "[providers.openai]\nbase_url = \"http://a/v1\"\n\
                    [providers.bare]\nbase_url = \"http://b\"\n\
                    [providers.deep]\nbase_url = \"http://c/openai/v1\"\n\
                    [providers.gateway]\nbase_url = \"http://d/v1/account/anthropic\"\n";
        let config = Config::read("test", file, &[]).unwrap();
        let by_name: HashMap<_, _> = config
            .providers
            .into_iter()
            .map(|(name, provider)| {
                let dialect = dialect::named(&provider.dialect).unwrap();
                let around = Around::nobody(&name).unwrap();
                let upstream = Upstream::new(&name, dialect, provider, around).unwrap();
                (name, Arc::new(upstream))
            })
            .collect();
        let default = Arc::clone(&by_name["openai"]);
        Routes::new(by_name, default)
    }

    #[test]
    fn a_path_finds_its_provider_and_loses_what_the_base_url_has() {
        let routes = routes();
        let find = |path| {
            let (upstream, rest) = routes.find(path).unwrap();
            (upstream.name.clone(), rest)
        };
        let is = |name: &str, rest| (name.to_owned(), rest);
        assert_eq!(find("/v1/embeddings?a=b"), is("openai", "/embeddings?a=b"));
        assert_eq!(find("/v1/v1/embeddings"), is("openai", "/embeddings"));
        assert_eq!(find("/embeddings"), is("openai", "/embeddings"));
        assert_eq!(find("/openai/v1/embeddings"), is("openai", "/embeddings"));
        assert_eq!(find("/bare/v1/embeddings"), is("bare", "/v1/embeddings"));
        assert_eq!(find("/bare?x"), is("bare", "?x"));
        for path in ["/deep/openai/v1/embeddings", "/deep/v1/embeddings", "/deep/embeddings"] {
            assert_eq!(find(path), is("deep", "/embeddings"));
        }
        assert_eq!(find("/deep/openai/v10/x"), is("deep", "/openai/v10/x"));
        assert_eq!(find("//bare/v1"), is("bare", "/v1"));
        assert_eq!(find("/v1beta/x"), is("openai", "/v1beta/x"));
        assert_eq!(find("//v1//x"), is("openai", "/x"));
    }

    #[test]
    fn a_path_is_joined_to_its_base_url_as_an_sdk_would() {
        let routes = routes();
        let joined = |path| {
            let (upstream, rest) = routes.find(path).unwrap();
            upstream.joined(rest)
        };
        for (path, url) in [
            ("/v1/embeddings?a=b", "/v1/embeddings?a=b"),
            ("/v1beta/x", "/v1beta/x"),
            ("/v2", "/v2"),
            ("/videos/v2", "/v1/videos/v2"),
            ("/bare?x", "/?x"),
            ("/bare/v2/x", "/v2/x"),
            ("/deep/x", "/openai/v1/x"),
            ("/deep/v2/x", "/openai/v2/x"),
            ("/deep/openai/v10/x", "/openai/v10/x"),
            ("/deep/openai/deployments/d", "/openai/deployments/d"),
            ("/deep/openai", "/openai"),
            ("/gateway/v1/messages", "/v1/account/anthropic/v1/messages"),
            ("/gateway/v1/account/anthropic/v1/messages", "/v1/account/anthropic/v1/messages"),
            ("/together/v2/videos", "/v2/videos"),
            ("/fireworks/v1/accounts/a/models", "/v1/accounts/a/models"),
            ("/fireworks/v1/chat/completions", "/inference/v1/chat/completions"),
            ("/deepinfra/v1/inference/m", "/v1/inference/m"),
            ("/deepinfra/inference/m", "/v1/inference/m"),
            ("/deepinfra/openai/chat/completions", "/v1/openai/chat/completions"),
            ("/deepinfra/v1/embeddings", "/v1/openai/embeddings"),
        ] {
            assert_eq!(joined(path), url, "{path}");
        }
    }

    #[test]
    fn repeated_and_trailing_slashes_are_lost_where_the_endpoint_is_known() {
        let routes = routes();
        for (path, tidy) in [
            ("/v1//embeddings", "/embeddings"),
            ("/embeddings/?x=//", "/embeddings?x=//"),
            ("/v1/chat//completions/", "/chat/completions"),
            ("/v1/files//a/", "/files//a/"),
            ("/v1/", "/"),
        ] {
            let (upstream, rest) = routes.find(path).unwrap();
            assert_eq!(upstream.tidied(&Method::POST, rest), tidy, "{path}");
        }
    }

    #[test]
    fn a_path_nearly_with_the_name_of_a_provider_reaches_none() {
        let routes = routes();
        for (path, near) in [
            ("/barer/x", Some("bare")),
            ("/BARE", Some("bare")),
            ("//opnai/v1/embeddings?x", Some("openai")),
            ("/%6fpnai/v1", Some("openai")),
            ("/antropic/v1/messages", Some("anthropic")),
            ("/voyageai/v1/embeddings", Some("voyage")),
            ("/vertexai/v1", None),
            ("/bare%2fv1/x", Some("bare")),
            ("/bare%252fv1/x", Some("bare")),
            ("/bare;x/v1", Some("bare")),
            ("/bare%ff/v1", Some("bare")),
            ("/https://bare/v1", Some("bare")),
            ("/azure/openai/deployments/d/embeddings", None),
        ] {
            let stray = routes.find(path).unwrap_err();
            assert_eq!(stray.near.map(|near| near.name.as_str()), near, "{path}");
            assert_eq!(stray.error.kind, Kind::UnknownProvider, "{path}");
        }
    }

    #[test]
    fn an_endpoint_is_what_is_left_without_version_and_query() {
        assert_eq!(endpoint("/v1/embeddings?x=1"), "/embeddings");
        assert_eq!(endpoint("/embeddings"), "/embeddings");
        assert_eq!(endpoint("/v1beta/models"), "/models");
        assert_eq!(endpoint("/video/x"), "/video/x");
        assert_eq!(endpoint(""), "");
    }
}
