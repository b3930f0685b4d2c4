//! Headers by their meaning: those of one hop, those that change no response, and those that no stored
//! response may carry.

mod cookies;
mod transport;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

pub use cookies::are_of_network;
pub use transport::is_harmless;

/// A request that is to be carried out once, by a key of its client's own.
pub static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Headers of one connection (RFC 9110, section 7.6.1), never passed on.
static HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Answer headers that are as true of a stored answer as they were of the first. All others tell of
/// one call: its number, its time, its limits.
const ON_HITS: &[&str] = &[
    "anthropic-organization-id",
    "anthropic-workspace-id",
    "content-type",
    "openai-organization",
    "openai-project",
    "openai-version",
];

/// Those of them that tell whose account an answer was made for.
const OF_ACCOUNTS: &[&str] = &[
    "anthropic-organization-id",
    "anthropic-workspace-id",
    "openai-organization",
    "openai-project",
];

/// Answer headers that describe the provider's own bytes.
const OF_BODY: &[&str] = &[
    "cache-control",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "etag",
    "vary",
];

/// Counts of a provider's call (Text Embeddings Inference, Cohere), which may have been made for
/// other inputs than those of an answer.
const COUNTS: &[&str] = &["num_chars", "num_tokens", "x-compute-characters", "x-compute-tokens"];

/// Whether a header belongs to one hop only. Those that a `Connection` header names do too; see
/// [`strip_hop_by_hop`].
pub fn is_hop_by_hop(name: &HeaderName) -> bool {
    HOP_BY_HOP.contains(name)
}

/// Whether a header says what the message is, or where it goes.
pub fn is_of_message(name: &HeaderName) -> bool {
    is_hop_by_hop(name) || *name == header::HOST || name.as_str().starts_with("content-")
}

/// Whether a message says that its body is JSON.
pub fn is_json(headers: &HeaderMap) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    media_type.is_some_and(|value| essence(value).eq_ignore_ascii_case("application/json"))
        || is_suffixed_json(headers.get(header::CONTENT_TYPE))
}

/// Whether a media type says by its suffix that it is JSON (RFC 6839, section 3.1):
/// `application/vnd.elasticsearch+json; compatible-with=8`. Its name and parameters may change a response.
pub fn is_suffixed_json(media_type: Option<&HeaderValue>) -> bool {
    let text = media_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.split(',').any(|range| ends_in_json(essence(range)))
}

/// A media type without its parameters.
fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}

fn ends_in_json(essence: &str) -> bool {
    essence
        .len()
        .checked_sub(5)
        .and_then(|at| essence.get(at..))
        .is_some_and(|end| end.eq_ignore_ascii_case("+json"))
}

/// Whether a request takes an answer that is JSON.
pub fn accepts_json(headers: &HeaderMap) -> bool {
    let ranges = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut ranges = ranges.flat_map(|value| value.split(',')).peekable();
    let is_wide = |range: &str| {
        let essence = essence(range);
        let known = ["*/*", "application/*", "application/json"];
        known.iter().any(|known| essence.eq_ignore_ascii_case(known)) || ends_in_json(essence)
    };
    ranges.peek().is_none() || ranges.any(is_wide)
}

/// Removes the headers of this hop, those that `Connection` names included.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    strip_named(headers);
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

/// What `Connection` lists (RFC 9110, section 7.6.1).
pub fn connection_options(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lists = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|value| value.split(',')).map(str::trim)
}

/// Removes what `Connection` says is of this hop (RFC 9110, section 7.6.1), but for `Upgrade`, which it
/// only means together with it.
pub fn strip_named(headers: &mut HeaderMap) {
    for name in named(headers) {
        headers.remove(name);
    }
}

/// What `Connection` says is of this hop.
fn named(headers: &HeaderMap) -> Vec<HeaderName> {
    let of_itself = ["close", "keep-alive", "upgrade"];
    let is_name = |option: &&str| !of_itself.iter().any(|own| option.eq_ignore_ascii_case(own));
    let names = connection_options(headers).filter(is_name);
    names.filter_map(|option| option.parse().ok()).collect()
}

/// The headers of a request as a provider is to see them: without this hop's, without larder's own
/// directives, without what the next hop sets for itself. Made anew, which is less work than to look for each
/// name that must not be there.
pub fn to_provider(headers: &HeaderMap) -> HeaderMap {
    let unwanted = [header::HOST, header::CONTENT_LENGTH, header::EXPECT, header::CACHE_CONTROL];
    let named = named(headers);
    let is_wanted = |name: &HeaderName, value: &HeaderValue| {
        let is_own = name.as_str().starts_with("x-larder-");
        let is_blank = value.is_empty() && *name == header::COOKIE;
        let is_here = is_hop_by_hop(name) || named.contains(name);
        !is_own && !is_blank && !is_here && !unwanted.contains(name)
    };
    let mut out = HeaderMap::with_capacity(headers.keys_len());
    for (name, value) in headers.iter().filter(|(name, value)| is_wanted(name, value)) {
        out.append(name, value.clone());
    }
    out
}

/// The protocol that a request asks to go on with on its connection, if it asks for one (RFC 9110,
/// section 7.8). HTTP/2 in clear is none: it would be the next hop's, not the provider's.
pub fn asked_protocol(headers: &HeaderMap) -> Option<&HeaderValue> {
    let protocol = headers.get(header::UPGRADE)?;
    let mut names = connection_options(headers);
    let is_asked = names.any(|name| name.eq_ignore_ascii_case("upgrade"));
    (is_asked && !protocol.as_bytes().eq_ignore_ascii_case(b"h2c")).then_some(protocol)
}

/// Asks for another protocol, or agrees to it, on this hop.
pub fn switch_protocol(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, protocol);
}

/// The headers of a provider's answer as a caller is to see them: all that are end to end (RFC 9110, section
/// 7.6.1), cookies included.
pub fn to_caller(headers: &mut HeaderMap) {
    strip_hop_by_hop(headers);
    keep_one_length(headers);
    // Other ports and protocols of the provider's own host (RFC 7838): a matter of the connection.
    headers.remove(header::ALT_SVC);
}

/// Leaves one `Content-Length` (RFC 9110, section 8.6). A response without a body, such as that to HEAD, may
/// come with several; hyper writes no head with two. Lengths that contradict each other say nothing.
fn keep_one_length(headers: &mut HeaderMap) {
    let values = headers.get_all(header::CONTENT_LENGTH);
    let mut lengths = values.iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let Some(first) = lengths.next().map(<[u8]>::trim_ascii) else { return };
    let mut others = lengths.map(<[u8]>::trim_ascii).peekable();
    if others.peek().is_none() {
        return;
    }
    let is_one = others.all(|other| other == first);
    let length = HeaderValue::from_bytes(first).ok().filter(|_| is_one);
    headers.remove(header::CONTENT_LENGTH);
    if let Some(length) = length {
        headers.insert(header::CONTENT_LENGTH, length);
    }
}

/// Leaves of a provider's answer the headers that may go with an answer that larder writes anew: not those that
/// describe the provider's own bytes, or count what its call was for.
pub fn keep_beside_new_body(headers: &mut HeaderMap) {
    to_caller(headers);
    // The call may have been for several requests.
    headers.remove(header::SET_COOKIE);
    for name in OF_BODY.iter().chain(COUNTS) {
        headers.remove(*name);
    }
}

/// The headers of a provider's answer without those that tell whose account it was made for.
pub fn of_no_account(mut headers: HeaderMap) -> HeaderMap {
    for name in OF_ACCOUNTS {
        headers.remove(*name);
    }
    headers
}

/// The headers of a provider's answer that are kept with its bytes.
pub fn on_hits(headers: &HeaderMap) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
    headers.iter().filter(|(name, _)| ON_HITS.contains(&name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> HeaderName {
        name.parse().unwrap()
    }

    #[test]
    fn headers_named_by_connection_stay_on_their_hop() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONNECTION, HeaderValue::from_static("close, X-Private"));
        headers.insert(name("x-private"), HeaderValue::from_static("1"));
        headers.insert(name("x-public"), HeaderValue::from_static("1"));
        strip_hop_by_hop(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-public"]);
    }

    #[test]
    fn one_length_is_left_of_several() {
        for (said, left) in [
            (&["5", "5"][..], Some("5")),
            (&["5, 5"], Some("5")),
            (&["5", "6"], None),
            (&["5"], Some("5")),
            (&[], None),
        ] {
            let mut headers = HeaderMap::new();
            for length in said {
                headers.append(header::CONTENT_LENGTH, HeaderValue::from_static(length));
            }
            to_caller(&mut headers);
            let lengths: Vec<_> = headers.get_all(header::CONTENT_LENGTH).iter().collect();
            assert_eq!(lengths, left.into_iter().collect::<Vec<_>>(), "{said:?}");
        }
    }

    #[test]
    fn counts_of_a_call_do_not_go_with_another_body() {
        let mut headers = HeaderMap::new();
        for header in ["x-compute-tokens", "num_tokens", "x-request-id", "content-type"] {
            headers.insert(name(header), HeaderValue::from_static("1"));
        }
        keep_beside_new_body(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-request-id"]);
    }

    #[test]
    fn what_is_said_many_thousand_times_goes_on() {
        let mut headers = HeaderMap::new();
        for _ in 0..30_000 {
            headers.append("x-said", HeaderValue::from_static("again"));
        }
        assert_eq!(to_provider(&headers).len(), 30_000);
    }

    #[test]
    fn directives_and_an_empty_cookie_do_not_reach_the_provider() {
        let mut headers = HeaderMap::new();
        for header in ["x-larder-ttl", "cache-control", "host", "authorization"] {
            headers.insert(name(header), HeaderValue::from_static("1"));
        }
        headers.insert(header::COOKIE, HeaderValue::from_static(""));
        let out = to_provider(&headers);
        assert_eq!(out.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["authorization"]);
    }
}
