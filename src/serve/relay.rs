//! Everything that is not taken apart: passed on as it is, streaming both ways.

use http::Request;

use super::Target;
use super::reply::{Content, Reply, Verdict};
use crate::headers::{asked_protocol, switch_protocol, to_provider};
use crate::upstream::RequestBody;

/// Passes a request on. The client's `Accept-Encoding` goes along, so that the provider's bytes
/// are the client's; nothing is held but what is on its way.
pub async fn relay(
    target: &Target,
    mut request: Request<RequestBody>,
    reason: &'static str,
) -> Reply {
    let verdict = Verdict::bypass(reason);
    let protocol = asked_protocol(request.headers()).cloned();
    *request.headers_mut() = to_provider(request.headers());
    if let Some(protocol) = protocol {
        switch_protocol(request.headers_mut(), protocol);
    }
    let permit = match target.upstream.permit().await {
        Ok(permit) => permit,
        Err(error) => return Reply { content: Content::Failed(error), verdict },
    };
    let request = (request, &*target.path_and_query);
    let content = match target.upstream.open(&permit, request, target.relayed_as()).await {
        Ok(response) => Content::Streamed(Box::new(response), permit),
        Err(error) => Content::Failed(error),
    };
    Reply { content, verdict }
}
