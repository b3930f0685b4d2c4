//! The outcome of a call that brings no vectors.
//!
//! A call that was made for several requests may be refused for one of them, and the provider does
//! not say which. Then each request goes alone, in its own bytes, and gets its own response. A call
//! that is larger than the provider accepts is cut and sent again. A merged call that gets no response is
//! sent again in parts. Any other response is the response to all requests of the call.

use std::sync::Arc;
use std::time::Instant;

use http::{StatusCode, header};

use super::call::{self, Body};
use super::lane::{Batch, size_of};
use super::original::{Original, Outcome, Refused, Submission};
use super::plan::{self, ClosedBy, Size};
use super::trial::Trial;
use super::{Batcher, fail, seek, sizes};
use crate::config::words::Oversize;
use crate::dialect::Refusal;
use crate::error::{Error, Kind};
use crate::key::Digest;
use crate::refusal;
use crate::request::{Encoding, Unity};
use crate::upstream::{Answer, asked_to_wait};

/// A call for several requests that was refused.
#[derive(Debug)]
pub(super) struct Merged {
    pub(super) batch: Batch,
    pub(super) body: Body,
    pub(super) answer: Answer,
}

/// A call that brought no vectors.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) batch: Batch,
    pub(super) body: Body,
    pub(super) trouble: Trouble,
}

/// The reason.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It was not sent.
    Unsent(Error),
    /// It got no response, or none that could be read.
    Error(Error),
    /// It was refused.
    Refused(Answer),
    /// Its vectors cannot be trusted, for this reason.
    Invalid(Answer, &'static str),
}

impl Failed {
    /// Whether the provider's worker may have died of one of the inputs. A provider that names a time to come back
    /// is overloaded.
    pub(super) fn is_without_response(&self) -> bool {
        match &self.trouble {
            Trouble::Error(error) => {
                matches!(error.kind, Kind::UpstreamUnreachable | Kind::UpstreamInvalid)
            }
            Trouble::Refused(answer) => {
                let is_down = [StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE]
                    .contains(&answer.status);
                is_down && !answer.headers.contains_key(header::RETRY_AFTER)
            }
            Trouble::Unsent(_) | Trouble::Invalid(..) => false,
        }
    }

    /// Whether it was not sent.
    pub(super) fn is_unsent(&self) -> bool {
        matches!(self.trouble, Trouble::Unsent(_))
    }
}

/// Sends the inputs of a failed call again where that may help, or ends their flights.
pub(super) fn handle(batcher: &Arc<Batcher>, failed: Failed) {
    if failed.batch.submissions.len() > 1 && failed.is_without_response() {
        return match failed.batch.original() {
            Some(original) if batcher.may_seek(&original) => {
                batcher.spawn(seek::seek(Arc::clone(batcher), (failed, original)));
            }
            _ => give_up(failed),
        };
    }
    let Failed { batch, body, trouble } = failed;
    if let Some(trial) = &batch.trial {
        match trouble {
            // A response that is not stored is the client's all the same.
            Trouble::Invalid(..) if body == Body::Own => trial.succeeded(),
            _ => trial.failed(batch.inputs()),
        }
    }
    match trouble {
        Trouble::Refused(answer) => refused(batcher, batch, body, answer),
        Trouble::Invalid(answer, reason) => invalid(batcher, batch, body, answer, reason),
        Trouble::Unsent(_) | Trouble::Error(_) => give_up(Failed { batch, body, trouble }),
    }
}

/// Ends the flights of a call with what came of it.
pub(super) fn give_up(Failed { batch, body, trouble }: Failed) {
    let Some(original) = batch.original() else { return };
    match trouble {
        Trouble::Unsent(error) | Trouble::Error(error) => {
            batch.submissions.into_iter().for_each(|one| fail(one, &error));
        }
        Trouble::Refused(answer) => {
            let refusal = original.upstream.dialect.classify(answer.status, &answer.body);
            let only = (refusal != Refusal::Shared).then(|| original.fingerprint());
            verdict(batch, answer, only);
        }
        Trouble::Invalid(answer, _) if body == Body::Own => {
            verdict(batch, answer, Some(original.fingerprint()));
        }
        Trouble::Invalid(_, reason) => {
            let message = format!("invalid response from {}: {reason}", original.upstream.name);
            let error = Error::new(Kind::UpstreamInvalid, message);
            batch.submissions.into_iter().for_each(|one| fail(one, &error));
        }
    }
}

/// A refusal: cut the call, or take it apart, or pass the refusal on.
fn refused(batcher: &Arc<Batcher>, batch: Batch, body: Body, answer: Answer) {
    let Some(original) = batch.original() else { return };
    let upstream = &original.upstream;
    let sent = if body == Body::Own { original.weights.len() } else { batch.inputs() };
    let may_cut =
        upstream.settings.oversize == Oversize::Split && original.unity == Unity::Free && sent > 1;
    match upstream.dialect.classify(answer.status, &answer.body) {
        // A number that is larger than what was sent is about something else.
        Refusal::TooManyInputs(said) if may_cut && said.is_none_or(|cap| cap < sent) => {
            let cap = batcher.learn_inputs(&original, said.unwrap_or(sent / 2));
            cut(batcher, batch, Size { inputs: cap, ..Size::default() }.of_inputs());
        }
        Refusal::TooLarge if may_cut => {
            let limit = batcher.learn_tokens(&original, &batch);
            cut(batcher, batch, limit);
        }
        Refusal::Request
            if body == Body::Own && may_cut && may_search(batcher, &batch, &answer) =>
        {
            upstream.metrics.isolated_limit.inc();
            for submission in batch.submissions {
                let batcher = Arc::clone(batcher);
                let search = sizes::search(Arc::clone(&batcher), submission, answer.clone());
                batcher.spawn(search);
            }
        }
        _ if body == Body::Own || is_part(&batch) => {
            give_up(Failed { batch, body, trouble: Trouble::Refused(answer) });
        }
        Refusal::Shared if is_about_merging(&answer) && batcher.may_seek(&original) => {
            batcher.spawn(seek::compare(Arc::clone(batcher), Merged { batch, body, answer }));
        }
        Refusal::Shared => verdict(batch, answer, None),
        _ => {
            upstream.metrics.isolated_input.inc();
            isolate(batcher, batch, body);
        }
    }
}

/// A response that is not to be trusted: only a request that asked for just this gets it.
fn invalid(batcher: &Arc<Batcher>, batch: Batch, body: Body, answer: Answer, reason: &'static str) {
    let Some(original) = batch.original() else { return };
    let upstream = &original.upstream;
    upstream.metrics.invalid_replies.inc();
    let is_page = refusal::is_html(&answer.headers, &answer.body);
    let page = is_page.then(|| refusal::page(&answer.body));
    upstream.tell_invalid(page.as_deref().unwrap_or(reason));
    if body == Body::Own || is_part(&batch) {
        return give_up(Failed { batch, body, trouble: Trouble::Invalid(answer, reason) });
    }
    upstream.metrics.isolated_invalid.inc();
    isolate(batcher, batch, body);
}

/// Whether a refusal that would be the same for each request may still be a refusal of the merged call. A refusal of
/// the credential, or one that names a time to come back, is not.
fn is_about_merging(answer: &Answer) -> bool {
    !matches!(answer.status.as_u16(), 401 | 402 | 407) && asked_to_wait(&answer.headers).is_none()
}

/// A part of a request that is too large to be sent as it came.
fn is_part(batch: &Batch) -> bool {
    matches!(batch.submissions.as_slice(), [only] if only.cut)
}

/// Minimum number of inputs of a refused list whose size is taken for a possible reason. A shorter list mostly has
/// a bad input, and each search costs calls that a client without larder would not make.
const SEARCHED: usize = 4;

/// Whether the size of a list may be the reason of a refusal that names none.
fn may_search(batcher: &Batcher, batch: &Batch, answer: &Answer) -> bool {
    let Some(first) = batch.submissions.first() else { return false };
    let (size, line) = (size_of(first), first.original.ticket.line);
    size.inputs >= SEARCHED
        && matches!(answer.status.as_u16(), 400 | 413 | 422)
        && batcher.lessons.of(&line).caps.may_search(&size, Instant::now())
}

/// Each request alone, in its own bytes. Parts of larger ones stay the parts they are.
pub(super) fn isolate(batcher: &Arc<Batcher>, batch: Batch, body: Body) {
    let Some(trial) = trial(batcher, &batch, body) else { return };
    send_alone(batcher, batch, &trial);
}

/// The trial of a merged call.
pub(super) fn trial(batcher: &Arc<Batcher>, batch: &Batch, body: Body) -> Option<Arc<Trial>> {
    let is_base64 = body == Body::Built(Encoding::Base64);
    Some(Trial::new(batcher, batch.original()?, batch.inputs(), is_base64))
}

/// Each request alone, in its own bytes, whose outcomes are a trial's.
pub(super) fn send_alone(batcher: &Arc<Batcher>, batch: Batch, trial: &Arc<Trial>) {
    for submission in batch.submissions {
        let is_part = submission.cut;
        let alone = Batch::apart(vec![submission], ClosedBy::Lone);
        let alone = Batch { trial: Some(Arc::clone(trial)), ..alone };
        if is_part {
            batcher.spawn(call::in_turn(Arc::clone(batcher), alone));
        } else {
            batcher.spawn(call::alone(Arc::clone(batcher), alone));
        }
    }
}

/// The same seats in calls within a limit.
fn cut(batcher: &Arc<Batcher>, batch: Batch, limit: Size) {
    for mut submission in batch.submissions {
        submission.original.upstream.metrics.isolated_limit.inc();
        let seats = std::mem::take(&mut submission.seats);
        for seats in plan::cut(seats, |seat| Size::of(&seat.input), &limit) {
            let submissions = vec![submission.part(seats)];
            let batch = Batch::apart(submissions, ClosedBy::Inputs);
            batcher.spawn(call::in_turn(Arc::clone(batcher), batch));
        }
    }
}

/// Ends the flights of a call with a refusal.
pub(super) fn verdict(batch: Batch, answer: Answer, only: Option<Digest>) {
    let answer = Arc::new(answer);
    batch.submissions.iter().flat_map(|one| &one.seats).for_each(|seat| seat.lead.depart());
    for Submission { seats, .. } in batch.submissions {
        for seat in seats {
            let refused = Refused { answer: Arc::clone(&answer), only };
            seat.lead.land(Outcome::Refused(refused));
        }
    }
}

impl Batcher {
    /// Whether a call that got no response is sent again in parts: not while no part gets a response either.
    fn may_seek(&self, original: &Original) -> bool {
        self.lessons.of(&original.ticket.line).seeking.is_over(Instant::now())
    }

    /// Notes that more inputs than these are refused.
    fn learn_inputs(&self, original: &Original, cap: usize) -> usize {
        self.lessons.change(original.ticket.line, |lesson| lesson.caps.learn_inputs(cap))
    }

    /// Notes that a call has too many tokens; a limit for its parts.
    fn learn_tokens(&self, original: &Original, batch: &Batch) -> Size {
        let sizes = batch.submissions.iter().map(size_of);
        let size = sizes.fold(Size::default(), Size::plus);
        let unlimited = Size { inputs: usize::MAX, tokens: usize::MAX, bytes: usize::MAX };
        if size.inputs < 2 {
            // The rest of the request was sent too, and is in the cache or in flight.
            return Size { inputs: 1, ..unlimited };
        }
        let half = size.tokens / 2;
        let tokens =
            self.lessons.change(original.ticket.line, |lesson| lesson.caps.learn_tokens(half));
        Size { tokens: tokens.min(half), ..unlimited }
    }
}
