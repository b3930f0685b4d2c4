//! The outcome of a call: vectors go to their flights, a failure goes back to be handled.

use std::sync::Arc;

use super::Batcher;
use super::call::{self, Body};
use super::form::stored_as;
use super::lane::{Batch, size_of};
use super::original::{Arrival, Original, Outcome, Said, Submission};
use super::plan::Size;
use super::refused::{Failed, Trouble};
use crate::clock::Moment;
use crate::dialect::{Asked, EmbedReply, Invalid, Item, Portion};
use crate::error::{Error, Kind};
use crate::headers::{is_json, keep_beside_new_body};
use crate::key::CacheKey;
use crate::request::Encoding;
use crate::tier::Stored;
use crate::upstream::Answer;
use crate::usage::Reported;
use crate::vector::{Numbers, Parts, Vector};

/// Above this many bytes an answer is read on a thread where reading may take its time.
const READ_APART: usize = 256 << 10;

pub(super) async fn settle(
    batcher: &Arc<Batcher>,
    batch: Batch,
    body: Body,
    result: Result<Answer, Error>,
) -> Result<(), Box<Failed>> {
    let failed = |batch, trouble| Err(Box::new(Failed { batch, body, trouble }));
    let answer = match result {
        Ok(answer) if answer.status.is_success() => answer,
        Ok(answer) => return failed(batch, Trouble::Refused(answer)),
        Err(error) => return failed(batch, Trouble::Error(error)),
    };
    let Some(original) = batch.original() else { return Ok(()) };
    let inputs = weights(&batch, body).len();
    let reply = match read(&original, body, inputs, &answer).await {
        Ok(reply) => reply,
        Err(Invalid(reason)) => {
            original.account().cut(&Reported::of(&answer.body));
            return failed(batch, Trouble::Invalid(answer, reason));
        }
    };
    if body == Body::Built(Encoding::Base64) && batcher.refutes(&batch, &reply) {
        original.account().cut(&reply.reported);
        call::again_in_numbers(batcher, batch);
        return Ok(());
    }
    batcher.note_success(&batch);
    let (is_own, encoding) = match body {
        Body::Own => (true, original.encoding),
        Body::Built(encoding) => (false, encoding),
    };
    batcher.land(batch, body, Good { reply, answer, is_own, encoding });
    Ok(())
}

async fn read(
    original: &Arc<Original>,
    body: Body,
    inputs: usize,
    answer: &Answer,
) -> Result<EmbedReply, Invalid> {
    if !is_json(&answer.headers) {
        return Err(Invalid("its Content-Type is not JSON"));
    }
    let (shape, bytes) = (original.shape, answer.body.clone());
    let encoding = original.encoding;
    let read = move || match body {
        Body::Own => shape.read_reply(&bytes, Asked { inputs, encoding }),
        Body::Built(encoding) => shape.read_call_reply(&bytes, Asked { inputs, encoding }),
    };
    let reply = if answer.body.len() > READ_APART {
        let reading = tokio::task::spawn_blocking(read).await;
        reading.unwrap_or(Err(Invalid("it could not be parsed")))?
    } else {
        read()?
    };
    let wanted = |item: &Item| original.dimensions.is_none_or(|asked| asked == item.dimensions());
    if !reply.items.iter().all(wanted) {
        return Err(Invalid("its vectors do not have the requested dimensions"));
    }
    Ok(reply)
}

/// An answer that passed the checks.
struct Good {
    reply: EmbedReply,
    answer: Answer,
    /// Whether it answers one request in its own bytes.
    is_own: bool,
    /// The encoding that was requested.
    encoding: Encoding,
}

/// The vectors of an answer, and whether they may be kept.
struct Unpacked {
    arrivals: Vec<Option<Arrival>>,
    keep: bool,
}

impl Batcher {
    /// Keeps what an answer to one request in its own bytes brings, and gives it in the order of
    /// the request's inputs; `None` if the answer brings no vectors that can be trusted.
    pub async fn keep(
        self: &Arc<Self>,
        original: &Arc<Original>,
        keys: &[CacheKey],
        answer: &Answer,
    ) -> Option<Vec<Arrival>> {
        let unpacked = self.look(original, answer).await?;
        for (key, arrival) in keys.iter().zip(&unpacked.arrivals) {
            if unpacked.keep {
                self.store(*key, arrival.as_ref()?, original);
            }
        }
        unpacked.arrivals.into_iter().collect()
    }

    /// What an answer to one request in its own bytes brings, in the order of the request's inputs; `None`
    /// if it brings no vectors that can be trusted. Nothing is kept.
    pub async fn read(&self, original: &Arc<Original>, answer: &Answer) -> Option<Vec<Vector>> {
        let arrivals = self.look(original, answer).await?.arrivals.into_iter();
        arrivals.map(|arrival| arrival.map(|arrival| arrival.vector)).collect()
    }

    async fn look(&self, original: &Arc<Original>, answer: &Answer) -> Option<Unpacked> {
        if !answer.status.is_success() {
            return None;
        }
        let inputs = original.weights.len();
        let reply = read(original, Body::Own, inputs, answer).await.ok()?;
        let encoding = original.encoding;
        let good = Good { reply, answer: answer.clone(), is_own: true, encoding };
        Some(self.unpack(original, good, &original.weights))
    }

    /// Every vector into the tiers, then to whoever waits for it.
    fn land(&self, batch: Batch, body: Body, good: Good) {
        let Some(first) = batch.submissions.first() else { return };
        let mut unpacked = self.unpack(&first.original, good, &weights(&batch, body));
        let mut nth = 0;
        for submission in batch.submissions {
            for seat in submission.seats {
                let at = if body == Body::Own { seat.position } else { nth };
                nth += 1;
                let Some(arrival) = unpacked.arrivals.get_mut(at).and_then(Option::take) else {
                    let error = Error::new(
                        Kind::UpstreamInvalid,
                        "invalid response: no usable vector for this input",
                    );
                    seat.lead.land(Outcome::Failed(error));
                    continue;
                };
                if unpacked.keep {
                    self.store(seat.key, &arrival, &submission.original);
                }
                seat.lead.land_all(Outcome::Arrived(arrival));
            }
        }
    }

    /// Notes what a call shows that brought vectors: the merging of calls saves some, and its size is accepted.
    fn note_success(&self, batch: &Batch) {
        let Some(original) = batch.original() else { return };
        let sizes = batch.submissions.iter().map(size_of);
        let size = sizes.fold(Size::default(), Size::plus);
        self.lessons.change(original.ticket.line, |lesson| lesson.caps.took(&size));
        if let Some(trial) = &batch.trial {
            trial.succeeded();
        }
        let joined = (batch.submissions.len() as u64).saturating_sub(1);
        if joined > 0 {
            self.metrics.saved_by_batching.inc_by(joined);
            original.account().batched(joined);
            self.merged(&original, size.inputs);
        }
    }

    /// Whether base64 that larder asked for, for clients that want numbers, is not of these numbers.
    fn refutes(&self, batch: &Batch, reply: &EmbedReply) -> bool {
        let wants_numbers = |one: &Submission| one.original.encoding == Encoding::Float;
        let Some(original) = batch.original() else { return false };
        let refutes =
            batch.submissions.iter().any(wants_numbers) && self.disagrees(&original, reply);
        if refutes {
            self.refute(&original);
        }
        refutes
    }

    fn store(&self, key: CacheKey, arrival: &Arrival, original: &Original) {
        self.compare(&key, arrival, original);
        let (value, mark) = (Arc::clone(arrival.vector.bytes()), original.scope.mark());
        let expires = original.ttl.map_or(Moment::NEVER, |ttl| arrival.stored.after(ttl));
        self.tiers.put(key, Stored { value, stored: arrival.stored, expires, mark });
    }

    fn unpack(&self, original: &Arc<Original>, good: Good, weights: &[u64]) -> Unpacked {
        let Good { reply, mut answer, is_own, encoding } = good;
        original.account().called(&reply.reported, answer.took);
        let keep = self.learn(original, &reply, encoding);
        let form = self.lessons.of(&original.subject).form;
        keep_beside_new_body(&mut answer.headers);
        let is_right = is_own && is_as_asked(&reply, original.encoding);
        let own = is_right.then(|| (Arc::clone(original), answer.body));
        let said = Some(Arc::new(Said { headers: Arc::new(answer.headers), own }));
        let (stored, took, call) = (self.clock.now(), answer.took, answer.call);
        let arrivals = reply.items.iter().zip(reply.portions(weights)).map(|(item, portion)| {
            let vector =
                pack(&reply, item, &portion, stored_as(item, &form, encoding), form.is_one())?;
            Some(Arrival { vector, stored, said: said.clone(), took, call })
        });
        Unpacked { arrivals: arrivals.collect(), keep }
    }
}

/// Whether an answer's vectors are in the order of the inputs and as they were asked for, so that its own bytes are
/// what a caller is to have.
fn is_as_asked(reply: &EmbedReply, encoding: Encoding) -> bool {
    let is_text = |item: &Item| item.numbers.is_none();
    reply.in_order && reply.items.iter().all(|item| is_text(item) == (encoding == Encoding::Base64))
}

fn weights(batch: &Batch, body: Body) -> Vec<u64> {
    if let (Body::Own, Some(first)) = (body, batch.submissions.first()) {
        return first.original.weights.clone();
    }
    let seats = batch.submissions.iter().flat_map(|submission| &submission.seats);
    seats.map(|seat| seat.input.weight()).collect()
}

fn pack(
    reply: &EmbedReply,
    item: &Item,
    portion: &Portion<'_>,
    numbers: Numbers,
    has_both_forms: bool,
) -> Option<Vector> {
    Vector::pack(&Parts {
        components: &item.components,
        numbers,
        tokens: portion.tokens,
        is_estimate: portion.is_estimate,
        has_both_forms,
        usage: reply.usage.with(&portion.usage),
        indexed: item.indexed,
        envelope: &portion.envelope,
        item: &item.item,
    })
}
