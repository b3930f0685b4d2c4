//! The vectors of a request for embeddings as they come in: what is missing is claimed, asked for and
//! waited for.

mod claim;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use claim::Claimed;
use http::StatusCode;

use super::credit::{Unbilled, tokens};
use super::embed::{Found, Question, is_even};
use super::reply::{Content, Items};
use super::ticket::Joins;
use super::{Ask, Service};
use crate::batch::Driver;
use crate::batch::original::{Arrival, Original, Outcome, Refused, Said};
use crate::clock::Moment;
use crate::error::Error;
use crate::flight::Follow;
use crate::key::{CacheKey, Digest};
use crate::metrics::Layer;
use crate::tier::Freshness;
use crate::trace::Span;
use crate::upstream::Answer;
use crate::vector::Vector;

/// How often a request claims again because a flight it joined ended for reasons of its leader's.
const ROUNDS: usize = 3;

/// A request's vectors as they come in.
pub(super) struct Table {
    keys: Vec<CacheKey>,
    /// Whose flights it leads and follows, where who shares the answers is not who asks.
    apart: Option<Digest>,
    fresh: Freshness,
    joins: Joins,
    found: Vec<Option<Found>>,
    /// Where each key stands.
    places: HashMap<CacheKey, Vec<usize>>,
    said: Option<Arc<Said>>,
    pub(super) took: Duration,
    pub(super) items: Items,
    /// The tokens of what was there before, and where the inputs stand that it asked for itself.
    tokens_hit: u64,
    led: Vec<usize>,
    /// How many inputs that were not there stand in it before.
    repeated: u64,
    /// The span of the request, where it is traced.
    pub(super) trace: Option<Arc<Span>>,
}

/// How a wait for vectors ended.
pub(super) enum End {
    /// All are there.
    Complete,
    /// The provider said no.
    Refused(Arc<Answer>),
    /// Larder could not.
    Failed(Error),
}

impl End {
    /// The status of the provider's own response, where that is what was said.
    pub(super) fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused(answer) => Some(answer.status),
            Self::Complete | Self::Failed(_) => None,
        }
    }

    /// Whether the provider failed, in the words of RFC 5861; a no to this request is none.
    pub(super) fn is_failure(&self) -> bool {
        match self {
            Self::Complete => false,
            Self::Refused(answer) => answer.status.is_server_error(),
            Self::Failed(error) => error.kind.is_providers(),
        }
    }
}

impl Table {
    pub(super) fn new(
        question: &Question<'_>,
        found: Vec<Option<Found>>,
        apart: Option<Digest>,
        joins: Joins,
    ) -> Self {
        let hit = found.iter().flatten().count();
        let items = Items { hit, ..Items::default() };
        let keys = question.keys.clone();
        let mut places: HashMap<CacheKey, Vec<usize>> = HashMap::new();
        for (position, key) in keys.iter().enumerate() {
            places.entry(*key).or_default().push(position);
        }
        let fresh = question.how.fresh;
        let took = Duration::ZERO;
        let (tokens_hit, led) = (tokens(found.iter().flatten()), Vec::new());
        let is_missing = |first: &usize| found.get(*first).is_some_and(Option::is_none);
        let missing = places.values().filter(|places| places.first().is_some_and(is_missing));
        let repeated = missing.map(|places| places.len() as u64 - 1).sum();
        Self {
            keys,
            apart,
            fresh,
            joins,
            found,
            places,
            said: None,
            took,
            items,
            tokens_hit,
            led,
            repeated,
            trace: None,
        }
    }

    /// Claims what is missing, submits what it leads, waits for all; again where a flight ended for
    /// reasons of somebody else's; in the end alone.
    pub(super) async fn ask(
        &mut self,
        service: &Arc<Service>,
        original: &Arc<Original>,
        question: &Question<'_>,
    ) -> End {
        for round in 0..ROUNDS {
            let Claimed { waits, driver, items, asked } = self.claim(service, original, question);
            if round == 0 {
                (self.items, self.led) = (items, asked);
            } else {
                self.ask_after_all(asked);
            }
            if let Some(end) = Driver::beside(driver, self.wait(service, waits, original)).await {
                return end;
            }
        }
        self.ask_alone(service, original, question).await
    }

    /// Counts inputs that another request's call was to bring, and that this one asks for after all.
    fn ask_after_all(&mut self, asked: Vec<usize>) {
        let moved = asked.len().min(self.items.collapsed);
        self.items.collapsed -= moved;
        self.items.miss += moved;
        self.led.extend(asked);
    }

    /// `None` where some flights ended without a vector, for reasons that are not this request's.
    async fn wait(
        &mut self,
        service: &Service,
        waits: Vec<(CacheKey, Follow<Outcome>)>,
        original: &Original,
    ) -> Option<End> {
        let mut is_complete = true;
        for (key, follow) in waits {
            match follow.landed().await {
                Ok(Outcome::Arrived(arrival))
                    if self.accepts(&arrival) && service.fits(&arrival.vector, original) =>
                {
                    self.seat(&key, arrival);
                }
                Ok(Outcome::Refused(Refused { answer, only }))
                    if only.is_none_or(|only| only == original.fingerprint()) =>
                {
                    return Some(End::Refused(answer));
                }
                Ok(Outcome::Failed(error)) => return Some(End::Failed(error)),
                // Also a vector of another replica that is too old, or one in a form that this request cannot use.
                Ok(Outcome::Arrived(_) | Outcome::Refused(_)) | Err(_) => is_complete = false,
            }
        }
        (is_complete && is_even(&self.found)).then_some(End::Complete)
    }

    /// The request in its own bytes, with nobody. What comes is kept, but nobody can join.
    pub(super) async fn ask_alone(
        &mut self,
        service: &Arc<Service>,
        original: &Arc<Original>,
        question: &Question<'_>,
    ) -> End {
        self.items = Items { miss: self.keys.len(), ..Items::default() };
        (self.tokens_hit, self.led) = (0, (0..self.keys.len()).collect());
        // Boxed, since few ask alone, and everybody's state would have room for it.
        let call = original.upstream.call_in_turn(&original.ticket, original.as_call());
        let answer = match Box::pin(call).await {
            Ok(answer) => answer,
            Err(error) => return End::Failed(error),
        };
        match service.batcher.keep(original, &question.keys, &answer).await {
            Some(arrivals) => {
                self.found = vec![None; self.keys.len()];
                let keys = self.keys.clone();
                keys.iter().zip(arrivals).for_each(|(key, arrival)| self.seat(key, arrival));
                End::Complete
            }
            None => End::Refused(Arc::new(answer)),
        }
    }

    fn accepts(&self, arrival: &Arrival) -> bool {
        let age = self.fresh.now.since(arrival.stored);
        self.fresh.max_age.is_none_or(|max_age| age <= max_age)
    }

    /// Puts a vector wherever its input stands.
    fn seat(&mut self, key: &CacheKey, arrival: Arrival) {
        if arrival.said.is_some() {
            self.said = arrival.said;
        }
        self.took = self.took.max(arrival.took);
        if let Some(span) = &self.trace {
            span.served(arrival.call);
        }
        let (vector, stored) = (arrival.vector, arrival.stored);
        let found = Found { vector, stored, expires: Moment::NEVER, layer: Layer::Memory };
        for position in self.places.get(key).into_iter().flatten() {
            if let Some(place) = self.found.get_mut(*position) {
                *place = Some(found.clone());
            }
        }
    }

    /// The tokens of cached vectors, and of those that other requests fetched.
    pub(super) fn unbilled(&self) -> Unbilled {
        let led = || self.led.iter().filter_map(|position| self.found.get(*position)?.as_ref());
        let is_estimate = |found: &&Found| found.vector.is_estimate();
        let paid = self.tokens_hit + tokens(led());
        let estimated = tokens(self.found.iter().flatten().filter(is_estimate));
        Unbilled {
            hit: self.tokens_hit,
            collapsed: tokens(self.found.iter().flatten()).saturating_sub(paid),
            estimated: estimated.saturating_sub(tokens(led().filter(is_estimate))),
        }
    }

    /// Tells the trace what all inputs together have.
    pub(super) fn tell(&self) {
        if let Some(span) = &self.trace {
            span.set("gen_ai.usage.input_tokens", tokens(self.found.iter().flatten()));
        }
    }

    pub(super) fn count(&self, service: &Service) {
        let collapsed = self.items.collapsed as u64;
        service.metrics.collapsed_inputs.inc_by(collapsed);
        service.metrics.deduplicated_inputs.inc_by(self.repeated.min(collapsed));
        if self.items.miss == 0 {
            service.metrics.saved_by_collapsing.inc();
        }
    }

    pub(super) async fn write(
        self,
        service: &Service,
        ask: &Ask,
        (original, question): (&Arc<Original>, &Question<'_>),
    ) -> Content {
        let headers = self.said.as_ref().map(|said| Arc::clone(&said.headers));
        // Nobody can say better what the provider said to just this request. A recording has the vectors.
        let own = self.said.and_then(|said| said.to(original));
        if let Some(body) = own.filter(|_| ask.taping.is_none()) {
            return Content::Written(body, headers);
        }
        let vectors: Vec<Vector> =
            self.found.into_iter().flatten().map(|found| found.vector).collect();
        let asked = (question.how.shape, &question.request);
        match service.write(ask, asked, vectors).await {
            Ok(body) => Content::Written(body, headers),
            Err(error) => Content::Failed(error),
        }
    }
}
