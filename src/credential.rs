//! Where a request carries credentials, and how they are told apart without being kept.
//!
//! Every place counts in every dialect: what is a credential for one provider is never a question to
//! another.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, header};

use crate::key::{Digest, Framer};

/// The headers that providers look for one in.
static HEADERS: [HeaderName; 5] = [
    HeaderName::from_static("api-key"),
    header::AUTHORIZATION,
    HeaderName::from_static("ocp-apim-subscription-key"),
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("x-goog-api-key"),
];

/// The parameters of a query that they look for one in.
const PARAMETERS: &[&str] = &["access_token", "api-key", "api_key", "key"];

/// Whether a header carries a credential.
pub fn is_header(name: &HeaderName) -> bool {
    HEADERS.contains(name)
}

/// A path and query without the credentials in it.
pub fn without(path_and_query: &str) -> Cow<'_, str> {
    filtered(path_and_query, is_parameter)
}

/// A path and query without some parameters.
fn filtered(path_and_query: &str, is_unwanted: impl Fn(&str) -> bool) -> Cow<'_, str> {
    let Some((path, query)) = path_and_query.split_once('?') else { return path_and_query.into() };
    if !query.split('&').any(&is_unwanted) {
        return path_and_query.into();
    }
    let rest: Vec<&str> = query.split('&').filter(|parameter| !is_unwanted(parameter)).collect();
    if rest.is_empty() { path.into() } else { format!("{path}?{}", rest.join("&")).into() }
}

/// Removes the credentials that a provider does not take from a request's headers, and returns the path
/// and query without those in the query. The flag says whether there were any.
pub fn withhold<'p>(
    headers: &mut HeaderMap,
    path_and_query: &'p str,
    takes: impl Fn(&str) -> bool,
) -> (Cow<'p, str>, bool) {
    let mut withheld = false;
    for name in HEADERS.iter().filter(|name| !takes(name.as_str())) {
        withheld |= headers.remove(name).is_some();
    }
    let is_other = |parameter: &str| is_parameter(parameter) && !takes(name_of(parameter));
    let path = filtered(path_and_query, is_other);
    withheld |= path.len() < path_and_query.len();
    (path, withheld)
}

/// What tells who asks from all others: nobody can tell a credential from it.
pub fn digest(secret: &[u8; 32], headers: &HeaderMap, path_and_query: &str) -> Digest {
    let mut digest = Framer::keyed(secret, "larder credential");
    add_to(&mut digest, headers, path_and_query);
    digest.finish()
}

/// Adds the credentials of a request to what tells it from others.
pub fn add_to(digest: &mut Framer, headers: &HeaderMap, path_and_query: &str) {
    for name in &HEADERS {
        for value in headers.get_all(name) {
            digest.field(b'n', name.as_str().as_bytes()).field(b'v', value.as_bytes());
        }
    }
    for parameter in parameters(path_and_query) {
        digest.field(b'q', parameter.as_bytes());
    }
}

/// The credentials that a request shows, each by itself.
pub fn shown<'a>(
    headers: &'a HeaderMap,
    path_and_query: &'a str,
) -> impl Iterator<Item = &'a [u8]> {
    let headers = HEADERS.iter().flat_map(|name| headers.get_all(name)).map(|value| {
        let value = value.as_bytes();
        match value.split_at_checked("Bearer ".len()) {
            Some((scheme, key)) if scheme.eq_ignore_ascii_case(b"Bearer ") => key.trim_ascii(),
            _ => value,
        }
    });
    let value = |parameter: &'a str| parameter.split_once('=').unwrap_or_default().1.as_bytes();
    headers.chain(parameters(path_and_query).map(value))
}

/// The parameters of a query that carry credentials, as written.
fn parameters(path_and_query: &str) -> impl Iterator<Item = &str> {
    let (_, query) = path_and_query.split_once('?').unwrap_or_default();
    query.split('&').filter(|parameter| is_parameter(parameter))
}

fn is_parameter(parameter: &str) -> bool {
    PARAMETERS.contains(&name_of(parameter))
}

fn name_of(parameter: &str) -> &str {
    parameter.split('=').next().unwrap_or_default()
}

/// Where a word such as a credential stands first in bytes; nowhere if it is empty.
pub fn find(bytes: &[u8], word: &[u8]) -> Option<usize> {
    bytes.windows(word.len().max(1)).position(|window| window == word)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_query_loses_its_credentials_and_nothing_else() {
        for (whole, rest) in [
            ("/models", "/models"),
            ("/models?alt=sse", "/models?alt=sse"),
            ("/models?key=k", "/models"),
            ("/models?alt=sse&key=k&monkey=1", "/models?alt=sse&monkey=1"),
            ("/models?api-key=k&access_token=t&x", "/models?x"),
        ] {
            assert_eq!(without(whole), rest);
        }
    }

    #[test]
    fn credentials_of_other_providers_are_withheld() {
        let mut headers = HeaderMap::new();
        for name in ["authorization", "x-api-key", "x-other"] {
            headers.insert(name, HeaderValue::from_static("k"));
        }
        let takes = |name: &str| ["authorization", "key"].contains(&name);
        let (path, withheld) = withhold(&mut headers, "/x?key=k&api_key=k&y=1", takes);
        assert_eq!((&*path, withheld), ("/x?key=k&y=1", true));
        assert!(!headers.contains_key("x-api-key") && headers.len() == 2);
        assert_eq!(withhold(&mut headers, "/x?key=k", takes), (Cow::Borrowed("/x?key=k"), false));
    }

    #[test]
    fn who_asks_is_told_by_every_place_that_carries_a_credential() {
        let of = |name: &'static str, value, path| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            digest(&[0; 32], &headers, path)
        };
        let digests = [
            of("authorization", "Bearer a", "/x"),
            of("authorization", "Bearer b", "/x"),
            of("x-api-key", "Bearer a", "/x"),
            of("authorization", "Bearer a", "/x?key=k"),
            of("user-agent", "a", "/x"),
        ];
        for (at, one) in digests.iter().enumerate() {
            assert!(digests.iter().skip(at + 1).all(|other| other != one));
        }
        assert_eq!(of("user-agent", "a", "/x"), of("accept", "b", "/y?q=1"));
    }
}
