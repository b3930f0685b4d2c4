//! The answer to one question: kept, on its way, or the provider's.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::super::reply::{self, Content, Manner, Reply, Unfit, Verdict};
use super::super::{Directives, Service};
use super::head::{await_head, not_cached};
use super::pump::Pump;
use crate::broadcast::Joined;
use crate::clock::Moment;
use crate::key::CacheKey;
use crate::ledger::{Account, Credit};
use crate::metrics::{Layer, Operation};
use crate::tier::purge::Scope;
use crate::tier::{Freshness, Look, Stored};
use crate::transcript::Transcript;

/// What is wanted.
pub(super) struct Wanted {
    /// What the answer is kept under.
    pub(super) key: CacheKey,
    /// What it is forgotten with.
    pub(super) scope: &'static Scope,
    /// Where it is entered.
    pub(super) account: Arc<Account>,
    /// What it is.
    pub(super) operation: Operation,
    /// Whether the answer comes piece by piece.
    pub(super) streamed: bool,
}

/// An answer that is kept, with where, its age and its end.
pub(super) struct Kept {
    pub(super) transcript: Transcript,
    place: reply::Kept,
}

impl Kept {
    pub(super) fn of(stored: Stored, layer: Layer) -> Option<Self> {
        let transcript = Transcript::view(stored.value)?;
        let place = reply::Kept { layer, oldest: stored.stored, first_end: stored.expires };
        Some(Self { transcript, place })
    }
}

impl Wanted {
    /// Whether the tiers below memory may have it. What was read of a store is not to outlive the process
    /// that sees what is written to it.
    pub(super) fn is_deep(&self) -> bool {
        self.operation == Operation::Chat
    }
}

impl Service {
    /// Gives what is kept or on its way; what is neither is asked for.
    pub(super) async fn give(
        self: &Arc<Self>,
        wanted: Wanted,
        (directives, now): (&Directives, Moment),
        pump: impl FnOnce(&Wanted) -> Pump,
    ) -> Reply {
        let fresh = Freshness { now, max_age: directives.max_age };
        if !directives.no_cache {
            if let Some(kept) = self.kept(&wanted.key, &fresh) {
                return self.replay(kept, now, &wanted);
            }
            self.chat.series(wanted.operation).misses.inc();
            if let Some(kept) = self.kept_deep(&wanted, fresh).await {
                return self.replay(kept, now, &wanted);
            }
        }
        if directives.only_if_cached {
            return not_cached();
        }
        let pump = pump(&wanted);
        let reply = self.fetch(pump, directives, (&wanted, &fresh)).await;
        if !reply.is_providers_failure() {
            return reply;
        }
        self.stale_words(&wanted, directives, now, &reply).unwrap_or(reply)
    }

    /// The answer that comes from the provider, for whoever may read it.
    async fn fetch(
        &self,
        pump: Pump,
        directives: &Directives,
        (wanted, fresh): (&Wanted, &Freshness),
    ) -> Reply {
        if let Some(reply) = self.refused(directives, || pump.question.digest()) {
            return reply;
        }
        let (bound, account) = (self.chat.max_transcript, Arc::clone(&pump.account));
        let series = self.chat.series(wanted.operation);
        let before = self.tiers.memory.peek(&wanted.key);
        if directives.no_cache {
            let (source, reader) = self.chat.broadcasts.alone(bound);
            self.chat.tasks.spawn(pump.run(source));
            let reply = await_head(reader, (false, Some("no-cache")), account).await;
            return self.settled(reply, wanted, before).await;
        }
        let joining = pump.joins.now(&pump.upstream, &pump.ticket.line);
        let look = || self.kept(&wanted.key, fresh);
        match self.chat.broadcasts.join(pump.question, bound, Some(&joining), look) {
            Joined::Found(kept) => self.replay(kept, fresh.now, wanted),
            Joined::Leads(source, reader) => {
                self.chat.tasks.spawn(pump.run(source));
                let mut reply = await_head(reader, (false, None), account).await;
                reply.verdict.unfit = Unfit::of(before.clone().into_iter(), fresh);
                self.settled(reply, wanted, before).await
            }
            Joined::Follows(reader) => {
                series.operation.collapsed_inputs.inc();
                series.operation.saved_by_collapsing.inc();
                await_head(reader, (true, None), account).await
            }
        }
    }

    /// Says of an answer whether it was stored, where its end comes with its head or soon after. The end of a
    /// stream decides, so nothing is said of one. Some providers send white space until they have an answer;
    /// their heads are not held back for longer.
    async fn settled(&self, mut reply: Reply, wanted: &Wanted, before: Option<Stored>) -> Reply {
        const SOON: Duration = Duration::from_millis(100);
        let Content::Shared(shared) = &reply.content else { return reply };
        if wanted.streamed || !shared.0.storable {
            return reply;
        }
        if timeout(SOON, shared.1.ended()).await.is_ok() {
            let stored = self.tiers.memory.peek(&wanted.key);
            let now = self.clock.now();
            let is_new = |stored: &Stored| {
                let is_old = |before: &Stored| Arc::ptr_eq(&before.value, &stored.value);
                now < stored.expires && !before.as_ref().is_some_and(is_old)
            };
            reply.verdict.stored = stored.as_ref().is_some_and(is_new);
        }
        reply
    }

    /// The answer that has ended, given after all where the provider fails.
    fn stale_words(
        &self,
        wanted: &Wanted,
        directives: &Directives,
        now: Moment,
        failed: &Reply,
    ) -> Option<Reply> {
        let unasked = if wanted.is_deep() { self.chat.stale_if_error } else { Duration::ZERO };
        let seconds = directives.stale_seconds(unasked)?;
        let stale = self.tiers.memory.get_stale(&wanted.key, now, seconds)?;
        let reply = self.replay(Kept::of(stale, Layer::Memory)?, now, wanted);
        let forward_status = failed.providers_status().map(|status| status.as_u16());
        let verdict = Verdict { manner: Manner::Stale, forward_status, ..reply.verdict };
        Some(Reply { verdict, ..reply })
    }

    fn kept(&self, key: &CacheKey, fresh: &Freshness) -> Option<Kept> {
        Kept::of(self.tiers.memory.get(key, fresh)?, Layer::Memory)
    }

    async fn kept_deep(&self, wanted: &Wanted, fresh: Freshness) -> Option<Kept> {
        if !self.tiers.are_deep() || !wanted.is_deep() {
            return None;
        }
        let (keys, mark) = ([wanted.key], wanted.scope.mark());
        let look = Look { keys: &keys, mark, fresh, operation: Some(wanted.operation) };
        let deep = self.tiers.dig(&look).await.pop()??;
        Kept::of(deep.stored, deep.layer)
    }

    fn replay(&self, kept: Kept, now: Moment, wanted: &Wanted) -> Reply {
        let series = self.chat.series(wanted.operation);
        series.hits.inc();
        series.operation.saved_by_hit.inc();
        let verdict = Verdict::hit(1, &kept.place, now);
        let usage = kept.transcript.usage.map(Box::new);
        let credit = Some(Credit { usage, ..Credit::none(Arc::clone(&wanted.account)) });
        let verdict = Verdict { undivided: true, credit, ..verdict };
        Reply { content: Content::Replayed(Box::new(kept.transcript)), verdict }
    }
}
