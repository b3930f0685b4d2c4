//! Odd requests and odd responses: each gets an answer that its client can read.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::harness::{Aside, Raw, Scripted, Sidecar, Simulated, json as reply};

/// A provider that gives the same bytes to each connection, after the head of its request.
async fn parrot(says: &'static str) -> (std::net::SocketAddr, Aside<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let playing = Aside::start(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match stream.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => break,
                }
            }
            drop(stream.write_all(says.as_bytes()).await);
            drop(stream.shutdown().await);
        }
    });
    (address, playing)
}

#[tokio::test]
async fn a_head_response_with_two_lengths_reaches_the_client() {
    for (lengths, left) in [
        ("content-length: 5\r\ncontent-length: 5\r\n", "5"),
        ("content-length: 5\r\ncontent-length: 6\r\n", ""),
    ] {
        let says = format!("HTTP/1.1 200 OK\r\nx-a: b\r\n{lengths}connection: close\r\n\r\n");
        let (provider, _playing) = parrot(says.leak()).await;
        let sidecar = Sidecar::before(provider);
        let mut client = Raw::connect(sidecar.proxy).await;
        client.send("HEAD /v1/files/f HTTP/1.1\r\nhost: x\r\n\r\n").await;
        let end = client.until(b"\r\n\r\n").await;
        let said = client.seen(end);
        assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
        let lengths: Vec<&str> =
            said.lines().filter_map(|line| line.strip_prefix("content-length: ")).collect();
        assert_eq!(lengths, if left.is_empty() { vec![] } else { vec![left] }, "{said}");
    }
}

#[tokio::test]
async fn an_unasked_change_of_protocol_is_a_bad_response() {
    const SWITCH: &str =
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n";
    const UPGRADE: &str = "connection: upgrade\r\nupgrade: websocket\r\n";
    let (provider, _playing) = parrot(SWITCH).await;
    let sidecar = Sidecar::before(provider);
    for (head, body) in [
        ("GET /v1/files HTTP/1.1\r\nhost: x\r\n", ""),
        ("POST /v1/files HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n", "{}"),
        ("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n", "{}"),
    ] {
        for offered in ["", UPGRADE] {
            let mut client = Raw::connect(sidecar.proxy).await;
            client.send(format!("{head}{offered}\r\n{body}")).await;
            let answer = client.answer().await;
            assert_eq!(answer.status, 502, "{head}{offered}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_path_in_raw_utf_8_is_malformed() {
    let provider = Scripted::start(|_| async move { Some(reply(200, &json!({}))) });
    let sidecar = Sidecar::before(provider.address);
    let mut client = Raw::connect(sidecar.proxy).await;
    client.send("GET /v1/models/caf\u{e9} HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let answer = client.answer().await;
    assert!(answer.is_own_error(400, "bad_request"), "{answer:?}");
    assert_eq!(provider.calls().len(), 0);
    let encoded = sidecar.client().get("/v1/models/caf%C3%A9").await;
    assert_eq!((encoded.status, &*provider.calls()[0].path), (200, "/v1/models/caf%C3%A9"));
}

#[tokio::test]
async fn a_malformed_chunk_in_the_middle_of_a_body_is_the_clients_fault() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::before(provider.address);
    for path in ["/v1/embeddings", "/v1/chat/completions", "/v1/files"] {
        let mut client = Raw::connect(sidecar.proxy).await;
        let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
        client.send(format!("{head}5\r\n{{\"mod\r\n")).await;
        sleep(Duration::from_millis(200)).await;
        client.send("5\r\nel\":1zz\r\n").await;
        let answer = client.answer().await;
        assert!(answer.is_own_error(400, "bad_request"), "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn a_client_that_still_sends_can_read_an_early_refusal() {
    let provider = Simulated::instant();
    let config = "[server]\nmax_body = \"64KiB\"\n[access]\nauth = \"allowlist\"\nkeys = [\"k\"]\n";
    let sidecar = Sidecar::with(provider.address, config);
    let body = vec![b' '; 32 << 20];
    for (key, status, code) in [("k", 413, "body_too_large"), ("other", 401, "unauthorized")] {
        let mut client = Raw::connect(sidecar.proxy).await;
        let head = format!(
            "POST /v1/embeddings HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        client.send(head).await;
        // The response is there before the body; a reset would end this, or lose the response.
        for piece in body.chunks(1 << 20) {
            client.send(piece).await;
            sleep(Duration::from_millis(5)).await;
        }
        let answer = client.answer().await;
        assert!(answer.is_own_error(status, code), "{answer:?}");
        client.stream_ends().await;
    }
}

#[tokio::test]
async fn a_list_of_models_is_no_chat() {
    let provider = Scripted::start(|_| async move { Some(reply(200, &json!({ "data": [] }))) });
    for config in ["", "[providers.openai]\ncache_routes = [\"models\"]\n"] {
        let sidecar = Sidecar::with(provider.address, config);
        for path in ["/v1/models", "/v1/models", "/v1/models/gpt-4o"] {
            assert_eq!(sidecar.client().get(path).await.status, 200);
        }
        let of = async |operation: &str| {
            sidecar.metric("larder_requests_total", &format!("operation=\"{operation}\"")).await
        };
        assert!(of("chat").await < 0.5, "{config}");
        assert!((of("relay").await - 3.0).abs() < 0.5, "{config}");
    }
}
