//! OTLP in JSON: numbers of 64 bits are texts, identities are in hex.

use bytes::Bytes;
use serde_json::{Map, Value as Json, json};

use super::span::{all_attributes, is_error, kind, name, nanoseconds};
use super::{Resource, SCOPE, VERSION};
use crate::trace::{Context, Record, Value};

/// One message.
pub(super) fn message(resource: &Resource, records: &[Record]) -> Bytes {
    let spans: Vec<Json> = records.iter().map(span).collect();
    let resource = resource.0.iter().map(|(name, value)| (name.as_str(), value));
    let message = json!({ "resourceSpans": [{
        "resource": { "attributes": attributes(resource) },
        "scopeSpans": [{ "scope": { "name": SCOPE, "version": VERSION }, "spans": spans }],
    }] });
    message.to_string().into()
}

fn span(record: &Record) -> Json {
    let mut span = identity(record.context);
    let (start, end) = (record.start, record.start + record.took);
    let all = all_attributes(record);
    let all = all.iter().map(|(name, value)| (*name, value));
    span.extend([
        ("name".to_owned(), name(record).into()),
        ("kind".to_owned(), kind(record.kind).into()),
        ("startTimeUnixNano".to_owned(), nanoseconds(start).to_string().into()),
        ("endTimeUnixNano".to_owned(), nanoseconds(end).to_string().into()),
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

fn identity(Context { trace, span, .. }: Context) -> Map<String, Json> {
    let ids = [("traceId", format!("{trace:032x}")), ("spanId", format!("{span:016x}"))];
    ids.into_iter().map(|(name, id)| (name.to_owned(), id.into())).collect()
}

fn attributes<'v, I: IntoIterator<Item = (&'v str, &'v Value)>>(all: I) -> Json {
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
    use super::super::span::example;
    use super::*;

    #[test]
    fn a_span_is_written_as_otlp_has_it() {
        let message = message(&Resource(Vec::new()), &[example()]);
        let message: Json = serde_json::from_slice(&message).unwrap();
        let trace = "00000000000000000000000000000abc";
        let span = json!({
            "traceId": trace, "spanId": "00000000000000de", "parentSpanId": "0000000000000001",
            "name": "chat gpt-4o", "kind": 3,
            "startTimeUnixNano": "1000000000", "endTimeUnixNano": "1000000005",
            "attributes": [
                { "key": "gen_ai.operation.name", "value": { "stringValue": "chat" } },
                { "key": "gen_ai.request.model", "value": { "stringValue": "gpt-4o" } },
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
