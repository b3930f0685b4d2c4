//! What a request is for: a method and a path that mean the same to whoever reads them.
//!
//! A provider may take `..` for a step up, and an encoded one too; then the path would be another than
//! the one that was looked at here, and than the one that the base URL is to keep it below. No client
//! sends such a path by accident: they resolve it themselves.

use http::uri::PathAndQuery;
use http::{Method, Uri};

use crate::error::{Error, Kind};

/// How long a path with its query may be. (RFC 9110, section 4.1, wants 8,000 at the least.)
const LONGEST: usize = 8 << 10;

/// The path and the query of a request that has a place here.
pub(super) fn of<'u>(method: &Method, uri: &'u Uri) -> Result<&'u str, Error> {
    let bad = |message| Err(Error::new(Kind::BadRequest, message));
    if matches!(*method, Method::CONNECT | Method::TRACE) {
        return bad("CONNECT and TRACE are not supported");
    }
    let target = uri.path_and_query().map_or("", PathAndQuery::as_str);
    if target.len() > LONGEST {
        let message =
            format!("the path and query have {} bytes; the limit is {LONGEST}", target.len());
        return Err(Error::new(Kind::UriTooLong, message));
    }
    let path = uri.path();
    if !target.starts_with('/') {
        return bad("the request target has no path");
    }
    if !path.is_ascii() {
        return bad("the path has characters beyond ASCII; percent-encode them (RFC 3986)");
    }
    if !means_one_thing(path) {
        return bad("the path has dot segments (/../), a backslash, or control characters");
    }
    Ok(target)
}

/// Whether a path is the same before and after any decoding. An encoded slash is part of many names,
/// and stays; but it parts segments where one asks for a step.
fn means_one_thing(path: &str) -> bool {
    if path.bytes().any(|byte| byte == b'\\' || byte.is_ascii_control()) {
        return false;
    }
    if !path.contains('%') {
        return !has_steps(path.as_bytes());
    }
    let Some(decoded) = decoded(path.as_bytes()) else { return false };
    !decoded.iter().any(u8::is_ascii_control) && !has_steps(&decoded)
}

fn has_steps(path: &[u8]) -> bool {
    let mut segments = path.split(|byte| matches!(byte, b'/' | b'\\'));
    // What follows a semicolon is a parameter of the segment to some, and they step up all the same.
    let names = segments.by_ref().map(|segment| segment.split(|byte| *byte == b';').next());
    names.flatten().any(|name| matches!(name, b"." | b".."))
}

/// A path with its escapes decoded; `None` if one of them is malformed.
pub(super) fn decoded(path: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            out.push(*first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        let digit = |at: usize| char::from(*digits.get(at)?).to_digit(16);
        out.push(u8::try_from(digit(0)? * 16 + digit(1)?).ok()?);
        rest = after;
    }
    Some(out)
}

/// A path with its escapes decoded as often as there are some, up to three times: servers in front of a
/// provider may decode it too.
pub(super) fn fully_decoded(path: &str) -> String {
    let mut path = path.to_owned();
    for _ in 0..3 {
        if !path.contains('%') {
            break;
        }
        let Some(bytes) = decoded(path.as_bytes()) else { break };
        path = String::from_utf8_lossy(&bytes).into_owned();
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_steps_is_told_from_one_that_does_not() {
        for good in [
            "/v1/embeddings",
            "/v1/models/meta-llama%2FLlama-3.1",
            "/v1//x",
            "/v1/models/a:countTokens",
            "/v1/files/a..b/.hidden/...",
            "/caf%C3%A9",
        ] {
            assert!(means_one_thing(good), "{good}");
        }
        for bad in [
            "/v1/../admin",
            "/..",
            "/v1/./x",
            "/v1/%2e%2E/x",
            "/v1/.%2e",
            "/v1/x%2f..%2fy",
            "/v1/..%5cx",
            "/v1/..\\x",
            "/v1/..;a=b/x",
            "/v1/%00",
            "/v1/%0d%0ax",
            "/v1/%",
            "/v1/%zz",
            "/v1/%+1",
        ] {
            assert!(!means_one_thing(bad), "{bad}");
        }
    }
}
