//! The use cases, one page each: embeddings, models' words, reads and writes of stores, rules, recordings,
//! lists that are embedded in the background, and everything else.

mod chat;
mod credit;
mod directives;
mod drift;
mod embed;
mod envelope;
mod explain;
mod form;
mod identity;
mod items;
mod lookup;
mod miss;
mod original;
pub mod recorded;
mod refused;
mod relay;
pub mod reply;
mod rules;
mod stale;
mod table;
mod ticket;
mod unfit;
mod vouch;
pub mod warm;
mod write;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

pub use directives::Directives;
pub use drift::Sentinel;
pub use refused::Refusals;

use tokio_util::task::TaskTracker;

use crate::batch::Batcher;
use crate::batch::original::Outcome;
use crate::broadcast::Broadcasts;
use crate::clock::Clock;
use crate::config::sharers::Sharers;
use crate::dialect::Endpoint;
use crate::explain::Explained;
use crate::flight::Flights;
use crate::metrics::{ChatMetrics, Operation, OperationMetrics, TierMetrics};
use crate::tier::Tiers;
use crate::trace::{Cause, Span};
use crate::upstream::{Finding, Upstream};

use recorded::Taping;
pub use relay::Passing;
use reply::Reply;
pub use rules::{Fired, Rule, Rules};
pub use vouch::Vouching;
pub use write::Change;

/// The handles that a request may use.
#[derive(Debug, Clone)]
pub struct Service {
    /// What is kept.
    pub tiers: Arc<Tiers>,
    /// The inputs that are being computed.
    pub flights: Arc<Flights<Outcome>>,
    /// The way from inputs to vectors.
    pub batcher: Arc<Batcher>,
    /// Time.
    pub clock: Clock,
    /// How long an embedding is good; `None` is for ever.
    pub ttl: Option<Duration>,
    /// How long after its end an embedding will do where the provider fails.
    pub stale_if_error: Duration,
    /// What providers said no to of late, and for how long it is held.
    pub refusals: Arc<Refusals>,
    /// See [`Service::refusals`]; zero is not at all.
    pub negative_ttl: Duration,
    /// Headers that change no answer, beside those that are known.
    pub harmless: Vec<HeaderName>,
    /// Who shares stored answers.
    pub sharers: Sharers,
    /// Whether requests without the header of the scope are refused.
    pub scope_required: bool,
    /// What digests of credentials are keyed with.
    pub secret: [u8; 32],
    /// How long it holds what a provider thinks of a credential, where that is asked before a stored
    /// answer is given.
    pub vouching: Option<Vouching>,
    /// The credentials that providers are being asked about.
    pub checks: Arc<Flights<Finding>>,
    /// What doubts hits, where that is wanted.
    pub drift: Option<Arc<Sentinel>>,
    /// Why requests of late were not answered from the cache.
    pub explained: Arc<Explained>,
    /// The series of embeddings.
    pub metrics: OperationMetrics,
    /// The series of the memory tier's look-ups.
    pub lookups: TierMetrics,
    /// What is particular to models' words.
    pub chat: ChatHandles,
}

/// The handles for models' words.
#[derive(Debug, Clone)]
pub struct ChatHandles {
    /// The answers that are on their way.
    pub broadcasts: Arc<Broadcasts>,
    /// The tasks that the drain waits for.
    pub tasks: TaskTracker,
    /// How long an answer is good; `None` is for ever.
    pub ttl: Option<Duration>,
    /// How long after its end an answer will do where the provider fails.
    pub stale_if_error: Duration,
    /// How many bytes of an answer are held, kept or on its way.
    pub max_transcript: usize,
    /// The series.
    pub metrics: ChatMetrics,
    /// Those of reads of stores, which go the same way.
    pub reads: ChatMetrics,
}

impl ChatHandles {
    fn series(&self, operation: Operation) -> &ChatMetrics {
        match operation {
            Operation::Read => &self.reads,
            Operation::Embed | Operation::Chat | Operation::Relay => &self.metrics,
        }
    }
}

/// Where a request goes.
#[derive(Debug, Clone)]
pub struct Target {
    /// Whom it is for.
    pub upstream: Arc<Upstream>,
    /// What is understood of it.
    pub endpoint: Endpoint,
    /// How.
    pub method: Method,
    /// Where below the base URL.
    pub path_and_query: String,
    /// When its head came.
    pub received: Instant,
    /// The span of the request, where it is traced.
    pub trace: Option<Arc<Span>>,
}

impl Target {
    /// The path without its query.
    fn path(&self) -> &str {
        self.path_and_query.split('?').next().unwrap_or_default()
    }

    /// What a call counts as that passes the request on.
    fn relayed_as(&self) -> Operation {
        match self.endpoint {
            Endpoint::Embed(_) => Operation::Relay,
            other => other.operation(),
        }
    }

    /// The request as what a call is made for, where it is traced.
    fn cause(&self) -> Option<Cause> {
        let span = self.trace.clone()?;
        Some(Cause { span, others: Vec::new() })
    }

    /// Tells the trace which model is asked, if one is named.
    fn asks(&self, model: &str) {
        if let Some(span) = self.trace.as_ref().filter(|_| !model.is_empty()) {
            span.set("gen_ai.request.model", model.to_owned());
        }
    }
}

/// A request that was read to its end.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Where it goes.
    pub target: Target,
    /// As they came, without those that `group` was taken from.
    pub headers: HeaderMap,
    /// What it is shared by, where a header says so.
    pub group: Vec<HeaderValue>,
    /// As it came, decoded.
    pub body: Bytes,
    /// The rule that was carried out for it, if any was.
    pub rule: Option<Arc<Rule>>,
    /// What records the answer, where it is recorded.
    pub taping: Option<Arc<Taping>>,
}

impl Service {
    /// Answers a request, whoever asks. An error says why it has to be relayed as it came.
    async fn answer_anybody(self: &Arc<Self>, ask: &Ask) -> Result<Reply, &'static str> {
        if let Some(reason) = self.unscoped(ask) {
            return Err(reason);
        }
        match ask.target.endpoint {
            Endpoint::Embed(shape) => self.embed(shape, ask).await,
            // Boxed, since a hit for embeddings should not carry the state of it.
            Endpoint::Chat(shape) => Box::pin(self.words(shape, ask)).await,
            Endpoint::Read(number) => Box::pin(self.reading(number, ask)).await,
            Endpoint::Write(_) => Err("write"),
            Endpoint::Other => Err("relay"),
        }
    }
}
