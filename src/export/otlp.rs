//! Spans in the form of OTLP, as JSON: numbers of 64 bits as texts, identities in hex.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde_json::{Map, Value as Json, json};

use crate::trace::{Context, Kind, Record, Value};

/// One message.
pub(super) fn message(records: &[Record]) -> Bytes {
    let spans: Vec<Json> = records.iter().map(span).collect();
    let version = env!("CARGO_PKG_VERSION");
    let resource = [("service.name", &"larder".into()), ("service.version", &version.into())];
    let message = json!({ "resourceSpans": [{
        "resource": { "attributes": attributes(resource) },
        "scopeSpans": [{ "scope": { "name": "larder", "version": version }, "spans": spans }],
    }] });
    message.to_string().into()
}

fn span(record: &Record) -> Json {
    let mut span = identity(record.context);
    let (start, end) = (record.start, record.start + record.took);
    let status = record.status.map(|status| Value::Number(status.into()));
    let error = record.error.clone().map(Value::Text);
    let own = record.attributes.iter().map(|(name, value)| (*name, value));
    let all = own
        .chain(status.iter().map(|status| ("http.response.status_code", status)))
        .chain(error.iter().map(|error| ("error.type", error)));
    span.extend([
        ("name".to_owned(), record.name.into()),
        ("kind".to_owned(), kind(record.kind).into()),
        ("startTimeUnixNano".to_owned(), nanoseconds(start).into()),
        ("endTimeUnixNano".to_owned(), nanoseconds(end).into()),
        ("attributes".to_owned(), attributes(all)),
        ("links".to_owned(), record.links.iter().copied().map(identity).collect()),
    ]);
    if let Some(parent) = record.parent {
        span.insert("parentSpanId".to_owned(), format!("{parent:016x}").into());
    }
    if is_error(record) {
        span.insert("status".to_owned(), json!({ "code": 2 }));
    }
    span.into()
}

/// A request that was wrong is no error of who answers it.
fn is_error(record: &Record) -> bool {
    let is_callers = record.kind == Kind::Server
        && record.status.is_some_and(|status| (400..500).contains(&status));
    record.error.is_some() && !is_callers
}

fn identity(Context { trace, span, .. }: Context) -> Map<String, Json> {
    let ids = [("traceId", format!("{trace:032x}")), ("spanId", format!("{span:016x}"))];
    ids.into_iter().map(|(name, id)| (name.to_owned(), id.into())).collect()
}

fn kind(kind: Kind) -> u8 {
    match kind {
        Kind::Internal => 1,
        Kind::Server => 2,
        Kind::Client => 3,
    }
}

fn nanoseconds(at: SystemTime) -> String {
    at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_nanos().to_string()
}

fn attributes<'v, I: IntoIterator<Item = (&'static str, &'v Value)>>(all: I) -> Json {
    let one = |(key, value): (&str, &Value)| {
        let value = match value {
            Value::Text(text) => json!({ "stringValue": text }),
            Value::Number(number) => json!({ "intValue": number.to_string() }),
        };
        json!({ "key": key, "value": value })
    };
    all.into_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_written_as_otlp_has_it() {
        let context = Context { trace: 0xabc, span: 0xde, sampled: true };
        let record = Record {
            context,
            parent: Some(1),
            kind: Kind::Client,
            name: "upstream",
            start: UNIX_EPOCH + Duration::from_secs(1),
            took: Duration::from_nanos(5),
            attributes: vec![("gen_ai.usage.input_tokens", 7.into())],
            links: vec![Context { span: 2, ..context }],
            status: Some(429),
            error: Some("429".into()),
        };
        let message: Json = serde_json::from_slice(&message(&[record])).unwrap();
        let trace = "00000000000000000000000000000abc";
        let span = json!({
            "traceId": trace, "spanId": "00000000000000de", "parentSpanId": "0000000000000001",
            "name": "upstream", "kind": 3,
            "startTimeUnixNano": "1000000000", "endTimeUnixNano": "1000000005",
            "attributes": [
                { "key": "gen_ai.usage.input_tokens", "value": { "intValue": "7" } },
                { "key": "http.response.status_code", "value": { "intValue": "429" } },
                { "key": "error.type", "value": { "stringValue": "429" } },
            ],
            "links": [{ "traceId": trace, "spanId": "0000000000000002" }],
            "status": { "code": 2 },
        });
        assert_eq!(message["resourceSpans"][0]["scopeSpans"][0]["spans"][0], span);
    }
}
