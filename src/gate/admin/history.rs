//! How it went in the last minutes, for who looks without a Prometheus.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::unix_seconds;
use crate::metrics::{Metrics, Snapshot};

/// A quarter of an hour is held.
const POINTS: usize = 180;

/// The sums at moments of the last minutes.
#[derive(Debug, Default)]
pub struct History(Mutex<VecDeque<Point>>);

/// The sums at a moment.
#[derive(Debug, Clone)]
pub(super) struct Point {
    /// In seconds since 1970.
    pub(super) time: f64,
    pub(super) sums: Snapshot,
}

impl History {
    /// Between two moments.
    pub const INTERVAL: Duration = Duration::from_secs(5);

    /// Notes the sums again and again, for as long as it is polled.
    pub async fn keep(&self, metrics: &Metrics) {
        let mut ticks = tokio::time::interval(Self::INTERVAL);
        loop {
            ticks.tick().await;
            let point = Point { time: unix_seconds(), sums: metrics.snapshot() };
            let mut points = self.lock();
            if points.len() == POINTS {
                points.pop_front();
            }
            points.push_back(point);
        }
    }

    /// Those after a moment.
    pub(super) fn since(&self, time: f64) -> Vec<Point> {
        self.lock().iter().filter(|point| point.time > time).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Point>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
