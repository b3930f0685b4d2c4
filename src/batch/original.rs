//! One caller's request with inputs to compute, and what each input's flight brings back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method};

use crate::ceiling::Room;
use crate::clock::Moment;
use crate::dialect::{EmbedCall, EmbedShape};
use crate::error::Error;
use crate::flight::Lead;
use crate::key::{CacheKey, Digest, Framer};
use crate::ledger::Account;
use crate::metrics::Operation;
use crate::request::{Encoding, Input, Unity};
use crate::tier::purge::Scope;
use crate::tier::redis::Lease;
use crate::trace::{Cause, Served, Span};
use crate::upstream::{Answer, Call, Ticket, Upstream};
use crate::vector::Vector;

/// A caller's request as it came, so that it can be asked again, alone and unchanged.
#[derive(Debug)]
pub struct Original {
    /// Whom it is for.
    pub upstream: Arc<Upstream>,
    /// The shape of its endpoint.
    pub shape: &'static dyn EmbedShape,
    /// Where below the base URL.
    pub path_and_query: String,
    /// As the provider is to see them.
    pub headers: HeaderMap,
    /// Its own bytes.
    pub body: Bytes,
    /// The model.
    pub model: String,
    /// What else alters a vector, as JSON text.
    pub params: String,
    /// The end user, as JSON text.
    pub user: Option<String>,
    /// How its caller wants the vectors.
    pub encoding: Encoding,
    /// How far it may be taken apart.
    pub unity: Unity,
    /// What each of its inputs weighs when a token count is shared out.
    pub weights: Vec<u64>,
    /// Dimensions that it asks for.
    pub dimensions: Option<usize>,
    /// What its answer depends on beside the body.
    pub envelope: Digest,
    /// The same for requests whose inputs may travel in one call.
    pub lane: Digest,
    /// The same for requests whose vectors can be compared.
    pub subject: Digest,
    /// How long its answers are good; `None` is for ever.
    pub ttl: Option<Duration>,
    /// What its answers are purged with.
    pub scope: &'static Scope,
    /// How it waits for its calls.
    pub ticket: Ticket,
    /// Its span, where it is traced.
    pub trace: Option<Arc<Span>>,
}

impl Original {
    /// The same for requests that are the same in everything. Made when it is wanted, since most calls go well.
    pub fn fingerprint(&self) -> Digest {
        Framer::new("larder request")
            .field(b'l', self.lane.as_bytes())
            .field(b'e', self.envelope.as_bytes())
            .field(b'b', &self.body)
            .finish()
    }

    /// The call that the caller would have made itself.
    pub fn as_call(&self) -> Call {
        let path_and_query = self.path_and_query.clone();
        let (headers, body) = (self.headers.clone(), self.body.clone());
        Call { method: Method::POST, path_and_query, headers, body, cause: self.cause() }
    }

    /// Where it is entered.
    pub fn account(&self) -> Arc<Account> {
        self.upstream.accounts.of(Operation::Embed, &self.model)
    }

    /// A call in the caller's name for inputs of several requests, or for some of its own.
    pub fn call(&self, call: &EmbedCall<'_>) -> Call {
        let path_and_query = self.shape.call_path(&self.path_and_query).into_owned();
        let body = Bytes::from(self.shape.write_call(call));
        let headers = self.headers.clone();
        Call { method: Method::POST, path_and_query, headers, body, cause: self.cause() }
    }

    /// The request as what a call is made for, where it is traced.
    fn cause(&self) -> Option<Cause> {
        let span = self.trace.clone()?;
        Some(Cause { span, others: Vec::new() })
    }
}

/// One input that waits for its vector.
#[derive(Debug)]
pub struct Seat {
    /// Its flight, of its caller's own.
    pub lead: Lead<Outcome>,
    /// What its vector is kept under.
    pub key: CacheKey,
    /// The input itself.
    pub input: Input<'static>,
    /// Where it stands in its request.
    pub position: usize,
}

/// Seats of one request.
#[derive(Debug)]
pub struct Submission {
    /// Their request.
    pub original: Arc<Original>,
    /// In the order of the request.
    pub seats: Vec<Seat>,
    /// When they came.
    pub since: Instant,
    /// Whether the request was larger than a call may be, so that these are only a part of it.
    pub cut: bool,
    /// Their place among the bytes that may wait for the provider.
    pub room: Option<Arc<Room>>,
    /// What keeps other replicas from asking for the same, where there are others.
    pub lease: Option<Arc<Lease>>,
}

impl Submission {
    /// What a request has to ask for, from now on.
    pub fn new(original: Arc<Original>, seats: Vec<Seat>) -> Self {
        Self { original, seats, since: Instant::now(), cut: false, room: None, lease: None }
    }

    /// Some of the seats, as a part that is asked for by itself.
    #[must_use]
    pub fn part(&self, seats: Vec<Seat>) -> Self {
        Self { cut: true, ..self.with(seats) }
    }

    /// Some of the seats, as if the others had been in the cache.
    fn with(&self, seats: Vec<Seat>) -> Self {
        let (original, room) = (Arc::clone(&self.original), self.room.clone());
        Self { original, seats, since: self.since, cut: self.cut, room, lease: self.lease.clone() }
    }

    /// The seats at the places that a question is answered yes for, and the others.
    pub fn divide(mut self, mut is_first: impl FnMut(usize) -> bool) -> (Self, Self) {
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for (at, seat) in std::mem::take(&mut self.seats).into_iter().enumerate() {
            if is_first(at) { first.push(seat) } else { second.push(seat) }
        }
        let second = self.with(second);
        self.seats = first;
        (self, second)
    }

    /// Without the seats that nobody waits for any more; `None` if that is all of them.
    #[must_use]
    pub fn without_unwanted(mut self) -> Option<Self> {
        let seats = std::mem::take(&mut self.seats).into_iter().filter_map(|mut seat| {
            seat.lead = seat.lead.unless_unwanted()?;
            Some(seat)
        });
        self.seats = seats.collect();
        (!self.seats.is_empty()).then_some(self)
    }

    /// Whether somebody waits for any of the seats.
    pub fn is_wanted(&self) -> bool {
        self.seats.iter().any(|seat| seat.lead.is_wanted())
    }

    /// Whether these are all inputs of the request, each once.
    pub fn is_complete(&self) -> bool {
        !self.cut && self.seats.len() == self.original.weights.len()
    }
}

/// What a flight brings.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// A vector.
    Arrived(Arrival),
    /// The provider's no.
    Refused(Refused),
    /// Larder's own error.
    Failed(Error),
}

/// A vector and what came with it.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// The vector.
    pub vector: Vector,
    /// When it was stored.
    pub stored: Moment,
    /// What the provider said with it; `None` for a vector that was in the cache after all.
    pub said: Option<Arc<Said>>,
    /// How long the provider's call took.
    pub took: Duration,
    /// That call, where it was traced.
    pub call: Option<Served>,
}

/// What a provider says to a call.
#[derive(Debug)]
pub struct Said {
    /// The headers that may go with an answer that larder writes.
    pub headers: Arc<HeaderMap>,
    /// The body, and the request that it answers, where the call was made in that one's own bytes.
    pub own: Option<(Arc<Original>, Bytes)>,
}

impl Said {
    /// The provider's own answer to a request, if it is one to just that.
    pub fn to(&self, original: &Arc<Original>) -> Option<Bytes> {
        let (asked, body) = self.own.as_ref()?;
        Arc::ptr_eq(asked, original).then(|| body.clone())
    }
}

/// An answer of the provider that is no vector.
#[derive(Debug, Clone)]
pub struct Refused {
    /// The answer, whole.
    pub answer: Arc<Answer>,
    /// The one request that it answers; `None` where it would be the same for any request that
    /// travels with this one.
    pub only: Option<Digest>,
}
