//! A request as the batcher takes it, over and over.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use larder::batch::original::{Original, Outcome, Seat, Submission};
use larder::dialect::EmbedShape;
use larder::flight::Claim;
use larder::key::{CacheKey, Digest, Place};
use larder::request::{Encoding, Input, Unity};
use larder::serve::Service;
use larder::upstream::Ticket;

use crate::inside::Sidecar;
use crate::inside::question::{MODEL, body, text};

/// A request whose inputs are all to be computed.
pub(crate) struct Request {
    service: Arc<Service>,
    original: Arc<Original>,
    seats: Vec<(CacheKey, Input<'static>)>,
}

impl Request {
    /// For the vectors of so many texts.
    pub(crate) fn of(inputs: u32, sidecar: &Sidecar, shape: &'static dyn EmbedShape) -> Self {
        let family = Digest::of(b"family");
        let seats = (0..inputs).map(|number| {
            let input = Input::Text(text(number).into());
            (CacheKey::of(&family, &input, Place::Anywhere), input)
        });
        let (service, seats) = (Arc::clone(&sidecar.built.service), seats.collect::<Vec<_>>());
        let original = Original {
            upstream: Arc::clone(&sidecar.upstream),
            shape,
            path_and_query: "/embeddings".to_owned(),
            headers: headers(),
            body: Bytes::from(body(inputs, "base64")),
            model: MODEL.to_owned(),
            params: String::new(),
            user: None,
            encoding: Encoding::Base64,
            unity: Unity::Free,
            weights: seats.iter().map(|(_, input)| input.weight()).collect(),
            dimensions: None,
            envelope: Digest::of(b"envelope"),
            lane: Digest::of(b"lane"),
            subject: Digest::of(b"subject"),
            ttl: None,
            scope: service.tiers.purges.scope("openai", MODEL),
            ticket: Ticket::patient(Digest::of(b"line")),
            trace: None,
        };
        Self { service, original: Arc::new(original), seats }
    }

    /// Claims every input, submits them, and waits until they have landed.
    pub(crate) async fn land(&self) {
        let (mut seats, mut follows) = (Vec::new(), Vec::new());
        for (position, (key, input)) in self.seats.iter().enumerate() {
            let Claim::Lead(lead, follow) = self.service.flights.claim(*key) else {
                panic!("nobody else asks");
            };
            seats.push(Seat { lead, key: *key, input: input.clone(), position });
            follows.push(follow);
        }
        self.service.batcher.submit(Submission::new(Arc::clone(&self.original), seats));
        for follow in follows {
            let outcome = follow.landed().await.expect("who leads stays");
            assert!(matches!(outcome, Outcome::Arrived(_)), "{outcome:?}");
        }
    }

    /// The same call by itself: what the provider and the way to it take.
    pub(crate) async fn call(&self) {
        let (upstream, ticket) = (&self.original.upstream, &self.original.ticket);
        let answer = upstream.call_in_turn(ticket, self.original.as_call()).await;
        assert!(answer.expect("an answer").status.is_success(), "the provider said no");
    }
}

fn headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer bench"));
    headers
}
