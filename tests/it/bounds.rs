//! Bounds: what is too large, too slow or not there is an error that says so, and nothing grows.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use http::Method;
use larder::simulate::Settings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::gate::gzip;
use crate::harness::{
    Aside, Ask, Client, DIMENSIONS, Gate, Raw, Scripted, Sidecar, Simulated, all, json as reply,
    texts,
};

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn a_gzip_bomb_and_a_large_body_are_413() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::with(provider.address, "[server]\nmax_body = \"1MiB\"\n");
    let client = sidecar.client();
    let large = vec![b' '; 2 << 20];
    let bomb = gzip(&large).await;
    assert!(bomb.len() < 10_000);
    let headers = [JSON, ("content-encoding", "gzip")];
    let got = client.send(Method::POST, "/v1/embeddings", &headers, bomb).await;
    assert!(got.is_own_error(413, "body_too_large"), "{got:?}");
    let mut connection = Raw::connect(sidecar.proxy).await;
    let head = "POST /v1/embeddings HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
    connection.send(format!("{head}content-length: 2097152\r\n\r\n")).await;
    let got = connection.answer().await;
    assert!(got.is_own_error(413, "body_too_large"), "{got:?}");
    let mut connection = Raw::connect(sidecar.proxy).await;
    connection.send(format!("{head}transfer-encoding: chunked\r\n\r\n100001\r\n")).await;
    connection.send(&large[..0x10_0001]).await;
    let got = connection.answer().await;
    assert!(got.is_own_error(413, "body_too_large"), "{got:?}");
    assert_eq!(provider.stats().await.requests, 0);
    client.right(&Ask::of(["after"])).await;
}

#[tokio::test]
async fn a_head_over_64_kib_is_431() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::before(provider.address);
    let mut connection = Raw::connect(sidecar.proxy).await;
    let long = "x".repeat(70 << 10);
    connection.send(format!("GET /v1/models HTTP/1.1\r\nhost: x\r\nx-long: {long}\r\n\r\n")).await;
    assert_eq!(connection.answer().await.status, 431);
    let mut connection = Raw::connect(sidecar.proxy).await;
    let fits = "x".repeat(40 << 10);
    connection.send(format!("GET /v1/models HTTP/1.1\r\nhost: x\r\nx-long: {fits}\r\n\r\n")).await;
    assert_ne!(connection.answer().await.status, 431);
}

#[tokio::test]
async fn a_slow_head_is_closed_and_an_idle_connection_is_not() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::with(provider.address, "[server]\nhead_timeout = \"300ms\"\n");
    let ask = Ask::of(["idle"]);
    let mut idle = Raw::connect(sidecar.proxy).await;
    idle.send(Raw::embed(&ask)).await;
    ask.check(&idle.answer().await);
    for head in ["POST /v1/embed", "POST /v1/embeddings HTTP/1.1\r\nhost: x\r\nx-"] {
        let mut slow = Raw::connect(sidecar.proxy).await;
        let started = Instant::now();
        slow.send(head).await;
        slow.rest().await;
        let took = started.elapsed();
        assert!(took > Duration::from_millis(200) && took < Duration::from_secs(3), "{took:?}");
    }
    idle.send(Raw::embed(&ask)).await;
    ask.check(&idle.answer().await);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_408() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::with(provider.address, "[server]\nbody_timeout = \"200ms\"\n");
    let mut connection = Raw::connect(sidecar.proxy).await;
    let request = Raw::embed(&Ask::of(["late"]));
    connection.send(&request[..request.len() - 3]).await;
    let got = connection.answer().await;
    assert!(got.is_own_error(408, "request_timeout"), "{got:?}");
}

#[tokio::test]
async fn a_provider_that_is_down_is_502() {
    let nobody = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let sidecar = Sidecar::before(nobody);
    let client = sidecar.client();
    let got = client.embed(&Ask::of(["nobody"])).await;
    assert!(got.is_own_error(502, "upstream_unreachable"), "{got:?}");
    let got = client.get("/v1/models").await;
    assert!(got.is_own_error(502, "upstream_unreachable"), "{got:?}");
    sidecar.until("larder_flights", 0.0).await;
}

#[tokio::test]
async fn a_provider_that_hangs_is_504() {
    let provider = Scripted::start(|_| std::future::pending());
    let config = "[providers.openai]\nfirst_byte_timeout = \"200ms\"\n";
    let sidecar = Sidecar::with(provider.address, config);
    let client = sidecar.client();
    for _ in 0..2 {
        let started = Instant::now();
        let got = client.embed(&Ask::of(["hangs"])).await;
        assert!(got.is_own_error(504, "upstream_timeout"), "{got:?}");
        assert!(started.elapsed() < Duration::from_secs(3));
    }
    let got = client.get("/v1/models").await;
    assert!(got.is_own_error(504, "upstream_timeout"), "{got:?}");
    sidecar.until("larder_flights", 0.0).await;
}

#[tokio::test]
async fn a_call_that_waits_too_long_for_its_turn_is_503() {
    let gate = Gate::closed();
    let provider = Scripted::behind(&gate);
    let config = "[providers.openai]\nmax_connections = 1\npermit_timeout = \"200ms\"\n";
    let sidecar = Sidecar::with(provider.address, config);
    let client = sidecar.client();
    let first = Aside::start({
        let client = client.clone();
        async move { client.right(&Ask::of(["first"])).await }
    });
    provider.called(1).await;
    let same_lane = client.embed(&Ask::of(["second"])).await;
    let other_lane = client.embed(&Ask::of(["third"]).dimensions(DIMENSIONS)).await;
    let relayed = client.get("/v1/models").await;
    for got in [same_lane, other_lane, relayed] {
        assert!(got.is_own_error(503, "overloaded"), "{got:?}");
        assert_eq!(got.header("retry-after"), "1");
    }
    gate.open();
    first.done().await;
    client.right(&Ask::of(["second"])).await;
}

#[tokio::test]
async fn a_large_upload_passes_through_and_is_not_held() {
    const PIECE: usize = 1 << 20;
    const PIECES: usize = 600;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sidecar = Sidecar::before(listener.local_addr().unwrap());
    let before = sidecar.memory("VmRSS");
    let provider = Aside::start(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let (mut piece, mut came) = (vec![0; PIECE], 0);
        while came < PIECE * PIECES {
            let count = stream.read(&mut piece).await.unwrap();
            assert!(count > 0 && piece[..count].iter().all(|byte| *byte == 7));
            came += count;
        }
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        stream.write_all(answer.as_bytes()).await.unwrap();
    });
    let mut client = Raw::connect(sidecar.proxy).await;
    let head = format!(
        "POST /v1/files HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=b\r\n\
         content-length: {}\r\n\r\n",
        PIECE * PIECES
    );
    client.send(head).await;
    let piece = vec![7; PIECE];
    for _ in 0..PIECES {
        client.send(&piece).await;
    }
    assert_eq!(client.answer().await.text(), "ok");
    provider.done().await;
    let grown = sidecar.memory("VmHWM").saturating_sub(before);
    eprintln!("an upload of 600 MiB: {} KiB more than before at the most", grown >> 10);
    assert!(grown < 16 << 20, "{grown} bytes");
}

#[tokio::test]
async fn a_very_large_answer_comes_through_right() {
    let provider = Simulated::start(Settings { dimensions: DIMENSIONS, ..Settings::instant() });
    let sidecar = Sidecar::before(provider.address);
    let ask = Ask::of(texts("large", 2_048)).dimensions(3_072);
    for client in [sidecar.client(), Client::new(sidecar.proxy)] {
        let answer = client.embed(&ask).await;
        assert!(answer.body.len() > 60 << 20, "{}", answer.body.len());
        ask.check(&answer);
    }
    assert_eq!(provider.stats().await.embedding_requests, 1);
}

#[tokio::test]
async fn connections_beyond_the_bound_are_turned_away() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::with(provider.address, "[server]\nmax_connections = 2\n");
    let ask = Ask::of(["x"]);
    let mut kept = Vec::new();
    for _ in 0..2 {
        let mut connection = Raw::connect(sidecar.proxy).await;
        connection.send(Raw::embed(&ask)).await;
        ask.check(&connection.answer().await);
        kept.push(connection);
    }
    let mut third = Raw::connect(sidecar.proxy).await;
    let got = third.answer().await;
    assert_eq!((got.status, got.header("x-larder-error")), (503, "overloaded"));
    drop(kept);
    sidecar.until("larder_downstream_connections", 0.0).await;
    sidecar.client().right(&ask).await;
}

#[tokio::test]
async fn lists_of_short_inputs_took_five_times_what_was_counted() {
    let provider = Scripted::start(|_| async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Some(reply(400, &serde_json::json!({ "error": { "message": "no" } })))
    });
    let config = "[server]\nmax_body = \"2MiB\"\nmax_in_flight = \"64MiB\"\n\
                  [cache]\nmemory = \"16MiB\"\n[providers.openai]\nmax_queued = \"32MiB\"\n";
    let sidecar = Sidecar::with(provider.address, config);
    sidecar.client().embed(&Ask::of(["before"])).await;
    let before = sidecar.memory("VmRSS");
    let asking = (0..16).map(|number| {
        let client = sidecar.client();
        let inputs = (0..20_000).map(|n| format!("list {number} input {n}"));
        let ask = Ask::of(inputs.collect::<Vec<_>>());
        async move { client.embed(&ask).await }
    });
    let answers = all(asking.collect::<Vec<_>>()).await;
    let turned_away =
        answers.iter().filter(|answer| answer.is_own_error(503, "overloaded")).count();
    assert!((1..16).contains(&turned_away), "{turned_away}");
    let grown = sidecar.memory("VmHWM") - before;
    eprintln!("{turned_away} of 16 turned away, {} MiB more at the most", grown >> 20);
    // The two bounds, and half as much again.
    assert!(grown < 144 << 20, "{} MiB", grown >> 20);
}

#[tokio::test]
async fn many_large_bodies_at_once_are_held_within_a_bound() {
    const BODY: usize = 4 << 20;
    let provider = Scripted::start(|_| async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        Some(reply(400, &serde_json::json!({ "error": { "message": "no" } })))
    });
    let config = "[server]\nmax_body = \"5MiB\"\nmax_in_flight = \"16MiB\"\n\
                  [cache]\nmemory = \"16MiB\"\n";
    let sidecar = Sidecar::with(provider.address, config);
    sidecar.client().embed(&Ask::of(["before"])).await;
    let before = sidecar.memory("VmRSS");
    let sending = (0..64).map(|number| {
        let mut text = format!("{number:04}");
        text.extend(std::iter::repeat_n('x', BODY));
        let body = Ask::scalar(&text).body();
        let server = sidecar.proxy;
        async move {
            let mut raw = Raw::connect(server).await;
            let framing = if number % 2 == 0 {
                format!("content-length: {}\r\n\r\n", body.len())
            } else {
                format!("transfer-encoding: chunked\r\n\r\n{:x}\r\n", body.len())
            };
            let head =
                "POST /v1/embeddings HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
            let bytes = [head.as_bytes(), framing.as_bytes(), &body, b"\r\n0\r\n\r\n"].concat();
            // Who is turned away may not be heard to the end.
            drop(raw.stream.write_all(&bytes).await);
            let answer = raw.answer().await;
            let is_turned_away = answer.is_own_error(503, "overloaded");
            assert!(is_turned_away || answer.status == 400, "{answer:?}");
            assert!(!is_turned_away || answer.header("retry-after") == "1");
            is_turned_away
        }
    });
    let turned_away = all(sending.collect::<Vec<_>>()).await;
    let turned_away = turned_away.into_iter().filter(|is| *is).count();
    let grown = sidecar.memory("VmHWM") - before;
    eprintln!("{turned_away} of 64 turned away, {} MiB more at the most", grown >> 20);
    assert!((1..64).contains(&turned_away));
    // The bound, at least four times `max_body`, and what the connections themselves hold.
    assert!(grown < (20 << 20) + 64 * (512 << 10), "{grown}");
    let again = sidecar.client().embed(&Ask::of(["after"])).await;
    assert_eq!(again.status, 400, "{again:?}");
}
