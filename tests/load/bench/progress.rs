//! How far a run has come, on standard error, where somebody sees it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// The bar of a block.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    started: Instant,
    /// How long it takes, if that is known; otherwise requests are counted.
    length: Option<Duration>,
    done: AtomicU64,
    failed: AtomicU64,
}

impl Progress {
    /// Of a block that takes a time, or else so many requests.
    pub(crate) fn new(name: &str, length: Option<Duration>, requests: u64) -> Self {
        let style = ProgressStyle::with_template("{prefix:24} {bar:30} {msg}");
        let style = style.expect("the template is a constant that is valid");
        let steps = length.map_or(requests, |length| length.as_millis() as u64);
        let bar = ProgressBar::new(steps).with_style(style).with_prefix(name.to_owned());
        let (done, failed) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { bar, started: Instant::now(), length, done, failed }
    }

    /// Counts a request.
    pub(crate) fn add(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that a request failed.
    pub(crate) fn fail(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    /// Draws what was counted so far.
    pub(crate) fn show(&self) {
        let (done, elapsed) = (self.done.load(Ordering::Relaxed), self.started.elapsed());
        let failed = self.failed.load(Ordering::Relaxed);
        self.bar.set_position(self.length.map_or(done, |_| elapsed.as_millis() as u64));
        let rate = done as f64 / elapsed.as_secs_f64();
        self.bar.set_message(format!("{done} requests, {rate:.0}/s, {failed} failed"));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
