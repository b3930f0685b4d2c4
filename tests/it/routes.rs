//! Endpoints whose whole answers are kept where the operator lists them, and only there.

use http::Method;
use serde_json::json;

use crate::harness::{Answer, Client, Scripted, Sidecar, json as answer};

const JSON: (&str, &str) = ("content-type", "application/json");

/// A provider whose every answer is another.
fn provider() -> Scripted {
    Scripted::start(|asked| async move { Some(answer(200, &json!({ "number": asked.number }))) })
}

fn sidecar(provider: &Scripted) -> Sidecar {
    let routes =
        "cache_routes = [\"moderations\", \"rerank\", \"count_tokens\", \"tokenize\", \"models\"]";
    Sidecar::with(provider.address, &format!("[providers.openai]\n{routes}\n"))
}

async fn post(client: &Client, path: &str, body: &str) -> Answer {
    client.send(Method::POST, path, &[JSON], body.to_owned()).await
}

#[tokio::test]
async fn a_listed_route_is_asked_once() {
    let provider = provider();
    let sidecar = sidecar(&provider);
    let client = sidecar.client();
    for (number, path) in [
        "/v1/moderations",
        "/v1/rerank",
        "/v1/messages/count_tokens",
        "/v1/responses/input_tokens",
        "/v1/models/x:countTokens",
        "/tokenize",
        "/detokenize",
    ]
    .into_iter()
    .enumerate()
    {
        let first = post(&client, path, r#"{"model":"m","input":"a"}"#).await;
        let again = post(&client, path, r#"{ "input": "\u0061", "model": "m" }"#).await;
        assert_eq!(again.body, first.body, "{path}");
        assert_eq!(again.header("cache-status"), "larder; hit; ttl=86400; detail=memory", "{path}");
        assert_eq!(provider.calls().len(), number + 1, "{path}");
    }
    let other = post(&client, "/v1/moderations", r#"{"model":"m","input":"b"}"#).await;
    assert_eq!(other.header("cache-status"), "larder; fwd=miss; stored");
}

#[tokio::test]
async fn the_list_of_models_is_kept_for_seconds() {
    let provider = provider();
    let sidecar = sidecar(&provider);
    let client = sidecar.client();
    for path in ["/v1/models", "/v1/models/gpt-4o", "/api/tags"] {
        let first = client.get(path).await;
        let again = client.get(path).await;
        assert_eq!(again.body, first.body, "{path}");
        let status = again.header("cache-status");
        assert!(["ttl=10;", "ttl=9;"].iter().any(|ttl| status.contains(ttl)), "{status}");
    }
    assert_eq!(provider.calls().len(), 3);
    let headers = [("authorization", "Bearer other")];
    client.send(Method::GET, "/v1/models", &headers, "").await;
    assert_eq!(provider.calls().len(), 4);
}

#[tokio::test]
async fn a_route_that_is_not_listed_is_passed_on() {
    let provider = provider();
    let sidecar = Sidecar::before(provider.address);
    let client = sidecar.client();
    for number in 0..2 {
        let got = post(&client, "/v1/moderations", r#"{"input":"a"}"#).await;
        assert_eq!(got.header("cache-status"), "larder; fwd=bypass; detail=relay");
        let got = client.get("/v1/models").await;
        assert_eq!(got.header("cache-status"), "larder; fwd=bypass; detail=relay");
        assert_eq!(provider.calls().len(), 2 * (number + 1));
    }
    for _ in 0..2 {
        let headers = [JSON, ("x-larder-cache", "on")];
        client.send(Method::POST, "/v1/moderations", &headers, "{\"input\":\"b\"}").await;
    }
    assert_eq!(provider.calls().len(), 5);
}

#[tokio::test]
async fn what_is_no_good_answer_is_not_kept() {
    let provider = Scripted::start(|asked| async move {
        let status = if asked.number == 0 { 500 } else { 200 };
        Some(answer(status, &json!({ "number": asked.number })))
    });
    let sidecar = sidecar(&provider);
    let client = sidecar.client();
    assert_eq!(post(&client, "/v1/rerank", "{}").await.status, 500);
    assert_eq!(post(&client, "/v1/rerank", "{}").await.status, 200);
    assert_eq!(provider.calls().len(), 2);
}
