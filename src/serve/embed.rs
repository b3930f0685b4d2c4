//! One request for embeddings: inputs, keys, the memory tier, and for what is not there the
//! flights. A hit is answered here, without a spawn, a channel or an await.

use std::sync::Arc;

use bytes::Bytes;

use super::reply::{Content, Items, Reply, Verdict};
use super::{Ask, Directives, Service, miss};
use crate::clock::Moment;
use crate::dialect::EmbedShape;
use crate::error::{Error, Kind};
use crate::headers::IDEMPOTENCY_KEY;
use crate::key::{CacheKey, Digest, Framer, Place};
use crate::request::{EmbedRequest, Encoding, Input, Unity};
use crate::tier::memory::Recollection;
use crate::tier::{Freshness, Stored};
use crate::vector::{Numbers, Vector};

/// Above this many components as numbers an answer is written where writing may take its time.
const WRITE_APART: usize = 64 * 1_536;

/// A vector that is there.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) vector: Vector,
    pub(super) stored: Moment,
    pub(super) expires: Moment,
}

impl Found {
    /// What a tier holds; `None` if it is no vector.
    pub(super) fn of(stored: Stored) -> Option<Self> {
        let vector = Vector::view(stored.value)?;
        Some(Self { vector, stored: stored.stored, expires: stored.expires })
    }
}

/// A request read, and the keys of its inputs.
pub(super) struct Question<'a> {
    pub(super) request: EmbedRequest<'a>,
    pub(super) keys: Vec<CacheKey>,
    pub(super) family: Digest,
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
        if !directives.no_cache
            && let Some(recalled) = self.memory.recall(&exact, &fresh)
        {
            return Ok(self.recalled(recalled, &fresh));
        }
        let how = How { shape, exact, envelope, directives, fresh };
        // Boxed, since the state of it would be moved about with that of every recalled answer.
        Box::pin(self.read_and_answer(ask, how)).await
    }

    /// Answers a request that is new in these bytes.
    async fn read_and_answer(self: &Arc<Self>, ask: &Ask, how: How) -> Result<Reply, &'static str> {
        let Ok(request) = how.shape.read(&ask.target.path_and_query, &ask.body) else {
            return Err("unreadable");
        };
        let question = question(ask, request, how);
        let found = self.look_up(&question);
        if let Some(found) = found.iter().map(Option::as_ref).collect::<Option<Vec<_>>>() {
            return Ok(self.hit(ask, &question, &found).await);
        }
        if question.how.directives.only_if_cached {
            let error =
                Error::new(Kind::NotCached, "not in the cache, and only-if-cached was asked");
            let verdict = Verdict { items: Some(items_of(&found)), ..Verdict::default() };
            return Ok(Reply { content: Content::Failed(error), verdict });
        }
        Ok(miss::answer(self, ask, question, found).await)
    }

    /// A question asked before in the same bytes.
    fn recalled(&self, recalled: Recollection, fresh: &Freshness) -> Reply {
        self.lookups.hits.inc_by(recalled.parts as u64);
        self.metrics.saved_by_hit.inc();
        let verdict = Verdict::hit(recalled.parts, recalled.stored, recalled.expires, fresh.now);
        Reply { content: Content::Written(recalled.answer, None), verdict }
    }

    fn look_up(&self, question: &Question<'_>) -> Vec<Option<Found>> {
        if question.how.directives.no_cache {
            return vec![None; question.keys.len()];
        }
        let look = |key| self.memory.get(key, &question.how.fresh).and_then(Found::of);
        let mut found: Vec<Option<Found>> = question.keys.iter().map(look).collect();
        if !is_even(&found) {
            // The provider has changed its model since some were stored; one answer is of one model.
            found.fill(None);
        }
        let hits = found.iter().flatten().count();
        self.lookups.hits.inc_by(hits as u64);
        self.lookups.misses.inc_by((found.len() - hits) as u64);
        found
    }

    async fn hit(&self, ask: &Ask, question: &Question<'_>, found: &[&Found]) -> Reply {
        self.metrics.saved_by_hit.inc();
        let now = question.how.fresh.now;
        let oldest = found.iter().map(|found| found.stored).min().unwrap_or(now);
        let first_end = found.iter().map(|found| found.expires).min().unwrap_or(Moment::NEVER);
        let verdict = Verdict::hit(found.len(), oldest, first_end, now);
        let vectors = found.iter().map(|found| found.vector.clone()).collect();
        let body = self.write(ask, question, vectors).await;
        // How a vector that came as base64 is printed may yet be learned.
        let final_form = question.request.encoding == Encoding::Base64
            || found.iter().all(|found| found.vector.numbers() != Numbers::Unseen);
        if final_form {
            let values = found.iter().map(|found| Arc::clone(found.vector.bytes()));
            let parts = question.keys.iter().copied().zip(values).collect();
            self.memory.remember(&question.how.exact, parts, body.clone());
        }
        Reply { content: Content::Written(body, None), verdict }
    }

    /// The answer's bytes. Many numbers take long to print, and go where that disturbs nobody.
    pub(super) async fn write(
        &self,
        ask: &Ask,
        question: &Question<'_>,
        mut vectors: Vec<Vector>,
    ) -> Bytes {
        let (request, shape) = (&question.request, question.how.shape);
        if request.encoding == Encoding::Base64 {
            return shape.write_reply(request, &vectors).into();
        }
        if vectors.iter().any(|vector| vector.numbers() == Numbers::Unseen) {
            self.print_as_seen(&subject(ask, request), &mut vectors);
        }
        if vectors.iter().map(Vector::dimensions).sum::<usize>() < WRITE_APART {
            return shape.write_reply(request, &vectors).into();
        }
        let request = request.clone().into_owned();
        let writing = tokio::task::spawn_blocking(move || shape.write_reply(&request, &vectors));
        writing.await.unwrap_or_default().into()
    }

    /// Vectors that came as base64 are printed as others of their subject were seen to be.
    fn print_as_seen(&self, subject: &Digest, vectors: &mut [Vector]) {
        let seen = match self.batcher.numbers(subject) {
            // Whatever the others are, these are 32-bit floats.
            Numbers::Doubles => Numbers::Widened,
            seen => seen,
        };
        for vector in vectors.iter_mut().filter(|vector| vector.numbers() == Numbers::Unseen) {
            *vector = vector.printed(seen);
        }
    }
}

/// What a request says, byte for byte: the same again is the same question. The query, which may hold
/// a credential, is in the envelope.
fn exact(ask: &Ask, envelope: &Digest) -> Vec<u8> {
    let path = ask.target.path_and_query.split('?').next().unwrap_or_default().as_bytes();
    let upstream = ask.target.upstream.identity.as_bytes();
    let mut exact = Vec::with_capacity(upstream.len() + path.len() + ask.body.len() + 48);
    exact.extend(envelope.as_bytes());
    for framed in [upstream, path] {
        exact.extend((framed.len() as u64).to_le_bytes());
        exact.extend(framed);
    }
    exact.extend(&ask.body);
    exact
}

fn question<'a>(ask: &Ask, request: EmbedRequest<'a>, how: How) -> Question<'a> {
    let family = family(ask, &request, &how.envelope);
    let keys = (0..).zip(&request.inputs).map(|(at, input)| {
        let place = match request.unity {
            Unity::Whole => Place::Position(at),
            Unity::Alone if request.scalar => Place::BlankScalar,
            Unity::Alone | Unity::Free => Place::Anywhere,
        };
        CacheKey::of(&family, input, place)
    });
    let keys = keys.collect();
    Question { request, keys, family, how }
}

/// What vectors must share to be printed alike and to be of the same dimensions.
pub(super) fn subject(ask: &Ask, request: &EmbedRequest<'_>) -> Digest {
    Framer::new("larder subject")
        .field(b'u', ask.target.upstream.identity.as_bytes())
        .field(b'c', request.scope.as_bytes())
        .field(b'm', request.model.as_bytes())
        .field(b'p', request.params.as_bytes())
        .finish()
}

/// What all inputs of a request have in common that may change a vector.
fn family(ask: &Ask, request: &EmbedRequest<'_>, envelope: &Digest) -> Digest {
    let mut family = Framer::new("larder embedding 1");
    family
        .field(b'e', envelope.as_bytes())
        .field(b'u', ask.target.upstream.identity.as_bytes())
        .field(b'c', request.scope.as_bytes())
        .field(b'm', request.model.as_bytes())
        .field(b'p', request.params.as_bytes());
    if request.unity == Unity::Whole {
        family.field(b's', &[u8::from(request.scalar)]);
        for input in &request.inputs {
            match input {
                Input::Text(text) => family.field(b'T', text.as_bytes()),
                Input::Json(json) => family.field(b'J', json.as_bytes()),
                Input::Tokens(tokens) => {
                    let bytes: Vec<u8> =
                        tokens.iter().flat_map(|token| token.to_le_bytes()).collect();
                    family.field(b'I', &bytes)
                }
            };
        }
    }
    family.finish()
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
