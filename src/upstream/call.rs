//! A call to a provider that can be made again, and its response.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{Either, Full};

use super::pool::RequestBody;
use crate::trace::{Cause, Served};

/// A whole call, which can be made again.
#[derive(Debug, Clone)]
pub struct Call {
    /// The HTTP method.
    pub method: Method,
    /// The path below the base URL, with the query.
    pub path_and_query: String,
    /// As the client sent them, without this hop's.
    pub headers: HeaderMap,
    /// As it is sent.
    pub body: Bytes,
    /// The traced requests that the call is made for.
    pub cause: Option<Cause>,
}

/// A whole answer, decoded.
#[derive(Debug, Clone)]
pub struct Answer {
    /// As sent.
    pub status: StatusCode,
    /// As sent, without `Content-Encoding` where the body was decoded.
    pub headers: HeaderMap,
    /// As sent, decoded.
    pub body: Bytes,
    /// How long the call took.
    pub took: Duration,
    /// The call, where it is traced.
    pub call: Option<Served>,
}

impl Call {
    pub(super) fn as_request(&self) -> Request<RequestBody> {
        let mut request = Request::new(Either::Left(Full::new(self.body.clone())));
        *request.method_mut() = self.method.clone();
        *request.headers_mut() = self.headers.clone();
        if let Some(cause) = &self.cause {
            request.extensions_mut().insert(cause.clone());
        }
        request
    }
}
