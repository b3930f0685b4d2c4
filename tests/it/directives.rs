//! Directives of requests, and the words of `Cache-Status`, as RFC 9111 and RFC 9211 have them.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::harness::{Answer, Ask, Client, Scripted, Sidecar, answer, json as whole};

const ONLY: (&str, &str) = ("cache-control", "only-if-cached");
const JSON: (&str, &str) = ("content-type", "application/json");

/// Answers embeddings, chats that end as their model is called, and everything else.
fn provider() -> Scripted {
    Scripted::start(|asked| async move {
        let question = asked.json();
        if asked.path.contains("embeddings") {
            return Some(whole(200, &answer(&asked)));
        }
        let choice = json!({ "index": 0, "finish_reason": question["model"], "message": {} });
        let chat = json!({ "choices": [choice], "number": asked.number });
        if question["stream"] == true {
            let text = format!("data: {chat}\n\ndata: [DONE]\n\n");
            let response = Response::builder().header("content-type", "text/event-stream");
            return Some(response.body(Full::new(Bytes::from(text))).unwrap());
        }
        Some(whole(200, &chat))
    })
}

fn chat(model: &str) -> Value {
    json!({ "model": model, "temperature": 0, "messages": [] })
}

fn status(answer: &Answer) -> &str {
    answer.header("cache-status")
}

async fn post(client: &Client, body: &Value, more: (&str, &str)) -> Answer {
    let path = "/v1/chat/completions";
    client.send(Method::POST, path, &[JSON, more], body.to_string()).await
}

#[tokio::test]
async fn only_if_cached_makes_no_call_whatever_the_request() {
    let provider = provider();
    let sidecar = Sidecar::before(provider.address);
    let client = sidecar.client();
    let warm = json!({ "model": "stop", "temperature": 1, "messages": [] }).to_string();
    let multipart = ("content-type", "multipart/form-data; boundary=x");
    for (method, path, headers, body) in [
        (Method::GET, "/v1/files", [ONLY, JSON], String::new()),
        (Method::DELETE, "/v1/files/f", [ONLY, JSON], String::new()),
        (Method::POST, "/v1/files", [ONLY, multipart], "--x--".to_owned()),
        (Method::POST, "/v1/chat/completions", [ONLY, JSON], warm),
        (Method::POST, "/v1/chat/completions", [ONLY, JSON], "{".to_owned()),
        (Method::POST, "/v1/moderations", [ONLY, JSON], "{}".to_owned()),
        (
            Method::POST,
            "/v1/embeddings",
            [("cache-control", "no-store, only-if-cached"), JSON],
            String::from_utf8(Ask::of(["a"]).body()).unwrap(),
        ),
    ] {
        let got = client.send(method.clone(), path, &headers, body).await;
        assert!(got.is_own_error(504, "not_cached"), "{method} {path}: {got:?}");
        assert_eq!(status(&got), "larder; detail=only-if-cached");
    }
    assert_eq!(provider.calls().len(), 0);
}

#[tokio::test]
async fn an_entry_that_expired_and_one_that_is_too_old_are_told_apart() {
    let provider = provider();
    let settings = "[cache]\nttl = \"1s\"\nchat_ttl = \"1s\"\n";
    let (short, long) =
        (Sidecar::with(provider.address, settings), Sidecar::before(provider.address));
    let ask = Ask::of(["a", "b"]);
    let age = |value| ask.clone().header("cache-control", value);
    for sidecar in [&short, &long] {
        let client = sidecar.client();
        assert_eq!(status(&client.right(&ask).await), "larder; fwd=miss; stored");
        let first = post(&client, &chat("stop"), ONLY).await;
        assert_eq!(status(&first), "larder; detail=only-if-cached");
        assert_eq!(status(&client.chat(&chat("stop")).await), "larder; fwd=miss; stored");
    }
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let client = short.client();
    assert_eq!(status(&client.right(&ask).await), "larder; fwd=stale; stored");
    assert_eq!(status(&client.chat(&chat("stop")).await), "larder; fwd=stale; stored");
    let client = long.client();
    for (value, right) in [
        ("max-age=60, max-age=0", "larder; fwd=request; stored; detail=max-age"),
        ("max-age=0, max-age=60", "larder; hit; detail=memory"),
    ] {
        // The second finds what the first one stored, in the same second.
        assert_eq!(status(&client.right(&age(value)).await), right, "{value}");
    }
    let unreadable = ("cache-control", "max-age=soon");
    let right = "larder; fwd=request; stored; detail=max-age";
    assert_eq!(status(&post(&client, &chat("stop"), unreadable).await), right);
}

#[tokio::test]
async fn stored_is_said_only_of_what_was_stored() {
    let provider = provider();
    let sidecar = Sidecar::before(provider.address);
    let client = sidecar.client();
    for (model, stream, right, next) in [
        ("stop", false, "larder; fwd=miss; stored", "larder; hit"),
        // Cut off by the model's limit: the end decides, and it is no good one.
        ("length", false, "larder; fwd=miss", "larder; fwd=miss"),
        ("stop", true, "larder; fwd=miss", "larder; hit"),
        ("length", true, "larder; fwd=miss", "larder; fwd=miss"),
    ] {
        let mut body = chat(model);
        if stream {
            body["stream"] = true.into();
        }
        let first = client.chat(&body).await;
        assert_eq!(status(&first), right, "{body}");
        assert!(status(&client.chat(&body).await).starts_with(next), "{body}");
    }
    let unkept = post(&client, &chat("stop"), ("x-larder-ttl", "0")).await;
    assert!(status(&unkept).starts_with("larder; hit"));
    let unkept = Ask::of(["unkept"]).header("x-larder-ttl", "0");
    assert_eq!(status(&client.right(&unkept).await), "larder; fwd=miss");
}

#[tokio::test]
async fn a_stale_answer_after_a_call_without_a_response_has_no_status() {
    let provider = provider();
    let sidecar = Sidecar::with(provider.address, "[cache]\nttl = \"1s\"\n");
    let client = sidecar.client();
    let ask = Ask::of(["a"]);
    client.right(&ask).await;
    drop(provider);
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let got = client.right(&ask).await;
    assert_eq!(status(&got), "larder; fwd=stale; detail=stale-if-error");
}
