//! The search for the request that gets a merged call no response: one input may kill the provider's worker, and
//! all requests of the call would fail with it.
//!
//! The call is sent again in halves, level by level, and each half that gets no response is halved again. A
//! provider that is down answers no part, so the search ends after two levels without any response. One request
//! is sent alone then: a provider that fails merged calls only answers it, and each of the others goes alone.
//! A refusal that says nothing of the inputs, such as 404, is compared with that of one request alone.

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::join_all;

use super::Batcher;
use super::call::{self, Attempt, Body};
use super::lane::Batch;
use super::original::Original;
use super::plan::ClosedBy;
use super::refused::{self, Failed, Merged, Trouble};

/// Levels that are tried without any response: up to four parts.
const LEVELS: usize = 2;

/// Sends a call that got no response again, in parts.
pub(super) async fn seek(batcher: Arc<Batcher>, (failed, original): (Failed, Arc<Original>)) {
    let has_response = search(&batcher, failed).await;
    batcher.lessons.change(original.ticket.line, |lesson| {
        if has_response { lesson.seeking.end() } else { lesson.seeking.begin(Instant::now()) }
    });
}

/// Sends the parts; whether any got a response.
async fn search(batcher: &Arc<Batcher>, failed: Failed) -> bool {
    let (mut failing, mut has_response) = (vec![failed], false);
    for level in 0.. {
        if level >= LEVELS && !has_response {
            break;
        }
        let (open, ended): (Vec<Failed>, Vec<Failed>) =
            failing.into_iter().partition(|failed| failed.batch.submissions.len() > 1);
        ended.into_iter().for_each(refused::give_up);
        if open.is_empty() {
            return has_response;
        }
        let halves = open.into_iter().flat_map(halves);
        let attempts = join_all(halves.map(|half| attempt(batcher, half))).await;
        has_response |= attempts.iter().any(Option::is_none);
        failing = attempts.into_iter().flatten().collect();
    }
    if has_response {
        failing.into_iter().for_each(refused::give_up);
        return true;
    }
    probe(batcher, failing).await
}

/// Sends one of the requests alone; whether it got a response, so that the others go alone, too.
async fn probe(batcher: &Arc<Batcher>, mut failing: Vec<Failed>) -> bool {
    let request = failing.first_mut().and_then(|failed| failed.batch.submissions.pop());
    let Some(request) = request else { return false };
    let failed = attempt(batcher, Batch::apart(vec![request], ClosedBy::Lone)).await;
    let has_response = failed.is_none();
    failed.into_iter().for_each(refused::give_up);
    for failed in failing {
        if has_response {
            refused::isolate(batcher, failed.batch, failed.body);
        } else {
            refused::give_up(failed);
        }
    }
    has_response
}

/// Sends one request of a merged call alone, which was refused with a status that says nothing of its inputs. If that
/// request is refused with the same status, the refusal is of all of them. Otherwise each of the others goes alone.
pub(super) async fn compare(batcher: Arc<Batcher>, merged: Merged) {
    let Merged { mut batch, body, answer } = merged;
    let Some(original) = batch.original() else { return };
    let Some(trial) = refused::trial(&batcher, &batch, body) else { return };
    let Some(request) = batch.submissions.pop() else { return };
    let attempt = Attempt { body: (!request.cut).then_some(Body::Own), is_repetition: false };
    let alone = Batch::apart(vec![request], ClosedBy::Lone);
    let sent = call::attempt_in_turn(&batcher, alone, attempt).await;
    let is_same = match sent {
        Ok(()) => {
            trial.succeeded();
            false
        }
        Err(failed) => {
            trial.failed(failed.batch.inputs());
            let is_same =
                matches!(&failed.trouble, Trouble::Refused(alone) if alone.status == answer.status);
            refused::handle(&batcher, *failed);
            is_same
        }
    };
    batcher.lessons.change(original.ticket.line, |lesson| {
        if is_same { lesson.seeking.begin(Instant::now()) } else { lesson.seeking.end() }
    });
    if is_same {
        refused::verdict(batch, answer, None);
    } else {
        refused::send_alone(&batcher, batch, &trial);
    }
}

/// Sends a part. Gives it back if it got no response.
async fn attempt(batcher: &Arc<Batcher>, batch: Batch) -> Option<Failed> {
    let attempt = Attempt { body: None, is_repetition: true };
    let failed = call::attempt_in_turn(batcher, batch, attempt).await.err()?;
    if failed.is_without_response() || failed.is_unsent() {
        return Some(*failed);
    }
    refused::handle(batcher, *failed);
    None
}

fn halves(failed: Failed) -> [Batch; 2] {
    let mut first = failed.batch.submissions;
    let second = first.split_off(first.len() / 2);
    [first, second].map(|half| Batch::apart(half, ClosedBy::Lone))
}
