//! One span, from its beginning to its end.

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use http::{HeaderMap, HeaderValue};

use super::{Context, Served, TRACEPARENT, TRACESTATE, Tracer};

/// How many others a span may name, as `OpenTelemetry` bounds it.
const MOST_LINKS: usize = 128;

/// How long a text may be, in bytes: some come from requests.
const LONGEST: usize = 128;

/// What happened to a span that nobody said anything else of.
const GIVEN_UP: &str = "cancelled";

/// What a span is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Something that larder does for itself.
    Internal,
    /// A request that came.
    Server,
    /// A call that went out.
    Client,
}

/// What is said of a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// In words.
    Text(Cow<'static, str>),
    /// In a number.
    Number(u64),
}

/// A span that has ended.
#[derive(Debug, Clone)]
pub struct Record {
    /// Its identity.
    pub context: Context,
    /// The span that it is a part of.
    pub parent: Option<u64>,
    /// What it is of.
    pub kind: Kind,
    /// What was done.
    pub name: &'static str,
    /// When it began.
    pub start: SystemTime,
    /// How long it took.
    pub took: Duration,
    /// What is said of it.
    pub attributes: Vec<(&'static str, Value)>,
    /// Spans of other requests that had a part in it.
    pub links: Vec<Context>,
    /// The status of its answer.
    pub status: Option<u16>,
    /// What went wrong.
    pub error: Option<Cow<'static, str>>,
}

/// A span, for who has something to say about it.
#[derive(Debug)]
pub struct Span {
    tracer: Arc<Tracer>,
    context: Context,
    /// What other systems said of the trace, for the next one.
    state: Vec<HeaderValue>,
    /// One moment by both clocks, so that the parts of a request fit together whatever is done to the
    /// wall's.
    began: (SystemTime, Instant),
    /// Until it has ended.
    record: Mutex<Option<Record>>,
}

/// A span that ends when this is dropped. Unless it is said to be done, it was given up.
#[derive(Debug)]
pub struct Spanning(Arc<Span>);

/// In whose name a call is made.
#[derive(Debug, Clone)]
pub struct Cause {
    /// The span of the request.
    pub span: Arc<Span>,
    /// Those of the other requests that it is made for.
    pub others: Vec<Context>,
}

impl Span {
    /// Its identity.
    pub fn context(&self) -> Context {
        self.context
    }

    /// Says something of it, in place of what was said before.
    pub fn set(&self, name: &'static str, value: impl Into<Value>) {
        self.change(|record| {
            record.attributes.retain(|(known, _)| *known != name);
            record.attributes.push((name, value.into()));
        });
    }

    /// Notes a call that was made in another's name and served this request too.
    pub fn served(&self, by: Option<Served>) {
        if let Some(served) = by.filter(|served| served.by != self.context.span) {
            self.link(served.call);
        }
    }

    /// Notes the status of its answer.
    pub fn answered(&self, status: u16) {
        self.change(|record| record.status = Some(status));
    }

    /// It came to its end, with the status that was noted, unless something else was said before.
    pub fn done(&self) {
        self.change(|record| {
            // A request that was wrong is no fault of who answers it.
            let least = if record.kind == Kind::Server { 500 } else { 400 };
            let wrong = record.status.filter(|status| *status >= least);
            if record.error.as_deref() == Some(GIVEN_UP) {
                record.error = wrong.map(|status| status.to_string().into());
            }
        });
    }

    /// It comes to its end, and not well.
    pub fn failed(&self, error: &'static str) {
        self.change(|record| record.error = Some(error.into()));
    }

    /// Adds a part that is over.
    pub fn part(&self, name: &'static str, from: Instant, took: Duration) {
        let mut record = self.child(name, Kind::Internal, from);
        (record.took, record.error) = (took, None);
        self.tracer.ended(record);
    }

    fn link(&self, other: Context) {
        self.change(|record| {
            if record.links.len() < MOST_LINKS && !record.links.contains(&other) {
                record.links.push(other);
            }
        });
    }

    fn child(&self, name: &'static str, kind: Kind, from: Instant) -> Record {
        let context = Context { span: self.tracer.span_id(), ..self.context };
        Record { parent: Some(self.context.span), ..record(context, (name, kind), self.wall(from)) }
    }

    /// What the wall's clock showed at a moment.
    fn wall(&self, at: Instant) -> SystemTime {
        self.began.0 + at.saturating_duration_since(self.began.1)
    }

    fn change(&self, change: impl FnOnce(&mut Record)) {
        if let Some(record) = &mut *self.record() {
            change(record);
        }
    }

    fn record(&self) -> MutexGuard<'_, Option<Record>> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spanning {
    pub(super) fn of_request(
        tracer: &Arc<Tracer>,
        (context, parent): (Context, Option<u64>),
        state: Vec<HeaderValue>,
        received: Instant,
    ) -> Self {
        let start = SystemTime::now() - received.elapsed();
        let record = Record { parent, ..record(context, ("request", Kind::Server), start) };
        Self::new(tracer, record, state, received)
    }

    fn new(tracer: &Arc<Tracer>, record: Record, state: Vec<HeaderValue>, from: Instant) -> Self {
        let (context, began) = (record.context, (record.start, from));
        let (tracer, record) = (Arc::clone(tracer), Mutex::new(Some(record)));
        Self(Arc::new(Span { tracer, context, state, began, record }))
    }

    /// The span, for who has something to say about it.
    pub fn share(&self) -> Arc<Span> {
        Arc::clone(&self.0)
    }

    /// Names it.
    pub fn name(&self, name: &'static str) {
        self.change(|record| record.name = name);
    }
}

impl Deref for Spanning {
    type Target = Span;

    fn deref(&self) -> &Span {
        &self.0
    }
}

impl Drop for Spanning {
    fn drop(&mut self) {
        let record = self.0.record().take();
        if let Some(record) = record {
            let took = self.0.began.1.elapsed();
            self.0.tracer.ended(Record { took, ..record });
        }
    }
}

impl Cause {
    /// Begins the span of a call, and tells the provider of it.
    pub fn call(&self, headers: &mut HeaderMap) -> Spanning {
        let (parent, from) = (&self.span, Instant::now());
        let mut record = parent.child("upstream", Kind::Client, from);
        record.links = self.others.iter().take(MOST_LINKS).copied().collect();
        parent.change(|request| {
            let of_both = |(name, _): &&(&str, Value)| name.starts_with("gen_ai.");
            record.attributes = request.attributes.iter().filter(of_both).cloned().collect();
        });
        headers.insert(&TRACEPARENT, record.context.header());
        headers.remove(&TRACESTATE);
        for state in &parent.state {
            headers.append(&TRACESTATE, state.clone());
        }
        Spanning::new(&parent.tracer, record, Vec::new(), from)
    }
}

fn record(context: Context, (name, kind): (&'static str, Kind), start: SystemTime) -> Record {
    Record {
        context,
        parent: None,
        kind,
        name,
        start,
        took: Duration::ZERO,
        attributes: Vec::new(),
        links: Vec::new(),
        status: None,
        error: Some(GIVEN_UP.into()),
    }
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(mut text: String) -> Self {
        text.truncate(text.floor_char_boundary(LONGEST));
        Self::Text(text.into())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}
