//! A large directory is no reason to wait, and a new process takes it over.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{CacheDir, ended, written};
use crate::handover::ask_until_stopped;
use crate::harness::{Ask, Sidecar, Simulated, path, until};

const VECTORS: usize = 100_000;
const GROUP: usize = 500;

/// How many entries there are, as metrics count them.
fn entries() -> f64 {
    f64::from(u32::try_from(VECTORS).unwrap())
}

fn ask(texts: impl Iterator<Item = usize>) -> Ask {
    Ask::of(texts.map(|text| format!("many {text:06}"))).base64().dimensions(64)
}

/// Starts a sidecar and asks for something old at once.
async fn reopened(provider: &Simulated, directory: &CacheDir, text: usize, after: &str) -> Sidecar {
    let started = Instant::now();
    let sidecar = Sidecar::with(provider.address, &directory.config(""));
    let listening = started.elapsed();
    let answer = sidecar.client().right(&ask([text].into_iter())).await;
    let answered = started.elapsed();
    assert_eq!(answer.header("cache-status"), "larder; hit; detail=disk");
    eprintln!(
        "{VECTORS} vectors, after {after}: listening after {listening:?}, a hit after {answered:?}"
    );
    assert!(answered < Duration::from_secs(5), "{answered:?}");
    sidecar
}

#[tokio::test]
async fn a_hundred_thousand_vectors_are_there_at_once_after_a_restart() {
    let (directory, provider) = (CacheDir::new(), Simulated::instant());
    let first = Sidecar::with(provider.address, &directory.config(""));
    for group in 0..VECTORS / GROUP {
        first.client().right(&ask((0..GROUP).map(|text| group * GROUP + text))).await;
    }
    written(&first, entries()).await;
    first.signal("KILL");
    drop(first);
    let second = reopened(&provider, &directory, 77_777, "a kill").await;
    ended(second).await;
    let third = reopened(&provider, &directory, 12_345, "an orderly end").await;
    until("all are counted", || async {
        third.metric("larder_cache_entries", "disk").await >= entries()
    })
    .await;
    // Some from everywhere, the first and the last among them.
    for start in (0..VECTORS).step_by(VECTORS / 20).chain([VECTORS - 50]) {
        let answer = third.client().right(&ask(start..start + 50)).await;
        assert_eq!(answer.hits(), 50, "{start}");
    }
}

#[tokio::test]
async fn a_new_process_takes_the_directory_over_under_load() {
    let (directory, provider) = (CacheDir::new(), Simulated::instant());
    let socket = path("upgrade.sock");
    let config = format!("[server]\ndrain = \"1s\"\nupgrade_socket = {socket:?}\n");
    let config = directory.config(&config);
    let mut old = Sidecar::with(provider.address, &config);
    old.client().right(&Ask::of(["before"])).await;
    let (asking, stop) = ask_until_stopped(old.proxy, 0);
    let new = old.successor(provider.address, &config);
    assert_eq!(old.ended().await.code(), Some(0));
    until("the new one has the directory", || async {
        new.metric("larder_cache_breaker_state", "disk").await < 0.5
    })
    .await;
    let before = new.metric("larder_cache_insertions_total", "tier=\"disk\"").await;
    written(&new, before + 50.0).await;
    stop.store(true, Ordering::Relaxed);
    assert!(asking.done().await > 100);
    let kept = new.client().right(&Ask::of(["before"])).await;
    assert_eq!(kept.header("cache-status"), "larder; hit; detail=disk");
    assert!(!old.log().contains("panicked") && !new.log().contains("panicked"));
}
