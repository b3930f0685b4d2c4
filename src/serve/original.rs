//! A request as the batcher keeps it: as it came, with what tells it from others.

use std::sync::Arc;

use super::embed::Question;
use super::identity::subject;
use super::ticket::ticket;
use super::{Ask, Service};
use crate::batch::original::Original;
use crate::headers::to_provider;
use crate::key::{Digest, Framer};
use crate::request::{Encoding, Input};
use crate::upstream::Priority;

pub(super) fn original(
    service: &Service,
    ask: &Ask,
    (question, caller): (&Question<'_>, Digest),
) -> Original {
    let (request, subject) = (&question.request, subject(ask, &question.request));
    let target = &ask.target;
    let user = request.user.as_deref().map(str::to_owned);
    // Providers take lists of one kind.
    let kind = match request.inputs.first() {
        None | Some(Input::Text(_)) => 0,
        Some(Input::Tokens(_)) => 1,
        Some(Input::Json(_)) => 2,
    };
    let ticket = ticket(target, &ask.headers, (&request.model, request.inputs.len()));
    let is_apart = request.encoding == Encoding::Base64 && !service.batcher.mixes_forms(&subject);
    let lane = Framer::new("larder lane")
        .field(b'p', &[u8::from(ticket.priority == Priority::Bulk)])
        .field(b'f', question.family.as_bytes())
        .field(b'a', target.path_and_query.as_bytes())
        .field(b'u', user.as_deref().unwrap_or("").as_bytes())
        .field(b'k', &[kind, u8::from(is_apart)])
        .field(b'c', caller.as_bytes())
        .finish();
    Original {
        upstream: Arc::clone(&target.upstream),
        shape: question.how.shape,
        path_and_query: target.path_and_query.clone(),
        headers: to_provider(&ask.headers),
        body: ask.body.clone(),
        model: request.model.clone().into_owned(),
        params: request.params.clone(),
        user,
        encoding: request.encoding,
        unity: request.unity,
        weights: request.inputs.iter().map(Input::weight).collect(),
        dimensions: request.dimensions,
        envelope: question.how.envelope,
        lane,
        subject,
        ttl: question.how.directives.ttl.or(service.ttl),
        scope: question.scope,
        ticket,
        trace: target.trace.clone(),
    }
}
