//! Listing.

use std::collections::HashSet;
use std::time::Duration;

use http::Method;
use serde_json::json;
use tokio::time::sleep;

use super::{keys, listed, of_model, page, status};
use crate::disk::{CacheDir, ended, written};
use crate::harness::{Aside, Ask, Sidecar, Simulated, texts};

#[tokio::test]
async fn an_entry_is_told_of_without_what_it_says() {
    let (directory, provider) = (CacheDir::new(), Simulated::instant());
    let sidecar = Sidecar::with(provider.address, &directory.config(""));
    assert_eq!(page(&sidecar, "").await["entries"], json!([]));
    sidecar.client().right(&Ask::of(["a canary"]).header("x-larder-ttl", "3600")).await;
    let body = json!({ "model": "gpt-4o", "temperature": 0, "messages": [{ "role": "user", "content": "a canary" }] });
    sidecar.client().chat(&body).await;
    written(&sidecar, 2.0).await;
    let answer = sidecar.admin().get("/api/entries").await;
    assert!(!answer.text().contains("canary"), "{answer:?}");
    let entries = listed(&sidecar, "").await;
    let vector = entries.iter().find(|entry| entry["operation"] == "embed").unwrap();
    assert_eq!(vector["provider"], "openai");
    assert_eq!(vector["model"], "text-embedding-3-small");
    assert_eq!(vector["tags"], json!(["openai/text-embedding-3-small/embed"]));
    assert_eq!(vector["tiers"], json!(["memory", "disk"]));
    let in_range = |value: &serde_json::Value, range: std::ops::RangeInclusive<u64>| {
        assert!(range.contains(&value.as_u64().unwrap()), "{vector}");
    };
    in_range(&vector["bytes"], 32..=300);
    in_range(&vector["age_seconds"], 0..=30);
    in_range(&vector["ttl_seconds"], 3_500..=3_600);
    let words = entries.iter().find(|entry| entry["operation"] == "chat").unwrap();
    assert_eq!(words["tags"], json!(["openai/gpt-4o/chat"]));
    assert_eq!((entries.len(), keys(&entries).len()), (2, 2));
    ended(sidecar).await;
    let again = Sidecar::with(provider.address, &directory.config(""));
    let after = listed(&again, "").await;
    assert_eq!(keys(&after), keys(&entries));
    assert!(after.iter().all(|entry| entry["tiers"] == json!(["disk"])), "{after:?}");
}

/// What is there all the time is seen once, whoever writes meanwhile, and nothing is seen twice.
async fn is_exact(config: &str) {
    let provider = Simulated::instant();
    let sidecar = Sidecar::with(provider.address, config);
    let stay = texts("stays", 1_500);
    for part in stay.chunks(250) {
        sidecar.client().right(&Ask::of(part.to_vec())).await;
    }
    let before = keys(&listed(&sidecar, "limit=10000").await);
    assert_eq!(before.len(), 1_500);
    let client = sidecar.client();
    let writing = Aside::start(async move {
        for round in 0.. {
            let fresh = texts(&format!("comes {round:05}"), 50);
            client.right(&Ask::of(fresh)).await;
            let again = Ask::of(texts("comes 00000", 50)).header("cache-control", "no-cache");
            client.right(&again).await;
            // A list that grows as fast as it is read has no end.
            sleep(Duration::from_millis(5)).await;
        }
    });
    for limit in [1_500, 400, 97, 61] {
        let entries = listed(&sidecar, &format!("limit={limit}")).await;
        let seen = keys(&entries);
        let missing: HashSet<_> = before.difference(&seen).collect();
        assert!(missing.is_empty(), "with {limit} to a page: {missing:?}");
    }
    drop(writing);
}

#[tokio::test]
async fn pages_are_exact_while_memory_is_written_to() {
    is_exact("").await;
}

#[tokio::test]
async fn pages_are_exact_while_memory_and_disk_are_written_to() {
    let directory = CacheDir::new();
    is_exact(&directory.config("")).await;
}

#[tokio::test]
async fn pages_of_a_memory_that_forgets_have_everything_from_the_disk() {
    let directory = CacheDir::new();
    is_exact(&directory.config("[cache]\nmemory = \"1MiB\"\n")).await;
}

#[tokio::test]
async fn filters_say_which_entries_are_listed() {
    let provider = Simulated::instant();
    let config = "[providers.other]\nbase_url = \"http://127.0.0.1:1\"\ndialect = \"openai\"\n";
    let sidecar = Sidecar::with(provider.address, config);
    let ask = Ask::of(texts("kept", 3));
    for model in ["org/one", "org/two", "three"] {
        sidecar.client().right(&of_model(model, &ask)).await;
    }
    let count = async |query: &str| listed(&sidecar, query).await.len();
    for (query, entries) in [
        ("", 9),
        ("provider=openai", 9),
        ("provider=other", 0),
        ("model=three", 3),
        ("model=org/one&limit=1", 3),
        ("model=org", 0),
        ("match=org/*", 6),
        ("match=*e", 6),
        ("match=openai/*/embed", 9),
        ("match=openai/*/chat", 0),
        ("match={three,org/t*}&provider=openai", 6),
        ("match=thre%5Bde%5D", 3),
        ("before=1h", 0),
        ("before=2020-01-01T00:00:00Z", 0),
    ] {
        assert_eq!(count(query).await, entries, "{query}");
    }
    sleep(Duration::from_millis(2_100)).await;
    assert_eq!(count("before=1s").await, 9);
    let one = page(&sidecar, "limit=1").await["entries"][0].clone();
    let key = one["key"].as_str().unwrap();
    assert_eq!(listed(&sidecar, &format!("key={key}")).await[0]["key"], one["key"]);
    assert_eq!(count(&format!("key={key}&model=another")).await, 0);
    assert_eq!(count(&format!("key={}", "A".repeat(43))).await, 0);
}

#[tokio::test]
async fn what_has_ended_or_was_purged() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::before(provider.address);
    sidecar.client().right(&Ask::of(["short"]).header("x-larder-ttl", "1")).await;
    sidecar.client().right(&of_model("purged", &Ask::of(["long"]))).await;
    sleep(Duration::from_millis(2_100)).await;
    assert_eq!(
        sidecar.admin().send(Method::DELETE, "/api/entries?model=purged", &[], "").await.status,
        200
    );
    let entries = listed(&sidecar, "").await;
    // It takes room, and may yet be given where the provider fails.
    assert_eq!((entries.len(), &entries[0]["ttl_seconds"]), (1, &json!(0)));
    assert!(status(&sidecar, &Ask::of(["short"])).await.contains("fwd=stale"));
}

#[tokio::test]
async fn what_is_no_query_is_refused_and_hurts_nobody() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::before(provider.address);
    sidecar.client().right(&Ask::of(["kept"])).await;
    let long = format!("match={}", "*a".repeat(2_000));
    let deep = format!("match={}", "%7B".repeat(200));
    for query in [
        "limit=0",
        "limit=10001",
        "limit=-1",
        "limit=x",
        "limit=",
        "cursor=x",
        "cursor=",
        "provider=nobody",
        "provider=",
        "match=",
        "match=%5B",
        "match=%7Ba",
        "before=tomorrow",
        "before=9999999999",
        "key=x",
        "modl=x",
        "model=a&model=b",
        "dry_run=true",
        &long,
        &deep,
    ] {
        let answer = sidecar.admin().get(&format!("/api/entries?{query}")).await;
        assert_eq!(answer.status, 400, "{query}: {answer:?}");
        assert!(answer.text().len() < 8_000, "{query}");
    }
    for query in ["limit=1", "cursor=x", "dry_run=maybe", "dry_run=", "before=never", "match=%5B"] {
        let path = format!("/api/entries?{query}");
        let answer = sidecar.admin().send(Method::DELETE, &path, &[], "").await;
        assert_eq!(answer.status, 400, "{query}: {answer:?}");
    }
    // The costliest globs that are taken.
    let stars = format!("match={}", "*a?".repeat(170));
    assert_eq!(listed(&sidecar, &stars).await.len(), 0);
    assert_eq!(listed(&sidecar, "").await.len(), 1);
}
