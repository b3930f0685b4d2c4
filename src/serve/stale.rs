//! What has ended, given after all where the provider fails (RFC 5861).

use super::embed::{Found, Question};
use super::reply::{Content, Items, Reply, Verdict};
use super::{Ask, Service};

impl Service {
    /// The answer from what has ended, if all of it is there and the caller will take it.
    pub(super) async fn stale(&self, ask: &Ask, question: &Question<'_>) -> Option<Reply> {
        let (directives, now) = (&question.how.directives, question.how.fresh.now);
        // Whoever says how old an answer may be says so for this, too.
        let any_age = directives.max_age.is_none() && !directives.no_cache;
        let unasked = any_age.then_some(self.stale_if_error.as_secs());
        let seconds = directives.stale_if_error.or(unasked).filter(|seconds| *seconds > 0)?;
        let ended = |key| self.tiers.memory.get_stale(key, now, seconds);
        let found = question.keys.iter().map(|key| ended(key).and_then(Found::in_memory));
        let found: Vec<Found> = found.collect::<Option<_>>()?;
        let oldest = found.iter().map(|found| found.stored).min().unwrap_or(now);
        let vectors = found.into_iter().map(|found| found.vector).collect();
        let body = self.write(ask, question, vectors).await.ok()?;
        let items = Items { hit: question.keys.len(), ..Items::default() };
        let (items, age) = (Some(items), now.since(oldest));
        let verdict = Verdict { items, stale: true, age, ..Verdict::default() };
        Some(Reply { content: Content::Written(body, None), verdict })
    }
}
