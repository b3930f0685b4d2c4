//! What a request asks: everything of it that a client would send again, and nothing of who it is.

use std::borrow::Cow;

use http::{HeaderMap, header};

use super::super::Ask;
use crate::credential;
use crate::dialect::{Endpoint, chat, one_spelling};
use crate::key::Framer;
use crate::recording::Question;

/// What a request asks. The path is the one it came with, without the provider's name: what is left of it
/// below a base URL is a matter of the configuration. The body is the one it came with, decoded where its
/// coding is known.
pub fn question(ask: &Ask, (path_and_query, body): (&str, &[u8])) -> Question {
    let target = &ask.target;
    let provider = target.upstream.name.clone();
    let path_and_query = credential::without(path_and_query);
    let (tag, spelt) = spelt(ask, body);
    let digest = Framer::new("larder recording 1")
        .field(b'n', provider.as_bytes())
        .field(b'm', target.method.as_str().as_bytes())
        .field(b'a', path_and_query.as_bytes())
        .field(tag, &spelt)
        .finish();
    let path = path_and_query.split('?').next().unwrap_or_default().to_owned();
    Question { digest, provider, method: target.method.clone(), path, model: model(ask, body) }
}

/// A query without the credentials in it.
pub(super) fn query(path_and_query: &str) -> String {
    let without = credential::without(path_and_query);
    without.split_once('?').unwrap_or_default().1.to_owned()
}

/// Bytes with another word for one of theirs.
pub(super) fn replaced(bytes: &[u8], word: &[u8], by: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::with_capacity(bytes.len()), bytes);
    while let Some((before, after)) =
        credential::find(rest, word).and_then(|at| rest.split_at_checked(at))
    {
        out.extend(before);
        out.extend(by);
        rest = after.get(word.len()..).unwrap_or_default();
    }
    out.extend(rest);
    out
}

/// A body in the one spelling that it has, and how it was found.
fn spelt<'a>(ask: &Ask, body: &'a [u8]) -> (u8, Cow<'a, [u8]>) {
    if let Endpoint::Chat(shape) = ask.target.endpoint
        && let Ok(question) = chat::question(shape, body)
    {
        return (b'j', question.into());
    }
    if let Some(boundary) = boundary(&ask.headers) {
        // A client draws it anew for each request.
        return (b'p', replaced(body, &boundary, b"").into());
    }
    match one_spelling(body) {
        Some(spelt) => (b'j', spelt.into()),
        None => (b'r', body.into()),
    }
}

/// What parts the parts of a form.
fn boundary(headers: &HeaderMap) -> Option<Vec<u8>> {
    let content_type = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let mut parameters = content_type.split(';').map(str::trim);
    let is_form = parameters.next()?.to_ascii_lowercase().starts_with("multipart/");
    let named = |parameter: &str| {
        let (name, value) = parameter.split_once('=')?;
        name.eq_ignore_ascii_case("boundary").then(|| value.trim_matches('"').to_owned())
    };
    let boundary = parameters.find_map(named).filter(|value| is_form && !value.is_empty())?;
    Some(boundary.into_bytes())
}

fn model(ask: &Ask, body: &[u8]) -> String {
    let path = &ask.target.path_and_query;
    let model = match ask.target.endpoint {
        Endpoint::Embed(shape) => shape.read(path, body).map(|request| request.model.to_string()),
        Endpoint::Chat(shape) => shape.read(path, body).map(|request| request.model),
        Endpoint::Read(_) | Endpoint::Write(_) | Endpoint::Other => return String::new(),
    };
    model.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_the_same_whatever_parts_its_parts() {
        let of = |boundary: &str| {
            let mut headers = HeaderMap::new();
            let value = format!("multipart/form-data; boundary=\"{boundary}\"");
            headers.insert(header::CONTENT_TYPE, value.parse().unwrap());
            let found = super::boundary(&headers).unwrap();
            replaced(format!("--{boundary}\r\n\r\nx\r\n--{boundary}--").as_bytes(), &found, b"")
        };
        assert_eq!(of("abc123"), of("---------d4"));
        assert_eq!(of("abc123"), b"--\r\n\r\nx\r\n----");
    }

    #[test]
    fn every_place_is_replaced() {
        assert_eq!(replaced(b"k.kk", b"k", b"**"), b"**.****");
        assert_eq!(replaced(b"", b"k", b"*"), b"");
    }
}
