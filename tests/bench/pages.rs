//! What a page of `/api/entries` costs, and whether a hit waits for it: `cargo bench --bench pages`.
//!
//! A million entries in memory (`LARDER_BENCH_ENTRIES`), small, since pages do not touch what is kept
//! beyond its first bytes. Pages of three sizes are made on one thread while another looks entries up.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use larder::clock::{Clock, Moment};
use larder::key::{CacheKey, Digest, KeyHasher, Place};
use larder::metrics::Metrics;
use larder::request::Input;
use larder::tier::memory::Memory;
use larder::tier::page::Leaf;
use larder::tier::purge::Purges;
use larder::tier::{Freshness, Stored, Tiers};
use tokio::runtime::Runtime;

fn key(n: u64) -> CacheKey {
    CacheKey::of(&Digest::of(b"pages"), &Input::Tokens(Cow::Owned(vec![n])), Place::Anywhere)
}

/// So many entries.
fn filled(entries: u64, clock: Clock) -> Arc<Tiers> {
    let metrics = Metrics::new().expect("fresh").tier("memory");
    let memory = Memory::new(4 << 30, KeyHasher::new(&[1; 32]), (metrics, clock));
    let purges = Arc::new(Purges::new());
    let mark = purges.scope("openai", "text-embedding-3-small").mark();
    for n in 0..entries {
        let value = vec![0; 100].into();
        memory.put(key(n), Stored { value, stored: clock.now(), expires: Moment::NEVER, mark });
    }
    Arc::new(Tiers::new(memory, None, None, purges))
}

/// How long look-ups take while something else is done; the slowest last.
fn lookups(tiers: &Tiers, (entries, clock): (u64, Clock), work: impl FnOnce()) -> Vec<Duration> {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let (mut took, mut n) = (Vec::new(), 0);
            while !done.load(Ordering::Relaxed) {
                let key = key(n * 7_919 % entries);
                let started = Instant::now();
                let found = tiers.memory.get(&key, &Freshness::at(clock.now()));
                took.push(started.elapsed());
                assert!(found.is_some(), "it is there");
                n += 1;
            }
            took.sort_unstable();
            took
        });
        work();
        done.store(true, Ordering::Relaxed);
        looking.join().expect("nobody panics")
    })
}

fn tell(name: &str, took: &[Duration]) {
    let at = |share: usize| took.get(took.len().saturating_sub(1) * share / 10_000);
    let [p50, p99, p9999] = [5_000, 9_900, 9_999].map(|share| at(share).copied());
    println!(
        "  look-ups {name}: {} of them, p50 {p50:?}, p99 {p99:?}, p99.99 {p9999:?}",
        took.len()
    );
}

fn main() {
    let entries = std::env::var("LARDER_BENCH_ENTRIES").ok();
    let entries: u64 = entries.map_or(1_000_000, |count| count.parse().expect("a count"));
    let clock = Clock::start();
    let tiers = filled(entries, clock);
    let runtime = Runtime::new().expect("a runtime");
    let alone = lookups(&tiers, (entries, clock), || thread::sleep(Duration::from_secs(2)));
    println!("{entries} entries");
    tell("alone", &alone);
    for most in [100, 1_000, 10_000] {
        let (mut after, mut pages) = (None, Vec::new());
        let beside = lookups(&tiers, (entries, clock), || {
            for _ in 0..10 {
                let started = Instant::now();
                let page = tiers.page(Leaf { after, most }, |_, stored| Some(stored.value.len()));
                let page = runtime.block_on(page).expect("a page");
                pages.push(started.elapsed());
                assert_eq!(page.lines.len(), most, "a full page");
                after = page.next;
            }
        });
        pages.sort_unstable();
        println!("a page of {most}: {:?} to {:?}", pages.first(), pages.last());
        tell("beside it", &beside);
    }
}
