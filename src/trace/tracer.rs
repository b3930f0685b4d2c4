//! Which requests are traced, and the spans that wait to be sent.

use std::hash::{BuildHasher, RandomState};
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use http::HeaderMap;
use tokio::sync::Notify;
use xxhash_rust::xxh3::xxh3_128_with_seed;

use super::{Context, Record, Spanning, TRACESTATE};
use crate::metrics::IntCounter;

/// How many spans may wait; what ends beyond it is dropped.
const MOST: usize = 4_096;

/// From how many on they are better sent than kept.
const MANY: usize = 512;

/// The spans of this process.
#[derive(Debug)]
pub struct Tracer {
    /// The share of requests that are traced where their callers have not decided.
    sample: f64,
    seed: [u64; 2],
    count: AtomicU64,
    ended: Mutex<Vec<Record>>,
    many: Notify,
    dropped: IntCounter,
}

impl Tracer {
    /// A tracer for a share of requests, and where it counts the spans that are lost.
    pub fn new(sample: f64, dropped: IntCounter) -> Arc<Self> {
        let random = RandomState::new();
        Arc::new(Self {
            sample,
            seed: [random.hash_one(0), random.hash_one(1)],
            count: AtomicU64::default(),
            ended: Mutex::default(),
            many: Notify::new(),
            dropped,
        })
    }

    /// The span of a request that came just now, if it is one to be traced: its caller says so, or has
    /// not decided and it is of the share.
    pub fn begin(self: &Arc<Self>, headers: &HeaderMap, received: Instant) -> Option<Spanning> {
        let Some(parent) = Context::of(headers) else {
            let trace = self.number().max(1);
            let context = Context { trace, span: self.span_id(), sampled: true };
            // What other systems said of a trace that could not be read is of no use to anybody.
            let root = || Spanning::of_request(self, (context, None), Vec::new(), received);
            return self.is_of_share(trace).then(root);
        };
        if !parent.sampled {
            return None;
        }
        let context = Context { span: self.span_id(), ..parent };
        let state = headers.get_all(&TRACESTATE).iter().cloned().collect();
        Some(Spanning::of_request(self, (context, Some(parent.span)), state, received))
    }

    /// Takes what has ended.
    pub fn take(&self) -> Vec<Record> {
        mem::take(&mut *self.ended.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until many have ended.
    pub async fn many(&self) {
        self.many.notified().await;
    }

    /// Counts spans that are lost.
    pub fn lost(&self, spans: usize) {
        self.dropped.inc_by(spans as u64);
    }

    pub(super) fn ended(&self, record: Record) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if ended.len() >= MOST {
            drop(ended);
            return self.lost(1);
        }
        ended.push(record);
        if ended.len() == MANY {
            self.many.notify_one();
        }
    }

    pub(super) fn span_id(&self) -> u64 {
        let [low, ..] = halves(self.number());
        low.max(1)
    }

    /// A number that nobody else draws.
    fn number(&self) -> u128 {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let [first, second] = self.seed;
        xxh3_128_with_seed(&[first.to_le_bytes(), count.to_le_bytes()].concat(), second)
    }

    /// By the number of the trace.
    #[expect(clippy::cast_precision_loss, reason = "a share of so many is not that exact")]
    fn is_of_share(&self, trace: u128) -> bool {
        let [low, ..] = halves(trace);
        (low as f64) < self.sample * (u64::MAX as f64) || self.sample >= 1.0
    }
}

/// The lower and the upper half.
#[expect(clippy::cast_possible_truncation, reason = "each half is a number by itself")]
fn halves(number: u128) -> [u64; 2] {
    [number as u64, (number >> 64) as u64]
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::super::TRACEPARENT;
    use super::*;

    fn tracer(sample: f64) -> Arc<Tracer> {
        Tracer::new(sample, IntCounter::new("dropped", "dropped").unwrap())
    }

    #[test]
    fn a_share_of_requests_is_traced() {
        for (sample, least, most) in [(0.0, 0, 0), (0.25, 2_200, 2_800), (1.0, 10_000, 10_000)] {
            let tracer = tracer(sample);
            let begin = || tracer.begin(&HeaderMap::new(), Instant::now()).is_some();
            let count = (0..10_000).filter(|_| begin()).count();
            assert!((least..=most).contains(&count), "{sample}: {count}");
        }
    }

    #[test]
    fn a_caller_that_has_decided_is_heeded() {
        let begun = |sample: f64, parent| {
            let mut headers = HeaderMap::new();
            headers.insert(&TRACEPARENT, HeaderValue::from_static(parent));
            tracer(sample).begin(&headers, Instant::now()).map(|span| span.context())
        };
        let sampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let context = begun(0.0, sampled).unwrap();
        assert_eq!(context.trace, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
        assert_ne!(context.span, 0x00f0_67aa_0ba9_02b7);
        let unsampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
        assert_eq!(begun(1.0, unsampled), None);
        assert!(begun(1.0, "nonsense").is_some());
    }

    #[test]
    fn no_more_spans_wait_than_there_is_room_for() {
        let tracer = tracer(1.0);
        for _ in 0..MOST + 10 {
            drop(tracer.begin(&HeaderMap::new(), Instant::now()));
        }
        assert_eq!(tracer.take().len(), MOST);
        assert_eq!(tracer.dropped.get(), 10);
        assert!(tracer.take().is_empty());
    }
}
