//! The way of a request into the proxy: its provider, or the reason for which it goes no further.

use std::borrow::Cow;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, Uri, header};

use super::body::Body;
use super::pages::Entrance;
use super::route::Stray;
use super::write::{self, Voice};
use super::{Proxy, target};
use crate::error::Error;
use crate::headers::strip_named;
use crate::upstream::Upstream;

/// The provider of a request, and whether the request may go on.
pub(super) struct Way<'a> {
    /// The provider. For a refused request it only gives the error its shape.
    pub(super) upstream: &'a Arc<Upstream>,
    /// The path below the provider's base URL, with the query.
    pub(super) rest: Cow<'a, str>,
    /// The error for a request that may not go on. Nothing of it reaches a provider.
    pub(super) refused: Option<Error>,
}

impl Proxy {
    /// The path and query of a request, or the response to one that is answered at the door: a malformed
    /// request, and the preflight of a page.
    pub(super) fn enter<'u>(
        &self,
        uri: &'u Uri,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<&'u str, Box<Response<Body>>> {
        let path_and_query = target::of(method, uri).map_err(|error| self.malformed(&error))?;
        match self.pages.preflight(method, headers) {
            Some(response) => Err(Box::new(response)),
            None => Ok(path_and_query),
        }
    }

    /// The response to a malformed request, and the last of its connection.
    fn malformed(&self, error: &Error) -> Box<Response<Body>> {
        self.refused_at_the_door(error);
        let voice = Voice(self.routes.default().dialect, "/");
        let mut response = write::failed(&voice, error);
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
        Box::new(response)
    }

    /// Removes the headers that no provider sees and that are no part of the request's identity. Returns
    /// the values of the scope's header.
    pub(super) fn strip(&self, headers: &mut HeaderMap, is_of_page: bool) -> Vec<HeaderValue> {
        strip_named(headers);
        if is_of_page {
            // The page is larder's client, not the provider's.
            headers.remove(header::ORIGIN);
        }
        self.service.group(headers)
    }

    /// Finds the way of a request. Of several reasons against it the first counts: the web page that it
    /// comes from, its key, its path, its scope.
    pub(super) fn admit<'a>(
        &'a self,
        head: &Parts,
        path_and_query: &'a str,
        entrance: Entrance,
    ) -> Way<'a> {
        let headers = &head.headers;
        let allowed = self.allowed.as_ref();
        let refused = self
            .pages
            .refuses(head, entrance)
            .or_else(|| allowed.and_then(|allowed| allowed.refuses(headers, path_and_query)));
        match self.routes.find(path_and_query) {
            Ok((upstream, rest)) => {
                let refused = refused.or_else(|| self.service.refuses_scope(headers));
                Way { upstream, rest: upstream.tidied(&head.method, rest), refused }
            }
            Err(Stray { near, error }) => Way {
                upstream: near.unwrap_or_else(|| self.routes.default()),
                rest: Cow::Borrowed(path_and_query),
                refused: refused.or(Some(error)),
            },
        }
    }
}
