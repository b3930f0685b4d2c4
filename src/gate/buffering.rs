//! Request bodies that are read to their ends before the request is served.

use hyper::body::Incoming;

use super::Proxy;
use super::body::{self, MAX_COPIES, Whole};
use super::route::may_be_json;
use crate::ceiling::Room;
use crate::dialect::Endpoint;
use crate::error::Error;
use crate::serve::{Ask, Target};

impl Proxy {
    /// Reads a request's body to its end.
    pub(super) async fn read(
        &self,
        ask: &mut Ask,
        body: Incoming,
        room: &mut Room,
    ) -> Result<Whole, Error> {
        let (size, time) = (self.settings.max_body.as_usize(), self.settings.body_timeout);
        let copies = copies(ask.target.endpoint);
        let whole =
            body::read(body, &ask.headers, body::Bounds { size, copies, time }, room).await?;
        ask.body = whole.plain.clone().unwrap_or_default();
        if whole.plain.is_some() {
            settle(ask);
        }
        Ok(whole)
    }
}

/// Decides by a request's body what it does to a store, where that decides. A body that is not JSON stays
/// one that may write anything.
fn settle(ask: &mut Ask) {
    let Target { upstream, method, path_and_query, .. } = &ask.target;
    if upstream.needs_body(method, path_and_query) && may_be_json(&ask.headers) {
        let endpoint = upstream.endpoint_by_body(method, path_and_query, &ask.body);
        ask.target.endpoint = endpoint;
    }
}

/// Copies of a body that are made while its request is served: of embeddings the inputs, and the body of the
/// call; of others the canonical body.
fn copies(endpoint: Endpoint) -> usize {
    match endpoint {
        Endpoint::Embed(_) => MAX_COPIES,
        Endpoint::Chat(_) | Endpoint::Read(_) | Endpoint::Write(_) => 1,
        Endpoint::Other => 0,
    }
}
