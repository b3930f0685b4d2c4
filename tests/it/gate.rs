//! What the proxy listener takes, and what it makes of it: HTTP as clients really speak it.

use std::io;
use std::net::SocketAddr;

use async_compression::tokio::bufread::{GzipEncoder, ZstdEncoder};
use http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::harness::{Aside, Ask, Client, Raw, Sidecar, Simulated, texts};

fn pair() -> (Simulated, Sidecar) {
    let provider = Simulated::instant();
    let sidecar = Sidecar::before(provider.address);
    (provider, sidecar)
}

pub(crate) async fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    GzipEncoder::new(plain).read_to_end(&mut out).await.unwrap();
    out
}

async fn zstd(plain: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    ZstdEncoder::new(plain).read_to_end(&mut out).await?;
    Ok(out)
}

#[tokio::test]
async fn compressed_bodies_are_the_same_request() {
    let (provider, sidecar) = pair();
    let ask = Ask::of(texts("squeezed", 3));
    let gzip = gzip(&ask.body()).await;
    let zstd = zstd(&ask.body()).await.unwrap();
    for (coding, body) in [("gzip", gzip), ("zstd", zstd), ("identity", ask.body())] {
        let headers = [("content-type", "application/json"), ("content-encoding", coding)];
        let client = sidecar.client();
        ask.check(&client.send(Method::POST, &ask.path, &headers, body).await);
    }
    assert_eq!(provider.stats().await.embedding_requests, 1);
}

#[tokio::test]
async fn a_body_in_chunks_is_the_same_request() {
    let (provider, sidecar) = pair();
    let ask = Ask::of(texts("chunked", 3));
    let mut connection = Raw::connect(sidecar.proxy).await;
    for size in [1, 7, 1_000] {
        let head = "POST /v1/embeddings HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
             transfer-encoding: chunked\r\n\r\n";
        connection.send(head).await;
        for chunk in ask.body().chunks(size) {
            connection.send(format!("{:x};ext=1\r\n", chunk.len())).await;
            connection.send(chunk).await;
            connection.send("\r\n").await;
        }
        connection.send("0\r\n\r\n").await;
        ask.check(&connection.answer().await);
    }
    assert_eq!(provider.stats().await.embedding_requests, 1);
}

#[tokio::test]
async fn a_client_that_expects_100_is_told_to_go_on() {
    let (_provider, sidecar) = pair();
    let ask = Ask::of(["expected"]).header("expect", "100-continue");
    let request = Raw::embed(&ask);
    let body = ask.body().len();
    let mut connection = Raw::connect(sidecar.proxy).await;
    connection.send(&request[..request.len() - body]).await;
    assert_eq!(connection.answer().await.status, 100);
    connection.send(ask.body()).await;
    ask.check(&connection.answer().await);
}

#[tokio::test]
async fn http_1_0_is_answered_and_closed() {
    let (_provider, sidecar) = pair();
    let ask = Ask::of(["old"]);
    let request = String::from_utf8(Raw::embed(&ask)).unwrap().replace("HTTP/1.1", "HTTP/1.0");
    let mut connection = Raw::connect(sidecar.proxy).await;
    connection.send(request).await;
    ask.check(&connection.answer().await);
    assert_eq!(connection.rest().await, "");
}

#[tokio::test]
async fn http_2_with_prior_knowledge_is_answered() {
    let (provider, sidecar) = pair();
    let client = Client::h2(sidecar.proxy);
    for n in 0..2 {
        client.right(&Ask::of(texts("second", 3)).header("x-request-id", &n.to_string())).await;
    }
    assert_eq!(client.get("/v1/models").await.status, 200);
    assert_eq!(provider.stats().await.embedding_requests, 1);
}

#[tokio::test]
async fn a_connection_is_kept_for_the_next_request() {
    let (_provider, sidecar) = pair();
    let mut connection = Raw::connect(sidecar.proxy).await;
    for n in 0..20 {
        let ask = Ask::of([format!("kept alive {n}")]);
        connection.send(Raw::embed(&ask)).await;
        ask.check(&connection.answer().await);
        connection.send("GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert_eq!(connection.answer().await.status, 200);
    }
    assert!((sidecar.metric("larder_downstream_connections", "").await - 1.0).abs() < 0.5);
}

#[tokio::test]
async fn requests_in_a_pipeline_are_answered_in_order() {
    let (_provider, sidecar) = pair();
    let asks: Vec<Ask> = (0..16).map(|n| Ask::of([format!("pipelined {}", n % 11)])).collect();
    let all: Vec<u8> = asks.iter().flat_map(Raw::embed).collect();
    let mut connection = Raw::connect(sidecar.proxy).await;
    connection.send(all).await;
    for ask in &asks {
        ask.check(&connection.answer().await);
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_relayed_for_the_provider_to_say_so() {
    let (provider, sidecar) = pair();
    let (client, direct) = (sidecar.client(), Client::new(provider.address));
    let json = [("content-type", "application/json")];
    for body in [
        "",
        "{",
        "[]",
        r#"{"model":"m"}"#,
        r#"{"model":"m","input":[]}"#,
        r#"{"model":"m","input":[1.5]}"#,
        r#"{"model":"m","input":"a","encoding_format":"x"}"#,
        r#"{"input":"a"}"#,
        r#"{"model":"m","input":["a",1]}"#,
    ] {
        let got = client.send(Method::POST, "/v1/embeddings", &json, body).await;
        let right = direct.send(Method::POST, "/v1/embeddings", &json, body).await;
        assert_eq!((got.status, &got.body), (right.status, &right.body), "{body}");
        assert_eq!(got.header("cache-status"), "larder; fwd=bypass; detail=unreadable", "{body}");
    }
}

#[tokio::test]
async fn everything_else_is_relayed() {
    let (provider, sidecar) = pair();
    let (client, direct) = (sidecar.client(), Client::new(provider.address));
    for (method, path) in [
        (Method::GET, "/v1/models"),
        (Method::GET, "/openai/v1/models"),
        (Method::GET, "/v1/no/such/path?x=%20y"),
        (Method::DELETE, "/v1/models"),
        (Method::GET, "/v1/embeddings"),
    ] {
        let got = client.send(method.clone(), path, &[], "").await;
        let direct = direct.send(method, path.trim_start_matches("/openai"), &[], "").await;
        assert_eq!((got.status, &got.body), (direct.status, &direct.body), "{path}");
        assert_eq!(got.header("cache-status"), "larder; fwd=bypass; detail=relay", "{path}");
    }
}

/// A provider that sends one chunk, then waits to be told before it sends the other.
pub(crate) async fn in_two(go_on: oneshot::Receiver<()>) -> (SocketAddr, Aside<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let playing = Aside::start(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        assert!(stream.read(&mut vec![0; 4_096]).await.unwrap() > 0);
        let first = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
            transfer-encoding: chunked\r\n\r\nc\r\ndata: one\r\n\r\n\r\n";
        stream.write_all(first.replace("one\r\n\r\n", "one\n\nx").as_bytes()).await.unwrap();
        go_on.await.unwrap();
        stream.write_all(b"b\r\ndata: two\n\n\r\n0\r\n\r\n").await.unwrap();
    });
    (address, playing)
}

#[tokio::test]
async fn a_relayed_answer_streams() {
    let (go_on, waits) = oneshot::channel();
    let (provider, _playing) = in_two(waits).await;
    let sidecar = Sidecar::before(provider);
    let mut connection = Raw::connect(sidecar.proxy).await;
    connection
        .send("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}")
        .await;
    connection.until(b"data: one\n\n").await;
    go_on.send(()).unwrap();
    connection.until(b"data: two\n\n").await;
    let answer = connection.answer().await;
    assert_eq!(answer.header("content-type"), "text/event-stream");
    assert_eq!(answer.text(), "data: one\n\nxdata: two\n\n");
}
