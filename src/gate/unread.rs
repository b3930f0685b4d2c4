//! Which requests are passed on without anybody having read their bodies.

use http::Method;
use hyper::body::{Body as _, Incoming};

use super::Proxy;
use crate::dialect::Endpoint;
use crate::serve::Ask;

impl Proxy {
    /// Why a request's body need not be known.
    pub(super) fn unread(&self, ask: &Ask, path: &str, body: &Incoming) -> Option<&'static str> {
        match ask.target.endpoint {
            Endpoint::Other => Some("relay"),
            Endpoint::Embed(_) => None,
            // Without the cache it would have gone through, whatever its size.
            Endpoint::Chat(_) if body.size_hint().lower() > self.settings.max_body.0 => {
                Some("too-large")
            }
            Endpoint::Chat(_) if ask.target.method == Method::GET && !body.is_end_stream() => {
                Some("relay")
            }
            Endpoint::Chat(shape) => {
                let declined = self.service.declines(shape, ask);
                declined.filter(|_| !self.may_be_ruled(ask, path))
            }
        }
    }
}
