//! A request body that is relayed while it comes from the client. The time that the client takes for it is
//! the client's: it counts for no time-out of the provider, and has a bound of its own.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep, sleep_until, timeout};

use super::coming::longer;
use super::pool::BoxError;
use super::queue::ClientTime;
use crate::error::{Error, Kind};

/// A request body as it comes from the client.
pub type ComingBody = UnsyncBoxBody<Bytes, BoxError>;

/// A request body on its way from a client to a provider.
pub struct Upload {
    body: ComingBody,
    /// The first piece, which was awaited before the call.
    first: Option<Frame<Bytes>>,
    silence: Option<Pin<Box<Sleep>>>,
    progress: Arc<Progress>,
    /// The time that the call waits for the client, once there is a call.
    client: Option<Arc<ClientTime>>,
}

/// The state of an upload, for the call that it belongs to.
#[derive(Debug)]
pub(super) struct Progress {
    state: Mutex<State>,
    /// Maximum time in which the client sends nothing.
    patience: Duration,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// The client is to send more.
    OfClient,
    /// The provider is to take what there is, or to respond, since this moment.
    OfProvider(Instant),
    /// The client has sent nothing for too long.
    Stalled,
    /// The client's body broke off, or is malformed.
    Broken,
}

/// The client has sent nothing for too long.
#[derive(Debug)]
struct Stalled;

impl fmt::Display for Stalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the client stopped sending its body")
    }
}

impl std::error::Error for Stalled {}

impl Upload {
    /// A body that may pause for `patience` between two pieces.
    pub fn new(body: ComingBody, patience: Duration) -> Self {
        let state = Mutex::new(State::OfProvider(Instant::now()));
        let progress = Arc::new(Progress { state, patience });
        Self { body, first: None, silence: None, progress, client: None }
    }

    /// Waits for the first piece, so that a client that sends none holds no connection to the provider.
    pub async fn begin(&mut self) -> Result<(), Error> {
        match self.frame().await {
            Some(Ok(frame)) => self.first = Some(frame),
            Some(Err(_)) => return self.progress.failure().map_or(Ok(()), Err),
            None => {}
        }
        Ok(())
    }

    /// Measures the time that the call waits for the client. Gives the state of the upload, which outlives it.
    pub(super) fn measured_by(&mut self, client: Arc<ClientTime>) -> Arc<Progress> {
        self.client = Some(client);
        Arc::clone(&self.progress)
    }

    /// Waits on for a client that has nothing for now, within its patience.
    fn poll_silence(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.silence.is_none() {
            self.progress.set(State::OfClient);
            self.client.iter().for_each(|client| client.begin());
        }
        let silence = self.silence.get_or_insert_with(|| Box::pin(sleep(self.progress.patience)));
        ready!(silence.as_mut().poll(context));
        self.progress.set(State::Stalled);
        Poll::Ready(())
    }
}

/// Waits for the head of a response, from the moment at which all of the request is there; `None` if it
/// does not come within a limit.
pub(super) async fn in_time<T>(
    limit: Duration,
    upload: Option<&Progress>,
    sending: impl Future<Output = T>,
) -> Option<T> {
    let Some(upload) = upload else { return timeout(limit, sending).await.ok() };
    tokio::select! {
        result = sending => Some(result),
        () = upload.late(limit) => None,
    }
}

impl Progress {
    /// Returns when the provider has had a time for itself: since the last piece of the body, or its end.
    async fn late(&self, limit: Duration) {
        loop {
            match self.get() {
                State::OfProvider(since) if since.elapsed() >= limit => return,
                State::OfProvider(since) => sleep_until((since + limit).into()).await,
                // What begins later ends later.
                State::OfClient | State::Stalled | State::Broken => sleep(limit).await,
            }
        }
    }

    /// The error of an upload that the client failed.
    pub(super) fn failure(&self) -> Option<Error> {
        match self.get() {
            State::OfClient | State::OfProvider(_) => None,
            State::Stalled => {
                let message = format!(
                    "the client sent nothing of the request body for {:?} (server.body_timeout)",
                    self.patience
                );
                Some(Error::new(Kind::RequestTimeout, message))
            }
            State::Broken => {
                let message = "the request body ended early or is malformed";
                Some(Error::new(Kind::BadRequest, message))
            }
        }
    }

    fn get(&self) -> State {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, state: State) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(first) = self.first.take() {
            self.progress.set(State::OfProvider(Instant::now()));
            return Poll::Ready(Some(Ok(first)));
        }
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
            ready!(self.poll_silence(context));
            return Poll::Ready(Some(Err(Stalled.into())));
        };
        if self.silence.take().is_some() {
            self.client.iter().for_each(|client| client.end());
        }
        let is_broken = matches!(frame, Some(Err(_)));
        let state = if is_broken { State::Broken } else { State::OfProvider(Instant::now()) };
        self.progress.set(state);
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let first = self.first.as_ref().and_then(Frame::data_ref).map_or(0, Bytes::len);
        longer(self.body.size_hint(), first)
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").field("progress", &self.progress).finish_non_exhaustive()
    }
}
