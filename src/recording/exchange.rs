//! One answer to a question, and the file that it is in: JSON, the body as text where it is text.

use std::io;
use std::time::SystemTime;

use base64_simd::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use httpdate::fmt_http_date;
use serde::{Deserialize, Serialize};

use super::Question;

/// The version of the format.
pub(super) const VERSION: u32 = 1;

/// What a client was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// As it was.
    pub status: StatusCode,
    /// Those that are as true of a recording.
    pub headers: HeaderMap,
    /// As it was, byte for byte.
    pub body: Bytes,
}

/// The file of an answer.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Exchange {
    larder_recording: u32,
    pub(super) provider: String,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) model: String,
    recorded: String,
    /// The first time of asking that it is the answer to; it is until another one is.
    pub(super) from: u32,
    status: u16,
    headers: Vec<(String, String)>,
    #[serde(flatten)]
    body: Body,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Body {
    Text(String),
    Base64(String),
}

impl Exchange {
    pub(super) fn of(question: &Question, from: u32, told: &Told) -> Self {
        let header = |(name, value): (&HeaderName, &HeaderValue)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        };
        let mut headers: Vec<_> = told.headers.iter().filter_map(header).collect();
        headers.sort();
        let body = match std::str::from_utf8(&told.body) {
            Ok(text) => Body::Text(text.to_owned()),
            Err(_) => Body::Base64(STANDARD.encode_to_string(&told.body)),
        };
        Self {
            larder_recording: VERSION,
            provider: question.provider.clone(),
            method: question.method.to_string(),
            path: question.path.clone(),
            model: question.model.clone(),
            recorded: fmt_http_date(SystemTime::now()),
            from,
            status: told.status.as_u16(),
            headers,
            body,
        }
    }

    pub(super) fn read(text: &[u8]) -> io::Result<(Self, Told)> {
        let exchange: Self = serde_json::from_slice(text)?;
        let told = exchange.told()?;
        Ok((exchange, told))
    }

    pub(super) fn write(&self) -> Vec<u8> {
        written(self)
    }

    /// Whether it is the same but for when it was recorded.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let told = |one: &Self| (one.from, one.status);
        told(self) == told(other) && self.headers == other.headers && self.body == other.body
    }

    fn told(&self) -> io::Result<Told> {
        known(self.larder_recording)?;
        let status = StatusCode::from_u16(self.status)
            .map_err(|_| wrong("status: not an HTTP status code"))?;
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let name =
                name.parse::<HeaderName>().map_err(|_| wrong("headers: invalid header name"))?;
            let value = value.parse::<HeaderValue>();
            headers.append(name, value.map_err(|_| wrong("headers: invalid header value"))?);
        }
        let body = match &self.body {
            Body::Text(text) => text.clone().into_bytes(),
            Body::Base64(text) => STANDARD
                .decode_to_vec(text.as_bytes())
                .map_err(|_| wrong("base64: expected base64"))?,
        };
        Ok(Told { status, headers, body: body.into() })
    }
}

/// A file's text: for people to read, and for version control to compare line by line.
pub(super) fn written(file: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(file).expect("texts and numbers are always JSON");
    text.push(b'\n');
    text
}

pub(super) fn known(version: u32) -> io::Result<()> {
    if version == VERSION { Ok(()) } else { Err(wrong("larder_recording: unknown version")) }
}

pub(super) fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Digest;

    #[test]
    fn what_is_read_is_what_was_written_text_or_not() {
        let question = Question {
            digest: Digest::of(b"q"),
            provider: "openai".to_owned(),
            method: http::Method::POST,
            path: "/v1/x".to_owned(),
            model: "m".to_owned(),
        };
        for body in
            [&b"data: {}\n\ndata: [DONE]\n\n"[..], b"", &[0xff, 0, 1], "\u{e9}\"\\\n".as_bytes()]
        {
            let mut headers = HeaderMap::new();
            headers.insert("content-type", HeaderValue::from_static("text/event-stream"));
            let told = Told { status: StatusCode::CREATED, headers, body: body.to_vec().into() };
            let written = Exchange::of(&question, 1, &told);
            let (read, again) = Exchange::read(&written.write()).unwrap();
            assert_eq!((again, read.is_like(&written)), (told, true));
        }
    }

    #[test]
    fn another_version_is_not_read() {
        let text = br#"{"larder_recording":2,"provider":"","method":"GET","path":"/","model":"",
            "recorded":"","from":1,"status":200,"headers":[],"text":""}"#;
        assert!(Exchange::read(text).unwrap_err().to_string().contains("unknown version"));
    }
}
