//! A provider's answer as it comes.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::own_key::Striker;
use super::pool::{Arriving, BoxError};
use super::traced::Traced;
use crate::trace::{Served, Span};

/// A provider's body as it comes, without larder's own key if the call was made with one.
#[derive(Debug)]
pub struct Coming {
    body: Arriving,
    striking: Option<Box<Striking>>,
    traced: Option<Box<Traced>>,
}

/// How the key is struck out.
#[derive(Debug)]
struct Striking {
    striker: Striker,
    /// What came after bytes that waited.
    next: Option<Frame<Bytes>>,
}

impl Coming {
    pub(super) fn new(body: Arriving, striker: Option<Striker>, traced: Option<Traced>) -> Self {
        let striking = striker.map(|striker| Box::new(Striking { striker, next: None }));
        let coming = Self { body, striking, traced: traced.map(Box::new) };
        coming.trace(None);
        coming
    }

    /// The span of the call, where it is traced.
    pub fn span(&self) -> Option<&Span> {
        self.traced.as_ref().map(|traced| &*traced.span)
    }

    /// What others are to know of the call, where it is traced.
    pub fn served(&self) -> Option<Served> {
        self.traced.as_ref().map(|traced| traced.served())
    }

    /// Notes how the answer ends, if it does.
    fn trace(&self, error: Option<&BoxError>) {
        match (&self.traced, error) {
            (Some(traced), Some(_)) => traced.span.failed("provider_invalid"),
            (Some(traced), None) if self.is_end_stream() => {
                traced.done();
            }
            _ => {}
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(striking) = &mut self.striking else {
            return Pin::new(&mut self.body).poll_frame(context);
        };
        let Striking { striker, next } = &mut **striking;
        if let Some(next) = next.take() {
            return Poll::Ready(Some(Ok(next)));
        }
        loop {
            let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
            let at_end = self.body.is_end_stream();
            match frame.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(piece))) => {
                    let mut fit = striker.piece(&piece);
                    if at_end && striker.waiting() > 0 {
                        fit = [fit, striker.rest()].concat().into();
                    }
                    if !fit.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(fit))));
                    }
                }
                Some(Ok(Err(mut trailers))) => {
                    if let Some(trailers) = trailers.trailers_mut() {
                        striker.key().strike_headers(trailers);
                    }
                    if striker.waiting() == 0 {
                        return Poll::Ready(Some(Ok(trailers)));
                    }
                    let rest = striker.rest();
                    *next = Some(trailers);
                    return Poll::Ready(Some(Ok(Frame::data(rest))));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None if striker.waiting() == 0 => return Poll::Ready(None),
                None => return Poll::Ready(Some(Ok(Frame::data(striker.rest())))),
            }
        }
    }
}

impl Body for Coming {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(self.poll(context));
        self.trace(frame.as_ref().and_then(|frame| frame.as_ref().err()));
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        let is_done =
            |striking: &Striking| striking.next.is_none() && striking.striker.waiting() == 0;
        self.striking.as_deref().is_none_or(is_done) && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let waiting = self.striking.as_ref().map_or(0, |striking| striking.striker.waiting());
        longer(self.body.size_hint(), waiting)
    }
}

/// The size hint of a body behind bytes that were taken from it.
pub(super) fn longer(mut hint: SizeHint, bytes: usize) -> SizeHint {
    let bytes = bytes as u64;
    if let Some(upper) = hint.upper() {
        hint.set_upper(upper + bytes);
    }
    hint.set_lower(hint.lower() + bytes);
    hint
}
