//! What comes of a call: vectors to their flights, a no to whom it is meant for.

use std::sync::Arc;

use super::call::Body;
use super::lane::Batch;
use super::original::{Arrival, Original, Outcome, Said};
use super::{Batcher, fail, plan, refused};
use crate::clock::Moment;
use crate::dialect::{Asked, EmbedReply, Invalid, Item};
use crate::error::{Error, Kind};
use crate::headers::{is_json, keep_beside_new_body};
use crate::key::CacheKey;
use crate::ledger::Tokens;
use crate::request::Encoding;
use crate::tier::Stored;
use crate::upstream::Answer;
use crate::vector::{Numbers, Parts, Vector};

/// Above this many bytes an answer is read on a thread where reading may take its time.
const READ_APART: usize = 256 << 10;

pub(super) async fn settle(
    batcher: &Arc<Batcher>,
    batch: Batch,
    body: Body,
    result: Result<Answer, Error>,
) {
    let answer = match result {
        Ok(answer) => answer,
        Err(error) => return batch.submissions.into_iter().for_each(|one| fail(one, &error)),
    };
    if !answer.status.is_success() {
        return refused::refused(batcher, batch, body, answer);
    }
    let Some(first) = batch.submissions.first() else { return };
    let inputs = weights(&batch, body).len();
    match read(&first.original, body, inputs, &answer).await {
        Ok(reply) => batcher.land(batch, body, Good { reply, answer, is_own: body == Body::Own }),
        Err(Invalid(reason)) => refused::invalid(batcher, batch, body, (answer, reason)),
    }
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
        let good = Good { reply, answer: answer.clone(), is_own: true };
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

    fn store(&self, key: CacheKey, arrival: &Arrival, original: &Original) {
        let (value, mark) = (Arc::clone(arrival.vector.bytes()), original.scope.mark());
        let expires = original.ttl.map_or(Moment::NEVER, |ttl| arrival.stored.after(ttl));
        self.tiers.put(key, Stored { value, stored: arrival.stored, expires, mark });
    }

    fn unpack(&self, original: &Arc<Original>, good: Good, weights: &[u64]) -> Unpacked {
        let Good { reply, mut answer, is_own } = good;
        let billed = Tokens { input: reply.tokens, output: 0 };
        original.account().called(billed, answer.took);
        let tokens = plan::share(reply.tokens, weights);
        let numbers = self.learn(original, &reply);
        let dimensions = reply.items.first().map_or(0, Item::dimensions);
        let keep = self.lessons.expects(original.subject, dimensions);
        keep_beside_new_body(&mut answer.headers);
        let is_right = is_own && is_as_asked(&reply, original.encoding);
        let own = is_right.then(|| (Arc::clone(original), answer.body));
        let said = Some(Arc::new(Said { headers: Arc::new(answer.headers), own }));
        let (stored, took, call) = (self.clock.now(), answer.took, answer.call);
        let arrivals = reply.items.iter().zip(tokens).map(|(item, tokens)| {
            let vector = pack(&reply, item, tokens, numbers)?;
            Some(Arrival { vector, stored, said: said.clone(), took, call })
        });
        Unpacked { arrivals: arrivals.collect(), keep }
    }

    /// How the provider prints numbers, from this answer or from an earlier one.
    fn learn(&self, original: &Original, reply: &EmbedReply) -> Numbers {
        let printed = reply.items.iter().filter_map(|item| item.numbers);
        let printed = printed.filter(|numbers| *numbers != Numbers::Verbatim);
        // Vectors of few digits may look like the shortest form by chance; one that cannot decides.
        let widest = printed.max_by_key(|numbers| match numbers {
            Numbers::Unseen | Numbers::Shortest | Numbers::Verbatim => 0,
            Numbers::Widened => 1,
            Numbers::Doubles => 2,
        });
        if let Some(numbers) = widest {
            self.lessons.learn_numbers(original.subject, numbers);
        }
        self.numbers(&original.subject)
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

fn pack(reply: &EmbedReply, item: &Item, tokens: u32, known: Numbers) -> Option<Vector> {
    let numbers = match (item.numbers, known) {
        (Some(numbers), _) => numbers,
        // What came as base64 are 32-bit floats, whatever the numbers are that go with them.
        (None, Numbers::Doubles) => Numbers::Widened,
        (None, known) => known,
    };
    Vector::pack(&Parts {
        components: &item.components,
        numbers,
        tokens,
        usage: reply.usage.as_usage(),
        indexed: item.indexed,
        envelope: &reply.envelope,
        item: &item.item,
    })
}
