//! Failed requests that are sent again on another connection: those that the provider has provably not
//! processed, whatever their method (RFC 9113, sections 6.8 and 8.7), and idempotent ones whose reused
//! connection was closed at that moment (RFC 9110, section 9.2.2; RFC 9112, section 9.3.1).

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use http::{Method, Request};
use http_body_util::Either;

use super::{BoxError, RequestBody};

/// Maximum number of times that one request is sent again.
pub(super) const MOST: u32 = 5;

/// Pause before a request is sent again, times the number of attempts: a provider that refuses a stream may
/// need a moment.
pub(super) const PAUSE: Duration = Duration::from_millis(10);

/// Bytes of a provider that no request asked for. The request behind them was not sent.
#[derive(Debug)]
pub(super) struct Unasked;

impl fmt::Display for Unasked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the provider sent bytes that no request asked for")
    }
}

impl Error for Unasked {}

/// A copy of a request whose body is all there.
pub(super) fn copy(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    let Either::Left(body) = request.body() else { return None };
    let mut copy = Request::new(Either::Left(body.clone()));
    copy.method_mut().clone_from(request.method());
    copy.uri_mut().clone_from(request.uri());
    copy.headers_mut().clone_from(request.headers());
    Some(copy)
}

/// Whether a request that failed may be sent again.
pub(super) fn may_resend(error: &BoxError, method: &Method) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = Some(&**error);
    while let Some(error) = cause {
        if is_unprocessed(error) || method.is_idempotent() && is_closed(error) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Whether the provider has provably not processed the request.
fn is_unprocessed(error: &(dyn Error + 'static)) -> bool {
    if let Some(error) = error.downcast_ref::<h2::Error>() {
        let is_refused = error.reason() == Some(h2::Reason::REFUSED_STREAM);
        // Streams up to the last one that the provider processed do not end with its GOAWAY.
        return error.is_remote() && (is_refused && error.is_reset() || error.is_go_away());
    }
    let inner = error.downcast_ref().and_then(io::Error::get_ref);
    inner.is_some_and(<dyn Error + Send + Sync>::is::<Unasked>)
}

/// Whether a connection was closed before the response began.
fn is_closed(error: &(dyn Error + 'static)) -> bool {
    let incomplete = error.downcast_ref::<hyper::Error>();
    incomplete.is_some_and(hyper::Error::is_incomplete_message)
        || error.downcast_ref::<io::Error>().is_some_and(is_end)
}

/// Whether an error of a socket says that its peer has closed it.
pub(super) fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}
