//! A store: a database of vectors or documents that is asked in JSON over HTTP. Nothing is known of its
//! shapes; what its endpoints do is said by the routes of the configuration (`dialect::store`).

use http::{HeaderMap, HeaderName, Method, header};

use super::{BEARER, Dialect, EmbedShape, Endpoint};

/// Any store.
#[derive(Debug)]
pub(super) struct Generic;

impl Dialect for Generic {
    fn name(&self) -> &'static str {
        "generic"
    }

    fn embed(&self, _method: &Method, _path: &str) -> Option<&'static dyn EmbedShape> {
        None
    }

    fn endpoint(&self, _method: &Method, _path: &str) -> Endpoint {
        Endpoint::Other
    }

    /// Most stores take either; whoever sends a bearer token has one that does.
    fn credential(&self, _path: &str, headers: &HeaderMap) -> (HeaderName, &'static str) {
        if headers.contains_key(header::AUTHORIZATION) {
            return BEARER;
        }
        (HeaderName::from_static("api-key"), "")
    }

    /// A store of any kind: all of them.
    fn credentials(&self) -> &'static [&'static str] {
        &[
            "access_token",
            "api-key",
            "api_key",
            "authorization",
            "key",
            "ocp-apim-subscription-key",
            "x-api-key",
            "x-goog-api-key",
        ]
    }
}
