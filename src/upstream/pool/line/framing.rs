//! Where the body of an answer ends: RFC 9112, section 6.

use std::io;

use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};

use super::chunks::{Chunks, Found};
use super::wrong;

/// How the rest of a body comes.
#[derive(Debug)]
pub(super) enum Framing {
    /// Not at all.
    Done,
    /// So many bytes of it.
    Length(u64),
    Chunks(Chunks),
    /// To the connection's end.
    Close,
}

impl Framing {
    /// By the head of an answer to a request of this method.
    pub(super) fn of(
        (version, status): (Version, StatusCode),
        headers: &mut HeaderMap,
        asked: &Method,
    ) -> io::Result<Self> {
        if asked == Method::HEAD
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
        {
            return Ok(Self::Done);
        }
        if let Some(coding) = headers.get_all(header::TRANSFER_ENCODING).iter().next_back() {
            if version == Version::HTTP_10 {
                return Err(wrong("a transfer coding in HTTP/1.0"));
            }
            let is_chunked = last(coding).is_some_and(|last| last.eq_ignore_ascii_case("chunked"));
            // A length beside it says nothing, and would mislead whoever comes after.
            headers.remove(header::CONTENT_LENGTH);
            return Ok(if is_chunked { Self::Chunks(Chunks::default()) } else { Self::Close });
        }
        Ok(match length(headers)? {
            Some(0) => Self::Done,
            Some(length) => Self::Length(length),
            None => Self::Close,
        })
    }

    /// Whether so many bytes are all data, which then are read.
    pub(super) fn is_all_data(&mut self, count: usize) -> bool {
        let Self::Length(left) = self else { return false };
        let Some(rest) = left.checked_sub(count as u64) else { return false };
        *self = if rest == 0 { Self::Done } else { Self::Length(rest) };
        true
    }

    /// What comes next of these bytes, which are shortened by what was read; `None` where there is nothing more
    /// in them.
    pub(super) fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> io::Result<Option<Found<'a>>> {
        let found = match self {
            Self::Done => return Ok(Some(Found::End(None))),
            _ if bytes.is_empty() => return Ok(None),
            Self::Length(left) => {
                let here = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                let (data, rest) = bytes.split_at(here);
                (*bytes, *left) = (rest, *left - here as u64);
                if *left == 0 {
                    *self = Self::Done;
                }
                Some(Found::Data(data))
            }
            Self::Chunks(chunks) => chunks.next(bytes)?,
            Self::Close => Some(Found::Data(std::mem::take(bytes))),
        };
        if let Some(Found::End(_)) = found {
            *self = Self::Done;
        }
        Ok(found)
    }
}

/// What `Content-Length` says, which may say it more than once.
fn length(headers: &HeaderMap) -> io::Result<Option<u64>> {
    let mut length = None;
    for value in headers.get_all(header::CONTENT_LENGTH) {
        for number in value.to_str().unwrap_or_default().split(',') {
            let number = number.trim();
            let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
            let number = number.parse().ok().filter(|number| is_number && *number < u64::MAX - 2);
            if number.is_none() || length.is_some_and(|length| Some(length) != number) {
                return Err(wrong("the length is no number, or two"));
            }
            length = number;
        }
    }
    Ok(length)
}

/// The last of a list.
fn last(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok()?.rsplit(',').next().map(str::trim)
}
