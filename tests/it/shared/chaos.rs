//! What may befall a Redis befalls no request.

use std::time::Duration;

use super::{ready, replica};
use crate::harness::{Ask, Load, RedisServer, Sidecar, Simulated, texts, until};

async fn open(replica: &Sidecar) {
    let open = || async { replica.metric("larder_cache_breaker_state", "redis").await > 0.5 };
    until("redis is not asked", open).await;
}

#[tokio::test]
async fn a_server_that_is_not_there_yet_is_found_when_it_comes() {
    let (mut redis, provider) = (RedisServer::not_yet(), Simulated::instant());
    let one = replica(provider.address, &redis.url(), "");
    let reason = "redis tier down: cannot connect: connection refused by 127.0.0.1:";
    until("it says so", || async { one.log().contains(reason) }).await;
    one.client().right(&Ask::of(["early"])).await;
    redis.up().await;
    ready(&one).await;
    one.client().right(&Ask::of(["late"])).await;
    redis.has(1).await;
    assert_eq!(one.log().matches("cannot connect").count(), 1, "{}", one.log());
}

#[tokio::test]
async fn a_server_that_dies_and_comes_back_costs_no_request() {
    let (mut redis, provider) = (RedisServer::start().await, Simulated::instant());
    let one = replica(provider.address, &redis.url(), "");
    ready(&one).await;
    let load = Load::on(&one.client(), "dies");
    for _ in 0..3 {
        load.goes_on(50).await;
        redis.kill();
        open(&one).await;
        load.goes_on(50).await;
        redis.up().await;
        ready(&one).await;
    }
    redis.has(1).await;
    load.ends().await;
    // A line for each change, not for each request. The line of the start names the tier too.
    let is_change = |line: &&str| line.contains("redis") && !line.contains(" ready ");
    let lines = one.log().lines().filter(is_change).count();
    assert!(lines <= 8, "{}", one.log());
}

#[tokio::test]
async fn a_server_that_stops_for_a_while_costs_no_request() {
    let (redis, provider) = (RedisServer::start().await, Simulated::instant());
    let one = replica(provider.address, &redis.url(), "");
    ready(&one).await;
    let load = Load::on(&one.client(), "stops");
    for _ in 0..2 {
        load.goes_on(20).await;
        redis.signal("STOP");
        open(&one).await;
        load.goes_on(50).await;
        redis.signal("CONT");
        ready(&one).await;
    }
    // Slow by two seconds, over and over.
    redis.cli(&["CLIENT", "PAUSE", "2000", "ALL"]);
    open(&one).await;
    load.goes_on(50).await;
    ready(&one).await;
    load.ends().await;
}

#[tokio::test]
async fn a_server_that_forgets_or_has_no_room_costs_no_request() {
    let (redis, provider) = (RedisServer::start().await, Simulated::instant());
    let one = replica(provider.address, &redis.url(), "[cache]\nmemory = \"64KiB\"\n");
    ready(&one).await;
    let load = Load::on(&one.client(), "forgets");
    for _ in 0..5 {
        load.goes_on(30).await;
        assert_eq!(redis.cli(&["FLUSHALL"]), "OK");
    }
    assert_eq!(redis.cli(&["CONFIG", "SET", "maxmemory", "1mb"]), "OK");
    let refused = || async { one.metric("larder_cache_errors_total", "oom").await > 0.0 };
    until("redis refuses", refused).await;
    load.goes_on(50).await;
    assert!(one.log().contains("redis rejected a command"), "{}", one.log());
    assert_eq!(redis.cli(&["CONFIG", "SET", "maxmemory", "0"]), "OK");
    redis.cli(&["FLUSHALL"]);
    redis.has(5).await;
    load.ends().await;
}

/// Reads every entry, changes it, and writes it back.
fn tamper(redis: &RedisServer, change: &str) {
    let script = format!(
        "local last = nil \
         for _, name in ipairs(redis.call('KEYS', 'larder:1:{{*}}')) do \
           local value = redis.call('GET', name) \
           local at = #value * 7 % 97 + 1 \
           {change} \
         end return 'done'"
    );
    assert_eq!(redis.cli(&["EVAL", &script, "0"]), "done");
}

#[tokio::test]
async fn what_somebody_else_wrote_is_never_served() {
    let turn = "local byte = string.byte(value, at) \
        redis.call('SET', name, value:sub(1, at - 1) .. string.char((byte + 1) % 256) .. value:sub(at + 1))";
    let cut = "redis.call('SET', name, value:sub(1, at))";
    let lengthen = "redis.call('SET', name, value .. 'x')";
    let swap = "redis.call('SET', name, last or value) last = value";
    let empty = "redis.call('SET', name, '')";
    let list = "redis.call('DEL', name) redis.call('RPUSH', name, value)";
    let (redis, provider) = (RedisServer::start().await, Simulated::instant());
    for (number, change) in [turn, cut, lengthen, swap, empty, list].into_iter().enumerate() {
        let asks = texts(&format!("tampered {number}"), 20).into_iter().map(|text| Ask::of([text]));
        let asks: Vec<Ask> = asks.collect();
        let one = replica(provider.address, &redis.url(), "");
        ready(&one).await;
        for ask in &asks {
            one.client().right(ask).await;
        }
        redis.has(20).await;
        tamper(&redis, change);
        let other = replica(provider.address, &redis.url(), "");
        ready(&other).await;
        let mut misses = 0;
        for ask in &asks {
            let answer = other.client().right(ask).await;
            misses += usize::from(answer.header("cache-status").contains("fwd=miss"));
        }
        // The first of the swapped has its own value back.
        assert!(misses >= 19, "{change}: {misses}");
        if change != list {
            let corrupt = other.metric("larder_cache_errors_total", "corrupt").await;
            assert!(corrupt >= 19.0, "{change}: {corrupt}");
        }
        assert_eq!(redis.cli(&["FLUSHALL"]), "OK");
    }
}

#[tokio::test]
async fn a_server_that_comes_and_goes_is_not_stormed() {
    let (mut redis, provider) = (RedisServer::start().await, Simulated::instant());
    let one = replica(provider.address, &redis.url(), "");
    ready(&one).await;
    let load = Load::on(&one.client(), "flaps");
    for _ in 0..5 {
        redis.kill();
        tokio::time::sleep(Duration::from_millis(300)).await;
        redis.up().await;
        tokio::time::sleep(Duration::from_millis(700)).await;
        let connections = redis.cli(&["INFO", "stats"]);
        let line = connections.lines().find(|line| line.starts_with("total_connections_received"));
        let count =
            line.and_then(|line| line.trim().rsplit(':').next()).unwrap().parse::<u64>().unwrap();
        // Those of the command line client are among them.
        assert!(count <= 8, "{count}");
    }
    ready(&one).await;
    load.ends().await;
}
