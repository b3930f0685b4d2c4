//! The line that says what a sidecar serves, once it listens.

use std::net::SocketAddr;

use super::settings::Loaded;
use super::variables::reachable;
use crate::config::Config;
use crate::config::units::{SecretUrl, Setting};
use crate::config::words::LogFormat;
use crate::server::Addresses;

/// The parts of the line that the configuration has.
#[derive(Debug)]
pub(super) struct Started {
    /// The format of the log.
    pub(super) format: LogFormat,
    scheme: &'static str,
    upstream: String,
    tiers: String,
}

impl Started {
    pub(super) fn of(loaded: &Loaded) -> Self {
        let config = &loaded.config;
        let scheme = if config.server.tls_cert.is_named() { "https" } else { "http" };
        Self { format: config.log.format, scheme, upstream: upstream(config), tiers: tiers(config) }
    }

    /// Logs the URLs, the default upstream and the tiers.
    pub(super) fn log(&self, addresses: &Addresses) {
        let url = |scheme: &str, address: SocketAddr| {
            let url = format!("{scheme}://{address}");
            reachable(&url).unwrap_or(url)
        };
        let proxy = format!("{}/v1", url(self.scheme, addresses.proxy));
        let page = format!("{}/", url("http", addresses.admin));
        let (upstream, tiers) = (&*self.upstream, &*self.tiers);
        tracing::info!(%proxy, status_page = %page, upstream, tiers, "ready");
    }
}

/// The default provider and its address.
fn upstream(config: &Config) -> String {
    let name = &config.server.default_provider;
    let url = config.providers.get(name).map(|provider| provider.base_url.as_str());
    format!("{name} ({})", url.unwrap_or_default())
}

/// The tiers, the nearest first.
fn tiers(config: &Config) -> String {
    let mut tiers = vec![format!("memory {}", config.cache.memory)];
    if !config.disk.dir.is_empty() {
        tiers.push(format!("disk {} {}", config.disk.dir, config.disk.size));
    }
    let url = config.redis.url.expose();
    if !url.is_empty() {
        tiers.push(SecretUrl::shown(url));
    }
    tiers.join(", ")
}
