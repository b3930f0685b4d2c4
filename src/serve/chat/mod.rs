//! One request for a model's words: its key, the answer that is kept, or the one that is on its way.
//!
//! An answer is the provider's bytes as they came, whoever reads them and when. A streamed and a plain
//! answer are of two questions, so that neither ever has to be made from the other.

mod give;
mod head;
mod pump;
mod read;
mod share;
mod watcher;

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue, header};

use super::reply::Reply;
use super::ticket::{Joins, ticket};
use super::{Ask, Directives, Service};
use crate::config::words::ChatCache;
use crate::dialect::ChatShape;
use crate::dialect::chat::question;
use crate::headers::{IDEMPOTENCY_KEY, to_provider};
use crate::key::{CacheKey, Framer};
use crate::metrics::Operation;
use crate::request::{ChatRequest, Sharing};
use crate::upstream::Call;
use give::Wanted;
use head::not_cached;
use pump::Pump;
use share::Peers;

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
        let unless_asked = || (off && directives.cached.is_none()).then_some(reason);
        declined(headers, &directives).or_else(unless_asked)
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
        let wanted = Wanted {
            key: self.chat_key(ask, &question),
            scope: self.tiers.purges.scope(&ask.target.upstream.name, &request.model),
            account: ask
                .target
                .upstream
                .accounts
                .of(ask.target.endpoint.operation(), &request.model),
            operation: Operation::Chat,
            streamed: request.framing.is_some(),
        };
        let now = self.clock.at(ask.target.received);
        let pump = |wanted: &Wanted| self.pump(shape, ask, (request, wanted, &directives));
        Ok(self.give(wanted, (&directives, now), pump).await)
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
        (request, wanted, directives): (ChatRequest, &Wanted, &Directives),
    ) -> Pump {
        let envelope = self.envelope(ask);
        let caller = self.caller(ask, &envelope);
        let key = wanted.key;
        let question = if caller == envelope { key } else { key.called(&caller) };
        let plain = request.framing.is_none();
        let shares = plain && directives.max_age.is_none() && !directives.no_cache;
        let scope = wanted.scope;
        Pump {
            service: Arc::clone(self),
            upstream: Arc::clone(&ask.target.upstream),
            call: call(ask),
            ticket: ticket(&ask.target, &ask.headers, (&request.model, 1)),
            joins: Joins::of(&ask.headers),
            watcher: watcher::Watcher::new(shape, &request, self.chat.max_transcript),
            peers: shares.then(|| Peers { service: Arc::clone(self), key, scope }),
            key,
            question,
            scope,
            since_write: None,
            operation: wanted.operation,
            model: request.model,
            account: Arc::clone(&wanted.account),
            since: Instant::now(),
            ttl: shortest(directives.ttl.or_else(|| self.ttl_of_words(ask)), shape.most_ttl()),
        }
    }
}

/// Why a caller wants nothing of the cache.
fn declined(headers: &HeaderMap, directives: &Directives) -> Option<&'static str> {
    if directives.no_store {
        Some("no-store")
    } else if headers.contains_key(&IDEMPOTENCY_KEY) {
        Some("idempotency-key")
    } else {
        (directives.cached == Some(false)).then_some("opted-out")
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
