//! HTTP/2 as no client speaks it: frames by hand.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Stage;
use crate::harness::frames::{
    DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, RST_STREAM, SETTINGS, frame,
};
use crate::harness::{Aside, Ask, Client, PATIENCE, Scripted, Sidecar, json};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const PING: u8 = 6;
const CONTINUATION: u8 = 9;

/// Fields as literals that nobody indexes.
fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        out.push(0);
        for text in [name, value] {
            let length = u8::try_from(text.len()).expect("short enough for one byte");
            assert!(length < 127, "a longer one has another form");
            out.push(length);
            out.extend(text.as_bytes());
        }
    }
    out
}

fn request<'f>(path: &'f str, more: &[(&'f str, &'f str)]) -> Vec<(&'f str, &'f str)> {
    let begin = [(":method", "POST"), (":scheme", "http"), (":authority", "x"), (":path", path)];
    begin.into_iter().chain(more.iter().copied()).collect()
}

/// A connection whose frames are written by hand.
struct Frames(TcpStream);

impl Frames {
    async fn open(stage: &Stage) -> Self {
        Self::with(stage.sidecar.proxy, &[]).await
    }

    /// With settings of its own.
    async fn with(server: SocketAddr, settings: &[u8]) -> Self {
        let mut stream = TcpStream::connect(server).await.unwrap();
        stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, settings)].concat()).await.unwrap();
        Self(stream)
    }

    /// Whether it was taken.
    async fn send(&mut self, bytes: &[u8]) -> bool {
        let sent = timeout(Duration::from_secs(5), self.0.write_all(bytes)).await;
        sent.is_ok_and(|sent| sent.is_ok())
    }

    /// The next frame's kind, stream and payload.
    async fn next(&mut self) -> Option<(u8, u32, Vec<u8>)> {
        let mut head = [0; 9];
        let read = timeout(PATIENCE, self.0.read_exact(&mut head)).await.expect("nothing came");
        read.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.0.read_exact(&mut payload).await.ok()?;
        Some((head[3], stream, payload))
    }

    /// Whether a request is answered rather than reset, and with a status other than 4xx.
    async fn is_served(&mut self, stream: u32) -> bool {
        while let Some((kind, on, payload)) = self.next().await {
            match kind {
                // :status 200 is 0x88, 400 is 0x8c; others are written out.
                HEADERS if on == stream => return payload.first() == Some(&0x88),
                RST_STREAM if on == stream => return false,
                GOAWAY => return false,
                _ => {}
            }
        }
        false
    }

    /// Reads until larder ends the connection.
    async fn is_ended(&mut self) -> bool {
        loop {
            match self.next().await {
                Some((GOAWAY, ..)) | None => return true,
                Some(_) => {}
            }
        }
    }
}

#[tokio::test]
async fn a_malformed_request_of_http_2_does_not_reach_the_provider() {
    let stage = Stage::set().await;
    let json = ("content-type", "application/json");
    let good = request("/v1/embeddings", &[json]);
    let with = |more: &[(&'static str, &'static str)]| request("/v1/embeddings", more);
    for bad in [
        with(&[("x-a", "b\r\nx-c: d")]),
        with(&[("x-a", "b\0")]),
        with(&[("x a", "b")]),
        with(&[("x-a:", "b")]),
        with(&[("X-A", "b")]),
        with(&[("", "b")]),
        with(&[("transfer-encoding", "chunked")]),
        with(&[("connection", "close")]),
        with(&[("te", "gzip")]),
        with(&[("content-length", "5")]),
        with(&[("content-length", "+5")]),
        with(&[(":path", "/again")]),
        with(&[("x-a", "b"), (":scheme", "http")]),
        request("*", &[]),
        request("a", &[]),
        request("", &[]),
        request("/v1/../admin", &[]),
        request("/v1/%2e%2e/admin", &[]),
        request("/v1/a b", &[]),
        request("/v1/a\r\nx-a: b", &[]),
        good[1..].to_vec(),
        [&[(":method", "TRACE")], &good[1..]].concat(),
        [&[(":method", "GE T")], &good[1..]].concat(),
        vec![(":method", "CONNECT"), (":authority", "evil.test:443")],
    ] {
        let mark = stage.recorder.mark();
        let mut frames = Frames::open(&stage).await;
        frames.send(&frame(HEADERS, END_STREAM | END_HEADERS, 1, &fields(&bad))).await;
        assert!(!frames.is_served(1).await, "{bad:?}");
        let reached = stage.recorder.since(mark);
        assert!(reached.is_empty(), "{bad:?} {:?}", String::from_utf8_lossy(&reached));
    }
    let ask = Ask::of(["after"]);
    let mut frames = Frames::open(&stage).await;
    frames.send(&frame(HEADERS, END_HEADERS, 1, &fields(&good))).await;
    frames.send(&frame(DATA, END_STREAM, 1, &ask.body())).await;
    assert!(frames.is_served(1).await);
}

/// Sends the same again and again until larder ends the connection.
async fn flood(stage: &Stage, first: &[u8], again: impl Fn(u32) -> Vec<u8>) {
    let before = stage.sidecar.memory("VmRSS");
    let mut frames = Frames::open(stage).await;
    frames.send(first).await;
    let mut sent = 0;
    for round in 0..3_000 {
        let many: Vec<u8> = (0..100).flat_map(|n| again(round * 100 + n)).collect();
        if !frames.send(&many).await {
            break;
        }
        sent += 100;
    }
    assert!(frames.is_ended().await, "{sent} were taken");
    let grown = stage.sidecar.memory("VmRSS").saturating_sub(before);
    eprintln!("{sent} were sent, {} KiB more", grown >> 10);
    assert!(grown < 20 << 20, "{grown}");
    stage.sidecar.client().right(&Ask::of(["others are served"])).await;
}

#[tokio::test]
async fn floods_of_http_2_end_the_connection() {
    let stage = Stage::set().await;
    let get =
        [(":method", "GET"), (":scheme", "http"), (":authority", "x"), (":path", "/v1/models")];
    let head = fields(&get);
    let open = frame(HEADERS, 0, 1, &head);
    eprintln!("requests that are taken back");
    flood(&stage, &[], |n| {
        let ask = frame(HEADERS, END_STREAM | END_HEADERS, 2 * n + 1, &head);
        [ask, frame(RST_STREAM, 0, 2 * n + 1, &8_u32.to_be_bytes())].concat()
    })
    .await;
    eprintln!("heads without an end");
    flood(&stage, &open, |_| frame(CONTINUATION, 0, 1, &fields(&[("x-a", "b")]))).await;
    eprintln!("empty pieces of a body");
    let post = fields(&request("/v1/embeddings", &[("content-type", "application/json")]));
    flood(&stage, &frame(HEADERS, END_HEADERS, 1, &post), |_| frame(DATA, 0, 1, &[])).await;
    eprintln!("streams that do not exist");
    flood(&stage, &[], |n| frame(DATA, 0, 2 * n + 1, b"x")).await;
}

#[tokio::test]
async fn a_flood_of_pings_that_are_not_read_grows_nothing() {
    let stage = Stage::set().await;
    let before = stage.sidecar.memory("VmRSS");
    let mut frames = Frames::open(&stage).await;
    let pings = frame(PING, 0, 0, &[7; 8]).repeat(10_000);
    let settings = frame(SETTINGS, 0, 0, &[]).repeat(10_000);
    for _ in 0..20 {
        if !frames.send(&pings).await || !frames.send(&settings).await {
            break;
        }
    }
    let grown = stage.sidecar.memory("VmRSS").saturating_sub(before);
    assert!(grown < 20 << 20, "{grown}");
    stage.sidecar.client().right(&Ask::of(["others are served"])).await;
}

/// Opens streams whose responses it takes nothing of, and answers PINGs. Returns the number of streams that
/// were reset once they all are.
async fn takes_nothing(server: SocketAddr, streams: u32) -> usize {
    const INITIAL_WINDOW_SIZE_0: [u8; 6] = [0, 4, 0, 0, 0, 0];
    let mut frames = Frames::with(server, &INITIAL_WINDOW_SIZE_0).await;
    let get =
        [(":method", "GET"), (":scheme", "http"), (":authority", "x"), (":path", "/v1/files/a")];
    for number in 0..streams {
        let head = frame(HEADERS, END_STREAM | END_HEADERS, 2 * number + 1, &fields(&get));
        assert!(frames.send(&head).await);
    }
    let mut reset = BTreeSet::new();
    while reset.len() < streams as usize {
        match frames.next().await.expect("the connection goes on") {
            (PING, _, payload) => assert!(frames.send(&frame(PING, 1, 0, &payload)).await),
            (RST_STREAM, stream, _) => drop(reset.insert(stream)),
            (GOAWAY, ..) => break,
            _ => {}
        }
    }
    reset.len()
}

#[tokio::test]
async fn responses_that_a_client_does_not_take_are_reset_and_hold_no_call() {
    const CALLS: u32 = 4;
    let large = Value::from("x".repeat(4 << 20));
    let provider = Scripted::start(move |asked| {
        let body = if asked.path.ends_with("/a") { large.clone() } else { Value::Null };
        async move { Some(json(200, &body)) }
    });
    let config = format!(
        "[server]\nwrite_timeout = \"1s\"\n[providers.openai]\nmax_connections = {CALLS}\n"
    );
    let sidecar = Sidecar::with(provider.address, &config);
    let stuck = Aside::start(takes_nothing(sidecar.proxy, 2 * CALLS));
    provider.called(CALLS as usize).await;
    let asked = Instant::now();
    let answer = Client::new(sidecar.proxy).get("/v1/files/b").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    assert_eq!(stuck.done().await, 2 * CALLS as usize);
    // A client that reads gets all of it.
    let whole = Client::h2(sidecar.proxy).get("/v1/files/a").await;
    assert_eq!((whole.status, whole.body.len()), (200, (4 << 20) + 2));
}
