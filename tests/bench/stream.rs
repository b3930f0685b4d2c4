//! What a stream costs on its way: `cargo bench --bench stream`.
//!
//! First one stream at a time: the time to the first byte, directly, through larder and through nginx.
//! Then 1,000 streams of 200 events at once, through larder and through nginx (`proxy_pass` without
//! buffering), each on one core, in turn: the CPU time of an event, the memory of a stream. Every
//! stream's text is compared with what it has to be. Needs `taskset`, and `nginx` for its part.

#![expect(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    reason = "a bench prints its figures"
)]

mod rulers;

use std::future::pending;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use larder::simulate::{self, Settings};
use rulers::{Server, load, quantile, variable};
use tokio::net::TcpListener;
use tokio::runtime::{Handle, Runtime};
use tokio::task::JoinSet;

const EVENTS: usize = 200;

fn main() {
    Runtime::new().expect("a runtime").block_on(first_byte());
    // The provider and the clients stay off the core of what is measured.
    rulers::stay_on(1);
    Runtime::new().expect("a runtime").block_on(many());
}

async fn provider(chunks: usize, chunk_delay: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let mut settings = Settings::instant();
    settings.faults.chunks = chunks;
    settings.faults.chunk_delay = chunk_delay;
    Handle::current().spawn(simulate::serve(listener, settings, pending()));
    address.to_string()
}

/// One at a time, directly, through larder, and through nginx where it is there.
async fn first_byte() {
    let requests = variable("LARDER_BENCH_REQUESTS", 2_000);
    let direct = provider(1, Duration::ZERO).await;
    // On any core, as it runs in front of an application: a core that sleeps takes long to wake.
    let larder = Server::larder_on((&["0", "1"], &format!("http://{direct}/v1")), "");
    let nginx = Server::nginx_proxy(&direct);
    let mut targets = vec![("direct", &direct), ("through larder", &larder.address)];
    targets.extend(nginx.as_ref().map(|nginx| ("through nginx", &nginx.address)));
    let mut times = vec![Vec::new(); targets.len()];
    let client = client();
    for _ in 0..requests {
        for ((_, address), times) in targets.iter().zip(&mut times) {
            times.push(stream(&client, address).await.first_byte.as_secs_f64() * 1e6);
        }
    }
    println!("{requests} streams each, one at a time; load {}", load());
    println!("first byte, µs    p50       p90       p99   added: p50");
    let direct = quantile(&times[0], 0.5);
    for ((name, _), times) in targets.iter().zip(&times) {
        let [p50, p90, p99] = [0.5, 0.9, 0.99].map(|q| quantile(times, q));
        println!("{name:<14} {p50:>8.0}  {p90:>8.0}  {p99:>8.0}   {:>10.0}", p50 - direct);
    }
}

/// All at once, through larder and through nginx.
async fn many() {
    let (streams, rounds) =
        (variable("LARDER_BENCH_STREAMS", 1_000), variable("LARDER_BENCH_ROUNDS", 5));
    let direct = provider(EVENTS, Duration::from_millis(30)).await;
    // As nginx is told to.
    let connections = "max_connections = 2000\nidle_connections = 2000";
    let larder = Server::larder_with(&format!("http://{direct}/v1"), connections);
    let mut targets = vec![("larder", larder)];
    targets.extend(Server::nginx_proxy(&direct).map(|nginx| ("nginx, proxy_pass", nginx)));
    let right = stream(&client(), &direct).await.text;
    println!("\n{streams} streams of {EVENTS} events at once, {rounds} rounds; load {}", load());
    let mut costs = vec![Vec::new(); targets.len()];
    for _ in 0..rounds {
        for ((_, target), costs) in targets.iter().zip(&mut costs) {
            costs.push(round(target, streams, &right).await);
        }
    }
    println!("                    µs of CPU an event (min–max)   KiB a stream");
    for ((name, _), costs) in targets.iter().zip(&costs) {
        let cpu: Vec<f64> = costs.iter().map(|(cpu, _)| *cpu).collect();
        let memory = costs.iter().map(|(_, memory)| *memory).fold(0.0, f64::max);
        let (low, median, high) = (quantile(&cpu, 0.0), quantile(&cpu, 0.5), quantile(&cpu, 1.0));
        println!("{name:<20} {median:>6.2} ({low:.2}–{high:.2}) {memory:>22.1}");
    }
}

/// The CPU time of an event in microseconds, and the memory of a stream in KiB.
async fn round(target: &Server, streams: u64, right: &str) -> (f64, f64) {
    let (cpu, memory) = (target.cpu(), target.memory());
    let client = client();
    let mut running = JoinSet::new();
    for _ in 0..streams {
        let (client, address) = (client.clone(), target.address.clone());
        running.spawn(async move { stream(&client, &address).await.text });
    }
    let mut peak = memory;
    while let Some(text) = running.join_next().await {
        assert!(text.expect("no panic") == right, "a stream is not what it has to be");
        peak = peak.max(target.memory());
    }
    let events = streams as f64 * EVENTS as f64;
    (
        target.cpu().saturating_sub(cpu).as_secs_f64() * 1e6 / events,
        (peak - memory) / streams as f64,
    )
}

type Http = Client<HttpConnector, Full<Bytes>>;

fn client() -> Http {
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    Client::builder(TokioExecutor::new()).build(tcp)
}

struct Streamed {
    first_byte: Duration,
    text: String,
}

/// One conversation, to its end.
async fn stream(client: &Http, address: &str) -> Streamed {
    let ask =
        r#"{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"go on"}]}"#;
    let request = Request::post(format!("http://{address}/v1/chat/completions"))
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::AUTHORIZATION, "Bearer bench")
        .body(Full::new(Bytes::from_static(ask.as_bytes())))
        .expect("a request");
    let started = Instant::now();
    let mut body = client.request(request).await.expect("an answer").into_body();
    let (mut first_byte, mut bytes) = (Duration::ZERO, Vec::new());
    while let Some(frame) = body.frame().await {
        if bytes.is_empty() {
            first_byte = started.elapsed();
        }
        bytes.extend(frame.expect("a whole stream").into_data().unwrap_or_default());
    }
    let all = String::from_utf8(bytes).expect("text");
    assert!(all.ends_with("data: [DONE]\n\n"), "the end is missing");
    let words = all.split("\"content\":\"").skip(1).filter_map(|rest| rest.split('"').next());
    Streamed { first_byte, text: words.collect() }
}
