//! A series that is shown from its first value on.

use std::sync::OnceLock;

use prometheus::core::{Atomic, AtomicF64, AtomicU64, GenericCounter, GenericCounterVec, Number};

/// A counter of numbers with a fraction.
pub type LazyCounter = Lazy<AtomicF64>;

/// A counter of whole numbers.
pub type LazyIntCounter = Lazy<AtomicU64>;

/// A counter that has no series before it counts: most models have no audio, and many no price.
#[derive(Debug)]
pub struct Lazy<P: Atomic> {
    family: GenericCounterVec<P>,
    labels: Box<[String]>,
    series: OnceLock<GenericCounter<P>>,
}

impl<P: Atomic> Lazy<P> {
    pub(super) fn new(family: &GenericCounterVec<P>, labels: &[&str]) -> Self {
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        Self { family: family.clone(), labels, series: OnceLock::new() }
    }

    /// Adds to the counter; 0 makes no series.
    pub fn inc_by(&self, value: P::T) {
        if value > P::T::from_i64(0) {
            self.show().inc_by(value);
        }
    }

    /// The value; 0 without a series.
    pub fn get(&self) -> P::T {
        self.series.get().map_or_else(|| P::T::from_i64(0), GenericCounter::get)
    }

    /// Whether there is a series.
    pub fn is_shown(&self) -> bool {
        self.series.get().is_some()
    }

    /// The series, at 0 if nothing was counted yet.
    pub fn show(&self) -> &GenericCounter<P> {
        self.series.get_or_init(|| {
            let labels: Vec<&str> = self.labels.iter().map(String::as_str).collect();
            self.family.with_label_values(&labels)
        })
    }
}
