//! One request for embeddings: inputs, keys, the memory tier, and for what is not there the
//! flights. A hit is answered here, without a spawn, a channel or an await.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::credit::{Unbilled, credit};
use super::explain::EXPLAIN;
use super::identity::{beginning, exact, family, keys, subject};
use super::reply::{Content, Items, Kept, Reply, Verdict};
use super::{Ask, Directives, Service, miss};
use crate::clock::Moment;
use crate::dialect::EmbedShape;
use crate::error::{Error, Kind};
use crate::headers::IDEMPOTENCY_KEY;
use crate::key::{CacheKey, Digest};
use crate::metrics::{Layer, Operation};
use crate::request::{EmbedRequest, Encoding};
use crate::tier::memory::Recollection;
use crate::tier::purge::Scope;
use crate::tier::{Freshness, Look, Stored};
use crate::vector::{Numbers, Vector};

/// Above this many components as numbers an answer is written where writing may take its time.
const WRITE_APART: usize = 64 * 1_536;

/// A vector that is there.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) vector: Vector,
    pub(super) stored: Moment,
    pub(super) expires: Moment,
    /// The tier that had it.
    pub(super) layer: Layer,
}

impl Found {
    /// What a tier holds; `None` if it is no vector.
    pub(super) fn in_memory(stored: Stored) -> Option<Self> {
        Self::of(stored, Layer::Memory)
    }

    fn of(stored: Stored, layer: Layer) -> Option<Self> {
        let vector = Vector::view(stored.value)?;
        Some(Self { vector, stored: stored.stored, expires: stored.expires, layer })
    }
}

/// A request read, and the keys of its inputs.
pub(super) struct Question<'a> {
    pub(super) request: EmbedRequest<'a>,
    pub(super) keys: Vec<CacheKey>,
    pub(super) family: Digest,
    pub(super) scope: &'static Scope,
    pub(super) how: How,
}

/// What a request says beside its body.
#[derive(Debug)]
pub(super) struct How {
    /// The shape of the endpoint.
    pub(super) shape: &'static dyn EmbedShape,
    /// The request's identity, byte for byte.
    pub(super) exact: Vec<u8>,
    pub(super) envelope: Digest,
    pub(super) directives: Directives,
    pub(super) fresh: Freshness,
    /// Whether it is asked again in the background, if it is a hit.
    pub(super) doubted: bool,
}

impl Service {
    /// Answers a request for embeddings. An error says why the request is not one that can be taken
    /// apart; it is to be relayed as it came.
    pub(super) async fn embed(
        self: &Arc<Self>,
        shape: &'static dyn EmbedShape,
        ask: &Ask,
    ) -> Result<Reply, &'static str> {
        let directives = Directives::read(&ask.headers);
        if directives.no_store {
            return Err("no-store");
        }
        if ask.headers.contains_key(&IDEMPOTENCY_KEY) {
            return Err("idempotency-key");
        }
        let envelope = self.envelope(ask);
        let exact = exact(ask, &envelope);
        let fresh =
            Freshness { now: self.clock.at(ask.target.received), max_age: directives.max_age };
        let doubted = self.drift.as_ref().is_some_and(|sentinel| sentinel.doubts());
        if !directives.no_cache
            && !doubted
            // What is recorded is recorded by its inputs, and here they are not known.
            && ask.taping.is_none()
            && let Some(recalled) = self.tiers.memory.recall(&exact, &fresh)
        {
            return Ok(self.recalled(recalled, &fresh));
        }
        let how = How { shape, exact, envelope, directives, fresh, doubted };
        // Boxed, since the state of it would be moved about with that of every recalled answer.
        Box::pin(self.read_and_answer(ask, how)).await
    }

    /// What the questions begin with that come with the head of this one, where what is remembered is all
    /// that may be asked for them; their bodies follow.
    pub fn familiar(&self, ask: &Ask) -> Option<Vec<u8>> {
        let asks_more =
            [&IDEMPOTENCY_KEY, &EXPLAIN].iter().any(|name| ask.headers.contains_key(*name));
        let is_plain = !asks_more && Directives::read(&ask.headers) == Directives::default();
        let is_all = self.vouching.is_none() && self.drift.is_none();
        (is_plain && is_all && self.unscoped(ask).is_none())
            .then(|| beginning(ask, &self.envelope(ask), 0))
    }

    /// The answer to a question that was asked before in the same bytes.
    pub fn recall(&self, question: &[u8], received: Instant) -> Option<Reply> {
        let fresh = Freshness { now: self.clock.at(received), max_age: None };
        Some(self.recalled(self.tiers.memory.recall(question, &fresh)?, &fresh))
    }

    /// Answers a request that is new in these bytes.
    async fn read_and_answer(self: &Arc<Self>, ask: &Ask, how: How) -> Result<Reply, &'static str> {
        let Ok(request) = how.shape.read(&ask.target.path_and_query, &ask.body) else {
            return Err("unreadable");
        };
        ask.target.asks(&request.model);
        let scope = self.tiers.purges.scope(&ask.target.upstream.name, &request.model);
        let question = question(ask, request, scope, how);
        let mut found = self.look_up(ask, &question);
        if self.tiers.are_deep() && !question.how.directives.no_cache {
            self.dig(ask, &question, &mut found).await;
        }
        if let Some(found) = found.iter().map(Option::as_ref).collect::<Option<Vec<_>>>() {
            return Ok(self.hit(ask, &question, &found).await);
        }
        if question.how.directives.only_if_cached {
            return Ok(Reply::not_cached(items_of(&found)));
        }
        Ok(miss::answer(self, ask, question, found).await)
    }

    /// A question asked before in the same bytes.
    fn recalled(&self, recalled: Recollection, fresh: &Freshness) -> Reply {
        self.lookups.hits.inc_by(recalled.parts as u64);
        self.metrics.saved_by_hit.inc();
        let Recollection { answer, parts, stored, expires, credit } = recalled;
        let kept = Kept { layer: Layer::Memory, oldest: stored, first_end: expires };
        let verdict = Verdict::hit(parts, &kept, fresh.now).credited(credit);
        Reply { content: Content::Written(answer, None), verdict }
    }

    fn look_up(&self, ask: &Ask, question: &Question<'_>) -> Vec<Option<Found>> {
        if question.how.directives.no_cache {
            return vec![None; question.keys.len()];
        }
        let look = |key| self.tiers.memory.get(key, &question.how.fresh).and_then(Found::in_memory);
        let mut found: Vec<Option<Found>> = question.keys.iter().map(look).collect();
        self.leave_out_others(ask, question, &mut found);
        if !is_even(&found) {
            // The provider has changed its model since some were stored; one answer is of one model.
            found.fill(None);
        }
        let hits = found.iter().flatten().count();
        self.lookups.hits.inc_by(hits as u64);
        self.lookups.misses.inc_by((found.len() - hits) as u64);
        found
    }

    /// Looks below memory for what was not there.
    async fn dig(&self, ask: &Ask, question: &Question<'_>, found: &mut [Option<Found>]) {
        let positions = found.iter().zip(&question.keys).filter(|(found, _)| found.is_none());
        let keys: Vec<CacheKey> = positions.map(|(_, key)| *key).collect();
        if keys.is_empty() {
            return;
        }
        let (mark, fresh) = (question.scope.mark(), question.how.fresh);
        let look = Look { keys: &keys, mark, fresh, operation: Some(Operation::Embed) };
        let deep = self.tiers.dig(&look).await;
        let missing = found.iter_mut().filter(|found| found.is_none());
        for (place, deep) in missing.zip(deep) {
            *place = deep.and_then(|deep| Found::of(deep.stored, deep.layer));
        }
        self.leave_out_others(ask, question, found);
        if !is_even(found) {
            found.fill(None);
        }
    }

    async fn hit(self: &Arc<Self>, ask: &Ask, question: &Question<'_>, found: &[&Found]) -> Reply {
        self.metrics.saved_by_hit.inc();
        let now = question.how.fresh.now;
        let kept = Kept {
            layer: found.iter().map(|found| found.layer).max().unwrap_or_default(),
            oldest: found.iter().map(|found| found.stored).min().unwrap_or(now),
            first_end: found.iter().map(|found| found.expires).min().unwrap_or(Moment::NEVER),
        };
        let credit =
            credit(ask, &question.request.model, &Unbilled::of_hits(found.iter().copied()));
        let verdict = Verdict::hit(found.len(), &kept, now).credited(credit.clone());
        let vectors: Vec<Vector> = found.iter().map(|found| found.vector.clone()).collect();
        if question.how.doubted {
            self.doubt(ask, question, vectors.clone());
        }
        let asked = (question.how.shape, &question.request);
        let body = match self.write(ask, asked, vectors).await {
            Ok(body) => body,
            Err(error) => return Reply { content: Content::Failed(error), verdict },
        };
        // How a vector that came as base64 is printed may yet be learned.
        let final_form = question.request.encoding == Encoding::Base64
            || found.iter().all(|found| found.vector.numbers() != Numbers::Unseen);
        if final_form {
            let values = found.iter().map(|found| Arc::clone(found.vector.bytes()));
            let parts = question.keys.iter().copied().zip(values).collect();
            self.tiers.memory.remember(&question.how.exact, parts, (body.clone(), credit));
        }
        Reply { content: Content::Written(body, None), verdict }
    }

    /// The answer's bytes. Many numbers take long to print, and go where that disturbs nobody.
    pub(super) async fn write(
        &self,
        ask: &Ask,
        (shape, request): (&'static dyn EmbedShape, &EmbedRequest<'_>),
        mut vectors: Vec<Vector>,
    ) -> Result<Bytes, Error> {
        if let Some(taping) = &ask.taping {
            // Who replays learns from nobody how they are printed.
            self.print_as_seen(&subject(ask, request), &mut vectors);
            taping.vectors(request, &vectors);
        }
        if request.encoding == Encoding::Base64 {
            return Ok(shape.write_reply(request, &vectors).into());
        }
        if vectors.iter().any(|vector| vector.numbers() == Numbers::Unseen) {
            self.print_as_seen(&subject(ask, request), &mut vectors);
        }
        if vectors.iter().map(Vector::dimensions).sum::<usize>() < WRITE_APART {
            return Ok(shape.write_reply(request, &vectors).into());
        }
        let request = request.clone().into_owned();
        let writing = tokio::task::spawn_blocking(move || shape.write_reply(&request, &vectors));
        let written = writing.await.map_err(|_| {
            Error::new(
                Kind::Internal,
                "internal error in larder: the response could not be written",
            )
        })?;
        Ok(written.into())
    }
}

fn question<'a>(
    ask: &Ask,
    request: EmbedRequest<'a>,
    scope: &'static Scope,
    how: How,
) -> Question<'a> {
    let family = family(ask, &request, &how.envelope);
    let keys = keys(&family, &request);
    Question { request, keys, family, scope, how }
}

/// Whether all vectors are of the same dimensions.
pub(super) fn is_even(found: &[Option<Found>]) -> bool {
    let mut dimensions = found.iter().flatten().map(|found| found.vector.dimensions());
    let first = dimensions.next();
    dimensions.all(|other| Some(other) == first)
}

fn items_of(found: &[Option<Found>]) -> Items {
    let hit = found.iter().flatten().count();
    Items { hit, collapsed: 0, miss: found.len() - hit }
}
