//! What is kept: the tiers as configured, and the secret that everything in them is keyed with.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use super::Failure;
use crate::clock::Clock;
use crate::config::Config;
use crate::key::{Digest, Framer, KeyHasher};
use crate::metrics::{Layer, Metrics};
use crate::tier::disk::Disk;
use crate::tier::disk::directory::Directory;
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
    let Base { directory, ground, hasher } = base(config, clock)?;
    let (secret, purges) = (ground.secret, Arc::clone(&ground.purges));
    let memory =
        Memory::new(config.cache.memory.0, hasher.clone(), (metrics.tier("memory"), clock));
    let disk = match directory {
        None => None,
        Some(directory) => {
            let handles = metrics.lower(Layer::Disk);
            let disk = Disk::start(&config.disk, directory, ground.clone(), handles);
            Some(disk.map_err(|error| Failure::Start(error.to_string()))?)
        }
    };
    let shared = if config.redis.url.expose().is_empty() {
        None
    } else {
        let (handles, leases) = (metrics.lower(Layer::Redis), metrics.leases());
        let started = Redis::start(&config.redis, ground, handles, leases);
        Some(started.map_err(|error| redis_failure(&config.redis.ca_file, &error))?)
    };
    let tiers = Arc::new(Tiers::new(memory, disk, shared, purges));
    Ok(Kept { tiers, hasher, secret })
}

/// What the tiers are built on.
pub(super) struct Base {
    pub(super) directory: Option<Directory>,
    pub(super) ground: Ground,
    hasher: KeyHasher,
}

pub(super) fn base(config: &Config, clock: Clock) -> Result<Base, Failure> {
    let random = random().map_err(|error| Failure::Start(format!("no randomness: {error}")))?;
    let directory = directory(config)?;
    let secret = match (configured(config), &directory) {
        (Some(secret), _) => secret,
        (None, Some(directory)) => kept_secret(directory, &random),
        (None, None) => random,
    };
    let instance = format!("{:?}", Digest::of(&random));
    let ground = Ground { secret, instance, clock, purges: Arc::new(Purges::new()) };
    // The maps' own seed is of this process alone, so that nobody can aim at them.
    Ok(Base { directory, ground, hasher: KeyHasher::new(&random) })
}

/// The cache directory, where there is to be one.
fn directory(config: &Config) -> Result<Option<Directory>, Failure> {
    if config.disk.dir.is_empty() {
        return Ok(None);
    }
    let opened = Directory::open(Path::new(&config.disk.dir));
    opened.map(Some).map_err(|error| Failure::config("disk.dir", error))
}

/// The key that an error of the shared tier is about.
fn redis_failure(ca_file: &str, error: &str) -> Failure {
    let message = error.strip_prefix("redis.url: ").unwrap_or(error);
    let is_of_file = !ca_file.is_empty() && message.starts_with(ca_file);
    Failure::config(if is_of_file { "redis.ca_file" } else { "redis.url" }, message)
}

/// The secret in a directory, which is put there first if need be. Where it can be neither read nor
/// written, the process does without what is there.
fn kept_secret(directory: &Directory, random: &[u8; 32]) -> [u8; 32] {
    let kept = directory.create_small("secret", random).and_then(|kept| {
        let wrong = || io::Error::new(io::ErrorKind::InvalidData, "it is not 32 bytes");
        kept.try_into().map_err(|_| wrong())
    });
    kept.unwrap_or_else(|error| {
        tracing::warn!(%error, "the secret of the cache directory is not to be had; none of its entries is");
        *random
    })
}

/// The secret that the configuration makes.
fn configured(config: &Config) -> Option<[u8; 32]> {
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
            "set cache.secret (LARDER_SECRET): without it, and without a password in redis.url, \
             anyone who can read this Redis can confirm guessed API keys"
        );
    }
    Some(made_of("larder secret of redis", &password.unwrap_or_default()))
}

fn random() -> io::Result<[u8; 32]> {
    let mut random = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    Ok(random)
}
