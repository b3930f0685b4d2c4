//! Upgrades (WebSocket): once a provider has agreed to another protocol, bytes both ways, of which
//! larder understands none.

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::upgrade::{self, OnUpgrade};
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;

use super::Proxy;
use crate::headers::{asked_protocol, switch_protocol, to_caller};
use crate::metrics::Held;
use crate::serve::reply::{Content, Passage, Reply};

impl Proxy {
    /// Where a provider agrees to another protocol, the connection becomes a tunnel to it.
    pub(super) fn tunnel(&self, client: Option<OnUpgrade>, reply: Reply) -> Reply {
        let (client, mut response, passage) = match (client, reply.content) {
            (Some(client), Content::Streamed(response, passage)) => (client, response, passage),
            (_, content) => return Reply { content, verdict: reply.verdict },
        };
        let Some(protocol) = agreed(&response) else {
            let content = Content::Streamed(response, passage);
            return Reply { content, verdict: reply.verdict };
        };
        let provider = upgrade::on(&mut *response);
        let held = (passage, Held::one(&self.relay.in_flight));
        self.tasks.spawn(carry(client, provider, held));
        let headers = head(std::mem::take(response.headers_mut()), protocol);
        Reply { content: Content::Switched(headers), verdict: reply.verdict }
    }
}

/// The client's side of a connection that it wants to use for another protocol.
pub(super) fn asked(request: &mut Request<Incoming>) -> Option<OnUpgrade> {
    asked_protocol(request.headers()).is_some().then(|| upgrade::on(request))
}

/// Whether a provider agreed, and to what.
pub(super) fn agreed<B>(response: &Response<B>) -> Option<HeaderValue> {
    let switches = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    switches.then(|| response.headers().get(header::UPGRADE).cloned()).flatten()
}

/// The headers of the answer that agrees.
pub(super) fn head(mut headers: HeaderMap, protocol: HeaderValue) -> HeaderMap {
    to_caller(&mut headers);
    switch_protocol(&mut headers, protocol);
    headers
}

/// Carries bytes both ways until both sides have ended, or one breaks off; then the other is broken
/// off too. The provider's connection is held, and counted, to the end.
pub(super) async fn carry(client: OnUpgrade, provider: OnUpgrade, held: (Passage, Held)) {
    let (Ok(client), Ok(provider)) = tokio::join!(client, provider) else {
        tracing::debug!("protocol upgrade failed: one side disconnected");
        return;
    };
    let (mut client, mut provider) = (TokioIo::new(client), TokioIo::new(provider));
    if let Err(error) = copy_bidirectional(&mut client, &mut provider).await {
        tracing::debug!(%error, "upgraded connection closed with an error");
    }
    drop(held);
}
