//! Which requests are passed on without anybody having read their bodies.

use http::{Method, header};
use hyper::body::{Body as _, Incoming};

use super::Proxy;
use crate::dialect::Endpoint;
use crate::serve::Ask;
use crate::upstream::{ComingBody, Upload};

impl Proxy {
    /// A body that is relayed as it comes.
    pub(super) fn upload(&self, body: ComingBody) -> Upload {
        Upload::new(body, self.settings.body_timeout)
    }

    /// Why a request's body need not be known.
    pub(super) fn unread(&self, ask: &Ask, path: &str, body: &Incoming) -> Option<&'static str> {
        match ask.target.endpoint {
            Endpoint::Other => Some("relay"),
            Endpoint::Write(_) => {
                let encoded = ask.headers.contains_key(header::CONTENT_ENCODING);
                let is_short =
                    body.size_hint().upper().is_some_and(|most| most <= self.settings.max_body.0);
                // Whatever its size, it goes through; what cannot be read is not known to change less than all.
                let reads = self.service.must_read(ask) && is_short && !encoded;
                (!reads).then_some("write")
            }
            Endpoint::Embed(_) => None,
            // Without the cache it would have gone through, whatever its size.
            Endpoint::Chat(_) | Endpoint::Read(_)
                if body.size_hint().lower() > self.settings.max_body.0 =>
            {
                Some("too-large")
            }
            Endpoint::Chat(_) | Endpoint::Read(_)
                if ask.target.method == Method::GET && !body.is_end_stream() =>
            {
                Some("relay")
            }
            Endpoint::Read(_) => self.service.declines_read(ask),
            Endpoint::Chat(shape) => {
                let declined = self.service.declines(shape, ask);
                declined.filter(|_| !self.may_be_ruled(ask, path))
            }
        }
    }
}
