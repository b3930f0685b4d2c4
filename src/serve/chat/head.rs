//! Replies to a question that is not in the cache, from the head of its answer on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::reply::{Content, Items, Reply, Verdict};
use crate::broadcast::Reader;
use crate::error::Error;
use crate::ledger::{Account, Credit};

/// Waits for the head of an answer; the rest goes to the client as it comes.
pub(super) async fn await_head(
    mut reader: Reader,
    (follows, bypass): (bool, Option<&'static str>),
    account: Arc<Account>,
) -> Reply {
    let started = Instant::now();
    let items = Items { collapsed: usize::from(follows), miss: usize::from(!follows), hit: 0 };
    let head = match reader.head().await {
        Ok(head) => head,
        Err(error) => return failed(error, items),
    };
    let waited = started.elapsed();
    let (queue, upstream) =
        if follows { (waited, Duration::ZERO) } else { (Duration::ZERO, waited) };
    let credit = head.status.is_success().then(|| Credit::none(account));
    let verdict = Verdict {
        items: Some(items),
        undivided: true,
        bypass,
        credit,
        queue,
        upstream,
        ..Verdict::default()
    };
    Reply { content: Content::Shared(Box::new((head, reader))), verdict }
}

/// It is not in the cache, and only that was asked for.
pub(super) fn not_cached() -> Reply {
    let mut reply = Reply::not_cached(Items { miss: 1, ..Items::default() });
    reply.verdict.undivided = true;
    reply
}

fn failed(error: Error, items: Items) -> Reply {
    let verdict = Verdict { items: Some(items), undivided: true, ..Verdict::default() };
    Reply { content: Content::Failed(error), verdict }
}
