//! What the tests share: the sidecar, providers, clients, and what a right answer is.

mod ask;
mod authority;
mod chance;
mod client;
mod encrypted;
pub(crate) mod frames;
mod load;
mod provider;
mod raw;
mod redis;
mod scripted;
mod sidecar;
mod teller;

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

pub(crate) use ask::{Ask, In, encode_numbers};
pub(crate) use authority::{Authority, Pair};
pub(crate) use chance::Chance;
pub(crate) use client::{Answer, Client};
pub(crate) use encrypted::{Encrypted, Spoken, acceptor_of};
pub(crate) use load::Load;
pub(crate) use provider::Simulated;
pub(crate) use raw::Raw;
pub(crate) use redis::{RedisServer, cluster, free_port};
pub(crate) use scripted::{Asked, Gate, Say, Scripted, answer, json};
pub(crate) use sidecar::{
    Config, Sidecar, complaints, config_file, larder, larder_with, path, private,
};
pub(crate) use teller::{Teller, Telling};

/// What vectors are long where nobody says otherwise.
pub(crate) const DIMENSIONS: usize = 8;

/// The longest that anything here may take; reaching it is a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for a condition of another process, which cannot be awaited.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < PATIENCE, "never came to pass: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// So many different texts of the same length, so that tokens are shared out evenly.
pub(crate) fn texts(name: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{name} {n:06}")).collect()
}

/// Work that goes on while the test does something else; it ends when this is dropped.
pub(crate) struct Aside<T>(JoinSet<T>);

impl<T: Send + 'static> Aside<T> {
    pub(crate) fn start(work: impl Future<Output = T> + Send + 'static) -> Self {
        let mut set = JoinSet::new();
        set.spawn(work);
        Self(set)
    }

    /// Its result; its panic is the test's.
    pub(crate) async fn done(mut self) -> T {
        self.0.join_next().await.unwrap().unwrap()
    }
}

/// Runs futures side by side and gives their results in order.
pub(crate) async fn all<T: Send + 'static>(
    work: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let mut set = JoinSet::new();
    for (place, one) in work.into_iter().enumerate() {
        set.spawn(async move { (place, one.await) });
    }
    let mut results = set.join_all().await;
    results.sort_by_key(|(place, _)| *place);
    results.into_iter().map(|(_, result)| result).collect()
}
