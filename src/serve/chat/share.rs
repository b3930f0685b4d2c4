//! Replicas that are asked the same question at the same time: one of them asks the provider, and the
//! others wait for the answer that it stores. Only where an answer comes in one piece: who is to see
//! words as they come must not wait for the last of them.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::super::Service;
use super::give::Kept;
use crate::broadcast::{End, Head, Source};
use crate::key::CacheKey;
use crate::tier::purge::Scope;
use crate::tier::redis::{Lease, Redis};
use crate::tier::{Freshness, Look};

/// How often it is looked whether the answer is there.
const PAUSE: Duration = Duration::from_millis(25);

/// How often somebody else who asks is waited for.
const TURNS: usize = 3;

/// Seconds by which the ages of two replicas' entries may differ.
const MARGIN: u64 = 2;

/// Whose turn it is to ask.
pub(super) enum Turn {
    /// This replica's; the others know of it where there is a lease.
    Own(Option<Lease>),
    /// It is answered.
    Answered(Box<Kept>),
}

/// The other replicas, as far as one question goes.
pub(super) struct Peers {
    pub(super) service: Arc<Service>,
    pub(super) key: CacheKey,
    pub(super) scope: &'static Scope,
}

impl Peers {
    /// Waits for another replica that asks the same.
    pub(super) async fn turn(&self) -> Turn {
        let Some(redis) = &self.service.tiers.shared else { return Turn::Own(None) };
        let began = Instant::now();
        for _ in 0..TURNS {
            if !redis.is_well() {
                break;
            }
            let Some((taken, lease)) = redis.take(&[self.key]).await else { break };
            // Whoever had the lease before may have stored what it was for.
            if let Some(kept) = self.stored_since(began).await {
                return Turn::Answered(Box::new(kept));
            }
            if taken.contains(&true) {
                return Turn::Own(Some(lease));
            }
            if let Some(kept) = self.wait(redis, began).await {
                redis.waited(1, 0);
                return Turn::Answered(Box::new(kept));
            }
            redis.waited(0, 1);
        }
        Turn::Own(None)
    }

    /// Waits while another replica asks; what that brought.
    async fn wait(&self, redis: &Redis, began: Instant) -> Option<Kept> {
        loop {
            sleep(PAUSE).await;
            // First who asks, then what there is: who asks no more has stored what it got.
            let taken = redis.taken(&[self.key]).await?;
            let kept = self.stored_since(began).await;
            if kept.is_some() || !taken.contains(&true) {
                return kept;
            }
        }
    }

    async fn stored_since(&self, began: Instant) -> Option<Kept> {
        let max_age = Some(began.elapsed().as_secs() + MARGIN);
        let fresh = Freshness { now: self.service.clock.now(), max_age };
        let (keys, mark) = ([self.key], self.scope.mark());
        let look = Look { keys: &keys, mark, fresh, operation: None };
        let deep = self.service.tiers.dig(&look).await.pop()??;
        Kept::of(deep.stored, deep.layer)
    }
}

/// Gives another replica's answer to everybody who reads.
pub(super) fn give(source: &Source, kept: Kept) -> (&'static str, End) {
    let headers = kept.transcript.headers;
    source.head(Head { status: http::StatusCode::OK, headers, storable: false, call: None });
    source.push(kept.transcript.body);
    ("shared", End::Complete)
}
