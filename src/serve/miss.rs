//! The rest of a request for embeddings: what is not in the cache is asked for, and put together with what
//! is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::credit::credit;
use super::embed::{Found, Question};
use super::original::original;
use super::reply::{Content, Reply, Unfit, Verdict};
use super::table::{End, Table};
use super::ticket::Joins;
use super::{Ask, Service};
use crate::batch::original::Original;

pub(super) async fn answer(
    service: &Arc<Service>,
    ask: &Ask,
    question: Question<'_>,
    found: Vec<Option<Found>>,
) -> Reply {
    let started = Instant::now();
    let caller = service.caller(ask, &question.how.envelope);
    // Who shares with nobody else has flights of its own already.
    let apart = (caller != question.how.envelope).then_some(caller);
    let original = Arc::new(original(service, ask, (&question, caller)));
    if let Some(reply) = service.refused(&question.how.directives, || original.fingerprint()) {
        return reply;
    }
    let unfit = service.unfit(&question, &found);
    let mut table = Table::new(&question, found, apart, Joins::of(&ask.headers));
    table.trace.clone_from(&ask.target.trace);
    let asking = fill(&mut table, service, (&original, &question));
    // In this order: it is noted when the call is under way, and there is nothing to do but to wait for it.
    let (end, place) = tokio::join!(biased; asking, async { service.remember(ask) });
    if end.is_failure()
        && let Some(reply) = service.stale(ask, &question, end.status()).await
    {
        return reply;
    }
    let bypass = question.how.directives.no_cache.then_some("no-cache");
    let mut verdict = Verdict {
        items: Some(table.items),
        bypass,
        unfit,
        queue: started.elapsed().saturating_sub(table.took),
        upstream: table.took,
        place: Some(place),
        note: service.batcher.merging_note(&original).map(Into::into),
        ..Verdict::default()
    };
    let content = match end {
        End::Complete => {
            verdict.stored = table.items.miss > 0 && original.ttl != Some(Duration::ZERO);
            table.count(service);
            table.tell();
            verdict.credit = Some(credit(ask, &question.request.model, &table.unbilled()));
            table.write(service, ask, (&original, &question)).await
        }
        End::Refused(answer) => {
            service.refusals.note(original.fingerprint(), &answer, service.negative_ttl);
            Content::Passed(answer)
        }
        End::Failed(error) => Content::Failed(error),
    };
    Reply { content, verdict }
}

impl Service {
    /// The entries of the inputs of a request of which nothing is fresh.
    fn unfit(&self, question: &Question<'_>, found: &[Option<Found>]) -> Unfit {
        if found.iter().any(Option::is_some) {
            return Unfit::Missing;
        }
        let entries = question.keys.iter().filter_map(|key| self.tiers.memory.peek(key));
        Unfit::of(entries, &question.how.fresh)
    }
}

/// Asks for what is not there yet.
async fn fill(
    table: &mut Table,
    service: &Arc<Service>,
    (original, question): (&Arc<Original>, &Question<'_>),
) -> End {
    if question.how.directives.no_cache {
        table.ask_alone(service, original, question).await
    } else {
        table.ask(service, original, question).await
    }
}
