//! What has ended, given after all where the provider fails (RFC 5861).

use http::StatusCode;

use super::credit::{Unbilled, credit};
use super::embed::{Found, Question};
use super::reply::{Content, Items, Manner, Reply, Verdict};
use super::{Ask, Service};

impl Service {
    /// The answer from what has ended, if all of it is there and the caller will take it: in the place of a
    /// failed response, which had this status.
    pub(super) async fn stale(
        &self,
        ask: &Ask,
        question: &Question<'_>,
        forward_status: Option<StatusCode>,
    ) -> Option<Reply> {
        let now = question.how.fresh.now;
        let seconds = question.how.directives.stale_seconds(self.stale_if_error)?;
        let ended = |key| self.tiers.memory.get_stale(key, now, seconds);
        let found = question.keys.iter().map(|key| ended(key).and_then(Found::in_memory));
        let mut found: Vec<Option<Found>> = found.collect();
        self.leave_out_others(ask, question, &mut found);
        let found: Vec<Found> = found.into_iter().collect::<Option<_>>()?;
        let oldest = found.iter().map(|found| found.stored).min().unwrap_or(now);
        let credit = Some(credit(ask, &question.request.model, &Unbilled::of_hits(found.iter())));
        let vectors = found.into_iter().map(|found| found.vector).collect();
        let body = self.write(ask, (question.how.shape, &question.request), vectors).await.ok()?;
        let items = Items { hit: question.keys.len(), ..Items::default() };
        let (items, age) = (Some(items), now.since(oldest));
        let forward_status = forward_status.map(|status| status.as_u16());
        let verdict = Verdict { items, forward_status, age, credit, ..Verdict::default() };
        let verdict = Verdict { manner: Manner::Stale, ..verdict };
        Some(Reply { content: Content::Written(body, None), verdict })
    }
}
