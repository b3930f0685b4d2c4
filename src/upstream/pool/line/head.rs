//! The head of an answer, read by the parser that hyper uses.

use std::io;
use std::mem::MaybeUninit;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, Version};
use httparse::{Header, ParserConfig, Status};
use memchr::memchr_iter;

use super::Asked;
use super::framing::Framing;
use super::wrong;
use crate::headers::connection_options;

/// How many fields a head may have, and how long it may be: as hyper has it.
const FIELDS: usize = 100;
const LONGEST: usize = 408 << 10;

/// The head of an answer, and what it says of what follows.
pub(super) struct Head {
    pub(super) response: Response<()>,
    pub(super) framing: Framing,
    /// Whether the connection can carry another request afterwards.
    pub(super) is_kept: bool,
}

/// Where the first head in these bytes ends, if it does; what came before `seen` was looked at already.
pub(super) fn end(bytes: &[u8], seen: usize) -> io::Result<Option<usize>> {
    let begun = bytes.get(..bytes.len().min(7)).unwrap_or_default();
    if !b"HTTP/1.".starts_with(begun) && bytes != b"\r" {
        return Err(wrong("the answer is not HTTP/1"));
    }
    let from = seen.saturating_sub(2);
    let new = bytes.get(from..).unwrap_or_default();
    for line in memchr_iter(b'\n', new) {
        let rest = new.get(line + 1..).unwrap_or_default();
        for blank in [&b"\r\n"[..], b"\n"] {
            if rest.starts_with(blank) {
                return Ok(Some(from + line + 1 + blank.len()));
            }
        }
    }
    if bytes.len() > LONGEST { Err(wrong("the head of the answer is too long")) } else { Ok(None) }
}

/// Reads a head; `None` where it is one of those before an answer's own (RFC 9110, section 15.2).
pub(super) fn read(bytes: &[u8], asked: &Asked) -> io::Result<Option<Head>> {
    // What the fields say is shared with it.
    let shared = Bytes::copy_from_slice(bytes);
    let mut fields = [const { MaybeUninit::<Header<'_>>::uninit() }; FIELDS];
    let mut head = httparse::Response::new(&mut []);
    let parsed =
        ParserConfig::default().parse_response_with_uninit_headers(&mut head, &shared, &mut fields);
    let Ok(Status::Complete(_)) = parsed else {
        return Err(wrong("the head of the answer is not as HTTP/1.1 has them"));
    };
    let status = head.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or_else(|| wrong("the answer has no status"))?;
    match status {
        StatusCode::SWITCHING_PROTOCOLS => return Err(wrong("a protocol that was not asked for")),
        status if status.is_informational() => return Ok(None),
        _ => {}
    }
    let version = if head.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
    let mut headers = asked.names.headers(&shared, head.headers)?;
    let framing = Framing::of((version, status), &mut headers, &asked.method)?;
    let is_kept = is_kept(version, &headers) && !matches!(framing, Framing::Close);
    let mut response = Response::new(());
    (*response.version_mut(), *response.status_mut()) = (version, status);
    *response.headers_mut() = headers;
    Ok(Some(Head { response, framing, is_kept }))
}

fn is_kept(version: Version, headers: &HeaderMap) -> bool {
    let says = |what| connection_options(headers).any(|option| option.eq_ignore_ascii_case(what));
    !says("close") && (version == Version::HTTP_11 || says("keep-alive"))
}
