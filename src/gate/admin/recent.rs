//! The last requests and the last failures, and failures by kind since the start, which the log tells of too.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::event::Event;
use super::feed::Feed;
use crate::clock::unix_seconds;
use crate::error::Kind;
use crate::metrics::Operation;
use crate::throttle::Throttle;

/// Failures that are held one by one.
const MOST: usize = 50;

/// Kinds of failures that are counted apart. Providers are the configuration's, codes a closed list; a status
/// may be anything. Kinds beyond it share one for each class of status.
const MOST_KINDS: usize = 200;

/// The provider of the kinds that share one.
const OTHERS: &str = "other";

/// Messages of a kind that are read in a second. Reading one takes some 30 µs, and a provider that limits the
/// rate may refuse thousands of requests a second with the same words.
const MOST_READ: u32 = 20;

const SECOND: Duration = Duration::from_secs(1);

/// Bytes of a model's name that are held. It is the client's word.
const LONGEST_NAME: usize = 128;

/// The last requests and failures.
#[derive(Debug, Default)]
pub struct Recent {
    /// The last requests, and their readers.
    pub(in crate::gate) feed: Arc<Feed>,
    /// The last responses that were failures, newest first.
    errors: Mutex<VecDeque<Mishap>>,
    /// Every failed response by kind.
    failed: Mutex<BTreeMap<FailureKind, Failures>>,
}

/// A response that was a failure.
#[derive(Debug, Clone)]
pub struct Mishap {
    /// The time of the last one, in seconds since 1970.
    pub time: f64,
    /// The provider.
    pub provider: String,
    /// The model; empty where it is unknown.
    pub model: String,
    /// The operation.
    pub operation: Operation,
    /// The status.
    pub status: u16,
    /// The code of an error that larder made.
    pub code: Option<&'static str>,
    /// The message of the last one, of the provider or of larder.
    pub reason: Option<String>,
    /// The number of equal failures without another between them.
    pub count: u64,
}

/// One kind of failure.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FailureKind {
    pub(super) provider: String,
    pub(super) status: u16,
    /// The code of an error that larder made.
    pub(super) code: Option<&'static str>,
}

/// The failures of a kind.
#[derive(Debug, Clone, Default)]
pub(super) struct Failures {
    pub(super) count: u64,
    /// When the last one was, in seconds since 1970.
    pub(super) last: f64,
    /// The model of the last one; empty where it is unknown.
    pub(super) model: String,
    /// The message of the last one that had one, of the provider or of larder.
    pub(super) reason: Option<String>,
    telling: Throttle,
    /// The second in which messages were last read, and their number in it.
    read: Option<(Instant, u32)>,
}

impl Recent {
    /// Counts a failed response, with its message. The first of a kind is logged at once, and then at most one
    /// in a minute.
    pub(in crate::gate) fn failed(&self, event: &Event, reason: Option<&str>) {
        let mut mishap = Mishap::of(event, reason);
        self.count(&mut mishap);
        // An empty cache is no failure for a client that wants no call.
        if mishap.code != Some(Kind::NotCached.code()) {
            self.list(mishap);
        }
    }

    /// Whether the message of a failed response is to be read: not where many of its kind were just read.
    pub(in crate::gate) fn reads(&self, event: &Event) -> bool {
        let mut failed = lock(&self.failed);
        of_kind(&mut failed, (event.names().0, event.status, event.error)).reads(Instant::now())
    }

    fn count(&self, mishap: &mut Mishap) {
        let mut failed = lock(&self.failed);
        let failures = of_kind(&mut failed, (&mishap.provider, mishap.status, mishap.code));
        failures.count += 1;
        failures.last = mishap.time;
        failures.model.clone_from(&mishap.model);
        match &mishap.reason {
            Some(_) => failures.reason.clone_from(&mishap.reason),
            None if failures.is_busy() => mishap.reason.clone_from(&failures.reason),
            None => {}
        }
        let told = failures.telling.occur();
        drop(failed);
        if let Some(suppressed) = told {
            mishap.tell(suppressed);
        }
    }

    fn list(&self, mishap: Mishap) {
        let mut recent = lock(&self.errors);
        if let Some(last) = recent.front_mut().filter(|last| last.is_like(&mishap)) {
            let count = last.count + 1;
            *last = Mishap { count, ..mishap };
            return;
        }
        recent.truncate(MOST - 1);
        recent.push_front(mishap);
    }

    /// The last failures, newest first.
    pub fn all(&self) -> Vec<Mishap> {
        lock(&self.errors).iter().cloned().collect()
    }

    /// All failures by kind, the most frequent first.
    pub(super) fn kinds(&self) -> Vec<(FailureKind, Failures)> {
        let mut kinds: Vec<_> = lock(&self.failed).clone().into_iter().collect();
        kinds.sort_by_key(|(_, failures)| std::cmp::Reverse(failures.count));
        kinds
    }
}

/// The failures of a kind.
fn of_kind<'f>(
    failed: &'f mut BTreeMap<FailureKind, Failures>,
    (provider, status, code): (&str, u16, Option<&'static str>),
) -> &'f mut Failures {
    let mut kind = FailureKind { provider: provider.to_owned(), status, code };
    if failed.len() >= MOST_KINDS && !failed.contains_key(&kind) {
        kind = FailureKind { provider: OTHERS.to_owned(), status: status / 100 * 100, code: None };
    }
    failed.entry(kind).or_default()
}

impl Failures {
    /// Counts a message that would be read; whether it is to be.
    fn reads(&mut self, now: Instant) -> bool {
        let read = self.read.filter(|(since, _)| now.duration_since(*since) < SECOND);
        let (since, number) = read.unwrap_or((now, 0));
        self.read = Some((since, number.saturating_add(1)));
        number < MOST_READ
    }

    /// Whether the last message was not read.
    fn is_busy(&self) -> bool {
        self.read.is_some_and(|(_, number)| number > MOST_READ)
    }
}

impl Mishap {
    fn of(event: &Event, reason: Option<&str>) -> Self {
        let (provider, model) = event.names();
        let end = model.floor_char_boundary(LONGEST_NAME);
        Self {
            time: unix_seconds(),
            provider: provider.to_owned(),
            model: model.get(..end).unwrap_or_default().to_owned(),
            operation: event.operation,
            status: event.status,
            code: event.error,
            reason: reason.map(str::to_owned),
            count: 1,
        }
    }

    fn is_like(&self, other: &Self) -> bool {
        let kind = |mishap: &Self| (mishap.operation, mishap.status, mishap.code);
        kind(self) == kind(other) && self.provider == other.provider && self.model == other.model
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::event::{CacheResult, Subject};
    use super::*;
    use crate::serve::reply::Verdict;

    fn event(model: &str, status: u16) -> Event {
        let subject = Subject::Named { provider: "p".into(), model: model.into() };
        let cache = CacheResult::of(&Verdict::default());
        Event::of(subject, Operation::Chat, (status, None), (cache, Instant::now()))
    }

    #[test]
    fn failures_beyond_the_bound_of_kinds_are_counted_too() {
        let recent = Recent::default();
        for status in 400..900 {
            recent.failed(&event("m", status), None);
        }
        let kinds = recent.kinds();
        assert!(kinds.len() <= MOST_KINDS + 5, "{}", kinds.len());
        assert_eq!(kinds.iter().map(|(_, failures)| failures.count).sum::<u64>(), 500);
        assert_eq!(recent.all().len(), MOST);
    }

    #[test]
    fn few_of_many_equal_messages_are_read() {
        let recent = Recent::default();
        let read = (0..1_000).filter(|_| {
            let reads = recent.reads(&event("m", 429));
            recent.failed(&event("m", 429), reads.then_some("slow down"));
            reads
        });
        let read = read.count();
        // A second may end between them.
        assert!((20..200).contains(&read), "{read}");
        let (last, kind) = (recent.all().remove(0), recent.kinds().remove(0).1);
        assert_eq!((last.count, last.reason.as_deref()), (1_000, Some("slow down")));
        assert_eq!((kind.count, kind.reason.as_deref()), (1_000, Some("slow down")));
        assert!(recent.reads(&event("m", 401)));
    }

    #[test]
    fn equal_failures_are_one_row_with_the_last_message() {
        let recent = Recent::default();
        for (model, reason) in [("a", Some("one")), ("a", Some("two")), ("b", None)] {
            recent.failed(&event(model, 401), reason);
        }
        let rows = recent.all();
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[1].count, rows[1].reason.as_deref()), (2, Some("two")));
        // A response without a message leaves the kind its last one.
        assert_eq!(recent.kinds()[0].1.reason.as_deref(), Some("two"));
        let long = event(&"ü".repeat(500), 401);
        recent.failed(&long, None);
        assert!(recent.all()[0].model.len() <= LONGEST_NAME);
    }
}
