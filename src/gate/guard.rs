//! Who may use the admin listener: who knows its token; without one, who is on this machine and not
//! sent here by a web page.

use std::net::SocketAddr;

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};

use super::admin::text;
use super::body::Body;
use super::origin::{asked_for, is_foreign, is_of_this_machine};
use crate::config::units::Secret;
use crate::key::Digest;

/// What an administrator has to show.
#[derive(Debug)]
pub struct Guard {
    token: Option<Digest>,
    bound: SocketAddr,
}

impl Guard {
    /// A guard of a listener at an address.
    pub fn new(token: &Secret, bound: SocketAddr) -> Self {
        let token = Some(token.expose()).filter(|token| !token.is_empty());
        Self { token: token.map(|token| Digest::of(token.as_bytes())), bound }
    }

    /// The answer to a request that may not go on.
    pub(super) fn refuses<B>(&self, request: &Request<B>) -> Option<Response<Body>> {
        match &self.token {
            Some(token) if shows(request.headers(), token) => None,
            Some(_) => {
                let message = "missing or wrong admin token: send `Authorization: Bearer TOKEN`\n";
                let mut refusal = text(StatusCode::UNAUTHORIZED, message);
                let scheme = HeaderValue::from_static("Bearer");
                refusal.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
                Some(refusal)
            }
            None if !self.is_own_name(request) => Some(text(
                StatusCode::FORBIDDEN,
                "unknown Host: use localhost or the IP address of this listener\n",
            )),
            None if is_for_another_page(request) => {
                Some(text(StatusCode::FORBIDDEN, "cross-origin request refused\n"))
            }
            None => None,
        }
    }

    /// Whether the request is for this machine by a name that no page can have (DNS rebinding).
    fn is_own_name<B>(&self, request: &Request<B>) -> bool {
        let host = asked_for(request.uri(), request.headers());
        host.is_some_and(|host| is_of_this_machine(&host, self.bound.ip()))
    }
}

/// Whether a browser sends it for a page from elsewhere, that is to change something. It sends such
/// requests without asking, and keeps only the answer from the page.
fn is_for_another_page<B>(request: &Request<B>) -> bool {
    let host = asked_for(request.uri(), request.headers());
    !matches!(*request.method(), Method::GET | Method::HEAD)
        && is_foreign(request.headers(), host.as_ref())
}

/// Whether headers show a token. Digests are compared, in the same time wherever they differ.
fn shows(headers: &HeaderMap, token: &Digest) -> bool {
    let shown = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    let shown = shown.and_then(|shown| shown.split_at_checked("Bearer ".len()));
    shown.is_some_and(|(scheme, shown)| {
        scheme.eq_ignore_ascii_case(b"Bearer ") && Digest::of(shown).matches(token)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::units::Setting;

    fn asked(host: &str, authorization: &str) -> Request<()> {
        let request = Request::get("/metrics").header("host", host);
        request.header("authorization", authorization).body(()).unwrap()
    }

    #[test]
    fn without_a_token_only_names_of_this_machine_are_answered() {
        let guard = Guard::new(&Secret::parse("").unwrap(), "127.0.0.1:1".parse().unwrap());
        for host in ["localhost", "LOCALHOST:1", "127.0.0.1:9", "[::1]:1", "127.9.9.9"] {
            assert!(guard.refuses(&asked(host, "")).is_none(), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example:1", "10.0.0.1", "127.0.0.1.evil", ""] {
            assert!(guard.refuses(&asked(host, "Bearer x")).is_some(), "{host}");
        }
        assert!(guard.refuses(&Request::get("/metrics").body(()).unwrap()).is_some());
        let second = Request::get("http://localhost/metrics").body(()).unwrap();
        assert!(guard.refuses(&second).is_none());
    }

    #[test]
    fn without_a_token_no_page_from_elsewhere_changes_anything() {
        let guard = Guard::new(&Secret::parse("").unwrap(), "127.0.0.1:1".parse().unwrap());
        let refuses = |method: Method, name: &str, value: &str| {
            let request = Request::builder().method(method).uri("/api/warm");
            let request = request.header("host", "127.0.0.1:5274").header(name, value);
            guard.refuses(&request.body(()).unwrap()).is_some()
        };
        for (name, value) in [
            ("origin", "https://evil.example"),
            ("origin", "http://127.0.0.1:8000"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            assert!(refuses(Method::POST, name, value), "{name}: {value}");
            assert!(refuses(Method::DELETE, name, value), "{name}: {value}");
            assert!(!refuses(Method::GET, name, value), "{name}: {value}");
        }
        for (name, value) in [
            ("origin", "http://127.0.0.1:5274"),
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-site", "none"),
            ("user-agent", "curl"),
        ] {
            assert!(!refuses(Method::POST, name, value), "{name}: {value}");
        }
    }

    #[test]
    fn with_a_token_it_is_asked_for_under_any_name() {
        let guard = Guard::new(&Secret::parse("t0ken").unwrap(), "127.0.0.1:1".parse().unwrap());
        for (shown, passes) in [
            ("Bearer t0ken", true),
            ("bearer t0ken", true),
            ("Bearer t0ken ", false),
            ("Bearer t0kem", false),
            ("Bearer ", false),
            ("t0ken", false),
            ("Basic t0ken", false),
        ] {
            for host in ["localhost", "larder.internal:80"] {
                assert_eq!(guard.refuses(&asked(host, shown)).is_none(), passes, "{shown}");
            }
        }
    }
}
