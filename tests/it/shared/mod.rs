//! Replicas that share a Redis: what one of them got, all of them have.

mod chaos;
mod forms;
mod leases;
mod reasons;

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;

use crate::harness::{Ask, RedisServer, Sidecar, Simulated, texts, until};

/// A sidecar that shares what it keeps.
pub(super) fn replica(provider: SocketAddr, url: &str, more: &str) -> Sidecar {
    Sidecar::with(provider, &format!("[redis]\nurl = {url:?}\ntimeout = \"500ms\"\n{more}"))
}

/// Waits until it asks its Redis.
pub(super) async fn ready(replica: &Sidecar) {
    let closed = || async { replica.metric("larder_cache_breaker_state", "redis").await == 0.0 };
    until("redis is asked", closed).await;
}

pub(crate) async fn ready_replica(provider: SocketAddr, url: &str) -> Sidecar {
    let replica = replica(provider, url, "");
    ready(&replica).await;
    replica
}

#[tokio::test]
async fn what_one_replica_stored_another_has() {
    let (redis, provider) = (RedisServer::start().await, Simulated::instant());
    let one = ready_replica(provider.address, &redis.url()).await;
    let ask = Ask::of(texts("shared", 24));
    one.client().right(&ask).await;
    redis.has(24).await;
    let other = ready_replica(provider.address, &redis.url()).await;
    let client = other.client();
    let answer = client.right(&ask).await;
    assert_eq!(answer.header("cache-status"), "larder; hit; detail=redis");
    assert_eq!(answer.header("x-larder-items"), "hit=24, collapsed=0, miss=0");
    assert!(answer.header("age").parse::<u64>().unwrap() < 10);
    assert_eq!(client.right(&ask).await.header("cache-status"), "larder; hit; detail=memory");
    until("it tells what the server holds", || async {
        other.metric("larder_cache_entries", "redis").await >= 24.0
            && other.metric("larder_cache_bytes", "redis").await > 24.0 * 100.0
    })
    .await;
    // A part of what is asked for is there.
    let more = Ask::of(texts("shared", 32));
    let answer = client.right(&more).await;
    assert_eq!(answer.header("cache-status"), "larder; fwd=partial; stored");
    assert_eq!(provider.stats().await.inputs, 32);
    let hits = "operation=\"embed\",result=\"hit\",tier=\"redis\"";
    assert!((other.metric("larder_cache_lookups_total", hits).await - 24.0).abs() < 0.5);
}

#[tokio::test]
async fn another_credential_or_secret_has_nothing_of_it() {
    let (redis, provider) = (RedisServer::start().await, Simulated::instant());
    let one = ready_replica(provider.address, &redis.url()).await;
    let ask = Ask::of(["mine"]).header("authorization", "Bearer one");
    one.client().right(&ask).await;
    redis.has(1).await;
    let other = ready_replica(provider.address, &redis.url()).await;
    let theirs = Ask::of(["mine"]).header("authorization", "Bearer other");
    assert!(other.client().right(&theirs).await.header("cache-status").contains("fwd=miss"));
    let apart = replica(provider.address, &redis.url(), "[cache]\nsecret = \"another\"\n");
    ready(&apart).await;
    assert!(apart.client().right(&ask).await.header("cache-status").contains("fwd=miss"));
    let log = [one.log(), other.log(), apart.log()].concat();
    assert!(!log.contains("another"), "{log}");
}

#[tokio::test]
async fn a_models_words_are_shared_too() {
    let (redis, provider) = (RedisServer::start().await, Simulated::instant());
    let body = json!({ "model": "gpt-4o", "temperature": 0, "messages": [{ "role": "user", "content": "hi" }] });
    let one = ready_replica(provider.address, &redis.url()).await;
    let first = one.client().chat(&body).await;
    redis.has(1).await;
    let other = ready_replica(provider.address, &redis.url()).await;
    let second = other.client().chat(&body).await;
    assert_eq!(second.header("cache-status").split("; ttl").next(), Some("larder; hit"));
    assert!(second.header("cache-status").ends_with("detail=redis"), "{:?}", second.headers);
    assert_eq!(first.body, second.body);
}

#[tokio::test]
async fn an_entry_ends_for_every_replica_when_it_ends() {
    let (redis, provider) = (RedisServer::start().await, Simulated::instant());
    let one = ready_replica(provider.address, &redis.url()).await;
    let ask = Ask::of(["short"]).header("x-larder-ttl", "3");
    one.client().right(&ask).await;
    redis.has(1).await;
    let other = ready_replica(provider.address, &redis.url()).await;
    let answer = other.client().right(&Ask::of(["short"])).await;
    let status = answer.header("cache-status").to_owned();
    assert!(status.starts_with("larder; hit; ttl="), "{status}");
    until("the entry is gone", || async { redis.entries().is_empty() }).await;
    // The other counts in whole seconds.
    until("it has ended in the other, too", || async {
        let answer = other.client().right(&Ask::of(["short"])).await;
        answer.header("cache-status") == "larder; fwd=stale; stored"
    })
    .await;
}

#[tokio::test]
async fn what_is_too_old_for_a_caller_is_not_given_to_it() {
    let (redis, provider) = (RedisServer::start().await, Simulated::instant());
    let one = ready_replica(provider.address, &redis.url()).await;
    let ask = Ask::of(texts("old", 3));
    one.client().right(&ask).await;
    redis.has(3).await;
    tokio::time::sleep(Duration::from_millis(3_100)).await;
    let other = ready_replica(provider.address, &redis.url()).await;
    let young = ask.clone().header("cache-control", "max-age=1");
    let answer = other.client().right(&young).await;
    assert_eq!(answer.header("cache-status"), "larder; fwd=miss; stored");
    assert_eq!(provider.stats().await.inputs, 6);
    // What came is everybody's.
    let third = ready_replica(provider.address, &redis.url()).await;
    until("the new one is shared", || async {
        third.client().right(&young).await.header("cache-status").contains("hit")
    })
    .await;
}

/// A purge by a glob left the memory of other replicas, and what was only in Redis, as they were.
#[tokio::test]
async fn a_purge_by_a_glob_reaches_every_replica_and_what_is_shared() {
    let (redis, provider) = (RedisServer::start().await, Simulated::instant());
    let one = ready_replica(provider.address, &redis.url()).await;
    let other = ready_replica(provider.address, &redis.url()).await;
    let small = Ask::of(["kept"]);
    let large = Ask { model: "text-embedding-3-large".to_owned(), ..Ask::of(["kept"]) };
    for ask in [&small, &large] {
        other.client().right(ask).await;
    }
    redis.has(2).await;
    // The replica that is asked to purge has neither in its memory.
    let filter = "/api/entries?match=*-3-small";
    let purged = one.admin().send(http::Method::DELETE, filter, &[], "").await;
    assert_eq!(purged.status, 200, "{}", purged.text());
    until("the purge reaches the other", || async {
        other.client().right(&small).await.header("cache-status").contains("fwd=miss")
    })
    .await;
    let kept = other.client().right(&large).await;
    assert_eq!(kept.header("cache-status"), "larder; hit; detail=memory");
    assert!(one.client().right(&large).await.header("cache-status").contains("detail=redis"));
}

#[tokio::test]
async fn a_purge_reaches_every_replica_and_what_is_shared() {
    let (redis, provider) = (RedisServer::start().await, Simulated::instant());
    let one = ready_replica(provider.address, &redis.url()).await;
    let other = ready_replica(provider.address, &redis.url()).await;
    let asks = [
        Ask::of(["kept"]),
        Ask { model: "text-embedding-3-large".to_owned(), ..Ask::of(["kept"]) },
    ];
    for ask in &asks {
        one.client().right(ask).await;
    }
    redis.has(2).await;
    for ask in &asks {
        assert!(other.client().right(ask).await.header("cache-status").contains("hit"));
    }
    let filter = "/api/entries?provider=openai&model=text-embedding-3-small";
    let purged = one.admin().send(http::Method::DELETE, filter, &[], "").await;
    assert_eq!(purged.text(), "{\"purged\":1}\n");
    until("the purge reaches the other", || async {
        let answer = other.client().right(&asks[0]).await;
        answer.header("cache-status").contains("fwd=miss")
    })
    .await;
    assert_eq!(
        other.client().right(&asks[1]).await.header("cache-status"),
        "larder; hit; detail=memory"
    );
    // The other has stored it anew, for all.
    until("it is shared again", || async {
        let third = ready_replica(provider.address, &redis.url()).await;
        third.client().right(&asks[0]).await.header("cache-status").contains("detail=redis")
    })
    .await;
    // Whoever comes later knows of the purge.
    let wrong =
        one.admin().send(http::Method::DELETE, "/api/entries?provider=nobody", &[], "").await;
    assert_eq!(wrong.status, 400);
}
