//! Purging by what looks at each entry.

use serde_json::json;

use super::{keys, listed, of_model, page, purged, status};
use crate::disk::{CacheDir, ended, written};
use crate::harness::{Ask, RedisServer, Sidecar, Simulated, texts, until};
use crate::shared::ready_replica;

/// With three models of ten texts each.
async fn filled(sidecar: &Sidecar) -> Ask {
    let ask = Ask::of(texts("kept", 10));
    for model in ["one", "two", "three"] {
        sidecar.client().right(&of_model(model, &ask)).await;
    }
    ask
}

#[tokio::test]
async fn a_dry_run_counts_and_leaves_everything() {
    let (directory, provider) = (CacheDir::new(), Simulated::instant());
    let sidecar = Sidecar::with(provider.address, &directory.config(""));
    filled(&sidecar).await;
    written(&sidecar, 30.0).await;
    let key = page(&sidecar, "limit=1").await["entries"][0]["key"].as_str().unwrap().to_owned();
    for (query, entries) in [
        ("", 30),
        ("&model=one", 10),
        ("&match=t*", 20),
        ("&match=t*&model=two", 10),
        ("&before=1h", 0),
        (&format!("&key={key}"), 1),
        (&format!("&key={key}&before=1h"), 0),
    ] {
        let said = purged(&sidecar, &format!("dry_run=true{query}")).await;
        assert_eq!(said, json!({ "purged": entries, "dry_run": true }), "{query}");
    }
    assert_eq!(listed(&sidecar, "").await.len(), 30);
}

#[tokio::test]
async fn what_looks_like_this_is_gone_and_nothing_else() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::before(provider.address);
    let ask = filled(&sidecar).await;
    // A whole answer is remembered too.
    assert!(status(&sidecar, &of_model("two", &ask)).await.contains("hit"));
    let said = purged(&sidecar, "match=t*").await;
    assert_eq!(said, json!({ "purged": 20, "memory": 20, "disk": 0, "redis": 0 }));
    assert!(status(&sidecar, &of_model("one", &ask)).await.contains("hit"));
    for model in ["two", "three"] {
        assert!(status(&sidecar, &of_model(model, &ask)).await.contains("fwd=miss"), "{model}");
    }
    let metric = sidecar.metric("larder_cache_evictions_total", "reason=\"purged\"").await;
    assert!((metric - 20.0).abs() < 0.5, "{metric}");
}

#[tokio::test]
async fn what_is_old_is_gone_and_what_is_new_stays() {
    let (directory, provider) = (CacheDir::new(), Simulated::instant());
    let sidecar = Sidecar::with(provider.address, &directory.config(""));
    let ask = filled(&sidecar).await;
    tokio::time::sleep(std::time::Duration::from_millis(3_100)).await;
    let fresh = Ask::of(["new"]);
    sidecar.client().right(&fresh).await;
    written(&sidecar, 31.0).await;
    let said = purged(&sidecar, "before=2s").await;
    assert_eq!(said, json!({ "purged": 30, "memory": 30, "disk": 30, "redis": 0 }));
    assert!(status(&sidecar, &fresh).await.contains("hit"));
    assert!(status(&sidecar, &of_model("one", &ask)).await.contains("fwd=miss"));
}

#[tokio::test]
async fn one_key_is_gone_from_memory_and_disk() {
    let (directory, provider) = (CacheDir::new(), Simulated::instant());
    let sidecar = Sidecar::with(provider.address, &directory.config(""));
    filled(&sidecar).await;
    written(&sidecar, 30.0).await;
    let before = keys(&listed(&sidecar, "").await);
    let key = before.iter().next().unwrap().clone();
    let nothing = json!({ "purged": 0, "memory": 0, "disk": 0, "redis": 0 });
    assert_eq!(purged(&sidecar, &format!("key={key}&model=another")).await, nothing);
    let said = purged(&sidecar, &format!("key={key}")).await;
    assert_eq!(said, json!({ "purged": 1, "memory": 1, "disk": 1, "redis": 0 }));
    assert_eq!(purged(&sidecar, &format!("key={key}")).await, nothing);
    let after = keys(&listed(&sidecar, "").await);
    assert_eq!(before.difference(&after).collect::<Vec<_>>(), [&key]);
}

#[tokio::test]
async fn a_restart_brings_back_nothing_that_was_purged() {
    let (directory, provider) = (CacheDir::new(), Simulated::instant());
    let ask = Ask::of(texts("kept", 10));
    let first = Sidecar::with(provider.address, &directory.config(""));
    filled(&first).await;
    written(&first, 30.0).await;
    ended(first).await;
    // On disk alone, in a segment that has its hint.
    let second = Sidecar::with(provider.address, &directory.config(""));
    assert_eq!(purged(&second, "match=t*&dry_run=true").await["purged"], 20);
    let said = purged(&second, "match=t*").await;
    assert_eq!(said, json!({ "purged": 20, "memory": 0, "disk": 20, "redis": 0 }));
    assert!(status(&second, &of_model("two", &ask)).await.contains("fwd=miss"));
    second.until("larder_cache_entries{tier=\"disk\"}", 20.0).await;
    // Killed: what is to outlive that was on the disk before the answer came.
    drop(second);
    let third = Sidecar::with(provider.address, &directory.config(""));
    assert!(status(&third, &of_model("one", &ask)).await.contains("detail=disk"));
    assert!(status(&third, &of_model("three", &ask)).await.contains("fwd=miss"));
    ended(third).await;
    let fourth = Sidecar::with(provider.address, &directory.config(""));
    assert_eq!(listed(&fourth, "match=t*").await.len(), 20, "asked for anew, and kept again");
}

#[tokio::test]
async fn redis_forgets_what_this_replica_knows_and_other_replicas_keep_theirs() {
    let (redis, provider) = (RedisServer::start().await, Simulated::instant());
    let one = ready_replica(provider.address, &redis.url()).await;
    let ask = filled(&one).await;
    redis.has(30).await;
    let other = ready_replica(provider.address, &redis.url()).await;
    let two = of_model("two", &ask);
    assert!(status(&other, &two).await.contains("detail=redis"));
    let said = purged(&one, "match=t*").await;
    assert_eq!(said, json!({ "purged": 20, "memory": 20, "disk": 0, "redis": 20 }));
    assert_eq!(redis.entries().len(), 10);
    assert!(status(&other, &two).await.contains("detail=memory"));
    assert!(status(&one, &two).await.contains("fwd=miss"));
    // By its key alone an entry goes that this replica has never read.
    redis.has(20).await;
    let third = ready_replica(provider.address, &redis.url()).await;
    let key =
        page(&one, "model=one&limit=1").await["entries"][0]["key"].as_str().unwrap().to_owned();
    let said = purged(&third, &format!("key={key}")).await;
    assert_eq!(said, json!({ "purged": 1, "memory": 0, "disk": 0, "redis": 1 }));
}

#[tokio::test]
async fn a_redis_that_cannot_be_told_is_no_purge() {
    let (mut redis, provider) = (RedisServer::start().await, Simulated::instant());
    let sidecar = ready_replica(provider.address, &redis.url()).await;
    filled(&sidecar).await;
    redis.has(30).await;
    redis.kill();
    until("redis is given up", || async {
        sidecar.metric("larder_cache_breaker_state", "redis").await > 0.0
    })
    .await;
    let answer = sidecar.admin().send(http::Method::DELETE, "/api/entries?match=t*", &[], "").await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.text().contains("redis: "), "{answer:?}");
}
