//! OTLP in Protocol Buffers.
//!
//! Eight messages with four kinds of fields: the encoder is shorter than the build of a library with generated
//! code. Source: opentelemetry-proto 1.9, `opentelemetry/proto/{trace,common,resource}/v1`.

use bytes::Bytes;

use super::span::{all_attributes, is_error, kind, name, nanoseconds};
use super::{Resource, SCOPE, VERSION};
use crate::trace::{Context, Record, Value};

/// The error in `Status.code`.
const ERROR: u64 = 2;

/// One `ExportTraceServiceRequest`.
pub(super) fn message(resource: &Resource, records: &[Record]) -> Bytes {
    let mut request = Message::default();
    request.message(1, |spans| {
        spans.message(1, |message| {
            for (name, value) in &resource.0 {
                message.attribute(1, name, value);
            }
        });
        spans.message(2, |scoped| {
            scoped.message(1, |scope| {
                scope.text(1, SCOPE);
                scope.text(2, VERSION);
            });
            for record in records {
                scoped.message(2, |span| span.span(record));
            }
        });
    });
    request.0.into()
}

/// The bytes of a message.
#[derive(Debug, Default)]
struct Message(Vec<u8>);

impl Message {
    fn span(&mut self, record: &Record) {
        let (start, end) = (record.start, record.start + record.took);
        self.context(record.context);
        if let Some(parent) = record.parent {
            self.bytes(4, &parent.to_be_bytes());
        }
        self.text(5, &name(record));
        self.number(6, kind(record.kind).into());
        self.fixed(7, nanoseconds(start));
        self.fixed(8, nanoseconds(end));
        for (name, value) in all_attributes(record) {
            self.attribute(9, name, &value);
        }
        for link in &record.links {
            self.message(13, |message| message.context(*link));
        }
        if is_error(record) {
            self.message(15, |status| status.number(3, ERROR));
        }
    }

    /// The identity of a span or of a link.
    fn context(&mut self, Context { trace, span, .. }: Context) {
        self.bytes(1, &trace.to_be_bytes());
        self.bytes(2, &span.to_be_bytes());
    }

    fn attribute(&mut self, field: u64, name: &str, value: &Value) {
        self.message(field, |pair| {
            pair.text(1, name);
            pair.message(2, |any| match value {
                Value::Text(text) => any.text(1, text),
                Value::Number(number) => any.number(3, *number),
            });
        });
    }

    fn message(&mut self, field: u64, write: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        write(&mut inner);
        self.bytes(field, &inner.0);
    }

    fn text(&mut self, field: u64, text: &str) {
        self.bytes(field, text.as_bytes());
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
    }

    fn number(&mut self, field: u64, number: u64) {
        self.varint(field << 3);
        self.varint(number);
    }

    fn fixed(&mut self, field: u64, number: u64) {
        self.varint(field << 3 | 1);
        self.0.extend(number.to_le_bytes());
    }

    #[expect(clippy::cast_possible_truncation, reason = "seven bits at a time")]
    fn varint(&mut self, mut number: u64) {
        while number > 0x7f {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::super::span::example;
    use super::*;

    /// As `ExportTraceServiceRequest.SerializeToString` of the official Python package writes it.
    const GOLDEN: &str = "0ab4020a170a150a0c736572766963652e6e616d6512050a037765621298020a0f0a066c6172646572120530\
        2e302e301284020a1000000000000000000000000000000abc120800000000000000de220800000000000000\
        012a0b63686174206770742d346f30033900ca9a3b000000004105ca9a3b000000004a1f0a1567656e5f6169\
        2e6f7065726174696f6e2e6e616d6512060a04636861744a200a1467656e5f61692e726571756573742e6d6f\
        64656c12080a066770742d346f4a1f0a1967656e5f61692e75736167652e696e7075745f746f6b656e731202\
        18074a200a19687474702e726573706f6e73652e7374617475735f636f6465120318ad034a130a0a6572726f\
        722e7479706512050a033432396a1c0a1000000000000000000000000000000abc120800000000000000027a\
        021802";

    #[test]
    fn a_span_is_written_as_the_official_library_writes_it() {
        let resource = Resource(vec![("service.name".to_owned(), "web".into())]);
        let written = hex(&message(&resource, &[example()]));
        let version = hex(VERSION.as_bytes());
        assert_eq!(written.replace(&version, "@"), GOLDEN.replace(&hex(b"0.0.0"), "@"));
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
    }
}
