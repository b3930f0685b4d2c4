//! What the tiers below memory cost: `cargo bench --bench tiers`.
//!
//! Four tables, for vectors of 1,536 dimensions as base64, one input a request:
//! hits from disk and from Redis beside hits from memory, bare reads of the store and GETs of the same
//! size by redis-benchmark; misses with Redis healthy, stopped and not configured, before a provider
//! that takes 20 ms; the time from the start of a process to its first hit among 100,000 vectors.
//!
//! Larder has the first core (as has redis-benchmark), everything else the second. What is compared
//! runs in turn, and the medians over the rounds are printed. Needs `wrk`, `taskset`, `redis-server`
//! and `redis-benchmark`. `LARDER_BENCH_ROUNDS` and `LARDER_BENCH_SECONDS` make it longer.

#![expect(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    reason = "a bench prints its figures, and what goes wrong in it may well end it"
)]

mod rulers;

use std::fs;
use std::future::pending;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use larder::simulate::{self, Settings};
use larder::tier::disk::log::Log;
use rulers::redis::Redis;
use rulers::{Asked, Client, Server, load, quantile, scratch, stay_on, variable, warm};
use tokio::net::TcpListener;
use tokio::runtime::{Handle, Runtime};
use tokio::task::JoinSet;

const ASKED: Asked = Asked { texts: 1_000, inputs: 1, encoding: "base64" };

/// Too little memory for any of them to stay.
const NO_MEMORY: &str = "[cache]\nmemory = \"64KiB\"\n";

const INSERTIONS: &str = "larder_cache_insertions_total";
const LOOKUPS: &str = "larder_cache_lookups_total";

fn main() {
    stay_on(1);
    let runtime = Runtime::new().expect("a runtime");
    let _entered = runtime.enter();
    hits(&runtime);
    runtime.block_on(misses());
    runtime.block_on(starts());
}

/// The base URL of a simulated provider.
async fn provider(latency: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let mut settings = Settings::instant();
    settings.faults.latency = latency;
    Handle::current().spawn(simulate::serve(listener, settings, pending()));
    format!("http://{address}/v1")
}

/// An empty cache directory, and the section of a configuration that names it.
fn directory(name: &str) -> (PathBuf, String) {
    let path = scratch().join(name);
    fs::remove_dir_all(&path).ok();
    let section = format!("[disk]\ndir = \"{}\"\n", path.display());
    (path, section)
}

fn hits(runtime: &Runtime) {
    let (rounds, seconds) =
        (variable("LARDER_BENCH_ROUNDS", 5), variable("LARDER_BENCH_SECONDS", 1));
    let upstream = runtime.block_on(provider(Duration::ZERO));
    let (redis, (path, section)) = (Redis::start(), directory("tiers-hits"));
    let mut targets = vec![("memory", Server::larder(&upstream), 0)];
    for (tier, section) in [("disk", section), ("redis", redis.section())] {
        targets.push((tier, Server::larder_of(&upstream, &format!("{NO_MEMORY}{section}")), 0));
    }
    redis.rate("set", 1, 10_000);
    for (tier, target, size) in &mut targets {
        *size = runtime.block_on(warm(&target.address, &ASKED));
        target.until(INSERTIONS, tier, ASKED.texts as f64);
    }
    println!(
        "answers of {} bytes; {rounds} rounds of {seconds} s, interleaved; load {}",
        targets[0].2,
        load()
    );
    let store = quantile(&(0..rounds).map(|_| store_reads(&path)).collect::<Vec<_>>(), 0.5);
    for connections in [1, 16] {
        let mut rates = vec![Vec::new(); targets.len() + 1];
        for _ in 0..rounds {
            for ((_, target, _), rates) in targets.iter().zip(&mut rates) {
                rates.push(target.load((connections, seconds), &ASKED).rate);
            }
            rates[targets.len()].push(redis.rate("get", connections, 20_000 * seconds));
        }
        println!(
            "\n{connections} connections       per second   µs each   ratio to memory (min–max)"
        );
        let names = ["hit in memory", "hit on disk", "hit in Redis", "redis-benchmark GET"];
        for (name, own) in names.into_iter().zip(&rates) {
            row(name, own, &rates[0], connections);
        }
        println!("{:<20} {store:>9.0} {:>9.1}", "read of the store", 1e6 / store);
    }
    for (tier, target, _) in &targets {
        let of = |result| target.metric(LOOKUPS, &format!("result=\"{result}\",tier=\"{tier}\""));
        let (hits, misses) = (of("hit"), of("miss") - ASKED.texts as f64);
        println!("{tier}: {hits:.0} look-ups were hits, {misses:.0} were not");
    }
    fs::remove_dir_all(path).ok();
}

fn row(name: &str, own: &[f64], memory: &[f64], connections: u32) {
    let ratios: Vec<f64> = own.iter().zip(memory).map(|(own, memory)| own / memory).collect();
    let [low, ratio, high] = [0.0, 0.5, 1.0].map(|q| quantile(&ratios, q));
    let rate = quantile(own, 0.5);
    let each = 1e6 * f64::from(connections) / rate;
    println!("{name:<20} {rate:>9.0} {each:>9.1}   {ratio:.2} ({low:.2}–{high:.2})");
}

/// Reads of the store by itself per second, one after another.
fn store_reads(path: &Path) -> f64 {
    let log = Log::open_read_only(&path.join("v1")).expect("it opens");
    let mut keys = Vec::new();
    log.each(|key, _| {
        keys.push(*key);
        Ok(())
    })
    .expect("it is read");
    let (started, mut reads) = (Instant::now(), 0_u64);
    while started.elapsed() < Duration::from_millis(300) {
        for key in &keys {
            assert!(log.get(key).expect("it is read").is_some(), "a record is gone");
        }
        reads += keys.len() as u64;
    }
    reads as f64 / started.elapsed().as_secs_f64()
}

/// Times of misses in milliseconds: without Redis, with it, from the moment on that it is stopped, and
/// of the provider by itself.
type Times = [Vec<f64>; 4];

async fn misses() {
    let rounds = variable("LARDER_BENCH_MISS_ROUNDS", 3);
    let upstream = provider(Duration::from_millis(20)).await;
    let address = upstream.trim_start_matches("http://").trim_end_matches("/v1");
    let redis = Redis::start();
    let without = Server::larder(&upstream);
    let with = Server::larder_of(&upstream, &redis.section());
    for (connections, requests) in [(1, 120), (16, 1_920)] {
        let (mut times, mut first) = (Times::default(), Vec::new());
        for _ in 0..rounds {
            times[0].extend(ask_new(&without.address, connections, requests).await);
            settled(&with).await;
            times[1].extend(ask_new(&with.address, connections, requests).await);
            settled(&with).await;
            redis.signal("STOP");
            let stopped = ask_new(&with.address, connections, requests).await;
            redis.signal("CONT");
            first = stopped.iter().take(6).map(|time| format!("{time:.1}")).collect();
            times[2].extend(stopped);
            times[3].extend(ask_new(address, connections, requests).await);
        }
        print_misses(connections, &times);
        println!("the first after the stop, ms: {}", first.join(", "));
    }
}

fn print_misses(connections: usize, times: &Times) {
    println!(
        "\nmisses over {connections} connections, ms: {} each; load {}",
        times[0].len(),
        load()
    );
    println!("                       p50      p99      max   added: p50     p99     max");
    let of = |times: &Vec<f64>| [0.5, 0.99, 1.0].map(|q| quantile(times, q));
    let base = of(&times[0]);
    let names = ["no Redis", "Redis", "Redis stopped", "the provider itself"];
    for (name, times) in names.into_iter().zip(times) {
        let [p50, p99, max] = of(times);
        let [more50, more99, more] = [p50 - base[0], p99 - base[1], max - base[2]];
        println!(
            "{name:<19} {p50:>7.2} {p99:>8.2} {max:>8.2}     {more50:>7.2} {more99:>7.2} {more:>7.2}"
        );
    }
}

/// Waits until Redis is asked, and everything is written.
async fn settled(larder: &Server) {
    for metric in ["larder_cache_breaker_state", "larder_cache_queued_bytes"] {
        let started = Instant::now();
        while larder.metric(metric, "redis") > 0.0 {
            assert!(started.elapsed() < Duration::from_secs(20), "{metric} stays");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Asks for new texts; the time of each request in milliseconds, in the order of their ends.
async fn ask_new(address: &str, connections: usize, requests: usize) -> Vec<f64> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let client = Arc::new(Client::of(&format!("http://{address}/v1")));
    // A connection that is opened while it is measured costs as much everywhere.
    let mut asking = JoinSet::new();
    for _ in 0..connections {
        let client = Arc::clone(&client);
        asking.spawn(async move {
            let mut times = Vec::new();
            for _ in 0..requests / connections {
                let body = body(&[format!("new {}", NEXT.fetch_add(1, Ordering::Relaxed))]);
                let started = Instant::now();
                client.ask(body).await;
                times.push(started.elapsed().as_secs_f64() * 1e3);
            }
            times
        });
    }
    asking.join_all().await.concat()
}

fn body(texts: &[String]) -> String {
    let list = format!("{texts:?}");
    format!(r#"{{"model":"text-embedding-3-small","input":{list},"encoding_format":"base64"}}"#)
}

async fn starts() {
    const GROUP: usize = 500;
    let vectors = usize::try_from(variable("LARDER_BENCH_VECTORS", 100_000)).expect("a count");
    let upstream = provider(Duration::ZERO).await;
    let (path, section) = directory("tiers-starts");
    // With time to wait for what is there to be opened, which a look-up is not given otherwise.
    let section = format!("{NO_MEMORY}{section}max_queued = \"1GiB\"\ntimeout = \"10s\"\n");
    let first = Server::larder_of(&upstream, &section);
    let client = Client::of(&format!("http://{}/v1", first.address));
    for group in 0..vectors / GROUP {
        let texts: Vec<String> =
            (0..GROUP).map(|text| format!("kept {}", group * GROUP + text)).collect();
        client.ask(body(&texts)).await;
    }
    first.until(INSERTIONS, "disk", vectors as f64);
    first.kill();
    let (killed, server) = start(&upstream, &section, vectors).await;
    drop(server);
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..5 {
        let (took, server) = start(&upstream, &section, vectors).await;
        times.iter_mut().zip(took).for_each(|(times, took)| times.push(took));
        drop(server);
    }
    println!(
        "\nfrom the start of a process, {vectors} vectors on disk, ms    listening   first hit"
    );
    println!("after a kill when all was written (once) {:>23.0} {:>11.0}", killed[0], killed[1]);
    let [listening, hit] = times.map(|times| quantile(&times, 0.5));
    println!("after an orderly end (median of 5) {listening:>29.0} {hit:>11.0}");
    fs::remove_dir_all(path).ok();
}

/// Milliseconds until it listens, and until it has answered from disk.
async fn start(upstream: &str, section: &str, vectors: usize) -> ([f64; 2], Server) {
    let started = Instant::now();
    let server = Server::larder_of(upstream, section);
    let listening = started.elapsed();
    let client = Client::of(&format!("http://{}/v1", server.address));
    client.ask(body(&[format!("kept {}", vectors / 3)])).await;
    let hit = started.elapsed();
    let hits = server.metric(LOOKUPS, "result=\"hit\",tier=\"disk\"");
    assert!(hits > 0.5, "the first answer is not from disk");
    ([listening, hit].map(|time| time.as_secs_f64() * 1e3), server)
}
