//! A model's answer as it is kept: the provider's bytes, and those of its headers that stay true.
//!
//! One run of bytes, since a tier knows no more: the length of the headers as four bytes, each header
//! as a line, one line of larder's own with its usage, then the answer.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::headers::on_hits;
use crate::usage::{Kind, Tier, Tokens, Usage};

/// A kept answer.
#[derive(Debug, Clone)]
pub struct Transcript {
    /// Those that may go with it.
    pub headers: HeaderMap,
    /// As it came.
    pub body: Bytes,
    /// The usage of its call; `None` if that was not reported.
    pub usage: Option<Usage>,
}

/// The beginning of the line with the usage: no header has such a name.
const USAGE: &[u8] = b":tokens";

/// Writes an answer as it is kept.
pub fn write(headers: &HeaderMap, body: &[Bytes], usage: Option<&Usage>) -> Arc<[u8]> {
    let mut lines = Vec::with_capacity(256);
    for (name, value) in on_hits(headers) {
        lines.extend(name.as_str().as_bytes());
        lines.push(b':');
        lines.extend(value.as_bytes());
        lines.push(b'\n');
    }
    if let Some(usage) = usage {
        lines.extend(USAGE);
        lines.extend(usage_line(usage).as_bytes());
        lines.push(b'\n');
    }
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
        let (mut headers, mut usage) = (HeaderMap::with_capacity(8), None);
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            if let Some(counts) = line.strip_prefix(USAGE) {
                usage = Some(read_usage(std::str::from_utf8(counts).ok()?)?);
                continue;
            }
            let colon = line.iter().position(|byte| *byte == b':')?;
            let (name, value) = line.split_at(colon);
            let name = HeaderName::from_bytes(name).ok()?;
            headers.append(name, HeaderValue::from_bytes(value.get(1..)?).ok()?);
        }
        let body = Bytes::from_owner(kept).slice(4 + length..);
        Some(Self { headers, body, usage })
    }
}

/// The numbers of a usage: tokens by kind, searches, tier, flags and dollars.
fn usage_line(usage: &Usage) -> String {
    let mut line = String::with_capacity(48);
    for (_, number) in usage.tokens.each() {
        line.push(' ');
        line.push_str(itoa::Buffer::new().format(number));
    }
    let flags = u8::from(usage.is_fast) + 2 * u8::from(usage.is_us);
    let dollars = usage.dollars.map(|dollars| format!(" {dollars}")).unwrap_or_default();
    format!("{line} {} {} {flags}{dollars}", usage.searches, usage.tier as u8)
}

/// Reads them. Entries of earlier versions have the input and the output only.
fn read_usage(line: &str) -> Option<Usage> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let number = |at: usize| words.get(at)?.parse::<u64>().ok();
    if words.len() == 2 {
        let tokens = Tokens::of(Kind::Input, number(0)?).with(Kind::Output, number(1)?);
        return Some(Usage { tokens, ..Usage::default() });
    }
    let mut tokens = Tokens::default();
    for (at, kind) in Kind::ALL.into_iter().enumerate() {
        tokens = tokens.with(kind, number(at)?);
    }
    let at = Kind::ALL.len();
    let (searches, tier, flags) = (number(at)?, number(at + 1)?, number(at + 2)?);
    let tiers = [Tier::Standard, Tier::Flex, Tier::Priority, Tier::Other];
    let tier = tiers.into_iter().find(|known| u64::from(*known as u8) == tier)?;
    let dollars = match words.get(at + 3) {
        Some(dollars) => Some(dollars.parse().ok()?),
        None => None,
    };
    let (is_fast, is_us) = (flags & 1 == 1, flags & 2 == 2);
    Some(Usage { tokens, searches, tier, is_fast, is_us, dollars })
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
        let tokens = Tokens::of(Kind::Input, 12).with(Kind::AudioOutput, 345);
        let usage = Usage {
            tokens,
            tier: Tier::Flex,
            is_us: true,
            dollars: Some(0.25),
            ..Usage::default()
        };
        let pieces = [Bytes::from_static(b"data: a\n\n"), Bytes::from_static(b"b:")];
        let kept = write(&headers, &pieces, Some(&usage));
        let transcript = Transcript::view(Arc::clone(&kept)).unwrap();
        assert_eq!(transcript.usage, Some(usage));
        assert_eq!(transcript.body, "data: a\n\nb:");
        let names: Vec<&str> = transcript.headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["content-type", "openai-version"]);
        assert_eq!(transcript.headers["content-type"], "text/event-stream; charset=utf-8");
    }

    #[test]
    fn the_usage_of_earlier_versions_is_read() {
        let tokens = Tokens::of(Kind::Input, 12).with(Kind::Output, 345);
        assert_eq!(read_usage(" 12 345"), Some(Usage { tokens, ..Usage::default() }));
        for wrong in ["", " 1", " 1 x", " 1 2 3", " 0 0 0 0 0 0 0 0 0 9 0"] {
            assert_eq!(read_usage(wrong), None, "{wrong}");
        }
        let none = write(&HeaderMap::new(), &[], None);
        assert_eq!(Transcript::view(none).unwrap().usage, None);
    }

    #[test]
    fn what_is_no_transcript_is_none() {
        for bytes in [&b""[..], b"abc", b"\xff\xff\xff\xff", b"\x05\0\0\0a:b", b"\x02\0\0\0ab"] {
            assert!(Transcript::view(bytes.into()).is_none(), "{bytes:?}");
        }
    }
}
