//! Feeds one provider's answer to everybody who reads it. A task of the server's own: it outlives the
//! request that began it for as long as somebody else reads, or may come to.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderMap;
use http::response::Parts;
use http_body_util::BodyExt;
use hyper::body::Body;
use tokio::time::sleep;

use super::super::ticket::Joins;
use super::super::{Refusals, Service};
use super::share::{self, Peers, Turn};
use super::watcher::Watcher;
use crate::broadcast::{End, Head, Source};
use crate::clock::Moment;
use crate::config::sharers::Sharers;
use crate::explain::Explanation;
use crate::headers::of_no_account;
use crate::key::CacheKey;
use crate::ledger::Account;
use crate::metrics::{Held, Operation};
use crate::tier::Stored;
use crate::tier::purge::{Mark, Scope};
use crate::transcript;
use crate::upstream::{Answer, Call, ClientTime, Coming, Ticket, Upstream};

/// A part of a store when it was asked.
pub(super) struct Asked {
    pub(super) mark: Mark,
    /// Whether the last write before had been seen everywhere.
    pub(super) is_settled: bool,
}

/// One call, and what becomes of its answer.
pub(super) struct Pump {
    pub(super) service: Arc<Service>,
    pub(super) upstream: Arc<Upstream>,
    pub(super) call: Call,
    pub(super) ticket: Ticket,
    pub(super) joins: Joins,
    pub(super) watcher: Watcher,
    /// Whose answer will do as well, if anybody's.
    pub(super) peers: Option<Peers>,
    pub(super) key: CacheKey,
    /// The key of what is on its way, which is one caller's.
    pub(super) question: CacheKey,
    pub(super) scope: &'static Scope,
    /// Where a write meanwhile makes the answer one that was read before it: what held when it was asked.
    pub(super) since_write: Option<Asked>,
    /// What is being done.
    pub(super) operation: Operation,
    pub(super) ttl: Option<Duration>,
    pub(super) model: String,
    /// Where it is entered.
    pub(super) account: Arc<Account>,
    pub(super) since: Instant,
}

/// The body of a response, and the time that its call waits for readers.
struct Flow {
    body: Coming,
    client: Arc<ClientTime>,
}

impl Pump {
    /// Makes the call, and gives its answer to the source until it ends or nobody wants it.
    pub(super) async fn run(self, source: Source) {
        let (service, upstream) = (Arc::clone(&self.service), Arc::clone(&self.upstream));
        let model = self.model.clone();
        let metrics = service.chat.series(self.operation);
        let _streams = Held::one(&metrics.streams);
        let ended = tokio::select! {
            biased;
            ended = self.carry(&source) => Some(ended),
            () = given_up(&source, upstream.settings.orphan_grace) => None,
        };
        let (result, end) = ended.unwrap_or(("abandoned", End::Cut));
        metrics.ended(result);
        if !matches!(result, "stored" | "shared") {
            let told = Explanation::of(&upstream.name, &model, ("not_stored", result));
            service.explained.tell(told, None);
        }
        source.end(end);
    }

    async fn carry(mut self, source: &Source) -> (&'static str, End) {
        let turn = match self.peers.take() {
            Some(peers) => peers.turn().await,
            None => Turn::Own(None),
        };
        let _lease = match turn {
            Turn::Own(lease) => lease,
            Turn::Answered(kept) => return share::give(source, *kept),
        };
        let opened = self.upstream.open_in_turn(&self.ticket, &self.call, self.operation).await;
        let (head, body, permit) = match opened {
            Ok((response, permit)) => {
                let (head, body) = response.into_parts();
                (head, body, permit)
            }
            Err(error) => return ("failed", End::Failed(error)),
        };
        self.watcher.head(head.status, &head.headers);
        let (storable, call) = (self.unfit().is_none(), body.served());
        source.head(Head { status: head.status, headers: head.headers.clone(), storable, call });
        // What a store has not now, it may have in a moment.
        if self.since_write.is_none() && Refusals::fits(head.status, &body) {
            return self.refuse(source, head, body).await;
        }
        let client = permit.client_time();
        self.flow(source, &head.headers, Flow { body, client }).await
    }

    /// Gives a no to everybody who reads, and remembers it for who asks next.
    async fn refuse(self, source: &Source, head: Parts, body: Coming) -> (&'static str, End) {
        let call = body.served();
        let Ok(body) = body.collect().await else { return ("cut", End::Cut) };
        let (status, headers, body) = (head.status, head.headers, body.to_bytes());
        source.close();
        source.push(body.clone());
        let answer = Answer { status, headers, body, took: Duration::ZERO, call };
        let ttl = self.service.negative_ttl;
        self.service.refusals.note(self.question.digest(), &answer, ttl);
        ("status", End::Complete)
    }

    async fn flow(
        mut self,
        source: &Source,
        headers: &HeaderMap,
        Flow { mut body, client }: Flow,
    ) -> (&'static str, End) {
        loop {
            if self.unfit().is_some() {
                source.close();
            }
            client.begin();
            source.room().await;
            client.end();
            let bytes = match body.frame().await {
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
                Some(Err(_)) => return ("cut", End::Cut),
                None => {
                    let result = self.keep(headers, source.whole());
                    self.enter(source, &body);
                    return (result, End::Complete);
                }
            };
            self.watcher.take(&bytes);
            if !body.is_end_stream() {
                source.push(bytes);
                continue;
            }
            // Kept before the last byte goes out: whoever has that may ask again at once.
            let whole = source.whole().map(|mut whole| {
                whole.push(bytes.clone());
                whole
            });
            let result = self.keep(headers, whole);
            self.enter(source, &body);
            source.push(bytes);
            return (result, End::Complete);
        }
    }

    /// Enters the call, and what was spared for those who only read along.
    fn enter(&self, source: &Source, body: &Coming) {
        // Who comes now finds what is kept, or asks anew: nobody reads along who is not entered.
        source.close();
        if self.watcher.unfit() == Some("status") {
            return;
        }
        let reported = self.watcher.reported();
        self.account.called(&reported, self.since.elapsed());
        let usage = reported.usage.unwrap_or_default();
        let request = self.call.cause.as_ref().map(|cause| &*cause.span);
        for span in request.into_iter().chain(body.span()) {
            span.set("gen_ai.usage.input_tokens", usage.tokens.input());
            span.set("gen_ai.usage.output_tokens", usage.tokens.output());
        }
        self.account.spare_collapsed(&usage, source.readers_ever().saturating_sub(1));
    }

    /// Keeps an answer that ended well; what became of it.
    fn keep(&mut self, headers: &HeaderMap, whole: Option<Vec<Bytes>>) -> &'static str {
        let limit = self.service.chat.max_transcript;
        let fits = |whole: &Vec<Bytes>| whole.iter().map(Bytes::len).sum::<usize>() <= limit;
        let unfit = self.unfit();
        let Some(whole) = whole.filter(fits) else { return unfit.unwrap_or("too_large") };
        if let Err(reason) = unfit.map_or_else(|| self.watcher.verdict(&whole), Err) {
            return reason;
        }
        let (stored, usage) = (self.service.clock.now(), self.watcher.reported().usage);
        let expires = self.ttl.map_or(Moment::NEVER, |ttl| stored.after(ttl));
        let value = match self.service.sharers {
            Sharers::Credential => transcript::write(headers, &whole, usage.as_ref()),
            _ => transcript::write(&of_no_account(headers.clone()), &whole, usage.as_ref()),
        };
        match &self.since_write {
            None => {
                let mark = self.scope.mark();
                self.service.tiers.put(self.key, Stored { value, stored, expires, mark });
            }
            // Whatever is written from here on, the mark holds no more.
            Some(Asked { mark, .. }) => {
                let mark = *mark;
                self.service.tiers.memory.put(self.key, Stored { value, stored, expires, mark });
            }
        }
        "stored"
    }

    /// Why the answer will not be kept, as far as that is known.
    fn unfit(&self) -> Option<&'static str> {
        let unfit = match &self.since_write {
            Some(asked) if !asked.mark.holds() => Some("outdated"),
            Some(Asked { is_settled: false, .. }) => Some("unsettled"),
            _ => None,
        };
        self.watcher.unfit().or(unfit)
    }
}

/// Waits until the answer has no reader, and for a grace if another may still join: one that is nearly there
/// is not lost.
async fn given_up(source: &Source, grace: Duration) {
    loop {
        source.deserted().await;
        if source.is_joinable() {
            sleep(grace).await;
        }
        if source.abandon() {
            return;
        }
    }
}
