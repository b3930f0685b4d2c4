//! What larder adds to a lone request that misses: `cargo bench --bench lone`.
//!
//! One text after another, each new, is asked for of the simulated provider directly and through
//! larder, in turn, over one kept connection each. The medians and their difference are printed.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

mod rulers;

use std::future::pending;
use std::time::Instant;

use larder::simulate::{self, Settings};
use rulers::{Client, Server, load, quantile, variable};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    let provider = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
    let address = provider.local_addr().expect("an address");
    runtime.spawn(simulate::serve(provider, Settings::instant(), pending()));
    let base_url = format!("http://{address}/v1");
    let larder = Server::larder(&base_url);
    let through = Client::of(&format!("http://{}/v1", larder.address));
    runtime.block_on(compare(&Client::of(&base_url), &through));
}

async fn compare(direct: &Client, through: &Client) {
    let requests = variable("LARDER_BENCH_REQUESTS", 3_000);
    let mut times = [Vec::new(), Vec::new()];
    for n in 0..requests {
        for (client, times) in [direct, through].into_iter().zip(&mut times) {
            let started = Instant::now();
            client.ask(body(n)).await;
            times.push(started.elapsed().as_secs_f64() * 1e6);
        }
    }
    let [direct, through] = times.map(|times| [0.5, 0.9, 0.99].map(|q| quantile(&times, q)));
    println!("{requests} requests each; load {}", load());
    println!("µs                p50       p90       p99");
    for (name, [p50, p90, p99]) in [("direct", direct), ("through larder", through)] {
        println!("{name:<14} {p50:>8.0}  {p90:>8.0}  {p99:>8.0}");
    }
    println!("added at the median: {:.0} µs", through[0] - direct[0]);
}

fn body(n: u64) -> String {
    format!(
        r#"{{"model":"text-embedding-3-small","input":"new text {n}","encoding_format":"base64"}}"#
    )
}
