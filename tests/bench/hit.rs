//! What a hit costs, against two rulers: `cargo bench --bench hit`.
//!
//! 1,000 warmed texts of 1,536 dimensions are asked for as base64 over 64 connections (and over 1),
//! by wrk on one core, from larder on the other. The rulers, on larder's core and in the same
//! rounds: a bare hyper server that answers a constant of the same size, and nginx with a static
//! file of that size. What counts are the ratios within a round; the medians over the rounds are
//! printed. Needs `wrk` and `taskset`; without `nginx` that ruler is left out.

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
use rulers::{Server, load, quantile, variable, warm};
use tokio::net::TcpListener;
use tokio::runtime;

const TEXTS: usize = 1_000;

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

fn compare() {
    let rounds = variable("LARDER_BENCH_ROUNDS", 7);
    let seconds = variable("LARDER_BENCH_SECONDS", 3);
    let runtime = runtime::Runtime::new().expect("a runtime");
    let provider = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
    let provider_address = provider.local_addr().expect("an address");
    runtime.spawn(simulate::serve(provider, Settings::instant(), std::future::pending()));
    let larder = Server::larder(&format!("http://{provider_address}/v1"));
    let size = runtime.block_on(warm(&larder.address, TEXTS));
    let bare = Server::bare(size);
    let mut targets = vec![("bare hyper", bare), ("larder", larder)];
    targets.extend(Server::nginx(size).map(|nginx| ("nginx, static file", nginx)));
    println!(
        "answers of {size} bytes; {rounds} rounds of {seconds} s, interleaved; load {}",
        load()
    );
    for connections in [64, 1] {
        let mut rates = vec![Vec::new(); targets.len()];
        for _ in 0..rounds {
            for ((_, target), rates) in targets.iter().zip(&mut rates) {
                rates.push(target.rate(connections, seconds, TEXTS));
            }
        }
        println!("\n{connections} connections          requests/s   ratio to bare hyper (min–max)");
        for ((name, _), own) in targets.iter().zip(&rates) {
            let ratios: Vec<f64> = own.iter().zip(&rates[0]).map(|(a, b)| a / b).collect();
            let (low, high) = (quantile(&ratios, 0.0), quantile(&ratios, 1.0));
            let (rate, ratio) = (quantile(own, 0.5), quantile(&ratios, 0.5));
            println!("{name:<24} {rate:>10.0}   {ratio:.2} ({low:.2}–{high:.2})");
        }
    }
}
