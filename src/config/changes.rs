//! The differences between two configurations: the work of a reload.

use super::read::Problem;
use super::{Cache, Config, Log, Server};

impl Config {
    /// The configuration that runs after a reload. Keys that need a restart have their running values.
    #[must_use]
    pub fn reloaded(&self, next: &Self) -> Self {
        let (server, cache, log) = (&next.server, &next.cache, &next.log);
        Self {
            server: Server {
                default_provider: server.default_provider.clone(),
                eager: server.eager,
                max_body: server.max_body,
                tls_cert: server.tls_cert.clone(),
                tls_key: server.tls_key.clone(),
                body_timeout: server.body_timeout,
                allowed_origins: server.allowed_origins.clone(),
                ..self.server.clone()
            },
            cache: Cache {
                memory: self.cache.memory,
                secret: self.cache.secret.clone(),
                ..cache.clone()
            },
            log: Log { requests: log.requests, ..self.log.clone() },
            prices: self.prices.clone(),
            disk: self.disk.clone(),
            redis: self.redis.clone(),
            metrics: self.metrics.clone(),
            traces: self.traces.clone(),
            ..next.clone()
        }
    }

    /// The keys whose values differ, and the providers that only one of the two has.
    pub fn changes(&self, next: &Self) -> Vec<String> {
        let sections = [
            ("server", self.server.differing(&next.server)),
            ("cache", self.cache.differing(&next.cache)),
            ("access", self.access.differing(&next.access)),
            ("prices", self.prices.differing(&next.prices)),
            ("disk", self.disk.differing(&next.disk)),
            ("redis", self.redis.differing(&next.redis)),
            ("log", self.log.differing(&next.log)),
            ("metrics", self.metrics.differing(&next.metrics)),
            ("traces", self.traces.differing(&next.traces)),
            ("drift", self.drift.differing(&next.drift)),
        ];
        let keys = sections.into_iter().flat_map(|(section, keys)| {
            keys.into_iter().map(move |key| format!("{section}.{key}"))
        });
        let rules = (self.rules != next.rules).then(|| "rules".to_owned());
        keys.chain(rules).chain(self.changed_providers(next)).collect()
    }

    fn changed_providers(&self, next: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        for (name, provider) in &next.providers {
            match self.providers.get(name) {
                Some(old) => {
                    let keys = old.differing(provider).into_iter();
                    changes.extend(keys.map(|key| format!("providers.{name}.{key}")));
                }
                None => changes.push(format!("providers.{name} (new)")),
            }
        }
        let removed = self.providers.keys().filter(|name| !next.providers.contains_key(*name));
        changes.extend(removed.map(|name| format!("providers.{name} (removed)")));
        changes
    }

    /// An error if a reload would send requests for a configured address to a built-in one that nothing
    /// names: the file is empty, or was cut short. They would carry the keys of clients there.
    pub fn lost_upstream(&self, next: &Self) -> Option<Problem> {
        if self.sources.has_file() && !next.sources.has_file() {
            let message = "the file sets no key any more, so that requests would go to the built-in \
                           providers";
            let (place, key) = (next.sources.file().to_owned(), String::new());
            return Some(Problem { place, key, message: message.to_owned() });
        }
        let default = &next.server.default_provider;
        let is_named = next.sources.has("server.default_provider");
        let others = (default != &self.server.default_provider && !is_named)
            .then_some((&self.server.default_provider, default));
        let same = next.providers.keys().map(|name| (name, name));
        let (old, new) = same.chain(others).find(|(old, new)| self.loses(next, old, new))?;
        let address = |config: &Self, name: &str| {
            config.providers.get(name).map(|provider| provider.base_url.clone()).unwrap_or_default()
        };
        let key = format!("providers.{old}.base_url");
        let message = format!(
            "nothing sets it any more, so that requests for {} would go to {}; write the address into \
             the file, or restart",
            address(self, old),
            address(next, new),
        );
        Some(Problem { place: next.sources.file().to_owned(), key, message })
    }

    /// Whether a provider had a configured address, and the one in its place has a built-in one.
    fn loses(&self, next: &Self, old: &str, new: &str) -> bool {
        let is_set =
            |config: &Self, name: &str| config.sources.has(&format!("providers.{name}.base_url"));
        let address = |config: &Self, name: &str| {
            config.providers.get(name).map(|provider| provider.base_url.clone())
        };
        is_set(self, old) && !is_set(next, new) && address(self, old) != address(next, new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        Config::read("larder.toml", text, &[]).unwrap()
    }

    fn lost(old: &str, new: &str) -> Option<String> {
        config(old).lost_upstream(&config(new)).map(|problem| problem.to_string())
    }

    #[test]
    fn keys_that_need_a_restart_keep_their_running_values() {
        let running = config("[cache]\nmemory = \"1MiB\"\nttl = \"1h\"\n");
        let text = "[cache]\nmemory = \"2MiB\"\nttl = \"2h\"\n[server]\nthreads = 3\neager = true\n\
                    [providers.mine]\nbase_url = \"http://a\"\n";
        let next = config(text);
        let reloaded = running.reloaded(&next);
        let applied = running.changes(&reloaded);
        for key in ["server.eager", "cache.ttl", "providers.mine (new)"] {
            assert!(applied.contains(&key.to_owned()), "{key} is not in {applied:?}");
        }
        assert_eq!(reloaded.changes(&next), ["server.threads", "cache.memory"]);
        assert_eq!(reloaded.reloaded(&next).changes(&next), ["server.threads", "cache.memory"]);
        assert!(running.changes(&running).is_empty());
        let removed = next.changes(&running);
        assert!(removed.contains(&"providers.mine (removed)".to_owned()), "{removed:?}");
    }

    #[test]
    fn a_file_that_was_cut_short_does_not_lead_to_a_built_in_provider() {
        const OPENAI: &str = "[providers.openai]\nbase_url = \"http://inside:1/v1\"\n";
        const MINE: &str = "[server]\ndefault_provider = \"mine\"\n[providers.mine]\nbase_url = \
                            \"http://inside:1\"\n";
        for (old, new) in [
            (OPENAI, ""),
            (OPENAI, "# nothing\n"),
            (OPENAI, "[cache]\nttl = \"1h\"\n"),
            (MINE, "[cache]\nttl = \"1h\"\n"),
            ("[cache]\nttl = \"1h\"\n[providers.mine]\nbase_url = \"http://a\"\n", ""),
        ] {
            let lost = lost(old, new).unwrap_or_else(|| panic!("{old:?} to {new:?}"));
            assert!(lost.starts_with("larder.toml: "), "{lost}");
        }
        let elsewhere = OPENAI.replace("inside:1", "elsewhere:1");
        let named = "[server]\ndefault_provider = \"cohere\"\n";
        let removed = "[cache]\nttl = \"1h\"\n[providers.mine]\nbase_url = \"http://a\"\n";
        for (old, new) in [
            (OPENAI, OPENAI),
            (OPENAI, &*elsewhere),
            ("", ""),
            ("", OPENAI),
            (MINE, named),
            (removed, "[cache]\nttl = \"2h\"\n"),
        ] {
            assert_eq!(lost(old, new), None, "{old:?} to {new:?}");
        }
    }
}
