//! Problems between keys that are well formed by themselves.

use super::base_url;
use super::built_in::DIALECTS;
use super::listening;
use super::private_file;
use super::read::{Problem, nearest, unknown_value};
use super::sharers::Sharers;
use super::units::is_loopback;
use super::words::{Auth, Mode};
use super::{Config, Provider};

impl Config {
    /// The problems between keys.
    pub(super) fn check(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut wrong = |key: String, message: String| {
            let place = self.sources.place(&key).to_owned();
            problems.push(Problem { place, key, message });
        };
        if !self.providers.contains_key(&self.server.default_provider) {
            let message = unknown_value("provider", &self.server.default_provider, &self.names());
            wrong("server.default_provider".to_owned(), message);
        }
        listening::check(&self.server, &self.sources, &mut wrong);
        if self.server.mode != Mode::Live && self.server.recordings.is_empty() {
            let message = "is missing: record and replay need it (--recordings)";
            wrong("server.recordings".to_owned(), message.to_owned());
        }
        if self.cache.scope_required && !matches!(self.cache.scope, Sharers::Header(_)) {
            let message = "needs a header: set cache.scope = \"header:NAME\"";
            wrong("cache.scope_required".to_owned(), message.to_owned());
        }
        self.check_bounds(&mut wrong);
        self.check_access(&mut wrong);
        if let Err((key, message)) = self.traces.check() {
            wrong(format!("traces.{key}"), message);
        }
        for (name, provider) in &self.providers {
            self.check_settings(name, provider, |key, message| {
                wrong(format!("providers.{name}{key}"), message);
            });
        }
        problems
    }

    /// Warnings about a configuration that is valid.
    pub fn warnings(&self) -> Vec<String> {
        let listen = self.server.listen;
        if self.access.auth != Auth::Off || is_loopback(listen.ip()) {
            return Vec::new();
        }
        vec![format!(
            "server.listen ({listen}) is not on loopback, and access.auth is off: every client that \
             reaches it uses this cache; set access.auth to \"verify\" or \"allowlist\", or listen \
             on 127.0.0.1"
        )]
    }

    /// The names of the providers.
    pub(super) fn names(&self) -> Vec<&str> {
        self.providers.keys().map(String::as_str).collect()
    }

    fn check_settings(
        &self,
        name: &str,
        provider: &Provider,
        mut wrong: impl FnMut(String, String),
    ) {
        if !is_name(name) {
            let message =
                "is not a name of a provider; use letters, digits, and - _ . between them";
            wrong(String::new(), message.to_owned());
        }
        if provider.base_url.is_empty() {
            wrong(".base_url".to_owned(), missing_url(name));
        } else if let Err(message) = base_url::check(&provider.base_url) {
            wrong(".base_url".to_owned(), message);
        }
        if !DIALECTS.contains(&provider.dialect.as_str()) {
            let message = unknown_value("dialect", &provider.dialect, DIALECTS);
            wrong(".dialect".to_owned(), message);
        }
        if provider.api_key_env.key().is_some() && self.is_open() {
            let message = "every client that reaches server.listen, which is not on loopback, would \
                           use this key; set access.auth = \"allowlist\"";
            wrong(".api_key_env".to_owned(), message.to_owned());
        }
        for other in &provider.fallback {
            if let Err(message) = self.check_fallback(provider, other) {
                wrong(".fallback".to_owned(), message);
            }
        }
        if let Err((key, message)) = self.check_store(name) {
            wrong(format!(".{key}"), message);
        }
    }

    /// A fallback must understand the requests, and must not get a credential of another host.
    fn check_fallback(&self, provider: &Provider, other: &str) -> Result<(), String> {
        let fallback = self.providers.get(other);
        let fallback = fallback.ok_or_else(|| unknown_value("provider", other, &self.names()))?;
        if fallback.dialect != provider.dialect {
            return Err(format!("{other:?} has another dialect, {:?}", fallback.dialect));
        }
        if std::ptr::eq(fallback, provider) {
            return Err(format!("{other:?} is the provider itself"));
        }
        let has_key = fallback.api_key_env.key().is_some() || self.server.mode == Mode::Replay;
        if !has_key && host(fallback) != host(provider) {
            return Err(format!("{other:?} is another host, and needs api_key_env"));
        }
        if !has_key && provider.has_tls() && !fallback.has_tls() {
            return Err(format!("{other:?} is called without TLS, and needs api_key_env"));
        }
        Ok(())
    }

    /// Whether clients from other machines are served without a key of larder's own.
    fn is_open(&self) -> bool {
        self.access.auth != Auth::Allowlist && !is_loopback(self.server.listen.ip())
    }

    /// An empty allowlist would refuse every client; keys without an allowlist would admit every client.
    fn check_access(&self, wrong: &mut dyn FnMut(String, String)) {
        let keys = self.access.all_keys().count();
        if self.access.auth == Auth::Allowlist && keys == 0 {
            let message =
                "\"allowlist\" needs keys: set access.keys_file or access.keys (LARDER_KEYS)";
            wrong("access.auth".to_owned(), message.to_owned());
        }
        if self.access.auth != Auth::Allowlist && keys > 0 {
            let message = "is not \"allowlist\", so the keys would not be checked; set access.auth = \
                           \"allowlist\" (LARDER_AUTH), or remove the keys";
            wrong("access.auth".to_owned(), message.to_owned());
        }
        if let Some(name) = self.access.keys_file.name()
            && let Err(message) = private_file::check(name)
        {
            wrong("access.keys_file".to_owned(), message);
        }
    }
}

/// The message for a provider without an address.
fn missing_url(name: &str) -> String {
    let known: Vec<&str> = super::BUILT_IN.iter().map(|built_in| built_in.name).collect();
    // Names of providers are short: only a misspelt one is near.
    let is_near = |near: &&str| strsim::damerau_levenshtein(name, near) * 3 <= near.len();
    let near = nearest(name, &known).filter(is_near);
    let near = near.map(|near| format!("; did you mean {near:?}?"));
    format!("is missing: {name:?} is not a built-in provider{}", near.unwrap_or_default())
}

/// Whether a text can be the name of a provider: the first segment of paths, and a part of metric labels.
fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    name.bytes().all(is_plain) && name.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// The host that gets a credential.
fn host(provider: &Provider) -> Option<String> {
    let url: http::Uri = provider.base_url.parse().ok()?;
    Some(url.host()?.to_ascii_lowercase())
}

impl Provider {
    /// Whether it is called over TLS. Schemes are case-insensitive.
    pub fn has_tls(&self) -> bool {
        self.base_url.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"))
    }
}
