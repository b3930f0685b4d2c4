//! How a model is checked.

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::panicking;

use shuttle::rand::{Rng, thread_rng};
use shuttle::{check_pct, check_random};

use crate::key::{CacheKey, Digest};

/// How many schedules of each kind, unless `LARDER_MODEL_SCHEDULES` says otherwise.
const SCHEDULES: usize = 5_000;

/// How many times PCT takes the turn from whoever has it, against the priorities that it drew: most
/// races need one or two such moments.
const DEPTH: usize = 3;

/// Runs a model under many schedules: drawn at random, and by PCT, which finds what needs somebody to
/// be left behind for long. What fails is printed with its schedule, for `shuttle::replay`.
pub fn check(model: fn()) {
    let asked = env::var("LARDER_MODEL_SCHEDULES").ok();
    let schedules = asked.and_then(|asked| asked.parse().ok()).unwrap_or(SCHEDULES);
    let count = Count::new("random");
    check_random(count.of(model), schedules);
    let count = Count::new("PCT");
    check_pct(count.of(model), schedules, DEPTH);
}

/// Says how many schedules it took to find what is wrong.
struct Count {
    kind: &'static str,
    begun: Arc<AtomicUsize>,
}

impl Count {
    fn new(kind: &'static str) -> Self {
        Self { kind, begun: Arc::default() }
    }

    fn of(&self, model: fn()) -> impl Fn() + Send + Sync + 'static {
        let begun = Arc::clone(&self.begun);
        move || {
            begun.fetch_add(1, Ordering::Relaxed);
            model();
        }
    }
}

impl Drop for Count {
    #[expect(clippy::print_stderr, reason = "for people who read a failed test")]
    fn drop(&mut self) {
        if panicking() {
            eprintln!("schedule {} of {}", self.begun.load(Ordering::Relaxed), self.kind);
        }
    }
}

/// Yes or no, as the schedule has it: a failure is replayed with the same answers.
pub fn maybe() -> bool {
    thread_rng().r#gen()
}

/// A key by its number.
pub fn key(n: u8) -> CacheKey {
    CacheKey::whole(Digest::of(&[n]))
}

/// Drops a value as a panic does, which goes no further. The panic's own hook stays silent: for
/// shuttle it would be what is wrong with the model.
pub fn unwind<T>(value: T) {
    let outcome = catch_unwind(AssertUnwindSafe(move || {
        let _held = value;
        resume_unwind(Box::new("planned"));
    }));
    assert!(outcome.is_err(), "it unwound");
}
