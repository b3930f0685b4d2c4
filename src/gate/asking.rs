//! The providers of a request whose body is known: its own, and those that take its place while it fails.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use super::contain::contain;
use super::{Proxy, failed};
use crate::error::{Error, Kind};
use crate::serve::reply::{Content, Manner, Reply};
use crate::serve::{Ask, Passing};

impl Proxy {
    /// A large answer with the room it takes until the client has it. What others hold too is in the
    /// cache, and counted there.
    pub(super) fn weighed(&self, mut reply: Reply) -> Reply {
        const LARGE: usize = 64 << 10;
        if let Content::Written(body, _) = &mut reply.content
            && body.len() > LARGE
            && body.is_unique()
        {
            let mut room = self.answers.room();
            if let Err(error) = room.hold(body.len()) {
                return failed(error);
            }
            *body = room.around(std::mem::take(body));
        }
        reply
    }

    /// Answers a request for one provider.
    pub(super) async fn ask_one(&self, ask: &Ask, (raw, is_readable): (&Bytes, bool)) -> Reply {
        let mut reason = "unreadable";
        if is_readable {
            match self.declined(ask) {
                Some(declined) => reason = declined,
                None => match contain(self.service.answer(ask)).await {
                    Some(Ok(reply)) => return reply,
                    Some(Err(other)) => reason = other,
                    None => return self.broken(),
                },
            }
        }
        self.pass(ask, Passing::Whole(raw.clone()), reason).await
    }

    /// Asks where a failing provider's requests are to go instead. What comes from there is that
    /// provider's, and is kept as such; where none does better, the first failure is the answer.
    pub(super) async fn ask_others(
        &self,
        ask: &mut Ask,
        body: (&Bytes, bool),
        failure: Reply,
    ) -> Reply {
        let failing = Arc::clone(&ask.target.upstream);
        let path_and_query = ask.target.path_and_query.clone();
        for upstream in self.routes.fallbacks(&failing) {
            failing.metrics.fallbacks.inc();
            ask.target.upstream = Arc::clone(upstream);
            upstream.below_base(&path_and_query).clone_into(&mut ask.target.path_and_query);
            let mut reply = self.ask_one(ask, body).await;
            if !reply.is_providers_failure() {
                reply.verdict.manner = Manner::Fallback;
                return reply;
            }
        }
        failure
    }

    /// Passes a request on as it is. Boxed, since the state of a relay would be moved about with that of
    /// every hit.
    pub(super) fn pass<'a>(
        &'a self,
        ask: &'a Ask,
        body: Passing,
        reason: &'static str,
    ) -> Pin<Box<dyn Future<Output = Reply> + Send + 'a>> {
        Box::pin(self.service.pass(ask, body, reason))
    }

    /// The answer to a request that larder could not cope with.
    pub(super) fn broken(&self) -> Reply {
        self.panics.inc();
        let error = Error::new(Kind::Internal, "internal error in larder: its log has the cause");
        failed(error)
    }
}
