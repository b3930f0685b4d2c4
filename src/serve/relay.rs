//! Everything that is not taken apart: passed on as it is, streaming both ways.

use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use hyper::body::Body as _;

use super::Target;
use super::reply::{Content, Passage, Reply, Verdict};
use super::ticket::ticket;
use crate::config::words::CachedRoute;
use crate::dialect::Endpoint;
use crate::error::Error;
use crate::headers::{asked_protocol, switch_protocol, to_provider};
use crate::ledger::Credit;
use crate::metrics::Operation;
use crate::upstream::{Call, Coming, Permit, RequestBody, Ticket, Upload, Upstream};

/// A body that is passed on.
pub enum Passing {
    /// It is all here, and can be sent again.
    Whole(Bytes),
    /// It is still coming.
    Streamed(Upload),
}

/// Passes a request on. The client's `Accept-Encoding` goes along, so that the provider's bytes
/// are the client's; of the answer nothing is held but what is on its way.
pub(super) async fn relay(
    target: &Target,
    headers: &HeaderMap,
    body: Passing,
    reason: &'static str,
) -> Reply {
    let started = Instant::now();
    let mut to_provider = to_provider(headers);
    if let Some(protocol) = asked_protocol(headers) {
        switch_protocol(&mut to_provider, protocol.clone());
    }
    let model = body.model(target);
    target.asks(&model);
    let (upstream, ticket) = (&target.upstream, ticket(target, headers, (&model, 1)));
    let (method, path_and_query) = (target.method.clone(), target.path_and_query.clone());
    let operation = target.relayed_as();
    let cause = target.cause();
    let opened = match body {
        Passing::Whole(body) => {
            let call = Call { method, path_and_query, headers: to_provider, body, cause };
            upstream.open_in_turn(&ticket, &call, operation).await
        }
        Passing::Streamed(body) => {
            let mut head = Request::new(());
            *head.method_mut() = method;
            *head.headers_mut() = to_provider;
            if let Some(cause) = cause {
                head.extensions_mut().insert(cause);
            }
            stream(upstream, &ticket, head.map(|()| body), &path_and_query, operation).await
        }
    };
    let content = match opened {
        Ok((response, permit)) => {
            Content::Streamed(Box::new(response), Passage { permit, change: None })
        }
        Err(error) => Content::Failed(error),
    };
    let account = (is_billed(target.endpoint) && !model.is_empty() && succeeds(&content))
        .then(|| upstream.accounts.of(operation, &model));
    let credit = account.map(Credit::none);
    let verdict = Verdict { credit, upstream: started.elapsed(), ..Verdict::bypass(reason) };
    Reply { content, verdict }
}

/// Makes a call whose body still comes.
async fn stream(
    upstream: &Upstream,
    ticket: &Ticket,
    request: Request<Upload>,
    path_and_query: &str,
    operation: Operation,
) -> Result<(Response<Coming>, Permit), Error> {
    let (head, body) = request.into_parts();
    let body = awaited(body).await?;
    let permit = upstream.permit(ticket).await?;
    let request = Request::from_parts(head, body);
    let response = upstream.open(&permit, (request, path_and_query), operation).await?;
    Ok((response, permit))
}

/// A body whose first piece is there. An empty one is whole, so that its request can be sent again.
async fn awaited(mut body: Upload) -> Result<RequestBody, Error> {
    if body.is_end_stream() {
        return Ok(RequestBody::Left(Full::default()));
    }
    body.begin().await?;
    Ok(RequestBody::Right(body))
}

/// Whether responses of an endpoint report what they cost.
fn is_billed(endpoint: Endpoint) -> bool {
    let Endpoint::Chat(shape) = endpoint else { return false };
    matches!(shape.route(), None | Some(CachedRoute::Rerank))
}

fn succeeds(content: &Content) -> bool {
    matches!(content, Content::Streamed(response, _) if response.status().is_success())
}

impl Passing {
    /// The model that a request is for, as far as it can be told.
    fn model(&self, target: &Target) -> String {
        let (Self::Whole(body), Endpoint::Chat(shape)) = (self, target.endpoint) else {
            return String::new();
        };
        shape.read(&target.path_and_query, body).map(|request| request.model).unwrap_or_default()
    }
}

impl std::fmt::Debug for Passing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole(body) => f.debug_tuple("Whole").field(&body.len()).finish(),
            Self::Streamed(_) => f.debug_tuple("Streamed").finish_non_exhaustive(),
        }
    }
}
