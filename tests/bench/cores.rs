//! What a second core is worth: `cargo bench --bench cores`.
//!
//! Hits on 1,000 texts, asked by wrk from the second core of a larder with one thread on the first, and, by
//! turns, from both of one with two threads on both. Where there are only two cores wrk takes its share of
//! them, so requests a second say little; what a hit costs in CPU time is what the second core is worth, if
//! it did nothing else. Needs `wrk` and `taskset`.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

mod rulers;

use std::future::pending;

use larder::simulate::{self, Settings};
use rulers::{Asked, Server, load, quantile, variable, warm};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

const ASKED: Asked = Asked { texts: 1_000, inputs: 1, encoding: "base64" };

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    let provider = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
    let base_url = format!("http://{}/v1", provider.local_addr().expect("an address"));
    runtime.spawn(simulate::serve(provider, Settings::instant(), pending()));
    let one = Server::larder_of(&base_url, "");
    let two = Server::larder_on((&["0", "1"], &base_url), "");
    runtime.block_on(async {
        warm(&one.address, &ASKED).await;
        warm(&two.address, &ASKED).await;
    });
    let mut costs = [Vec::new(), Vec::new()];
    let time = (64, variable("LARDER_BENCH_SECONDS", 3));
    for _ in 0..variable("LARDER_BENCH_ROUNDS", 7) {
        let [of_one, of_two] = &mut costs;
        of_one.push(one.load_from("1", time, &ASKED).cpu);
        of_two.push(two.load_from("0,1", time, &ASKED).cpu);
    }
    let [of_one, of_two] = costs.map(|costs| quantile(&costs, 0.5));
    println!("load {}", load());
    println!("CPU of a hit: {of_one:.2} µs with one thread, {of_two:.2} µs with two");
    println!("two cores are worth {:.2} of one", 2.0 * of_one / of_two);
}
