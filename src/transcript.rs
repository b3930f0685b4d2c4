//! A model's answer as it is kept: the provider's bytes, and those of its headers that stay true.
//!
//! One run of bytes, since a tier knows no more: the length of the headers as four bytes, each header
//! as a line, one line of larder's own with the tokens that it used, then the answer.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::headers::on_hits;
use crate::ledger::Tokens;

/// A kept answer.
#[derive(Debug, Clone)]
pub struct Transcript {
    /// Those that may go with it.
    pub headers: HeaderMap,
    /// As it came.
    pub body: Bytes,
    /// What it used.
    pub tokens: Tokens,
}

/// What begins the line of the tokens: no header has such a name.
const TOKENS: &[u8] = b":tokens";

/// Writes an answer as it is kept.
pub fn write(headers: &HeaderMap, body: &[Bytes], tokens: Tokens) -> Arc<[u8]> {
    let mut lines = Vec::with_capacity(256);
    for (name, value) in on_hits(headers) {
        lines.extend(name.as_str().as_bytes());
        lines.push(b':');
        lines.extend(value.as_bytes());
        lines.push(b'\n');
    }
    lines.extend(TOKENS);
    lines.extend(format!(" {} {}\n", tokens.input, tokens.output).as_bytes());
    let length = u32::try_from(lines.len()).expect("heads are bounded to less than 4 GiB");
    let mut out = Vec::with_capacity(4 + lines.len() + body.iter().map(Bytes::len).sum::<usize>());
    out.extend(length.to_le_bytes());
    out.extend(lines);
    for piece in body {
        out.extend(piece);
    }
    out.into()
}

impl Transcript {
    /// What was kept, without copying the answer; `None` if it is none.
    pub fn view(kept: Arc<[u8]>) -> Option<Self> {
        let (length, rest) = kept.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let lines = rest.get(..length)?;
        let (mut headers, mut tokens) = (HeaderMap::with_capacity(8), Tokens::default());
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            if let Some(counts) = line.strip_prefix(TOKENS) {
                tokens = read_tokens(counts)?;
                continue;
            }
            let colon = line.iter().position(|byte| *byte == b':')?;
            let (name, value) = line.split_at(colon);
            let name = HeaderName::from_bytes(name).ok()?;
            headers.append(name, HeaderValue::from_bytes(value.get(1..)?).ok()?);
        }
        let body = Bytes::from_owner(kept).slice(4 + length..);
        Some(Self { headers, body, tokens })
    }
}

fn read_tokens(counts: &[u8]) -> Option<Tokens> {
    let (input, output) = std::str::from_utf8(counts).ok()?.trim_start().split_once(' ')?;
    Some(Tokens { input: input.parse().ok()?, output: output.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_the_answer_and_what_stays_true_of_it() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("content-type", "text/event-stream; charset=utf-8"),
            ("openai-version", "2020-10-01"),
            ("x-request-id", "req_1"),
            ("x-ratelimit-remaining-requests", "1"),
            ("anthropic-ratelimit-requests-remaining", "1"),
            ("openai-processing-ms", "1"),
            ("set-cookie", "a=b"),
            ("retry-after", "1"),
            ("date", "now"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let tokens = Tokens { input: 12, output: 345 };
        let pieces = [Bytes::from_static(b"data: a\n\n"), Bytes::from_static(b"b:")];
        let kept = write(&headers, &pieces, tokens);
        let transcript = Transcript::view(Arc::clone(&kept)).unwrap();
        assert_eq!(transcript.tokens, tokens);
        assert_eq!(transcript.body, "data: a\n\nb:");
        let names: Vec<&str> = transcript.headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["content-type", "openai-version"]);
        assert_eq!(transcript.headers["content-type"], "text/event-stream; charset=utf-8");
    }

    #[test]
    fn what_is_no_transcript_is_none() {
        for bytes in [&b""[..], b"abc", b"\xff\xff\xff\xff", b"\x05\0\0\0a:b", b"\x02\0\0\0ab"] {
            assert!(Transcript::view(bytes.into()).is_none(), "{bytes:?}");
        }
    }
}
