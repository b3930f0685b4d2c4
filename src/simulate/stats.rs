//! What was counted, for `GET /__stats`.
//!
//! Counters are atomics that nobody waits for; a snapshot taken under load is not of one instant.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::tally::{Distinct, Tally};

const MAX_DISTINCT_INPUTS: usize = 5_000_000;
const MAX_CREDENTIALS: usize = 100_000;
const LARGEST_BATCH: usize = 8192;
const LAST_STATUS: usize = 599;

/// The counters of the simulated provider.
#[derive(Debug)]
pub(super) struct Stats {
    requests: AtomicU64,
    embedding_requests: AtomicU64,
    inputs: AtomicU64,
    distinct_inputs: Distinct,
    chat_requests: AtomicU64,
    tokens: AtomicU64,
    errors: Tally,
    batch_sizes: Tally,
    connections: AtomicU64,
    open_connections: AtomicU64,
    in_flight: AtomicUsize,
    max_in_flight: AtomicUsize,
    credentials: Distinct,
}

/// What was counted since the start or the last reset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Requests of any kind, but for those to `/__stats` and its like.
    pub requests: u64,
    /// Requests for embeddings, refused ones too.
    pub embedding_requests: u64,
    /// Inputs of the calls for embeddings that were taken on: refused and failed ones don't count.
    pub inputs: u64,
    /// How many of those differ in model, dimensions or input. Stops at five million.
    pub distinct_inputs: usize,
    /// Requests for chat, refused ones too.
    pub chat_requests: u64,
    /// Tokens charged for, in calls that were taken on.
    pub tokens: u64,
    /// Replies by status from 400 up.
    pub errors_by_status: BTreeMap<usize, u64>,
    /// Connections accepted.
    pub connections: u64,
    /// Connections open now.
    pub open_connections: u64,
    /// Calls in flight now.
    pub in_flight: usize,
    /// The most calls that were in flight at once.
    pub max_in_flight: usize,
    /// How many of the calls for embeddings that were taken on had so many inputs.
    pub batch_sizes: BTreeMap<usize, u64>,
    /// How many different `Authorization` headers were seen.
    pub credentials: usize,
}

impl Stats {
    /// Counts a request and its credential.
    pub(super) fn request(&self, headers: &HeaderMap) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        if let Some(credential) = headers.get(AUTHORIZATION) {
            self.credentials.add(xxh3_64(credential.as_bytes()));
        }
    }

    /// Counts a request for embeddings.
    pub(super) fn embedding_request(&self) {
        self.embedding_requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a request for chat.
    pub(super) fn chat_request(&self) {
        self.chat_requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts the inputs of a call that is taken on, by their digests.
    pub(super) fn batch(&self, digests: &[u128]) {
        self.batch_sizes.add(digests.len());
        self.inputs.fetch_add(digests.len() as u64, Ordering::Relaxed);
        for digest in digests {
            self.distinct_inputs.add((digest >> 64) as u64);
        }
    }

    /// Counts tokens charged for.
    pub(super) fn charge(&self, tokens: u64) {
        self.tokens.fetch_add(tokens, Ordering::Relaxed);
    }

    /// Counts a reply that is an error.
    pub(super) fn error(&self, status: StatusCode) {
        self.errors.add(usize::from(status.as_u16()));
    }

    /// Counts a connection, as open until the returned value is dropped.
    pub(super) fn connect(&self) -> Open<'_> {
        self.connections.fetch_add(1, Ordering::Relaxed);
        self.open_connections.fetch_add(1, Ordering::Relaxed);
        Open(self)
    }

    /// Counts a call as in flight, unless `most` are already; 0 is no limit.
    pub(super) fn enter(&self, most: usize) -> bool {
        let next = |now: usize| (most == 0 || now < most).then_some(now + 1);
        match self.in_flight.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next) {
            Ok(before) => {
                self.max_in_flight.fetch_max(before + 1, Ordering::Relaxed);
                true
            }
            Err(_) => false,
        }
    }

    /// Counts a call as no longer in flight.
    pub(super) fn leave(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// What was counted so far.
    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot {
            requests: self.requests.load(Ordering::Relaxed),
            embedding_requests: self.embedding_requests.load(Ordering::Relaxed),
            inputs: self.inputs.load(Ordering::Relaxed),
            distinct_inputs: self.distinct_inputs.count(),
            chat_requests: self.chat_requests.load(Ordering::Relaxed),
            tokens: self.tokens.load(Ordering::Relaxed),
            errors_by_status: self.errors.counts(),
            connections: self.connections.load(Ordering::Relaxed),
            open_connections: self.open_connections.load(Ordering::Relaxed),
            in_flight: self.in_flight.load(Ordering::Relaxed),
            max_in_flight: self.max_in_flight.load(Ordering::Relaxed),
            batch_sizes: self.batch_sizes.counts(),
            credentials: self.credentials.count(),
        }
    }

    /// Forgets what was counted, but not what is open or in flight.
    pub(super) fn reset(&self) {
        let counters = [
            &self.requests,
            &self.embedding_requests,
            &self.inputs,
            &self.chat_requests,
            &self.tokens,
            &self.connections,
        ];
        for counter in counters {
            counter.store(0, Ordering::Relaxed);
        }
        self.distinct_inputs.reset();
        self.credentials.reset();
        self.errors.reset();
        self.batch_sizes.reset();
        self.max_in_flight.store(self.in_flight.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

impl Default for Stats {
    fn default() -> Self {
        Self {
            requests: AtomicU64::default(),
            embedding_requests: AtomicU64::default(),
            inputs: AtomicU64::default(),
            distinct_inputs: Distinct::up_to(MAX_DISTINCT_INPUTS),
            chat_requests: AtomicU64::default(),
            tokens: AtomicU64::default(),
            errors: Tally::up_to(LAST_STATUS),
            batch_sizes: Tally::up_to(LARGEST_BATCH),
            connections: AtomicU64::default(),
            open_connections: AtomicU64::default(),
            in_flight: AtomicUsize::default(),
            max_in_flight: AtomicUsize::default(),
            credentials: Distinct::up_to(MAX_CREDENTIALS),
        }
    }
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Open<'a>(&'a Stats);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open_connections.fetch_sub(1, Ordering::Relaxed);
    }
}
