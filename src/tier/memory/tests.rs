//! What the memory tier holds, gives and forgets.

use std::borrow::Cow;
use std::time::Duration;

use super::*;
use crate::clock::Clock;
use crate::config::{Prices, Seller};
use crate::key::{Digest, Place};
use crate::ledger::{Accounts, Spared};
use crate::metrics::{Metrics, Operation};
use crate::request::Input;
use crate::tier::purge::{Mark, Purges, Reach};

fn memory(limit: u64) -> Memory {
    let metrics = Metrics::new().expect("fresh").tier("memory");
    Memory::new(limit, KeyHasher::new(&[1; 32]), (metrics, Clock::start()))
}

/// To somebody's account.
fn credit() -> Credit {
    let accounts = Accounts::new(
        "provider",
        &Metrics::new().expect("fresh"),
        (&Prices::none(), Seller::of("", "", "")),
    );
    Credit {
        account: accounts.of(Operation::Embed, "model"),
        tokens: Spared::default(),
        usage: None,
        estimated: 0,
    }
}

fn key(n: u64) -> CacheKey {
    CacheKey::of(&Digest::of(b"test"), &Input::Tokens(Cow::Owned(vec![n])), Place::Anywhere)
}

/// Of a scope that nobody purges.
fn mark() -> Mark {
    Purges::new().scope("provider", "model").mark()
}

fn stored(now: Moment, length: usize) -> Stored {
    Stored { value: vec![0; length].into(), stored: now, expires: Moment::NEVER, mark: mark() }
}

#[test]
fn the_limit_holds_in_bytes() {
    let limit = 4 << 20;
    let memory = memory(limit);
    let now = Clock::start().now();
    for n in 0..10_000_usize {
        memory.put(key(n as u64), stored(now, 1_000 + (n * 37) % 5_000));
    }
    memory.observe(now);
    assert!(memory.cache.weight() <= limit);
    assert!(memory.cache.weight() > limit / 2, "{}", memory.cache.weight());
    assert!(memory.tally.metrics.evicted.get() > 5_000);
}

#[test]
fn an_entry_larger_than_the_tier_is_not_kept_and_harms_nobody() {
    let memory = memory(1 << 20);
    let now = Clock::start().now();
    let fresh = Freshness { now, max_age: None };
    memory.put(key(1), stored(now, 100));
    memory.put(key(2), stored(now, 2 << 20));
    assert!(memory.get(&key(2), &fresh).is_none());
    assert!(memory.get(&key(1), &fresh).is_some());
}

#[test]
fn time_to_live_and_max_age_end_an_entry() {
    let memory = memory(1 << 20);
    let now = Clock::start().now();
    let expires = now.after(Duration::from_secs(10));
    memory.put(key(1), Stored { expires, ..stored(now, 10) });
    let get = |seconds, max_age| {
        let now = now.after(Duration::from_secs(seconds));
        memory.get(&key(1), &Freshness { now, max_age }).is_some()
    };
    assert!(get(9, None));
    assert!(!get(10, None));
    assert!(get(5, Some(5)));
    assert!(!get(6, Some(5)));
}

#[test]
fn a_whole_answer_is_recalled_while_it_is_what_the_values_make() {
    let memory = memory(1 << 20);
    let now = Clock::start().now();
    let at = |seconds| Freshness { now: now.after(Duration::from_secs(seconds)), max_age: None };
    let old = Stored { expires: now.after(Duration::from_secs(20)), ..stored(now, 10) };
    let new = Stored { stored: now.after(Duration::from_secs(5)), ..stored(now, 10) };
    let parts = vec![(key(1), Arc::clone(&old.value)), (key(2), Arc::clone(&new.value))];
    memory.put(key(1), old.clone());
    memory.put(key(2), new);
    memory.remember(b"question", parts, (Bytes::from_static(b"answer"), credit()));

    let recalled = memory.recall(b"question", &at(9)).unwrap();
    assert_eq!((&recalled.answer[..], recalled.parts), (&b"answer"[..], 2));
    assert_eq!((recalled.stored, recalled.expires), (now, old.expires));
    assert!(memory.recall(b"another", &at(9)).is_none());
    assert!(memory.recall(b"question", &at(20)).is_none());
    assert!(memory.recall(b"question", &Freshness { max_age: Some(8), ..at(9) }).is_none());
    // The same bytes, but another answer of the provider's.
    memory.put(key(2), stored(now, 10));
    assert!(memory.recall(b"question", &at(9)).is_none());
}

#[test]
fn a_purge_forgets_whole_answers() {
    let memory = memory(1 << 20);
    let now = Clock::start().now();
    let one = stored(now, 10);
    memory.put(key(1), one.clone());
    let parts = vec![(key(1), Arc::clone(&one.value))];
    memory.remember(b"q", parts, (Bytes::from_static(b"a"), credit()));
    let purges = Purges::new();
    let one = Stored { mark: purges.scope("a", "m").mark(), ..one };
    memory.put(key(1), one.clone());
    purges.purge(&Reach::Everything);
    memory.sweep();
    memory.put(key(1), Stored { mark: purges.scope("a", "m").mark(), ..one });
    assert!(memory.recall(b"q", &Freshness { now, max_age: None }).is_none());
}

#[test]
fn a_purge_leaves_nothing() {
    let memory = memory(1 << 20);
    let now = Clock::start().now();
    let purges = Purges::new();
    let scope = |model| purges.scope("a", model);
    let of = |model| Stored { mark: scope(model).mark(), ..stored(now, 10) };
    memory.put(key(1), of("one"));
    memory.put(key(2), of("two"));
    purges.purge(&Reach::Model("a".to_owned(), "one".to_owned()));
    let fresh = Freshness { now, max_age: None };
    assert!(memory.get(&key(1), &fresh).is_none());
    assert_eq!(memory.sweep(), 1);
    assert!(memory.get(&key(2), &fresh).is_some());
    purges.purge(&Reach::Everything);
    assert_eq!(memory.sweep(), 1);
    assert!(memory.get(&key(2), &fresh).is_none());
    memory.observe(now.after(Duration::from_secs(100)));
    assert!(memory.tally.metrics.average_age.get().abs() < f64::EPSILON);
}

#[test]
fn the_average_age_follows_replacements_and_evictions() {
    let memory = memory(1 << 20);
    let start = Clock::start().now();
    let at = |seconds| start.after(Duration::from_secs(seconds));
    for round in 1..=3 {
        for n in 0..100 {
            memory.put(key(n), stored(at(round * 10), 100));
        }
    }
    memory.observe(at(50));
    assert!((memory.tally.metrics.average_age.get() - 20.0).abs() < 0.01);
}
