//! Whether a hit costs more where much is kept: `cargo bench --bench entries`.
//!
//! One larder keeps 1,000 vectors of 1,536 dimensions, another a million (`LARDER_BENCH_ENTRIES`, about
//! 6.4 KB each). The same 1,000 texts are asked of both in turn, and then all texts of the second. What
//! counts is the CPU time of a hit and its p99. Needs `wrk`, `taskset` and the memory.

#![expect(clippy::print_stdout, clippy::indexing_slicing, reason = "a bench prints its figures")]

mod rulers;

use std::future::pending;

use larder::simulate::{self, Settings};
use rulers::{Asked, Load, Server, load, quantile, variable, warm};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

const FEW: Asked = Asked { texts: 1_000, inputs: 1, encoding: "base64" };

/// So many vectors are put in with one request.
const AT_ONCE: usize = 1_000;

fn main() {
    let entries = usize::try_from(variable("LARDER_BENCH_ENTRIES", 1_000_000)).expect("a count");
    let runtime = Runtime::new().expect("a runtime");
    let provider = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
    let address = provider.local_addr().expect("an address");
    runtime.spawn(simulate::serve(provider, Settings::instant(), pending()));
    let base_url = format!("http://{address}/v1");
    let room = "[cache]\nmemory = \"12GiB\"\n";
    let (few, many) = (Server::larder_of(&base_url, room), Server::larder_of(&base_url, room));
    runtime.block_on(async {
        warm(&few.address, &FEW).await;
        warm(&many.address, &Asked { texts: entries, inputs: AT_ONCE, ..FEW }).await;
    });
    let all = Asked { texts: entries, ..FEW };
    let targets =
        [("1,000 of 1,000", &few, FEW), ("1,000 of all", &many, FEW), ("all of all", &many, all)];
    for (_, target, asked) in &targets {
        target.load((64, 2), asked);
    }
    println!("{entries} entries in {:.1} GiB; load {}", many.memory() / 1024.0 / 1024.0, load());
    let mut loads: Vec<Vec<Load>> = vec![Vec::new(); targets.len()];
    for _ in 0..variable("LARDER_BENCH_ROUNDS", 7) {
        for ((_, target, asked), loads) in targets.iter().zip(&mut loads) {
            loads.push(target.load((64, variable("LARDER_BENCH_SECONDS", 3)), asked));
        }
    }
    println!("asked                requests/s   CPU µs (ratio)     p99 µs (ratio)");
    for ((name, ..), own) in targets.iter().zip(&loads) {
        let median =
            |value: fn(&Load) -> f64| quantile(&own.iter().map(value).collect::<Vec<_>>(), 0.5);
        let ratio = |value: fn(&Load) -> f64| {
            let ratios = own.iter().zip(&loads[0]).map(|(own, few)| value(own) / value(few));
            quantile(&ratios.collect::<Vec<_>>(), 0.5)
        };
        println!(
            "{name:<18} {:>12.0} {:>8.2} ({:.2}) {:>12.0} ({:.2})",
            median(|load| load.rate),
            median(|load| load.cpu),
            ratio(|load| load.cpu),
            median(|load| load.p99),
            ratio(|load| load.p99),
        );
    }
}
