//! The parts of a span that both encodings have.

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::trace::{Kind, Record, Value};

/// The name of a span. That of a request or a call for a model is the operation and the model, as
/// `OpenTelemetry`'s conventions for generative AI have it (`chat gpt-4o`).
pub(super) fn name(record: &Record) -> Cow<'static, str> {
    let text = |name| {
        let (_, value) = record.attributes.iter().find(|(known, _)| *known == name)?;
        if let Value::Text(text) = value { Some(text) } else { None }
    };
    match (text("gen_ai.operation.name"), text("gen_ai.request.model")) {
        (Some(operation), Some(model)) => format!("{operation} {model}").into(),
        (Some(operation), None) => operation.clone(),
        (None, _) => record.name.into(),
    }
}

/// The attributes, with those of the status and the error.
pub(super) fn all_attributes(record: &Record) -> Vec<(&'static str, Value)> {
    let status = record.status.map(|status| Value::Number(status.into()));
    let error = record.error.clone().map(Value::Text);
    let mut all = record.attributes.clone();
    all.extend(status.map(|status| ("http.response.status_code", status)));
    all.extend(error.map(|error| ("error.type", error)));
    all
}

/// Whether the span failed. A request that was wrong is no error of the server.
pub(super) fn is_error(record: &Record) -> bool {
    let is_clients = record.kind == Kind::Server
        && record.status.is_some_and(|status| (400..500).contains(&status));
    record.error.is_some() && !is_clients
}

/// The number of a kind.
pub(super) fn kind(kind: Kind) -> u8 {
    match kind {
        Kind::Internal => 1,
        Kind::Server => 2,
        Kind::Client => 3,
    }
}

/// Nanoseconds since 1970.
pub(super) fn nanoseconds(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// A span with everything that a span may have.
#[cfg(test)]
pub(super) fn example() -> Record {
    use crate::trace::Context;

    let context = Context { trace: 0xabc, span: 0xde, sampled: true };
    Record {
        context,
        parent: Some(1),
        kind: Kind::Client,
        name: "upstream",
        start: UNIX_EPOCH + Duration::from_secs(1),
        took: Duration::from_nanos(5),
        attributes: vec![
            ("gen_ai.operation.name", "chat".into()),
            ("gen_ai.request.model", "gpt-4o".into()),
            ("gen_ai.usage.input_tokens", 7.into()),
        ],
        links: vec![Context { span: 2, ..context }],
        status: Some(429),
        error: Some("429".into()),
    }
}
