//! Uploads that come slowly or not at all: the client's time is no time of the provider's.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response};
use http_body_util::Full;
use serde_json::json;
use tokio::time::sleep;

use crate::harness::{Ask, Asked, Raw, Scripted, Sidecar, answer, json as reply};

/// Answers embeddings and uploads.
fn provider() -> Scripted {
    Scripted::start(|asked: Asked| async move {
        let is_embedding = asked.path.ends_with("/embeddings");
        let size = json!({ "bytes": asked.body.len() });
        let body = if is_embedding { answer(&asked) } else { size };
        Some(reply(200, &body))
    })
}

/// The head of an upload of so many bytes.
fn head(bytes: usize) -> String {
    format!("POST /v1/files HTTP/1.1\r\nhost: x\r\ncontent-length: {bytes}\r\n\r\n")
}

#[tokio::test]
async fn a_slow_upload_counted_as_a_dead_provider() {
    let provider = provider();
    let config = "[providers.openai]\nfirst_byte_timeout = \"200ms\"\nbreaker_failures = 1\n";
    let sidecar = Sidecar::with(provider.address, config);
    let mut upload = Raw::connect(sidecar.proxy).await;
    upload.send(head(4)).await;
    for byte in [b"s", b"l", b"o", b"w"] {
        upload.send(byte).await;
        sleep(Duration::from_millis(150)).await;
    }
    let got = upload.answer().await;
    assert_eq!((got.status, &*got.text()), (200, r#"{"bytes":4}"#));
    sidecar.client().right(&Ask::of(["after"])).await;
}

#[tokio::test]
async fn a_provider_that_hangs_after_an_upload_is_504() {
    let provider = Scripted::start(|_| std::future::pending());
    let config = "[providers.openai]\nfirst_byte_timeout = \"200ms\"\n";
    let sidecar = Sidecar::with(provider.address, config);
    let client = sidecar.client();
    let got = client.send(Method::POST, "/v1/files", &[], "whole").await;
    assert!(got.is_own_error(504, "upstream_timeout"), "{got:?}");
}

#[tokio::test]
async fn heads_without_bodies_held_every_permit() {
    let provider = provider();
    let sidecar = Sidecar::with(provider.address, "[providers.openai]\nmax_connections = 2\n");
    let mut uploads = Vec::new();
    for _ in 0..5 {
        let mut upload = Raw::connect(sidecar.proxy).await;
        upload.send(head(4)).await;
        uploads.push(upload);
    }
    sidecar.until("larder_requests_in_flight", 5.0).await;
    sidecar.client().right(&Ask::of(["meanwhile"])).await;
    for mut upload in uploads {
        upload.send("last").await;
        assert_eq!(upload.answer().await.status, 200);
    }
}

#[tokio::test]
async fn uploads_that_stalled_after_their_first_bytes_held_every_permit() {
    let provider = provider();
    let sidecar = Sidecar::with(provider.address, "[providers.openai]\nmax_connections = 2\n");
    let mut uploads = Vec::new();
    for _ in 0..4 {
        let mut upload = Raw::connect(sidecar.proxy).await;
        upload.send(head(4)).await;
        upload.send("f").await;
        uploads.push(upload);
    }
    sidecar.until("larder_requests_in_flight", 4.0).await;
    sidecar.client().right(&Ask::of(["meanwhile"])).await;
    for mut upload in uploads {
        upload.send("our").await;
        assert_eq!(upload.answer().await.status, 200);
    }
}

/// Bytes of a response that no buffers between larder and its client can take.
const LARGE: usize = 48 << 20;

/// A response that is larger than the client takes.
fn large() -> Response<Full<Bytes>> {
    let mut response = reply(200, &json!({}));
    *response.body_mut() = Full::new(Bytes::from(vec![b'x'; LARGE]));
    response
}

#[tokio::test]
async fn readers_that_stop_held_every_permit() {
    let provider = Scripted::start(|asked: Asked| async move {
        let is_embedding = asked.path.ends_with("/embeddings");
        Some(if is_embedding { reply(200, &answer(&asked)) } else { large() })
    });
    let sidecar = Sidecar::with(provider.address, "[providers.openai]\nmax_connections = 2\n");
    let relayed = |_| b"GET /v1/files/f/content HTTP/1.1\r\nhost: x\r\n\r\n".to_vec();
    let shared = |n| {
        let messages = json!([{ "role": "user", "content": format!("question {n}") }]);
        let chat = json!({ "model": "m", "temperature": 0, "messages": messages });
        Raw::post("/v1/chat/completions", &[], &chat.to_string())
    };
    for (name, request) in [("relayed", relayed as fn(u8) -> Vec<u8>), ("shared", shared)] {
        let mut readers = Vec::new();
        for n in 0..2 {
            let mut reader = Raw::connect(sidecar.proxy).await;
            reader.send(request(n)).await;
            reader.until(b"\r\n\r\n").await;
            readers.push(reader);
        }
        sidecar.client().right(&Ask::of([name])).await;
        for mut reader in readers {
            assert_eq!(reader.answer().await.body.len(), LARGE, "{name}");
        }
    }
}

#[tokio::test]
async fn stalled_uploads_opened_the_breaker_for_everybody() {
    let provider = provider();
    let config = "[server]\nbody_timeout = \"200ms\"\n[providers.openai]\nbreaker_failures = 1\n";
    let sidecar = Sidecar::with(provider.address, config);
    for sent in ["", "ha"] {
        let mut upload = Raw::connect(sidecar.proxy).await;
        upload.send(head(4)).await;
        upload.send(sent).await;
        let got = upload.answer().await;
        assert!(got.is_own_error(408, "request_timeout"), "{sent:?}: {got:?}");
    }
    sidecar.client().right(&Ask::of(["after"])).await;
}

#[tokio::test]
async fn a_malformed_chunk_within_an_upload_is_400_and_the_clients_fault() {
    let provider = provider();
    let sidecar = Sidecar::with(provider.address, "[providers.openai]\nbreaker_failures = 1\n");
    let mut upload = Raw::connect(sidecar.proxy).await;
    upload.send("POST /v1/files HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n").await;
    upload.send("2\r\nha\r\nno size\r\n").await;
    let got = upload.answer().await;
    assert!(got.is_own_error(400, "bad_request"), "{got:?}");
    sidecar.client().right(&Ask::of(["after"])).await;
}
