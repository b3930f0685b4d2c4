//! One read of a store: the same way as for a model's words, with what is written there in mind.
//!
//! What is kept, and what is on its way, is of the moment at which it was asked. A write raises the number of
//! its namespace (`tier::writes`), so that who asks afterwards finds neither.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::ticket::{Joins, ticket};
use super::super::{Ask, Directives, Service};
use super::give::Wanted;
use super::pump::{Asked, Pump};
use super::watcher::Watcher;
use super::{Reply, call, declined};
use crate::config::stores::{Effect, Route};
use crate::dialect::{chat, store};
use crate::headers::accepts_json;
use crate::key::{CacheKey, Framer};
use crate::metrics::Operation;
use crate::request::{ChatRequest, Sharing};
use crate::tier::writes::Part;

impl Service {
    /// Why a read is not looked at, as far as its head tells.
    pub fn declines_read(&self, ask: &Ask) -> Option<&'static str> {
        let other_shape = || (!accepts_json(&ask.headers)).then_some("accept");
        declined(&ask.headers, &Directives::read(&ask.headers)).or_else(other_shape)
    }

    /// Answers a read of a store. An error says why it has to be relayed as it came.
    pub(in super::super) async fn reading(
        self: &Arc<Self>,
        number: usize,
        ask: &Ask,
    ) -> Result<Reply, &'static str> {
        let upstream = &ask.target.upstream;
        let (route, ttl) = match upstream.settings.routes.0.get(number) {
            Some(route @ Route { effect: Effect::Read(ttl), .. }) => (route, *ttl),
            _ => return Err("relay"),
        };
        let question = store::question(&ask.body).map_err(|_| "unreadable")?;
        let directives = Directives::read(&ask.headers);
        let namespace = store::namespace(route, ask.target.path(), &ask.body);
        let part = self.tiers.purges.store(&upstream.name).part(namespace.as_deref());
        let wanted = Wanted {
            key: self.read_key(ask, &question),
            scope: part.scope(),
            account: upstream.accounts.of(Operation::Read, ""),
            operation: Operation::Read,
            streamed: false,
        };
        let now = self.clock.at(ask.target.received);
        let ttl = directives.ttl.unwrap_or(ttl);
        let pump = |wanted: &Wanted| self.read_pump(ask, wanted, (part, ttl));
        Ok(self.give(wanted, (&directives, now), pump).await)
    }

    fn read_key(&self, ask: &Ask, question: &[u8]) -> CacheKey {
        let key = Framer::new("larder read 1")
            .field(b'e', self.envelope(ask).as_bytes())
            .field(b'u', ask.target.upstream.identity.as_bytes())
            .field(b'm', ask.target.method.as_str().as_bytes())
            .field(b'a', self.place(ask).as_bytes())
            .field(b'q', question)
            .finish();
        CacheKey::whole(key)
    }

    fn read_pump(
        self: &Arc<Self>,
        ask: &Ask,
        wanted: &Wanted,
        (part, ttl): (Part, Duration),
    ) -> Pump {
        let asked = Asked {
            mark: part.scope().mark(),
            is_settled: part.is_settled(self.clock.milliseconds()),
        };
        let request = ChatRequest {
            model: String::new(),
            framing: None,
            choices: 1,
            sharing: Sharing::Deterministic,
        };
        let question = Framer::new("larder read under way")
            .field(b'c', self.caller(ask, &self.envelope(ask)).as_bytes())
            .field(b'k', wanted.key.as_bytes())
            .field(b'g', &asked.mark.generation.to_le_bytes())
            .finish();
        Pump {
            service: Arc::clone(self),
            upstream: Arc::clone(&ask.target.upstream),
            call: call(ask),
            ticket: ticket(&ask.target, &ask.headers, ("", 1)),
            joins: Joins::of(&ask.headers),
            watcher: Watcher::new(chat::whole(), &request, self.chat.max_transcript),
            peers: None,
            key: wanted.key,
            question: CacheKey::whole(question),
            scope: wanted.scope,
            since_write: Some(asked),
            operation: wanted.operation,
            model: request.model,
            account: Arc::clone(&wanted.account),
            since: Instant::now(),
            ttl: Some(ttl),
        }
    }
}
