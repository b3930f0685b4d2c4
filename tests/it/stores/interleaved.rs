//! Many clients read and write at once: whoever begins to read after somebody has the answer to a write sees
//! that write, or a later one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::Method;

use super::store::Store;
use super::{ROUTES, before, post, send, version};
use crate::harness::{Answer, Chance, Client, all};

const CLIENTS: usize = 24;
const STEPS: usize = 120;
const NAMESPACES: usize = 3;
const KEYS: usize = 2;

/// The version of each key that some client has had the answer of.
type Known = [AtomicU64; NAMESPACES * KEYS];

/// One client's steps; how many of its reads came from the cache.
async fn live(client: Client, known: Arc<Known>, mut chance: Chance) -> usize {
    let mut hits = 0;
    for _ in 0..STEPS {
        let (namespace, key) = (chance.index(NAMESPACES), chance.index(KEYS));
        let known = &known[namespace * KEYS + key];
        if chance.below(100) < 12 {
            let written = write(&client, (namespace, key), chance.below(3)).await;
            // What was broken off may have happened.
            if written.status == 200 {
                known.fetch_max(version(&written), Ordering::SeqCst);
            }
            continue;
        }
        let least = known.load(Ordering::SeqCst);
        let answer = read(&client, (namespace, key), chance.below(3)).await;
        let seen = version(&answer);
        let status = answer.header("cache-status").to_owned();
        assert!(seen >= least, "{namespace}/{key}: {seen} after {least}: {status}");
        hits += usize::from(status.starts_with("larder; hit"));
    }
    hits
}

/// Writes by a path with the namespace, by a body with it, or by what no route is for.
async fn write(client: &Client, (namespace, key): (usize, usize), how: u64) -> Answer {
    let body = format!("{{\"key\":\"{key}\",\"in\":{{\"namespace\":\"{namespace}\"}}}}");
    match how {
        0 => send(client, Method::PUT, &format!("/c/{namespace}/set"), &body).await,
        1 => post(client, "/put", &body).await,
        _ => post(client, "/unlisted", &body).await,
    }
}

/// The same for reads.
async fn read(client: &Client, (namespace, key): (usize, usize), how: u64) -> Answer {
    let body = format!("{{\"key\":\"{key}\",\"in\":{{\"namespace\":\"{namespace}\"}}}}");
    match how {
        0 => post(client, &format!("/c/{namespace}/get"), &body).await,
        1 => post(client, "/get", &body).await,
        _ => send(client, Method::GET, &format!("/c/{namespace}/keys/{key}"), "").await,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_after_a_write_was_answered_sees_it() {
    let mut chance = Chance::new();
    for (milliseconds, cuts) in [(0, 0), (3, 0), (8, 10)] {
        let store = Store::slow(milliseconds, cuts);
        let sidecar = before(&store, ROUTES, "");
        let known: Arc<Known> = Arc::default();
        let clients =
            (0..CLIENTS).map(|_| live(sidecar.client(), Arc::clone(&known), chance.another()));
        let hits: usize = all(clients.collect::<Vec<_>>()).await.into_iter().sum();
        assert!(hits > CLIENTS, "{hits} hits");
        let calls = store.calls().len();
        assert!(calls < CLIENTS * STEPS, "{calls} calls");
    }
}
