//! What larder adds to a lone request that misses: `cargo bench --bench lone`.
//!
//! One text after another, each new, is asked for of the simulated provider directly, through larder, and
//! through nginx (`proxy_pass`, where it is there), in turn, over one kept connection each; nginx with kept
//! connections to the provider too, and plain. Printed are the times, and what is added to the direct ones.

#![expect(clippy::print_stdout, clippy::indexing_slicing, reason = "a bench prints its figures")]

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
    let nginx = Server::nginx_proxy(&address.to_string());
    let plain = Server::nginx_plain(&address.to_string());
    let mut targets = vec![("direct", Client::of(&base_url)), ("through larder", through)];
    let base = |nginx: &Server| Client::of(&format!("http://{}/v1", nginx.address));
    targets.extend(nginx.as_ref().map(|nginx| ("through nginx", base(nginx))));
    targets.extend(plain.as_ref().map(|nginx| ("plain nginx", base(nginx))));
    runtime.block_on(compare(&targets));
}

async fn compare(targets: &[(&str, Client)]) {
    let requests = variable("LARDER_BENCH_REQUESTS", 3_000);
    let mut times = vec![Vec::new(); targets.len()];
    for n in 0..requests {
        for ((_, client), times) in targets.iter().zip(&mut times) {
            let started = Instant::now();
            client.ask(body(n)).await;
            times.push(started.elapsed().as_secs_f64() * 1e6);
        }
    }
    println!("{requests} requests each; load {}", load());
    println!("µs                p50       p90       p99   added: p50       p99");
    let direct = [0.5, 0.9, 0.99].map(|q| quantile(&times[0], q));
    for ((name, _), times) in targets.iter().zip(&times) {
        let [p50, p90, p99] = [0.5, 0.9, 0.99].map(|q| quantile(times, q));
        let (added, late) = (p50 - direct[0], p99 - direct[2]);
        println!("{name:<14} {p50:>8.0}  {p90:>8.0}  {p99:>8.0}   {added:>10.0}  {late:>8.0}");
    }
}

fn body(n: u64) -> String {
    format!(
        r#"{{"model":"text-embedding-3-small","input":"new text {n}","encoding_format":"base64"}}"#
    )
}
