//! Clients that send slowly, read slowly, or only sit there: they end, and nobody else notices.

use std::env;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use async_compression::tokio::bufread::{BrotliEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder};
use http::Method;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

use crate::harness::{
    Aside, Ask, Client, DIMENSIONS, PATIENCE, Raw, Sidecar, Simulated, Teller, texts, until,
};

/// By hand: so many idle connections, with a tenth as many slow senders, and figures.
const SIZED: &str = "LARDER_IDLE_CONNECTIONS";

/// A connection that takes next to nothing before it has to be read.
async fn narrow(server: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    socket.connect(server).await.unwrap()
}

#[tokio::test]
async fn who_takes_nothing_of_a_whole_answer_is_cut_off() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::with(provider.address, "[server]\nwrite_timeout = \"400ms\"\n");
    let ask = Ask::of(texts("large", 1_000)).dimensions(1_024);
    let client = sidecar.client();
    client.right(&ask).await;
    let mut slow = Vec::new();
    for _ in 0..8 {
        let mut stream = narrow(sidecar.proxy).await;
        stream.write_all(&Raw::embed(&ask)).await.unwrap();
        slow.push(stream);
    }
    sidecar.until("larder_downstream_connections", 1.0).await;
    sidecar.until("larder_requests_in_flight", 0.0).await;
    // Who reads slowly, but reads, gets all of it.
    let mut reader = narrow(sidecar.proxy).await;
    let small = Ask::of(texts("large", 40)).dimensions(1_024);
    let request = String::from_utf8(Raw::embed(&small)).unwrap();
    let request = request.replacen("\r\n\r\n", "\r\nconnection: close\r\n\r\n", 1);
    reader.write_all(request.as_bytes()).await.unwrap();
    let mut came = Vec::new();
    let started = Instant::now();
    loop {
        let mut piece = vec![0; 60_000];
        match reader.read(&mut piece).await.unwrap() {
            0 => break,
            count => came.extend(&piece[..count]),
        }
        sleep(Duration::from_millis(20)).await;
    }
    eprintln!("{} bytes in {:?}", came.len(), started.elapsed());
    assert!(came.ends_with(b"}"), "cut off");
}

#[tokio::test]
async fn who_takes_nothing_of_a_stream_slows_nobody_who_reads_along() {
    let provider = Teller::events();
    let config = "[server]\nwrite_timeout = \"400ms\"\n[cache]\nmax_transcript = \"64MiB\"\n";
    let sidecar = Sidecar::with(provider.address, config);
    let ask = json!({
        "model": "m", "temperature": 0, "stream": true,
        "messages": [{ "role": "user", "content": "shared" }],
    });
    let request = Raw::post("/v1/chat/completions", &[], &ask.to_string());
    let mut slow = narrow(sidecar.proxy).await;
    slow.write_all(&request).await.unwrap();
    let call = provider.call(0).await;
    let mut reader = Raw::connect(sidecar.proxy).await;
    reader.send(&request).await;
    let event = format!("data: {{\"x\":\"{}\"}}\n\n", "y".repeat(100_000));
    for number in 0..120 {
        call.say(event.clone()).await;
        let end = format!("data: {{\"number\":{number}}}\n\n");
        call.say(end.clone()).await;
        timeout(PATIENCE, reader.until(end.as_bytes())).await.expect("the reader waits");
        reader.forget();
    }
    assert_eq!(provider.calls(), 1);
    sidecar.until("larder_downstream_connections", 1.0).await;
    call.end().await;
}

/// Heads and bodies that never end.
async fn crawl(server: SocketAddr, number: usize) {
    let Ok(mut stream) = TcpStream::connect(server).await else { return };
    // Each at a time of its own, as they would come.
    sleep(Duration::from_millis(number as u64 % 300)).await;
    let head = "POST /v1/embeddings HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
    let begin = if number.is_multiple_of(2) {
        head.to_owned()
    } else {
        format!("{head}content-length: 100000\r\n\r\n{{")
    };
    let mut sent = stream.write_all(begin.as_bytes()).await;
    while sent.is_ok() {
        sleep(Duration::from_millis(300)).await;
        let more = if number.is_multiple_of(2) { &b"x-a: b\r\n"[..] } else { b" " };
        sent = stream.write_all(more).await;
    }
}

/// How long so many requests of somebody else take, in order.
async fn others(client: &Client, name: &str, count: usize) -> Vec<Duration> {
    let mut times = Vec::new();
    for number in 0..count {
        let ask = Ask::of([format!("{name} {}", number / 2)]);
        let started = Instant::now();
        client.right(&ask).await;
        times.push(started.elapsed());
    }
    times.sort();
    times
}

async fn hoard(server: SocketAddr, count: usize) -> Vec<TcpStream> {
    let mut idle = Vec::with_capacity(count);
    for _ in 0..count {
        idle.push(TcpStream::connect(server).await.unwrap());
    }
    idle
}

/// The median and the second longest of a hundred, in the middle of several rounds, of a sidecar that has
/// a crowd and of one that has none. They take turns, so that what else the machine does is in both.
async fn compare(crowded: &Client, alone: &Client, rounds: usize) -> [[Duration; 2]; 2] {
    let mut figures: [[Vec<Duration>; 2]; 2] = Default::default();
    for round in 0..rounds {
        for (client, figures) in [alone, crowded].into_iter().zip(&mut figures) {
            let times = others(client, &format!("round {round}"), 400).await;
            figures[0].push(times[200]);
            figures[1].push(times[396]);
        }
    }
    figures.map(|both| {
        both.map(|mut times| {
            times.sort();
            times[rounds / 2]
        })
    })
}

#[tokio::test]
async fn slow_senders_end_and_idle_connections_stay_while_others_are_served() {
    let sized: Option<usize> = env::var(SIZED).ok().map(|text| text.parse().unwrap());
    let (idle, slow) = sized.map_or((1_000, 300), |count| (count, count / 10));
    let (patience, rounds) = if sized.is_some() { (30, 25) } else { (2, 1) };
    let provider = Simulated::instant();
    let config = format!(
        "[server]\nhead_timeout = \"{patience}s\"\nbody_timeout = \"{patience}s\"\n\
         idle_timeout = \"600s\"\n"
    );
    let sidecar = Sidecar::with(provider.address, &config);
    let without = Sidecar::with(provider.address, &config);
    let client = sidecar.client();
    client.right(&Ask::of(["before"])).await;
    let before = sidecar.memory("VmRSS");
    let hoarded = hoard(sidecar.proxy, idle).await;
    let open = f64::from(u32::try_from(idle).unwrap()) + 1.0;
    sidecar.until("larder_downstream_connections", open).await;
    let grown = sidecar.memory("VmRSS").saturating_sub(before);
    let crawling: Vec<_> =
        (0..slow).map(|number| Aside::start(crawl(sidecar.proxy, number))).collect();
    let [alone, among] = compare(&client, &without.client(), rounds).await;
    eprintln!("{idle} idle: {} bytes each", grown / idle as u64);
    eprintln!("p50 and p99 of others alone: {alone:?}; among {slow} slow ones: {among:?}");
    for one in crawling {
        one.done().await;
    }
    sidecar.until("larder_downstream_connections", open).await;
    client.right(&Ask::of(["after"])).await;
    drop(hoarded);
    sidecar.until("larder_downstream_connections", 1.0).await;
}

#[tokio::test]
async fn who_only_sits_there_is_sent_away() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::with(provider.address, "[server]\nidle_timeout = \"1s\"\n");
    let mut idle = hoard(sidecar.proxy, 50).await;
    for stream in &mut idle {
        let ended = timeout(PATIENCE, stream.read(&mut [0; 16])).await.expect("it stays");
        assert_eq!(ended.unwrap(), 0);
    }
    sidecar.client().right(&Ask::of(["after"])).await;
}

#[tokio::test]
async fn a_sidecar_out_of_descriptors_neither_spins_nor_stays_so() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::limited(provider.address, "-n 96", "");
    let client = sidecar.client();
    let kept = Ask::of(["kept"]);
    client.right(&kept).await;
    let crowd = hoard(sidecar.proxy, 300).await;
    client.right(&kept).await;
    let (began, before) = (Instant::now(), sidecar.processor());
    sleep(Duration::from_secs(2)).await;
    let busy = sidecar.processor().saturating_sub(before);
    let share = busy.as_secs_f64() / began.elapsed().as_secs_f64();
    eprintln!("out of descriptors: {:.1} % of a processor", share * 100.0);
    assert!(share < 0.5, "{share}");
    drop(crowd);
    let fresh = sidecar.client();
    until("others are served again", || async { fresh.try_embed(&kept).await.is_ok() }).await;
    fresh.right(&Ask::of(["new"])).await;
}

async fn squeeze(mut encoder: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut out = Vec::new();
    encoder.read_to_end(&mut out).await.unwrap();
    out
}

#[tokio::test]
async fn a_bomb_of_any_coding_is_413_and_costs_no_more_than_the_bound() {
    const LIMIT: u64 = 4 << 20;
    let provider = Simulated::instant();
    let sidecar = Sidecar::with(provider.address, "[server]\nmax_body = \"4MiB\"\n");
    sidecar.client().right(&Ask::of(["before"])).await;
    let before = sidecar.memory("VmHWM");
    let zeros = vec![b' '; 64 << 20];
    for (coding, bomb) in [
        ("gzip", squeeze(GzipEncoder::new(&zeros[..])).await),
        ("deflate", squeeze(ZlibEncoder::new(&zeros[..])).await),
        ("br", Box::pin(squeeze(BrotliEncoder::new(&zeros[..]))).await),
        ("zstd", squeeze(ZstdEncoder::new(&zeros[..])).await),
    ] {
        assert!(bomb.len() < 1 << 20);
        let headers = [("content-type", "application/json"), ("content-encoding", coding)];
        let got = sidecar.client().send(Method::POST, "/v1/embeddings", &headers, bomb).await;
        assert!(got.is_own_error(413, "body_too_large"), "{coding} {got:?}");
    }
    let grown = sidecar.memory("VmHWM") - before;
    eprintln!("bombs of 64 MiB at a bound of 4 MiB: {} KiB more", grown >> 10);
    // What is decoded, its decoder's window, and what an allocator keeps of both for each thread; a
    // bomb by itself would be 16 times the bound.
    assert!(grown < 6 * LIMIT, "{grown}");
    assert_eq!(provider.stats().await.requests, 1);
}

#[tokio::test]
async fn a_body_of_many_small_things_costs_a_few_times_itself() {
    let provider = Simulated::instant();
    for (name, thing) in
        [("objects", "{\"\":0}"), ("arrays", "[]"), ("numbers", "0"), ("texts", "\"\"")]
    {
        let things = vec![thing; (8 << 20) / (thing.len() + 1)].join(",");
        for body in [
            format!("{{\"model\":\"m\",\"input\":[{things}]}}"),
            format!("{{\"model\":\"m\",\"input\":\"a\",\"x\":[{things}]}}"),
            format!("{{\"model\":\"m\",\"messages\":[{things}],\"temperature\":0}}"),
        ] {
            let path =
                if body.contains("messages") { "/v1/chat/completions" } else { "/v1/embeddings" };
            let headers = [("content-type", "application/json")];
            let length = body.len() as u64;
            let sidecar = Sidecar::before(provider.address);
            let client = sidecar.client();
            client.right(&Ask::of(["before"]).dimensions(DIMENSIONS)).await;
            let before = sidecar.memory("VmHWM");
            client.send(Method::POST, path, &headers, body).await;
            let grown = sidecar.memory("VmHWM") - before;
            eprintln!("8 MiB of {name} to {path}: {} MiB more", grown >> 20);
            // In the pieces that it came in, whole, in one spelling, and on its way.
            assert!(grown < 6 * length, "{name} {path}: {grown}");
        }
    }
}
