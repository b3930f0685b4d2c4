//! What the span of a request says: who was asked, what the cache did, how it ended.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::request::Parts;

use crate::dialect::Endpoint;
use crate::error::{Error, Kind};
use crate::ledger::OTHER;
use crate::metrics::{Outcome, provider};
use crate::serve::reply::{Content, Reply, Verdict};
use crate::trace::{Span, Spanning, Tracer};
use crate::usage::Reported;

/// Methods that are words of HTTP; others are the caller's own.
const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "PATCH"];

/// Begins the span of a request, where it is to be traced.
pub(super) fn begin(
    tracer: &Arc<Tracer>,
    head: &Parts,
    (upstream, endpoint): (&str, Endpoint),
    received: Instant,
) -> Option<Spanning> {
    let span = tracer.begin(&head.headers, received)?;
    let operation = match endpoint {
        Endpoint::Embed(_) => Some("embeddings"),
        Endpoint::Chat(shape) if shape.route().is_none() => Some("chat"),
        Endpoint::Chat(_) | Endpoint::Read(_) | Endpoint::Write(_) | Endpoint::Other => None,
    };
    if let Some(operation) = operation {
        span.name(operation);
        span.set("gen_ai.operation.name", operation);
    }
    span.set("gen_ai.provider.name", provider(upstream).to_owned());
    let method = METHODS.iter().find(|method| head.method == **method);
    span.set("http.request.method", *method.unwrap_or(&"_OTHER"));
    Some(span)
}

/// Says what became of a request.
pub(super) fn tell(span: &Span, Reply { content, verdict }: &Reply, received: Instant) {
    span.set("larder.cache", verdict.cache_status().into_owned());
    if let Some(rule) = &verdict.rule {
        span.set("larder.rule", rule.name.clone());
    }
    if let Some(items) = verdict.items {
        span.set("larder.items.hit", items.hit as u64);
        span.set("larder.items.collapsed", items.collapsed as u64);
        span.set("larder.items.miss", items.miss as u64);
        let own = received.elapsed().saturating_sub(verdict.queue + verdict.upstream);
        span.part("cache", received, own);
        let waited = waited(content, verdict);
        if waited > Duration::ZERO {
            span.part("queue", received + own, waited);
        }
    }
    if let Some(credit) = &verdict.credit
        && matches!(verdict.outcome(), Outcome::Hit | Outcome::Stale)
    {
        if &*credit.account.model != OTHER {
            span.set("gen_ai.request.model", credit.account.model.to_string());
        }
        let tokens = credit.usage.as_ref().map(|usage| usage.tokens).unwrap_or_default();
        span.set("gen_ai.usage.input_tokens", credit.tokens.hit + tokens.input());
        if tokens.output() > 0 {
            span.set("gen_ai.usage.output_tokens", tokens.output());
        }
    }
    match content {
        Content::Shared(shared) => span.served(shared.0.call),
        Content::Passed(answer) => span.served(answer.call),
        Content::Failed(error) => span.failed(error.kind.code()),
        _ => {}
    }
}

/// Says what a response used that was passed on.
pub(super) fn used(span: &Span, Reported { usage, model }: &Reported) {
    if !model.is_empty() {
        span.set("gen_ai.response.model", model.clone());
    }
    if let Some(usage) = usage {
        span.set("gen_ai.usage.input_tokens", usage.tokens.input());
        span.set("gen_ai.usage.output_tokens", usage.tokens.output());
    }
}

/// How long a request waited for others and for its turn; the call has a span of its own. Where a call
/// brought no vectors, the verdict has both in one.
fn waited(content: &Content, verdict: &Verdict) -> Duration {
    match content {
        Content::Passed(answer) => verdict.queue.saturating_sub(answer.took),
        Content::Failed(Error {
            kind: Kind::UpstreamUnreachable | Kind::UpstreamTimeout | Kind::UpstreamInvalid,
            ..
        }) => Duration::ZERO,
        _ => verdict.queue,
    }
}
