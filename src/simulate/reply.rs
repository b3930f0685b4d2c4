//! Replies as HTTP: whole or in frames. Knows no provider's shapes.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{Either, Full};

use super::frames::Frames;

/// A reply's body: whole, or sent frame by frame.
pub(super) type Body = Either<Full<Bytes>, Frames>;

/// A whole reply of JSON text.
pub(super) fn json(status: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    whole(status, HeaderValue::from_static("application/json"), text.into())
}

/// A whole reply of plain text.
pub(super) fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    whole(status, HeaderValue::from_static("text/plain"), Bytes::from_static(text.as_bytes()))
}

/// A reply of server-sent events.
pub(super) fn events(frames: Frames) -> Response<Body> {
    let mut response = Response::new(Either::Right(frames));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

fn whole(status: StatusCode, content_type: HeaderValue, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::new(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
