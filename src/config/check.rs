//! What can only be wrong with settings as a whole.

use super::base_url;
use super::built_in::DIALECTS;
use super::listening;
use super::read::{Problem, unknown};
use super::units::is_loopback;
use super::words::{Auth, Mode};
use super::{Config, Provider};

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
        self.check_access(&mut wrong);
        if let Err(message) = self.traces.check() {
            wrong("traces.endpoint".to_owned(), message);
        }
        for (name, provider) in &self.providers {
            if let Err(message) = base_url::check(&provider.base_url) {
                wrong(format!("providers.{name}.base_url"), message);
            }
            if !DIALECTS.contains(&provider.dialect.as_str()) {
                let message = unknown("dialect", &provider.dialect, DIALECTS);
                wrong(format!("providers.{name}.dialect"), message);
            }
            if provider.api_key_env.key().is_some() && self.is_open() {
                let message = "would be for whoever reaches server.listen, which is not on loopback; \
                               set access.auth = \"allowlist\"";
                wrong(format!("providers.{name}.api_key_env"), message.to_owned());
            }
            for other in &provider.fallback {
                if let Err(message) = self.check_fallback(provider, other) {
                    wrong(format!("providers.{name}.fallback"), message);
                }
            }
            if let Err((key, message)) = self.check_store(name) {
                wrong(format!("providers.{name}.{key}"), message);
            }
            if provider.max_connections == 0 {
                wrong(format!("providers.{name}.max_connections"), "must be at least 1".to_owned());
            }
            let most = provider.max_connections.min(provider.idle_connections);
            if provider.warm_connections > most {
                let message = "is more than max_connections or idle_connections allow";
                wrong(format!("providers.{name}.warm_connections"), message.to_owned());
            }
        }
        problems
    }
}

impl Config {
    /// A fallback has to understand what it is sent, and must not be shown a credential that is meant for
    /// somebody else.
    fn check_fallback(&self, provider: &Provider, other: &str) -> Result<(), String> {
        let names: Vec<&str> = self.providers.keys().map(String::as_str).collect();
        let fallback =
            self.providers.get(other).ok_or_else(|| unknown("provider", other, &names))?;
        if fallback.dialect != provider.dialect {
            return Err(format!("{other:?} speaks another dialect, {:?}", fallback.dialect));
        }
        let host = |provider: &Provider| {
            provider.base_url.parse::<http::Uri>().ok()?.host().map(str::to_owned)
        };
        let has_key = fallback.api_key_env.key().is_some() || self.server.mode == Mode::Replay;
        if !has_key && host(fallback) != host(provider) {
            return Err(format!("{other:?} is another host, and needs api_key_env"));
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
