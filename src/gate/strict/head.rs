//! The lines of a head, and what they say about where a message ends.

use super::Wrong;

/// What `Connection` may not take off a request: without it the request would be another.
const NOT_OF_A_HOP: &[&str] = &[
    "accept",
    "api-key",
    "authorization",
    "cache-control",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "ocp-apim-subscription-key",
    "transfer-encoding",
    "x-api-key",
    "x-goog-api-key",
];

/// How long a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    None,
    Length(u64),
    Chunks,
}

/// What has been said so far.
#[derive(Debug, Default)]
pub(super) struct Head {
    is_old: bool,
    has_host: bool,
    length: Option<u64>,
    in_chunks: bool,
}

impl Head {
    /// From the request line.
    pub(super) fn begin(line: &[u8]) -> Result<Self, Wrong> {
        let mut words = line.split(|byte| *byte == b' ');
        let (Some(_method), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err("request line without method, target and version");
        };
        let is_old = match version {
            b"HTTP/1.1" => false,
            b"HTTP/1.0" => true,
            _ => return Err("unsupported HTTP version"),
        };
        is_target(target)
            .then(|| Self { is_old, ..Self::default() })
            .ok_or("invalid request target")
    }

    /// With one more line.
    pub(super) fn field(&mut self, line: &[u8]) -> Result<(), Wrong> {
        let (name, value) = field(line)?;
        // By length first: most fields are none of these.
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => self.host(value),
            6 if name.eq_ignore_ascii_case(b"expect") => expect(value),
            10 if name.eq_ignore_ascii_case(b"connection") => connection(value),
            14 if name.eq_ignore_ascii_case(b"content-length") => self.length(value),
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => self.coding(value),
            _ => Ok(()),
        }
    }

    /// At its end.
    pub(super) fn end(&self) -> Result<Framing, Wrong> {
        if !self.has_host && !self.is_old {
            return Err("missing Host header");
        }
        match (self.in_chunks, self.length) {
            (true, Some(_)) => {
                Err("Content-Length together with Transfer-Encoding (RFC 9112, 6.1)")
            }
            (true, None) if self.is_old => Err("chunked encoding in HTTP/1.0"),
            (true, None) => Ok(Framing::Chunks),
            (false, None | Some(0)) => Ok(Framing::None),
            (false, Some(length)) => Ok(Framing::Length(length)),
        }
    }

    fn host(&mut self, value: &[u8]) -> Result<(), Wrong> {
        if self.has_host || !value.iter().all(|byte| is_of_a_host(*byte)) {
            return Err("duplicate or invalid Host header");
        }
        self.has_host = true;
        Ok(())
    }

    fn length(&mut self, value: &[u8]) -> Result<(), Wrong> {
        let length = number(value, 10).ok_or("Content-Length is not a number")?;
        match self.length.replace(length) {
            None => Ok(()),
            Some(_) => Err("duplicate Content-Length"),
        }
    }

    fn coding(&mut self, value: &[u8]) -> Result<(), Wrong> {
        if self.in_chunks || !value.eq_ignore_ascii_case(b"chunked") {
            return Err("Transfer-Encoding other than one \"chunked\"");
        }
        self.in_chunks = true;
        Ok(())
    }
}

/// A field's name, and its value without the white space around it.
pub(super) fn field(line: &[u8]) -> Result<(&[u8], &[u8]), Wrong> {
    let colon = memchr::memchr(b':', line).ok_or("header line without a colon")?;
    let (name, value) = line.split_at(colon);
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    match (name.first(), name.last()) {
        (Some(first), Some(last)) if !is_blank(first) && !is_blank(last) => {}
        _ => return Err("header without a name, folded, or with space around its name"),
    }
    let value = value.get(1..).unwrap_or_default();
    let start = value.iter().position(|byte| !is_blank(byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !is_blank(byte)).map_or(start, |last| last + 1);
    Ok((name, value.get(start..end).unwrap_or_default()))
}

/// How long a chunk is that begins with this line.
pub(super) fn chunk_size(line: &[u8]) -> Result<u64, Wrong> {
    let (size, extension) = match memchr::memchr(b';', line) {
        Some(at) => line.split_at(at),
        None => (line, &[][..]),
    };
    if extension.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
        return Err("control character in a chunk extension");
    }
    number(size, 16).ok_or("chunk size is not a number")
}

/// Digits and nothing else. Twice as much must still be a number, for whoever adds to it.
fn number(digits: &[u8], radix: u32) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(|byte| char::from(*byte).is_digit(radix)) {
        return None;
    }
    let text = std::str::from_utf8(digits).ok()?;
    u64::from_str_radix(text, radix).ok().filter(|number| *number < u64::MAX / 2)
}

fn expect(value: &[u8]) -> Result<(), Wrong> {
    let is_known = value.eq_ignore_ascii_case(b"100-continue");
    is_known.then_some(()).ok_or("unsupported Expect header")
}

fn connection(value: &[u8]) -> Result<(), Wrong> {
    let takes_off = |word: &[u8]| {
        let word = word.trim_ascii();
        NOT_OF_A_HOP.iter().any(|name| word.eq_ignore_ascii_case(name.as_bytes()))
    };
    if value.split(|byte| *byte == b',').any(takes_off) {
        return Err("Connection lists an end-to-end header");
    }
    Ok(())
}

/// A path, or a URL of this server or of whomever the client takes it for: which that is changes
/// nothing.
fn is_target(target: &[u8]) -> bool {
    if memchr::memchr(b'#', target).is_some() {
        return false;
    }
    if target.first() == Some(&b'/') {
        return true;
    }
    let Some(at) = target.windows(3).position(|three| three == b"://") else { return false };
    let (scheme, rest) = target.split_at(at);
    let authority = rest.get(3..).unwrap_or_default();
    let end = authority.iter().position(|byte| matches!(byte, b'/' | b'?'));
    let authority = authority.get(..end.unwrap_or(authority.len())).unwrap_or_default();
    let is_http = [&b"http"[..], b"https"].iter().any(|name| scheme.eq_ignore_ascii_case(name));
    is_http && !authority.is_empty() && authority.iter().all(|byte| is_of_a_host(*byte))
}

fn is_of_a_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=:[]".contains(&byte)
}
