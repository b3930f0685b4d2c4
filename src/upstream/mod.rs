//! One provider: calls under permits and deadlines, over pooled connections. The only room that names the
//! HTTP client; of what a provider says it reads the head.

mod again;
mod allowance;
mod around;
mod base;
mod breaker;
mod call;
mod check;
mod coming;
mod exchange;
mod failure;
mod in_clear;
mod own_key;
mod pace;
mod pool;
mod post;
mod queue;
mod response_time;
mod retry;
mod standings;
mod switch;
mod ticket;
mod told;
mod traced;
mod upload;
mod warm;
mod withheld;

use std::fmt;
use std::sync::{Arc, Mutex, Once};
use std::time::{Duration, Instant};

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, Uri};
use tokio::time::timeout_at;

pub use around::Around;
pub use base::{embeddings_below, endpoint};
pub use breaker::Trouble;
use breaker::{Admission, Breaker};
pub use call::{Answer, Call};
pub use check::Finding;
pub use coming::Coming;
use own_key::OwnKey;
pub use pool::RequestBody;
pub use post::Post;
pub use queue::ClientTime;
use queue::{Queue, Turn};
use response_time::ResponseTimes;
use retry::Budget;
pub use standings::{Standing, Standings};
use ticket::Each;
pub use ticket::{Patience, Priority, Ticket};
pub use told::asked_to_wait;
pub use upload::{ComingBody, Upload};

use crate::ceiling::{Ceiling, Room};
use crate::config::Provider;
use crate::credential;
use crate::dialect::Dialect;
use crate::error::{Error, Kind};
use crate::key::{Digest, Framer};
use crate::ledger::Accounts;
use crate::metrics::{Held, UpstreamMetrics};
use crate::throttle::Throttle;

/// What waits is counted in so many bytes, since the least of it takes about as much.
const KIB: usize = 1 << 10;

/// The right to make one call now; it counts as under way until it is dropped.
#[derive(Debug)]
pub struct Permit {
    turn: Turn,
    _active: Held,
    admission: Admission,
}

impl Permit {
    /// The time that the call waits for its client. A call that waits for too long loses its place among the
    /// calls under way where others wait for one.
    pub fn client_time(&self) -> Arc<ClientTime> {
        self.turn.client_time()
    }
}

/// A configured provider.
pub struct Upstream {
    /// The name in the configuration, and the first segment of its paths.
    pub name: String,
    /// Its wire shapes.
    pub dialect: &'static dyn Dialect,
    /// Its settings.
    pub settings: Provider,
    /// What makes its answers its own: scheme, host, port and base path.
    pub identity: Digest,
    /// Its series.
    pub metrics: UpstreamMetrics,
    /// What is asked of it, by model.
    pub accounts: Arc<Accounts>,
    /// What it thinks of the credentials it was called with, where that is asked.
    pub standings: Option<Standings>,
    own_key: Option<OwnKey>,
    /// The warning about the first credential that was not sent.
    withheld: Once,
    /// The warnings about calls that got no response, and about responses that were cut or invalid.
    failures: Mutex<Throttle>,
    cuts: Mutex<Throttle>,
    invalid: Mutex<Throttle>,
    /// Whether it is never called.
    sealed: bool,
    /// Room for answers that are read to the end.
    answers: Arc<Ceiling>,
    scheme: Scheme,
    authority: Authority,
    base_path: String,
    pools: pool::Pools,
    queue: Arc<Queue>,
    times: ResponseTimes,
    breaker: Arc<Breaker>,
    retries: Budget,
    hedges: Budget,
    /// Room for what waits for its calls.
    waiting: Arc<Ceiling>,
}

impl Upstream {
    /// Everything that is known before the first call; opens nothing.
    pub fn new(
        name: &str,
        dialect: &'static dyn Dialect,
        settings: Provider,
        Around { metrics, answers, accounts }: Around,
    ) -> Result<Self, String> {
        let base: Uri =
            settings.base_url.parse().map_err(|_| "base_url is not a URL".to_owned())?;
        let parts = base.into_parts();
        let base_path = parts.path_and_query.as_ref().map_or("", PathAndQuery::path);
        let base_path = base_path.trim_end_matches('/').to_owned();
        let scheme = parts.scheme.ok_or("base_url has no scheme")?;
        let authority = parts.authority.ok_or("base_url has no host")?;
        let identity = Framer::new("larder upstream")
            .field(b's', scheme.as_str().as_bytes())
            .field(b'a', authority.as_str().to_ascii_lowercase().as_bytes())
            .field(b'p', base_path.as_bytes())
            .field(b'd', dialect.name().as_bytes())
            .finish();
        metrics.limit.set(i64::from(settings.max_connections));
        Ok(Self {
            name: name.to_owned(),
            dialect,
            identity,
            scheme,
            authority,
            base_path,
            pools: pool::Pools::of(&settings, &metrics)?,
            queue: Queue::new(
                settings.max_connections,
                Each {
                    interactive: metrics.waiting_interactive.clone(),
                    bulk: metrics.waiting_bulk.clone(),
                },
            ),
            times: ResponseTimes::default(),
            breaker: Breaker::new(name, settings.breaker_failures, metrics.breaker.clone()),
            retries: Budget::new(settings.retry_percent),
            hedges: Budget::new(settings.hedge_percent),
            waiting: Ceiling::new(settings.max_queued.as_usize() / KIB * KIB),
            standings: None,
            sealed: false,
            withheld: Once::new(),
            failures: Mutex::default(),
            cuts: Mutex::default(),
            invalid: Mutex::default(),
            own_key: settings.api_key_env.key().cloned().map(OwnKey::new),
            answers,
            accounts,
            metrics,
            settings,
        })
    }

    /// The same, noting what it thinks of the credentials it is called with.
    #[must_use]
    pub fn with_standings(self, standings: Standings) -> Self {
        Self { standings: Some(standings), ..self }
    }

    /// The same, never called: whoever wants a call is told so.
    #[must_use]
    pub fn sealed(self) -> Self {
        Self { sealed: true, ..self }
    }

    /// The reason why it is not called now; none where it is called.
    pub fn trouble(&self) -> Option<Trouble> {
        self.breaker.trouble()
    }

    /// Whether it is called with a key of larder's own, whoever asks.
    pub fn has_own_key(&self) -> bool {
        self.own_key.is_some()
    }

    /// The line of a request: that of the credential it is called with, and of the model, since that is
    /// what providers have limits for.
    pub fn line(&self, headers: &HeaderMap, path_and_query: &str, model: &str) -> Digest {
        let mut line = Framer::new("larder line");
        line.field(b'u', self.identity.as_bytes());
        if !self.has_own_key() {
            // It stays in this process, so there is nothing to key it with.
            credential::add_to(&mut line, headers, path_and_query);
        }
        let path = path_and_query.split('?').next().unwrap_or_default();
        line.field(b'p', path.as_bytes()).field(b'm', model.as_bytes()).finish()
    }

    /// The right to make one call now, waiting for it as long as the ticket says; not at all where the
    /// provider was not there when it was last called, or wants no call so soon.
    pub async fn permit(&self, ticket: &Ticket) -> Result<Permit, Error> {
        self.turn(ticket, None).await
    }

    /// The same for a call that was one too many, before everybody who came later.
    async fn permit_again(&self, permit: Permit, until: Option<Instant>) -> Result<Permit, Error> {
        let (line, priority) = (permit.turn.line(), permit.turn.priority());
        let number = permit.turn.number();
        drop(permit);
        self.turn(&Ticket { line, priority, until }, Some(number)).await
    }

    async fn turn(&self, ticket: &Ticket, number: Option<u64>) -> Result<Permit, Error> {
        if self.sealed {
            let message = format!("not recorded: a replay does not call {}", self.name);
            return Err(Error::new(Kind::NotRecorded, message));
        }
        let started = Instant::now();
        self.breaker.check(started).map_err(|left| self.broken(left))?;
        let waiting = self.queue.turn(ticket, number);
        let turn = match ticket.until {
            None => waiting.await,
            Some(until) if self.is_in_vain(&ticket.line, until) => {
                return Err(self.busy(&ticket.line));
            }
            Some(until) => match timeout_at(until.into(), waiting).await {
                Ok(turn) => turn,
                Err(_) => return Err(self.busy(&ticket.line)),
            },
        };
        // It may have gone while this one waited.
        let admission = self.breaker.admit(Instant::now()).map_err(|left| self.broken(left))?;
        self.metrics.permit_wait.observe(started.elapsed().as_secs_f64());
        Ok(Permit { turn, _active: Held::one(&self.metrics.active), admission })
    }

    /// Whether there will be no turn in time.
    fn is_in_vain(&self, line: &Digest, until: Instant) -> bool {
        self.no_turn_before(line).is_some_and(|end| end > until)
    }

    /// Until when a line has no turn, if that is known. Nobody is kept waiting for a longer pause than
    /// the settings say, since whoever is told of it can come back by itself; that is as if for ever.
    pub fn no_turn_before(&self, line: &Digest) -> Option<Instant> {
        const FOR_EVER: Duration = Duration::from_hours(24 * 365);
        let end = self.queue.paused(line)?;
        let is_long = end > Instant::now() + self.settings.permit_timeout;
        Some(if is_long { end + FOR_EVER } else { end })
    }

    /// Why there was no turn in time.
    pub fn busy(&self, line: &Digest) -> Error {
        if let Some(end) = self.queue.paused(line) {
            let message = format!("rate limit of {} reached; retry later", self.name);
            let retry_after = Some(end.saturating_duration_since(Instant::now()));
            return Error { retry_after, ..Error::new(Kind::RateLimited, message) };
        }
        Error::new(
            Kind::Overloaded,
            format!("all connections to {} are in use (max_connections)", self.name),
        )
    }

    /// Room for so many bytes to wait; `None` if there is none.
    pub fn room(&self, bytes: usize) -> Option<Arc<Room>> {
        let mut room = self.waiting.room();
        room.hold(bytes.checked_next_multiple_of(KIB)?).ok()?;
        Some(Arc::new(room))
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").field("name", &self.name).finish_non_exhaustive()
    }
}
