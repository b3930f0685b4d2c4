//! Where answers are recorded, or come from a recording: a request's body is always read first, and the
//! answer is taped on its way to the client.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use tokio::task::spawn_blocking;

use super::taped::Tape;
use super::{Proxy, failed};
use crate::dialect::Endpoint;
use crate::error::{Error, Kind};
use crate::recording::{Question, Recordings};
use crate::serve::recorded::{Taping, question};
use crate::serve::reply::{Content, Reply};
use crate::serve::{Ask, Passing};

/// Above this size a body is spelt where that may take its time.
const APART: usize = 256 << 10;

impl Proxy {
    /// Answers a request from a recording, or as ever with what is needed to record the answer.
    pub(super) async fn by_recordings(
        &self,
        recordings: &Recordings,
        ask: &mut Ask,
        (path, body, tunnel): (&str, Incoming, Option<OnUpgrade>),
    ) -> Reply {
        if tunnel.is_some() {
            return self.switch(recordings, ask, (body, tunnel)).await;
        }
        let unread = self.unread(ask, path, &body);
        // Held until the answer is there.
        let mut room = self.bodies.room();
        let whole = match self.read(ask, body, &mut room).await {
            Ok(whole) => whole,
            Err(error) => return failed(error),
        };
        let known = if whole.plain.is_some() { ask.body.clone() } else { whole.raw.clone() };
        let question = spelt(ask, self.routes.below_name(path), known).await;
        let recorder = match recordings {
            Recordings::Replay(player) => {
                return self.service.answer_recorded(player, ask, &question).await;
            }
            Recordings::Record(recorder) => recorder,
        };
        ask.taping = Some(Arc::new(Taping::new(recorder, question, ask)));
        // Whoever replays may not understand the codings that this client does.
        let identity = HeaderValue::from_static("identity");
        ask.headers.insert(header::ACCEPT_ENCODING, identity);
        match unread {
            // As it would have gone without: a body that is not held cannot be sent twice.
            Some(reason) => {
                let body = Full::new(whole.raw).map_err(|never| match never {}).boxed_unsync();
                let body = self.upload(body);
                self.pass(ask, Passing::Streamed(body), reason).await
            }
            None => self.answer(ask, path, whole).await,
        }
    }

    /// What tapes the answer to a request, if that is to be: not where it is larger than what one may have
    /// room for, nor what larder says itself, nor what is recorded by its inputs.
    pub(super) fn tape(&self, ask: &Ask, reply: &Reply) -> Option<Tape> {
        let taping = ask.taping.as_ref()?;
        let is_taped = match &reply.content {
            Content::Written(..) => !matches!(ask.target.endpoint, Endpoint::Embed(_)),
            Content::Failed(_) | Content::Switched(_) => false,
            Content::Passed(_)
            | Content::Streamed(..)
            | Content::Shared(_)
            | Content::Replayed(_) => true,
        };
        is_taped.then(|| Tape::new(taping, self.answers.room(), self.tasks.clone()))
    }

    /// A change of protocol has no answer that could be kept.
    async fn switch(
        &self,
        recordings: &Recordings,
        ask: &Ask,
        (body, tunnel): (Incoming, Option<OnUpgrade>),
    ) -> Reply {
        match recordings {
            Recordings::Replay(_) => {
                let message = "not recorded: protocol upgrades (WebSocket) cannot be recorded";
                failed(Error::new(Kind::NotRecorded, message))
            }
            Recordings::Record(recorder) => {
                recorder.went_by("a protocol upgrade (WebSocket)");
                let body = self.upload(body.map_err(Into::into).boxed_unsync());
                let reply = self.pass(ask, Passing::Streamed(body), "relay").await;
                self.tunnel(tunnel, reply)
            }
        }
    }
}

/// What a request asks.
async fn spelt(ask: &Ask, path_and_query: &str, body: Bytes) -> Question {
    if body.len() < APART {
        return question(ask, (path_and_query, &body));
    }
    let (asked, path, apart) = (ask.clone(), path_and_query.to_owned(), body.clone());
    let spelling = spawn_blocking(move || question(&asked, (&path, &apart))).await;
    spelling.unwrap_or_else(|_| question(ask, (path_and_query, &body)))
}
