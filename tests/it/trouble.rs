//! A provider in trouble: what is kept is served, what is not is told soon, and what may be tried
//! again is, once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::Method;
use larder::simulate::Settings;

use crate::harness::{
    Ask, DIMENSIONS, Gate, Scripted, Sidecar, Simulated, answer, free_port, json, texts, until,
};

fn settings() -> Settings {
    Settings { dimensions: DIMENSIONS, ..Settings::instant() }
}

#[tokio::test]
async fn a_provider_that_is_down_is_told_at_once_and_found_when_it_is_back() {
    // Where no other test listens, or one might take the place while it is free.
    let address = SocketAddr::from(([127, 0, 0, 77], free_port()));
    let provider = Simulated::at(address, settings());
    let sidecar = Sidecar::with(address, "[providers.openai]\nretry_percent = 0\n");
    let client = sidecar.client();
    let kept = Ask::of(texts("kept", 4));
    client.right(&kept).await;
    drop(provider);
    // The connection that was open is noticed to be gone; so are those that cannot be opened.
    until("it is told at once", || async {
        // The provider may still answer the first of these.
        let ask = Ask::of(["new"]).header("cache-control", "no-store");
        client.embed(&ask).await.header("x-larder-error") == "circuit_open"
    })
    .await;
    let told = Instant::now();
    let answer = client.embed(&Ask::of(["new"])).await;
    assert!(told.elapsed() < Duration::from_millis(50), "{:?}", told.elapsed());
    assert!(answer.is_own_error(503, "circuit_open"), "{answer:?}");
    assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
    for _ in 0..20 {
        assert!(client.right(&kept).await.header("cache-status").contains("hit"));
    }
    let body = serde_json::json!({ "model": "m", "messages": [] });
    assert!(client.chat(&body).await.is_own_error(503, "circuit_open"));
    let _provider = Simulated::at(address, settings());
    let back = Instant::now();
    until("it is called again", || async { client.embed(&Ask::of(["new"])).await.status == 200 })
        .await;
    assert!(back.elapsed() < Duration::from_secs(8), "{:?}", back.elapsed());
    client.right(&Ask::of(texts("many", 50))).await;
    let changes = || sidecar.log().matches("circuit breaker closed").count();
    until("it says so", || async { changes() > 0 }).await;
    assert_eq!(changes(), 1, "{}", sidecar.log());
}

#[tokio::test]
async fn what_has_ended_is_given_where_the_provider_fails() {
    let fails = Arc::new(AtomicBool::new(false));
    let failing = Arc::clone(&fails);
    let provider = Scripted::start(move |asked| {
        let failing = failing.load(Ordering::Relaxed);
        let no = serde_json::json!({ "error": { "message": "no" } });
        async move { Some(if failing { json(500, &no) } else { json(200, &answer(&asked)) }) }
    });
    let sidecar = Sidecar::with(provider.address, "[cache]\nttl = \"1s\"\n");
    let client = sidecar.client();
    let ask = Ask::of(texts("ended", 3));
    client.right(&ask).await;
    fails.store(true, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let answer = client.right(&ask).await;
    assert_eq!(
        answer.header("cache-status"),
        "larder; fwd=stale; fwd-status=500; detail=stale-if-error"
    );
    assert!(answer.header("age").parse::<u64>().unwrap() >= 2);
    assert!(sidecar.metric("larder_requests_total", "verdict=\"stale\"").await > 0.5);
    let says = |value| ask.clone().header("cache-control", value);
    assert_eq!(client.embed(&says("max-age=1")).await.status, 500);
    assert_eq!(client.embed(&says("no-cache")).await.status, 500);
    assert_eq!(client.embed(&says("stale-if-error=0")).await.status, 500);
    assert_eq!(client.embed(&says("max-age=1, stale-if-error=60")).await.status, 200);
    // What was never there is the provider's no.
    let more = Ask::of(texts("ended", 4));
    assert_eq!(client.embed(&more).await.status, 500);
    fails.store(false, Ordering::Relaxed);
    assert!(client.right(&ask).await.header("cache-status").contains("fwd=stale; stored"));
}

/// Breaks the connection at these calls, the first being 0; answers the others.
fn breaks_at(broken: impl Fn(u64) -> bool + Send + Sync + 'static) -> (Scripted, Arc<AtomicU64>) {
    let calls = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&calls);
    let provider = Scripted::start(move |asked| {
        let breaks = broken(counted.fetch_add(1, Ordering::Relaxed));
        async move { (!breaks).then(|| json(200, &answer(&asked))) }
    });
    (provider, calls)
}

#[tokio::test]
async fn a_call_for_embeddings_that_nothing_came_of_is_made_once_more() {
    let (provider, calls) = breaks_at(|call| call == 0);
    let sidecar = Sidecar::before(provider.address);
    sidecar.client().right(&Ask::of(["again"])).await;
    assert_eq!(calls.load(Ordering::Relaxed), 2);
    assert!((sidecar.metric("larder_upstream_retries_total", "").await - 1.0).abs() < 0.5);
}

#[tokio::test]
async fn calls_are_not_made_again_beyond_the_budget_nor_where_they_may_have_an_effect() {
    let (provider, calls) = breaks_at(|_| true);
    let settings = "[providers.openai]\nbreaker_failures = 0\nretry_percent = 10\n";
    let sidecar = Sidecar::with(provider.address, settings);
    for text in texts("broken", 100) {
        let answer = sidecar.client().embed(&Ask::of([text])).await;
        assert!(answer.is_own_error(502, "upstream_unreachable"), "{answer:?}");
    }
    // Ten were saved up, and a hundred calls earn ten more, but for the first, which finds no room.
    assert_eq!(calls.load(Ordering::Relaxed), 119);
    let body = serde_json::json!({ "model": "m", "messages": [] });
    sidecar.client().chat(&body).await;
    assert_eq!(calls.load(Ordering::Relaxed), 120);
}

#[tokio::test]
async fn a_callers_own_broken_request_is_not_the_providers_fault() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::with(provider.address, "[providers.openai]\nbreaker_failures = 1\n");
    for _ in 0..3 {
        let mut upload = crate::harness::Raw::connect(sidecar.proxy).await;
        upload
            .send("POST /v1/files HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nonly this")
            .await;
        sidecar.until("larder_requests_in_flight", 1.0).await;
        drop(upload);
        sidecar.until("larder_requests_in_flight", 0.0).await;
    }
    sidecar.client().right(&Ask::of(["fine"])).await;
}

/// Answers with a status, or well.
fn saying(status: u16) -> (Scripted, Arc<AtomicU64>) {
    let says = Arc::new(AtomicU64::new(u64::from(status)));
    let saying = Arc::clone(&says);
    let provider = Scripted::start(move |asked| {
        let status = u16::try_from(saying.load(Ordering::Relaxed)).unwrap();
        let words = serde_json::json!({ "choices": [{ "finish_reason": "stop", "index": 0,
            "message": { "role": "assistant", "content": "kept" } }] });
        let no = serde_json::json!({ "error": { "message": "no", "code": "x" } });
        let good = if asked.path.contains("chat") { words } else { answer(&asked) };
        async move { Some(if status == 200 { json(200, &good) } else { json(status, &no) }) }
    });
    (provider, says)
}

fn question() -> serde_json::Value {
    serde_json::json!({ "model": "m", "temperature": 0, "messages": [] })
}

#[tokio::test]
async fn a_no_to_what_was_asked_is_given_again_for_seconds_and_to_nobody_else() {
    let (provider, says) = saying(400);
    let sidecar = Sidecar::with(provider.address, "[cache]\nnegative_ttl = \"60s\"\n");
    let client = sidecar.client();
    let ask = Ask::of(["wrong"]);
    let first = client.embed(&ask).await;
    let again = client.embed(&ask).await;
    assert_eq!((again.status, &again.body), (400, &first.body));
    assert!(again.header("cache-status").ends_with("; detail=negative"), "{again:?}");
    let chat = client.chat(&question()).await;
    let chat_again = client.chat(&question()).await;
    assert_eq!((chat_again.status, &chat_again.body), (400, &chat.body));
    assert!(chat_again.header("cache-status").ends_with("; detail=negative"));
    assert_eq!(provider.calls().len(), 2);
    // Another credential is another question, and so is one that wants it asked anew.
    says.store(200, Ordering::Relaxed);
    client.right(&ask.clone().header("authorization", "Bearer other")).await;
    client.right(&ask.clone().header("cache-control", "no-cache")).await;
    for status in [401, 403, 429, 500] {
        says.store(status, Ordering::Relaxed);
        let ask = Ask::of([format!("status {status}")]).header("x-stainless-read-timeout", "0.01");
        assert_eq!(u64::from(client.embed(&ask).await.status), status);
        says.store(200, Ordering::Relaxed);
        until("it is well", || async { client.embed(&ask).await.status == 200 }).await;
    }
}

#[tokio::test]
async fn a_models_words_that_have_ended_are_given_where_the_operator_or_the_caller_says_so() {
    for (chat_stale, directive) in [("1h", ""), ("0", "stale-if-error=60")] {
        let (provider, says) = saying(200);
        let settings =
            format!("[cache]\nchat_ttl = \"1s\"\nchat_stale_if_error = \"{chat_stale}\"\n");
        let sidecar = Sidecar::with(provider.address, &settings);
        let client = sidecar.client();
        let first = client.chat(&question()).await;
        assert_eq!(first.status, 200);
        tokio::time::sleep(Duration::from_millis(2_100)).await;
        says.store(500, Ordering::Relaxed);
        let headers = [("content-type", "application/json"), ("cache-control", directive)];
        let path = "/v1/chat/completions";
        let got = client.send(Method::POST, path, &headers, question().to_string()).await;
        assert_eq!((got.status, got.body.clone()), (200, first.body), "{got:?}");
        assert_eq!(
            got.header("cache-status"),
            "larder; fwd=stale; fwd-status=500; detail=stale-if-error"
        );
        let unasked = client.chat(&question()).await;
        assert_eq!(unasked.status, if directive.is_empty() { 200 } else { 500 });
    }
}

#[tokio::test]
async fn a_slow_call_for_embeddings_is_made_a_second_time_within_the_budget() {
    let (slow, calls) = (Gate::closed(), Arc::new(AtomicU64::new(0)));
    let (gate, counted) = (slow.clone(), Arc::clone(&calls));
    let provider = Scripted::start(move |asked| {
        // Every first call hangs; the second beside it is answered.
        let hangs = counted.fetch_add(1, Ordering::Relaxed) % 2 == 0;
        let gate = gate.clone();
        async move {
            if hangs {
                gate.pass().await;
            }
            Some(json(200, &answer(&asked)))
        }
    });
    let settings = "[providers.openai]\nhedge_after = \"20ms\"\nhedge_percent = 1\n";
    let sidecar = Sidecar::with(provider.address, settings);
    let client = sidecar.client();
    for text in texts("hedged", 10) {
        client.right(&Ask::of([text])).await;
    }
    assert_eq!(calls.load(Ordering::Relaxed), 20);
    assert!((sidecar.metric("larder_upstream_retries_total", "hedged").await - 10.0).abs() < 0.5);
    // What was saved up is used up, and ten calls have not earned another.
    let late = crate::harness::Aside::start({
        let client = client.clone();
        async move { client.right(&Ask::of(["late"])).await }
    });
    provider.called(21).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(calls.load(Ordering::Relaxed), 21);
    slow.open();
    late.done().await;
}
