//! Calls that take longer than their callers wait: they end, nobody is made to wait for them, and a provider
//! that recovers is asked again at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::harness::{
    Answer, Aside, Ask, Asked, Client, Scripted, Sidecar, answer, json as reply, texts, until,
};

/// Answers embeddings and chat, unless it swallows them: then the call is never answered.
fn swallowing() -> (Scripted, Arc<AtomicBool>) {
    let swallows = Arc::new(AtomicBool::new(true));
    let switch = Arc::clone(&swallows);
    let provider = Scripted::start(move |asked: Asked| {
        let is_swallowed = switch.load(Ordering::SeqCst);
        async move {
            if is_swallowed {
                return std::future::pending().await;
            }
            Some(respond(&asked))
        }
    });
    (provider, swallows)
}

fn respond(asked: &Asked) -> http::Response<http_body_util::Full<bytes::Bytes>> {
    if asked.path.ends_with("/embeddings") {
        return reply(200, &answer(asked));
    }
    let message = json!({ "role": "assistant", "content": "Hello." });
    let choice = json!({ "index": 0, "message": message, "finish_reason": "stop" });
    reply(200, &json!({ "id": "1", "model": "gpt-4o", "choices": [choice] }))
}

fn question() -> Value {
    let messages = [json!({ "role": "user", "content": "Hello?" })];
    json!({ "model": "gpt-4o", "temperature": 0, "messages": messages })
}

/// One client that waits for its answer only so long.
async fn impatient(patience: Duration, asking: impl Future<Output = Answer>) {
    assert!(timeout(patience, asking).await.is_err(), "a swallowed call was answered");
}

#[tokio::test]
async fn a_provider_that_swallowed_calls_held_every_permit_for_ten_minutes() {
    let (provider, swallows) = swallowing();
    let config = "[providers.openai]\nmax_connections = 4\norphan_grace = \"50ms\"\n";
    let sidecar = Sidecar::with(provider.address, config);
    let client = sidecar.client();
    for text in texts("swallowed", 12) {
        let ask = Ask::of([text]);
        impatient(Duration::from_millis(60), client.embed(&ask)).await;
    }
    swallows.store(false, Ordering::SeqCst);
    client.right(&Ask::of(["after"])).await;
    // The calls that nobody waits for are over, and each ended its connection.
    let active = ("larder_upstream_connections", "active");
    until("permits return", || async { sidecar.metric(active.0, active.1).await < 0.5 }).await;
    let abandoned = sidecar.metric("larder_upstream_requests_total", "abandoned").await;
    assert!(abandoned > 0.5, "{abandoned}");
}

#[tokio::test]
async fn the_same_question_never_recovered_while_clients_asked_it() {
    let (provider, swallows) = swallowing();
    let sidecar = Sidecar::before(provider.address);
    let client = sidecar.client();
    let ask = Ask::of(["asked by all"]);
    let first = ask_aside(&client, &ask);
    provider.called(1).await;
    // Others wait for the same call when the first gives up.
    let second = ask_aside(&client, &ask);
    sleep(Duration::from_millis(50)).await;
    drop(first);
    sidecar.until("larder_client_cancelled_total", 1.0).await;
    swallows.store(false, Ordering::SeqCst);
    client.right(&ask).await;
    // The value of the new call is everybody's.
    ask.check(&second.done().await);
    assert_eq!(provider.calls().len(), 2);
}

fn ask_aside(client: &Client, ask: &Ask) -> Aside<Answer> {
    let (client, ask) = (client.clone(), ask.clone());
    Aside::start(async move { client.embed(&ask).await })
}

fn chat_aside(client: &Client) -> Aside<Answer> {
    let client = client.clone();
    Aside::start(async move { client.chat(&question()).await })
}

#[tokio::test]
async fn the_same_chat_never_recovered_while_clients_asked_it() {
    let (provider, swallows) = swallowing();
    let sidecar = Sidecar::before(provider.address);
    let client = sidecar.client();
    let first = chat_aside(&client);
    provider.called(1).await;
    let second = chat_aside(&client);
    sleep(Duration::from_millis(50)).await;
    drop(first);
    sidecar.until("larder_client_cancelled_total", 1.0).await;
    swallows.store(false, Ordering::SeqCst);
    assert_eq!(client.chat(&question()).await.status, 200);
    assert_eq!(second.done().await.status, 200);
    assert_eq!(provider.calls().len(), 2);
}

#[tokio::test]
async fn a_retry_joined_the_call_that_made_it_time_out() {
    let (provider, swallows) = swallowing();
    let sidecar = Sidecar::before(provider.address);
    let client = sidecar.client();
    let (ask, chat) = (Ask::of(["retried"]), chat_aside(&client));
    let first = ask_aside(&client, &ask);
    provider.called(2).await;
    // The pause of an SDK is longer than that.
    sleep(Duration::from_millis(350)).await;
    swallows.store(false, Ordering::SeqCst);
    client.right(&ask.clone().header("x-stainless-retry-count", "1")).await;
    let headers = [("content-type", "application/json"), ("x-stainless-retry-count", "1")];
    let path = "/v1/chat/completions";
    let retry = client.send(http::Method::POST, path, &headers, question().to_string()).await;
    assert_eq!(retry.status, 200);
    assert_eq!(provider.calls().len(), 4);
    // The first attempts still wait, and have the answers, too.
    ask.check(&first.done().await);
    assert_eq!(chat.done().await.status, 200);
}

#[tokio::test]
async fn one_patient_client_kept_the_calls_of_all_that_had_left() {
    let (provider, swallows) = swallowing();
    let config = "[providers.openai]\nmax_connections = 3\norphan_grace = \"50ms\"\n";
    let sidecar = Sidecar::with(provider.address, config);
    let client = sidecar.client();
    let patient = chat_aside(&client);
    provider.called(1).await;
    let headers = [("content-type", "application/json"), ("x-stainless-retry-count", "1")];
    let path = "/v1/chat/completions";
    for _ in 0..3 {
        sleep(Duration::from_millis(350)).await;
        let body = question().to_string();
        let retry = client.send(http::Method::POST, path, &headers, body);
        impatient(Duration::from_millis(50), retry).await;
    }
    assert_eq!(provider.calls().len(), 4);
    let active = ("larder_upstream_connections", "active");
    until("permits return", || async { sidecar.metric(active.0, active.1).await < 1.5 }).await;
    swallows.store(false, Ordering::SeqCst);
    client.right(&Ask::of(["after"])).await;
    drop(patient);
}

#[tokio::test]
async fn a_call_older_than_the_time_out_of_its_first_request_was_joined() {
    let (provider, swallows) = swallowing();
    let sidecar = Sidecar::before(provider.address);
    let client = sidecar.client();
    let ask = Ask::of(["patient for a moment"]).header("x-stainless-read-timeout", "0.2");
    let first = ask_aside(&client, &ask);
    provider.called(1).await;
    sleep(Duration::from_millis(250)).await;
    swallows.store(false, Ordering::SeqCst);
    client.right(&Ask::of(["patient for a moment"])).await;
    ask.check(&first.done().await);
    assert_eq!(provider.calls().len(), 2);
}

#[tokio::test]
async fn a_call_that_took_much_longer_than_usual_was_waited_for_by_all() {
    let (provider, swallows) = swallowing();
    let sidecar = Sidecar::before(provider.address);
    let client = sidecar.client();
    swallows.store(false, Ordering::SeqCst);
    for text in texts("usual", 5) {
        client.right(&Ask::of([text])).await;
    }
    swallows.store(true, Ordering::SeqCst);
    let ask = Ask::of(["unusual"]);
    let first = ask_aside(&client, &ask);
    provider.called(6).await;
    sleep(Duration::from_millis(1_100)).await;
    swallows.store(false, Ordering::SeqCst);
    client.right(&ask).await;
    ask.check(&first.done().await);
}

#[tokio::test]
async fn hedging_covers_the_first_byte_of_a_chat() {
    let is_first = Arc::new(AtomicBool::new(true));
    let provider = Scripted::start(move |asked: Asked| {
        let is_first = is_first.swap(false, Ordering::SeqCst);
        async move {
            if is_first {
                return std::future::pending().await;
            }
            Some(respond(&asked))
        }
    });
    let sidecar = Sidecar::with(provider.address, "[providers.openai]\nhedge_after = \"100ms\"\n");
    // Cached, and relayed since its answer is drawn.
    assert_eq!(sidecar.client().chat(&question()).await.status, 200);
    assert_eq!(provider.calls().len(), 2);
}
