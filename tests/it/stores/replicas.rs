//! Replicas that share a Redis forget what one of them saw written, and share no read.

use std::time::Duration;

use tokio::time::sleep;

use super::store::Store;
use super::{ROUTES, before, read, write};
use crate::harness::{Client, RedisServer, Sidecar, until};

async fn replica(store: &Store, redis: &RedisServer) -> Sidecar {
    let more = format!("[redis]\nurl = \"{}\"\ntimeout = \"500ms\"\n", redis.url());
    let replica = before(store, ROUTES, &more);
    let closed = || async { replica.metric("larder_cache_breaker_state", "redis").await == 0.0 };
    until("redis is asked", closed).await;
    replica
}

/// Reads until it is kept: before both know of each other's writes so far, one of them may still forget.
async fn keep(client: &Client, namespace: &str) {
    let is_kept = async || {
        read(client, namespace, "k").await;
        sleep(Duration::from_millis(1_200)).await;
        read(client, namespace, "k").await.1 == "hit"
    };
    until("it is kept", is_kept).await;
}

#[tokio::test]
async fn what_is_written_through_one_replica_the_other_forgets_in_a_moment() {
    let (redis, store) = (RedisServer::start().await, Store::start());
    let (one, other) = (replica(&store, &redis).await, replica(&store, &redis).await);
    let (client, of_other) = (one.client(), other.client());
    for number in 1..=3 {
        for client in [&client, &of_other] {
            keep(client, "a").await;
            keep(client, "b").await;
        }
        let writer = if number == 2 { &of_other } else { &client };
        assert_eq!(write(writer, "a", "k").await, number);
        for client in [&client, &of_other] {
            until("it is forgotten", || async { read(client, "a", "k").await.0 == number }).await;
            assert_eq!(read(client, "b", "k").await.1, "hit");
        }
    }
    assert!(redis.entries().is_empty(), "{:?}", redis.entries());
}

#[tokio::test]
async fn what_was_written_before_a_replica_ended_is_told() {
    let (redis, store) = (RedisServer::start().await, Store::start());
    let (mut one, other) = (replica(&store, &redis).await, replica(&store, &redis).await);
    let client = other.client();
    keep(&client, "a").await;
    write(&one.client(), "a", "k").await;
    one.signal("TERM");
    assert!(one.ended().await.success());
    until("it is forgotten", || async { read(&client, "a", "k").await.0 == 1 }).await;
}
