//! What a hit costs, against rulers: `cargo bench --bench hit`.
//!
//! Warmed texts of 1,536 dimensions are asked for as base64 over 64 connections and over one, as numbers,
//! and 32 in a request, by wrk on one core, from larder on the other. The rulers, on larder's core and in
//! the same rounds: a bare hyper server that answers a constant of the same size, nginx with a static
//! file of that size, and nginx's `proxy_cache` keyed by the body. What counts are the ratios within a
//! round; the medians over the rounds are printed. Needs `wrk` and `taskset`; without `nginx` those are
//! left out. `LARDER_BENCH_BESIDE` names the binary of another build, which is measured in the same rounds.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "a bench prints a table, and what goes wrong in it may well end it"
)]

mod rulers;

use std::convert::Infallible;
use std::env;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use larder::simulate::{self, Settings};
use rulers::{Asked, Load, Server, load, quantile, variable, warm};
use tokio::net::TcpListener;
use tokio::runtime;

fn main() {
    let arguments: Vec<String> = env::args().collect();
    match arguments.iter().position(|argument| argument == "--bare") {
        Some(at) => bare(arguments.get(at + 1).and_then(|size| size.parse().ok()).unwrap_or(0)),
        None => compare(),
    }
}

/// The ceiling: hyper, which reads the body and answers a constant.
fn bare(size: usize) {
    let runtime = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        eprintln!("listening bare={}", listener.local_addr().expect("an address"));
        let body = Bytes::from(vec![b'x'; size]);
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            stream.set_nodelay(true).expect("a socket option");
            let body = body.clone();
            runtime::Handle::current().spawn(async move {
                let mut builder = Builder::new(TokioExecutor::new());
                builder.http1().timer(TokioTimer::new());
                let service = service_fn(|request| answer(request, body.clone()));
                // A connection that wrk gives up at its end is no failure.
                drop(builder.serve_connection(TokioIo::new(stream), service).await);
            });
        }
    });
}

async fn answer(
    request: Request<Incoming>,
    body: Bytes,
) -> Result<Response<Full<Bytes>>, Infallible> {
    drop(request.into_body().collect().await);
    let mut response = Response::new(Full::new(body));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    Ok(response)
}

/// What is compared: what is asked for, over how many connections.
const KINDS: [(&str, Asked, &[u32]); 3] = [
    ("1 input, base64", Asked { texts: 1_000, inputs: 1, encoding: "base64" }, &[64, 1]),
    ("1 input, float", Asked { texts: 1_000, inputs: 1, encoding: "float" }, &[64]),
    ("32 inputs, base64", Asked { texts: 3_200, inputs: 32, encoding: "base64" }, &[64]),
];

fn compare() {
    let runtime = runtime::Runtime::new().expect("a runtime");
    let provider = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
    let provider_address = provider.local_addr().expect("an address").to_string();
    runtime.spawn(simulate::serve(provider, Settings::instant(), std::future::pending()));
    let base_url = format!("http://{provider_address}/v1");
    for (name, asked, connections) in &KINDS {
        let larder = Server::larder_of(&base_url, "[cache]\nmemory = \"2GiB\"\n");
        let size = runtime.block_on(warm(&larder.address, asked));
        let mut targets = vec![("bare hyper", Server::bare(size)), ("larder", larder)];
        if let Some(other) = Server::larder_beside(&base_url, "[cache]\nmemory = \"2GiB\"\n") {
            runtime.block_on(warm(&other.address, asked));
            targets.push(("larder, another build", other));
        }
        targets.extend(Server::nginx(size).map(|nginx| ("nginx, static file", nginx)));
        let cache = Server::nginx_cache(&provider_address).filter(|_| asked.inputs == 1);
        targets.extend(cache.map(|nginx| ("nginx, proxy_cache", nginx)));
        for (_, target) in &targets {
            target.load((8, 2), asked);
        }
        println!("\n{name}: answers of {size} bytes; load {}", load());
        for connections in *connections {
            rounds(&targets, *connections, asked);
        }
    }
}

/// Asks each in turn, again and again; a round's order is the one before it, turned round.
fn rounds(targets: &[(&str, Server)], connections: u32, asked: &Asked) {
    let rounds = variable("LARDER_BENCH_ROUNDS", 7);
    let seconds = variable("LARDER_BENCH_SECONDS", 3);
    let mut loads: Vec<Vec<Load>> = vec![Vec::new(); targets.len()];
    for round in 0..rounds {
        let mut order: Vec<usize> = (0..targets.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for at in order {
            loads[at].push(targets[at].1.load((connections, seconds), asked));
        }
    }
    println!(
        "{connections} connections, {rounds} × {seconds} s  requests/s  ratio to bare hyper (min–max)  p50 µs  p99 µs  CPU µs"
    );
    for ((name, _), own) in targets.iter().zip(&loads) {
        let of = |value: fn(&Load) -> f64| own.iter().map(value).collect::<Vec<_>>();
        let ratios: Vec<f64> =
            own.iter().zip(&loads[0]).map(|(own, bare)| own.rate / bare.rate).collect();
        let [rate, p50, p99, cpu] = [of(|l| l.rate), of(|l| l.p50), of(|l| l.p99), of(|l| l.cpu)]
            .map(|all| quantile(&all, 0.5));
        let [low, ratio, high] = [0.0, 0.5, 1.0].map(|q| quantile(&ratios, q));
        println!(
            "{name:<24} {rate:>12.0}   {ratio:.2} ({low:.2}–{high:.2}) {p50:>17.0} {p99:>7.0} {cpu:>7.2}"
        );
    }
}
