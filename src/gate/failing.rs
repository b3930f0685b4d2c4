//! Failed responses on their way: the provider's message is read along, and the failure is noted with it.
//!
//! Nothing of a body is delayed or changed. A failure is noted when its body has ended, or at the latest when
//! as much of it has come as is looked at, or its client has left.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, Method, Response, header};
use http_body_util::Either;
use hyper::body::Frame;

use super::admin::{Event, Recent};
use super::body::{Body, BoxError, Flow};
use super::log::Recorded;
use crate::codec;
use crate::credential;
use crate::error::Error;
use crate::refusal::{self, Hidden, LOOKED_AT};

/// Headers besides those of credentials whose values are secret.
const SECRET: [header::HeaderName; 2] = [header::COOKIE, header::PROXY_AUTHORIZATION];

/// Maximum size of a request that is held to the end of its failed response, so that the message shows none of
/// it. Without the request such a message is not shown.
const LARGEST: usize = 256 << 10;

/// A failed response that is to be noted.
#[derive(Debug)]
pub(super) struct Failing {
    recent: Arc<Recent>,
    event: Event,
    secrets: Secrets,
    headers: HeaderMap,
    /// The beginning of the body.
    begin: Vec<u8>,
}

/// The parts of a request that no message may show.
#[derive(Debug)]
struct Secrets {
    credentials: Vec<Bytes>,
    /// The body; `None` where it was not read, or is too large.
    body: Option<Bytes>,
}

/// The body of a failed response, as it is known when the head is written.
#[derive(Debug)]
pub(super) enum Said {
    /// larder's own error.
    Own(Error),
    /// All of a provider's response.
    Whole(Bytes),
    /// A provider's response that is still coming.
    Coming,
}

impl Failing {
    /// Notes a failed response, or has it noted when its body has come.
    pub(super) fn note(
        recent: &Arc<Recent>,
        event: Event,
        said: Said,
        (recorded, response): (&Recorded<'_>, &mut Response<Body>),
    ) {
        let body = match said {
            Said::Own(error) => return recent.failed(&event, Some(&error.message)),
            Said::Whole(body) => Some(body),
            Said::Coming => None,
        };
        let headers = [header::CONTENT_TYPE, header::CONTENT_ENCODING].into_iter();
        let known = |name| Some((response.headers().get(&name)?.clone(), name));
        let headers = headers.filter_map(known).map(|(value, name)| (name, value)).collect();
        let secrets = Secrets::of(recorded);
        let (recent, begin) = (Arc::clone(recent), Vec::new());
        let mut failing = Self { recent, event, secrets, headers, begin };
        match (body, response.body_mut()) {
            (None, Either::Right(relayed)) => relayed.hear(failing),
            (body, _) => failing.take(&body.unwrap_or_default()),
        }
    }

    fn take(&mut self, piece: &[u8]) {
        let room = LOOKED_AT.saturating_sub(self.begin.len());
        self.begin.extend_from_slice(piece.get(..room).unwrap_or(piece));
    }

    fn message(&self) -> Option<String> {
        let hidden = Hidden {
            secrets: self.secrets.credentials.iter().map(|secret| &secret[..]).collect(),
            body: self.secrets.body.as_deref(),
        };
        let coding = self.headers.get(header::CONTENT_ENCODING);
        let plain = match coding.map(|coding| coding.to_str().unwrap_or("unknown")) {
            None => Bytes::new(),
            // It is all there, so that the decoder never waits.
            Some(coding) => {
                let begin = Bytes::copy_from_slice(&self.begin);
                codec::decode(coding, begin, LOOKED_AT).now_or_never()?.ok()?
            }
        };
        let body = if coding.is_some() { &plain[..] } else { &self.begin[..] };
        let message = refusal::message(&self.headers, body, &hidden)?;
        // A status that is about the request may come with a part of it.
        let may_repeat = matches!(self.event.status(), 400 | 404..=406 | 409..=424);
        (hidden.body.is_some() || !may_repeat).then_some(message)
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        let message = if self.recent.reads(&self.event) { self.message() } else { None };
        self.recent.failed(&self.event, message.as_deref());
    }
}

impl Secrets {
    fn of(recorded: &Recorded<'_>) -> Self {
        let shown = credential::shown(recorded.headers, recorded.path_and_query);
        let other = SECRET.iter().filter_map(|name| recorded.headers.get(name));
        let other = other.map(http::HeaderValue::as_bytes);
        let credentials = shown.chain(other).map(Bytes::copy_from_slice).collect();
        let has_body = matches!(recorded.target.method, Method::POST | Method::PUT | Method::PATCH);
        let is_held = |body: &&Bytes| (!body.is_empty() || !has_body) && body.len() <= LARGEST;
        Self { credentials, body: recorded.body.filter(is_held).cloned() }
    }
}

/// The body of a failed response, read along.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) flow: Flow,
    failing: Option<Failing>,
}

impl Heard {
    pub(super) fn new(flow: Flow, failing: Failing) -> Self {
        let failing = (!flow.is_at_end()).then_some(failing);
        Self { flow, failing }
    }

    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(self.flow.poll(context));
        let Some(failing) = &mut self.failing else { return Poll::Ready(frame) };
        let is_more = match &frame {
            Some(Ok(frame)) => {
                frame.data_ref().into_iter().for_each(|piece| failing.take(piece));
                failing.begin.len() < LOOKED_AT && !self.flow.is_at_end()
            }
            Some(Err(_)) | None => false,
        };
        if !is_more {
            // Before the client has the end, who may then look at the figures.
            self.failing = None;
        }
        Poll::Ready(frame)
    }
}
