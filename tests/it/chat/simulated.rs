//! What the simulated provider says in every shape, under the eyes of that shape and through larder.

use http::Method;
use larder::dialect::chat::{Watch, shape};
use larder::request::{ChatRequest, Sharing};
use larder::sse::{Frame, Splitter};

use super::post;
use crate::harness::{Client, Sidecar, Simulated};

/// Dialect, path, and a call for an answer piece by piece.
const STREAMS: &[(&str, &str, &str)] = &[
    (
        "openai",
        "/v1/chat/completions",
        r#"{"model":"m","temperature":0,"stream":true,"messages":["a"]}"#,
    ),
    (
        "openai",
        "/v1/chat/completions",
        r#"{"model":"m","temperature":0,"stream":true,"messages":["b"],"stream_options":{"include_usage":true}}"#,
    ),
    (
        "openai",
        "/v1/responses",
        r#"{"model":"m","temperature":0,"stream":true,"store":false,"input":["a"]}"#,
    ),
    (
        "anthropic",
        "/v1/messages",
        r#"{"model":"m","temperature":0,"stream":true,"messages":["a"]}"#,
    ),
    (
        "gemini",
        "/v1beta/models/m:streamGenerateContent?alt=sse",
        r#"{"contents":["a"],"generationConfig":{"temperature":0}}"#,
    ),
    ("ollama", "/api/chat", r#"{"model":"m","messages":["a"],"options":{"temperature":0}}"#),
    ("ollama", "/api/generate", r#"{"model":"m","prompt":["a"],"options":{"temperature":0}}"#),
    ("cohere", "/v2/chat", r#"{"model":"m","temperature":0,"stream":true,"messages":["a"]}"#),
];

/// The path without version and query, as a dialect is asked for it.
fn endpoint(path: &str) -> &str {
    let path = path.split('?').next().unwrap();
    ["/v1beta", "/v1", "/v2"].iter().find_map(|version| path.strip_prefix(version)).unwrap_or(path)
}

/// Whether a shape takes these bytes for a complete answer.
fn is_complete(dialect: &str, path: &str, request: &ChatRequest, bytes: &[u8]) -> bool {
    let shape = shape(dialect, &Method::POST, endpoint(path)).unwrap();
    let mut watch = Watch::new();
    let mut splitter = Splitter::new(request.framing.unwrap(), 1 << 20);
    let mut each = |frame: Frame<'_>| shape.frame(frame.event, frame.data, &mut watch);
    splitter.push(bytes, &mut each).unwrap();
    let clean = splitter.end(&mut each);
    shape.end(&mut watch);
    clean && watch.verdict(request.choices).is_ok()
}

#[tokio::test]
async fn a_stream_is_complete_with_its_last_frame_and_no_sooner() {
    let provider = Simulated::instant();
    let direct = Client::new(provider.address);
    for (dialect, path, body) in STREAMS {
        let read =
            shape(dialect, &Method::POST, endpoint(path)).unwrap().read(path, body.as_bytes());
        let request = read.unwrap();
        assert_eq!(request.sharing, Sharing::Deterministic, "{path}");
        let json = [("content-type", "application/json")];
        let answer = direct.send(Method::POST, path, &json, *body).await;
        assert!(is_complete(dialect, path, &request, &answer.body), "{path}: {}", answer.text());
        // The line feeds at the very end do not matter to every shape.
        for cut in 0..answer.body.len() - 4 {
            let part = &answer.body[..cut];
            assert!(!is_complete(dialect, path, &request, part), "{path} cut at {cut}");
        }
    }
}

#[tokio::test]
async fn a_hit_is_the_very_answer_that_came() {
    let provider = Simulated::instant();
    let at = provider.address;
    let anthropic = format!("[providers.anthropic]\nbase_url = \"http://{at}/v1\"\n");
    let sidecar = Sidecar::with(at, &anthropic);
    let client = sidecar.client();
    let known = STREAMS.iter().filter(|(dialect, ..)| matches!(*dialect, "openai" | "anthropic"));
    let mut calls = 0;
    for (dialect, path, body) in known {
        for body in [(*body).to_owned(), body.replace("\"stream\":true", "\"stream\":false")] {
            let path = format!("/{dialect}{path}");
            let first = post(&client, &path, &[], &body).await;
            let stored = if body.contains("\"stream\":true") { "" } else { "; stored" };
            let right = format!("larder; fwd=miss{stored}");
            assert_eq!(first.header("cache-status"), right, "{path}");
            // The simulated provider numbers its answers, so no two are the same.
            let second = post(&client, &path, &[], &body).await;
            assert!(second.header("cache-status").starts_with("larder; hit"), "{path}");
            assert_eq!(first.body, second.body, "{path}");
            calls += 1;
        }
    }
    assert_eq!(provider.stats().await.chat_requests, calls);
}
