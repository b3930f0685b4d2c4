//! What is kept: the tiers as configured, and the secret that everything in them is keyed with.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use super::Failure;
use crate::clock::Clock;
use crate::config::Config;
use crate::key::{Digest, Framer, KeyHasher};
use crate::metrics::{Layer, Metrics};
use crate::tier::memory::Memory;
use crate::tier::purge::Purges;
use crate::tier::redis::Redis;
use crate::tier::{Ground, Tiers};

/// The tiers, and what goes with them.
pub(super) struct Kept {
    pub(super) tiers: Arc<Tiers>,
    pub(super) hasher: KeyHasher,
    pub(super) secret: [u8; 32],
}

pub(super) fn build(config: &Config, clock: Clock, metrics: &Metrics) -> Result<Kept, Failure> {
    let random = random().map_err(|error| Failure::Start(format!("no randomness: {error}")))?;
    let secret = secret(config).unwrap_or(random);
    // Of this process alone, so that nobody can aim at its maps.
    let hasher = KeyHasher::new(&random);
    let purges = Arc::new(Purges::new());
    let instance = format!("{:?}", Digest::of(&random));
    let ground = Ground { secret, instance, clock, purges: Arc::clone(&purges) };
    let memory = Memory::new(config.cache.memory.0, hasher.clone(), metrics.tier("memory"));
    let shared = if config.redis.url.expose().is_empty() {
        None
    } else {
        let (handles, leases) = (metrics.lower(Layer::Redis), metrics.leases());
        Some(Redis::start(&config.redis, ground, handles, leases).map_err(Failure::Config)?)
    };
    let tiers = Arc::new(Tiers::new(memory, shared, purges));
    Ok(Kept { tiers, hasher, secret })
}

/// The secret that outlives the process, where there is one.
fn secret(config: &Config) -> Option<[u8; 32]> {
    let made_of = |purpose, text: &str| {
        *Framer::new(purpose).field(b's', text.as_bytes()).finish().as_bytes()
    };
    let configured = config.cache.secret.expose();
    if !configured.is_empty() {
        return Some(made_of("larder secret", configured));
    }
    if config.redis.url.expose().is_empty() {
        return None;
    }
    let password = Redis::password(&config.redis);
    if password.is_none() {
        tracing::warn!(
            "neither cache.secret nor a password of redis.url is set: whoever reads redis can test \
             guesses of credentials"
        );
    }
    Some(made_of("larder secret of redis", &password.unwrap_or_default()))
}

fn random() -> io::Result<[u8; 32]> {
    let mut random = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    Ok(random)
}
