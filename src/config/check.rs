//! What can only be wrong with settings as a whole.

use std::time::Duration;

use super::base_url;
use super::built_in::DIALECTS;
use super::listening;
use super::read::{Problem, unknown};
use super::units::is_loopback;
use super::words::{Auth, Mode};
use super::{Config, Provider};

/// A look-up gives up a little before its time, and must have some left.
const LEAST_TIMEOUT: Duration = Duration::from_millis(2);

impl Config {
    /// What is wrong with values that are well formed by themselves.
    pub(super) fn check(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut wrong = |key: String, message: String| {
            problems.push(Problem { place: "config".to_owned(), key, message });
        };
        if !self.providers.contains_key(&self.server.default_provider) {
            let names: Vec<&str> = self.providers.keys().map(String::as_str).collect();
            let message = unknown("provider", &self.server.default_provider, &names);
            wrong("server.default_provider".to_owned(), message);
        }
        listening::check(&self.server, &mut wrong);
        if self.server.mode != Mode::Live && self.server.recordings.is_empty() {
            let message = "is needed to record and to replay (--recordings)";
            wrong("server.recordings".to_owned(), message.to_owned());
        }
        if self.redis.timeout < LEAST_TIMEOUT {
            wrong("redis.timeout".to_owned(), "must be at least 2ms".to_owned());
        }
        self.check_access(&mut wrong);
        if let Err(message) = self.traces.check() {
            wrong("traces.endpoint".to_owned(), message);
        }
        for (name, provider) in &self.providers {
            self.check_settings(name, provider, |key, message| {
                wrong(format!("providers.{name}{key}"), message);
            });
        }
        problems
    }
}

impl Config {
    fn check_settings(
        &self,
        name: &str,
        provider: &Provider,
        mut wrong: impl FnMut(String, String),
    ) {
        if !is_name(name) {
            let message = "is no name of a provider: letters, digits, and - _ . between them";
            wrong(String::new(), message.to_owned());
        }
        if let Err(message) = base_url::check(&provider.base_url) {
            wrong(".base_url".to_owned(), message);
        }
        if !DIALECTS.contains(&provider.dialect.as_str()) {
            let message = unknown("dialect", &provider.dialect, DIALECTS);
            wrong(".dialect".to_owned(), message);
        }
        if provider.api_key_env.key().is_some() && self.is_open() {
            let message = "would be for whoever reaches server.listen, which is not on loopback; \
                           set access.auth = \"allowlist\"";
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
        if provider.max_connections == 0 {
            wrong(".max_connections".to_owned(), "must be at least 1".to_owned());
        }
        let most = provider.max_connections.min(provider.idle_connections);
        if provider.warm_connections > most {
            let message = "is more than max_connections or idle_connections allow";
            wrong(".warm_connections".to_owned(), message.to_owned());
        }
    }

    /// A fallback has to understand what it is sent, and must not be shown a credential that is meant for
    /// somebody else.
    fn check_fallback(&self, provider: &Provider, other: &str) -> Result<(), String> {
        let names: Vec<&str> = self.providers.keys().map(String::as_str).collect();
        let fallback =
            self.providers.get(other).ok_or_else(|| unknown("provider", other, &names))?;
        if fallback.dialect != provider.dialect {
            return Err(format!("{other:?} speaks another dialect, {:?}", fallback.dialect));
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

    /// Whether whoever reaches this machine is answered.
    fn is_open(&self) -> bool {
        self.access.auth != Auth::Allowlist && !is_loopback(self.server.listen.ip())
    }

    /// Who is answered, and by whom: a list that nothing is on lets nobody in, and one that nothing is
    /// held against lets everybody in.
    fn check_access(&self, wrong: &mut impl FnMut(String, String)) {
        let keys = self.access.all_keys().count();
        if self.access.auth == Auth::Allowlist && keys == 0 {
            let message = "needs keys: set access.keys_file or access.keys (LARDER_KEYS)";
            wrong("access.auth".to_owned(), message.to_owned());
        }
        if self.access.auth != Auth::Allowlist && keys > 0 {
            let message =
                "is not \"allowlist\", so that the keys that are listed would let everybody in";
            wrong("access.auth".to_owned(), message.to_owned());
        }
    }
}

/// Whether a provider can be reached by its name, and told from others by it: it is the first segment of
/// paths, and a part of other names.
fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    name.bytes().all(is_plain) && name.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// Whose machine is shown a credential.
fn host(provider: &Provider) -> Option<String> {
    let url: http::Uri = provider.base_url.parse().ok()?;
    Some(url.host()?.to_ascii_lowercase())
}

impl Provider {
    /// Whether it is called over TLS; the names of schemes have no case.
    pub fn has_tls(&self) -> bool {
        self.base_url.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"))
    }
}
