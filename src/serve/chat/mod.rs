//! One request for a model's words: its key, the answer that is kept, or the one that is on its way.
//!
//! An answer is the provider's bytes as they came, whoever reads them and when. A streamed and a plain
//! answer are of two questions, so that neither ever has to be made from the other.

mod head;
mod pump;
mod share;
mod watcher;

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderValue, header};

use super::reply::{self, Content, Manner, Reply, Verdict};
use super::ticket::ticket;
use super::{Ask, Directives, Service};
use crate::broadcast::Joined;
use crate::clock::Moment;
use crate::config::words::ChatCache;
use crate::dialect::ChatShape;
use crate::dialect::chat::question;
use crate::headers::{IDEMPOTENCY_KEY, to_provider};
use crate::key::{CacheKey, Framer};
use crate::ledger::{Account, Credit, Spared};
use crate::metrics::{Layer, Operation};
use crate::request::{ChatRequest, Sharing};
use crate::tier::purge::Scope;
use crate::tier::{Freshness, Look, Stored};
use crate::transcript::Transcript;
use crate::upstream::Call;
use head::{await_head, not_cached};
use pump::Pump;
use share::Peers;

/// An answer that is kept, with where, its age and its end.
struct Kept {
    transcript: Transcript,
    place: reply::Kept,
}

impl Kept {
    fn of(stored: Stored, layer: Layer) -> Option<Self> {
        let transcript = Transcript::view(stored.value)?;
        let place = reply::Kept { layer, oldest: stored.stored, first_end: stored.expires };
        Some(Self { transcript, place })
    }
}

impl Service {
    /// Why a request for a model's words is not looked at, as far as its head tells, and the rule that was
    /// carried out for it.
    pub fn declines(&self, shape: &dyn ChatShape, ask: &Ask) -> Option<&'static str> {
        let (headers, directives) = (&ask.headers, Directives::read(&ask.headers));
        let settings = &ask.target.upstream.settings;
        let (off, reason) = match shape.route() {
            Some(route) => (!settings.cache_routes.has(route), "relay"),
            None => (is_off(ask), "chat-cache-off"),
        };
        if directives.no_store {
            Some("no-store")
        } else if headers.contains_key(&IDEMPOTENCY_KEY) {
            Some("idempotency-key")
        } else if directives.cached == Some(false) {
            Some("opted-out")
        } else if off && directives.cached.is_none() {
            Some(reason)
        } else {
            None
        }
    }

    /// Answers a request for a model's words. An error says why it has to be relayed as it came.
    pub(super) async fn words(
        self: &Arc<Self>,
        shape: &'static dyn ChatShape,
        ask: &Ask,
    ) -> Result<Reply, &'static str> {
        let read = shape.read(&ask.target.path_and_query, &ask.body);
        let request = read.map_err(|_| "unreadable")?;
        ask.target.asks(&request.model);
        let directives = Directives::read(&ask.headers);
        match permit(shape, ask, &directives, &request) {
            Err(_) if directives.only_if_cached => return Ok(not_cached()),
            permitted => permitted?,
        }
        let question = question(shape, &ask.body).map_err(|_| "unreadable")?;
        let key = self.chat_key(ask, &question);
        let scope = self.tiers.purges.scope(&ask.target.upstream.name, &request.model);
        let account = ask.target.upstream.accounts.of(Operation::Chat, &request.model);
        let now = self.clock.at(ask.target.received);
        let fresh = Freshness { now, max_age: directives.max_age };
        if !directives.no_cache {
            if let Some(kept) = self.kept(&key, &fresh) {
                return Ok(self.replay(kept, now, account));
            }
            self.chat.metrics.misses.inc();
            if let Some(kept) = self.kept_deep(key, scope, fresh).await {
                return Ok(self.replay(kept, now, account));
            }
        }
        if directives.only_if_cached {
            return Ok(not_cached());
        }
        let pump = self.pump(shape, ask, (request, scope, key, &directives));
        let reply = self.fetch(pump, &directives, (key, &fresh)).await;
        if !reply.is_providers_failure() {
            return Ok(reply);
        }
        Ok(self.stale_words(&key, &directives, (now, account)).unwrap_or(reply))
    }

    /// The answer that comes from the provider, for whoever may read it.
    async fn fetch(
        &self,
        pump: Pump,
        directives: &Directives,
        (key, fresh): (CacheKey, &Freshness),
    ) -> Reply {
        if let Some(reply) = self.refused(directives, &pump.question.digest()) {
            return reply;
        }
        let (bound, account) = (self.chat.max_transcript, Arc::clone(&pump.account));
        if directives.no_cache {
            let (source, reader) = self.chat.broadcasts.alone(bound);
            self.chat.tasks.spawn(pump.run(source));
            return await_head(reader, (false, Some("no-cache")), account).await;
        }
        match self.chat.broadcasts.join(pump.question, bound, || self.kept(&key, fresh)) {
            Joined::Found(kept) => self.replay(kept, fresh.now, account),
            Joined::Leads(source, reader) => {
                self.chat.tasks.spawn(pump.run(source));
                await_head(reader, (false, None), account).await
            }
            Joined::Follows(reader) => {
                self.chat.metrics.operation.collapsed_inputs.inc();
                self.chat.metrics.operation.saved_by_collapsing.inc();
                await_head(reader, (true, None), account).await
            }
        }
    }

    /// The answer that has ended, given after all where the provider fails.
    fn stale_words(
        &self,
        key: &CacheKey,
        directives: &Directives,
        (now, account): (Moment, Arc<Account>),
    ) -> Option<Reply> {
        let seconds = directives.stale_seconds(self.chat.stale_if_error)?;
        let kept = Kept::of(self.tiers.memory.get_stale(key, now, seconds)?, Layer::Memory)?;
        let reply = self.replay(kept, now, account);
        Some(Reply { verdict: Verdict { manner: Manner::Stale, ..reply.verdict }, ..reply })
    }

    fn kept(&self, key: &CacheKey, fresh: &Freshness) -> Option<Kept> {
        Kept::of(self.tiers.memory.get(key, fresh)?, Layer::Memory)
    }

    async fn kept_deep(
        &self,
        key: CacheKey,
        scope: &'static Scope,
        fresh: Freshness,
    ) -> Option<Kept> {
        if !self.tiers.are_deep() {
            return None;
        }
        let (keys, mark) = ([key], scope.mark());
        let look = Look { keys: &keys, mark, fresh, operation: Some(Operation::Chat) };
        let deep = self.tiers.dig(&look).await.pop()??;
        Kept::of(deep.stored, deep.layer)
    }

    fn replay(&self, kept: Kept, now: Moment, account: Arc<Account>) -> Reply {
        self.chat.metrics.hits.inc();
        self.chat.metrics.operation.saved_by_hit.inc();
        let verdict = Verdict::hit(1, &kept.place, now);
        let tokens = Spared { hit: kept.transcript.tokens, ..Spared::default() };
        let credit = Some(Credit { account, tokens });
        let verdict = Verdict { undivided: true, credit, ..verdict };
        Reply { content: Content::Replayed(Box::new(kept.transcript)), verdict }
    }

    pub(super) fn chat_key(&self, ask: &Ask, question: &[u8]) -> CacheKey {
        let key = Framer::new("larder chat 1")
            .field(b'e', self.envelope(ask).as_bytes())
            .field(b'u', ask.target.upstream.identity.as_bytes())
            .field(b'a', self.place(ask).as_bytes())
            .field(b'q', question)
            .finish();
        CacheKey::whole(key)
    }

    /// How long the answer to a request is good, where its caller does not say.
    fn ttl_of_words(&self, ask: &Ask) -> Option<Duration> {
        match ask.rule.as_ref().and_then(|rule| rule.ttl()) {
            Some(ttl) => Some(ttl).filter(|ttl| !ttl.is_zero()),
            None => self.chat.ttl,
        }
    }

    fn pump(
        self: &Arc<Self>,
        shape: &'static dyn ChatShape,
        ask: &Ask,
        (request, scope, key, directives): (ChatRequest, &'static Scope, CacheKey, &Directives),
    ) -> Pump {
        let (caller, envelope) = (self.caller(ask), self.envelope(ask));
        let question = if caller == envelope { key } else { key.called(&caller) };
        let plain = request.framing.is_none();
        let shares = plain && directives.max_age.is_none() && !directives.no_cache;
        Pump {
            service: Arc::clone(self),
            upstream: Arc::clone(&ask.target.upstream),
            call: call(ask),
            ticket: ticket(&ask.target, &ask.headers, (&request.model, 1)),
            watcher: watcher::Watcher::new(shape, &request, self.chat.max_transcript),
            peers: shares.then(|| Peers { service: Arc::clone(self), key, scope }),
            key,
            question,
            scope,
            model: request.model.clone(),
            account: ask.target.upstream.accounts.of(Operation::Chat, &request.model),
            since: Instant::now(),
            ttl: shortest(directives.ttl.or_else(|| self.ttl_of_words(ask)), shape.most_ttl()),
        }
    }
}

/// Whether no answer of the request's provider is kept, or none that its rule is for.
fn is_off(ask: &Ask) -> bool {
    let settings = &ask.target.upstream.settings;
    let by_model = !settings.chat_cache_models.is_empty();
    match ask.rule.as_ref().and_then(|rule| rule.cache()) {
        Some(cache) => cache == ChatCache::Off,
        None => settings.chat_cache == ChatCache::Off && !by_model,
    }
}

/// Whether the settings, or the caller, let this request share an answer.
pub(super) fn permit(
    shape: &dyn ChatShape,
    ask: &Ask,
    directives: &Directives,
    request: &ChatRequest,
) -> Result<(), &'static str> {
    if shape.route().is_some() {
        return Ok(());
    }
    let settings = &ask.target.upstream.settings;
    let of_model = || settings.chat_cache_models.of(&request.model).unwrap_or(settings.chat_cache);
    let policy = match directives.cached {
        Some(true) => ChatCache::All,
        _ => ask.rule.as_ref().and_then(|rule| rule.cache()).unwrap_or_else(of_model),
    };
    match (policy, request.sharing) {
        (ChatCache::Off, _) => Err("chat-cache-off"),
        (_, Sharing::Never(reason)) | (ChatCache::Deterministic, Sharing::Drawn(reason)) => {
            Err(reason)
        }
        (ChatCache::All, Sharing::Drawn(_)) | (_, Sharing::Deterministic) => Ok(()),
    }
}

/// The request as the provider is to see it. Whoever reads along may not understand the codings
/// that the first caller does, so the answer is asked for in none.
fn call(ask: &Ask) -> Call {
    let (method, path_and_query) = (ask.target.method.clone(), ask.target.path_and_query.clone());
    let mut headers = to_provider(&ask.headers);
    headers.remove(header::CONTENT_ENCODING);
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    Call { method, path_and_query, headers, body: ask.body.clone(), cause: ask.target.cause() }
}

/// The shorter of two times, where `None` is for ever.
fn shortest(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    one.into_iter().chain(other).min()
}
