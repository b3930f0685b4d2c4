//! Replicas that miss the same inputs at the same time: one of them asks the provider, and the others
//! wait for what it stores. Whoever has waited in vain asks after all, so that the death of the one
//! that asks costs a call, and never an error.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::Batcher;
use super::original::{Arrival, Outcome, Submission};
use crate::key::CacheKey;
use crate::tier::redis::Redis;
use crate::tier::{Deep, Freshness, Look};
use crate::vector::Vector;

/// How long the others look away between two looks: at first, and at the most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(50));

/// Seconds by which the ages of two replicas' entries may differ.
const MARGIN: u64 = 2;

/// How often the others wait for somebody else who asks.
const TURNS: usize = 3;

/// Sends what is this replica's to ask, and waits for the rest.
pub(super) async fn share(batcher: Arc<Batcher>, redis: Arc<Redis>, submission: Submission) {
    let mut waiting = submission;
    for _ in 0..TURNS {
        let Some((taken, lease)) = redis.take(&keys_of(&waiting)).await else { break };
        let (own, others) = waiting.divide(|at| taken.get(at).copied().unwrap_or(true));
        // Whoever had the lease before may have stored what it was for.
        let own = batcher.land_stored(own).await;
        if let Some(own) = own.map(|own| Submission { lease: Some(Arc::new(lease)), ..own }) {
            drop(batcher.dispatch(own));
        }
        if others.seats.is_empty() {
            return;
        }
        let Some(rest) = batcher.wait(&redis, others).await else { return };
        waiting = rest;
        if !redis.is_well() {
            break;
        }
    }
    drop(batcher.dispatch(waiting));
}

impl Batcher {
    /// Waits for other replicas; gives back what none of them asks for any more.
    async fn wait(&self, redis: &Redis, mut waiting: Submission) -> Option<Submission> {
        let mut pause = PAUSE.0;
        let first = waiting.seats.len();
        loop {
            sleep(pause).await;
            pause = (pause * 3 / 2).min(PAUSE.1);
            waiting = waiting.without_unwanted()?;
            // First who asks, then what there is: who asks no more has stored what it got.
            let keys = keys_of(&waiting);
            let Some(taken) = redis.taken(&keys).await else { return Some(waiting) };
            let Some(rest) = self.land_stored(waiting).await else {
                redis.waited(first, 0);
                return None;
            };
            let asked = keys.into_iter().zip(taken).filter(|(_, taken)| *taken);
            let asked: HashSet<CacheKey> = asked.map(|(key, _)| key).collect();
            if !rest.seats.iter().all(|seat| asked.contains(&seat.key)) {
                redis.waited(first - rest.seats.len(), rest.seats.len());
                return Some(rest);
            }
            waiting = rest;
        }
    }

    /// Lands what is stored by now; gives back the rest.
    async fn land_stored(&self, submission: Submission) -> Option<Submission> {
        let keys = keys_of(&submission);
        let mark = submission.original.scope.mark();
        // What was there before the request came it has seen, and may have found too old.
        let max_age = Some(submission.since.elapsed().as_secs() + MARGIN);
        let fresh = Freshness { now: self.clock.now(), max_age };
        let look = Look { keys: &keys, mark, fresh, operation: None };
        let mut found = self.tiers.dig(&look).await.into_iter().map(|deep| deep.and_then(arrival));
        let mut submission = submission;
        for seat in std::mem::take(&mut submission.seats) {
            match found.next().flatten() {
                Some(arrival) => seat.lead.land_all(Outcome::Arrived(arrival)),
                None => submission.seats.push(seat),
            }
        }
        (!submission.seats.is_empty()).then_some(submission)
    }
}

fn arrival(deep: Deep) -> Option<Arrival> {
    let (vector, stored) = (Vector::view(deep.stored.value)?, deep.stored.stored);
    Some(Arrival { vector, stored, said: None, took: Duration::ZERO, call: None })
}

fn keys_of(submission: &Submission) -> Vec<CacheKey> {
    submission.seats.iter().map(|seat| seat.key).collect()
}
