//! Everything that is not taken apart: passed on as it is, streaming both ways.

use http::Request;

use super::reply::{Content, Reply, Verdict};
use crate::headers::{asked_protocol, switch_protocol, to_provider};
use crate::upstream::{RequestBody, Upstream};

/// Passes a request on. The client's `Accept-Encoding` goes along, so that the provider's bytes
/// are the client's; nothing is held but what is on its way.
pub async fn relay(
    upstream: &Upstream,
    path_and_query: &str,
    mut request: Request<RequestBody>,
    reason: &'static str,
) -> Reply {
    let verdict = Verdict::bypass(reason);
    let protocol = asked_protocol(request.headers()).cloned();
    *request.headers_mut() = to_provider(request.headers());
    if let Some(protocol) = protocol {
        switch_protocol(request.headers_mut(), protocol);
    }
    let permit = match upstream.permit().await {
        Ok(permit) => permit,
        Err(error) => return Reply { content: Content::Failed(error), verdict },
    };
    let content = match upstream.open(request, path_and_query).await {
        Ok(response) => Content::Streamed(Box::new(response), permit),
        Err(error) => Content::Failed(error),
    };
    Reply { content, verdict }
}
