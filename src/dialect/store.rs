//! What a request does to a store, by the routes of the configuration: which part of it is read or written,
//! and what the question is.

use std::borrow::Cow;

use http::Method;
use serde::de::IgnoredAny;

use super::json::{Members, text, write_compact};
use super::{Endpoint, Unreadable};
use crate::config::stores::{Effect, Pointer, Route};

/// The endpoint of a request, by method and path without query. A request whose body decides may write
/// anything until the body is known.
pub fn endpoint(routes: &[Route], method: &Method, path: &str) -> Endpoint {
    match fitting(routes, method, path).next() {
        Some((_, Route { body: Some(_), .. })) => Endpoint::Write(None),
        first => effect(first, method),
    }
}

/// The same for a request whose body is known.
pub fn endpoint_by_body(routes: &[Route], method: &Method, path: &str, body: &[u8]) -> Endpoint {
    let holds = |(_, route): &(usize, &Route)| {
        let Some(condition) = &route.body else { return true };
        member(&condition.text, body).is_some_and(|text| condition.holds(&text))
    };
    effect(fitting(routes, method, path).find(holds), method)
}

/// Whether the body of a request decides what it does.
pub fn needs_body(routes: &[Route], method: &Method, path: &str) -> bool {
    fitting(routes, method, path).next().is_some_and(|(_, route)| route.body.is_some())
}

/// The routes that fit method and path, in their order, with their numbers.
fn fitting<'r>(
    routes: &'r [Route],
    method: &'r Method,
    path: &'r str,
) -> impl Iterator<Item = (usize, &'r Route)> {
    let fits = move |route: &Route| {
        let by_method = route.method.as_ref().map_or(may_write(method), |known| known == method);
        by_method && route.path.fit(path).is_some()
    };
    routes.iter().enumerate().filter(move |(_, route)| fits(route))
}

fn effect(route: Option<(usize, &Route)>, method: &Method) -> Endpoint {
    match route {
        Some((number, Route { effect: Effect::Read(_), .. })) => Endpoint::Read(number),
        Some((number, Route { effect: Effect::Write(_), .. })) => Endpoint::Write(Some(number)),
        None if may_write(method) => Endpoint::Write(None),
        None => Endpoint::Other,
    }
}

fn may_write(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// The namespace that a request on a route is for, as its path without query or its body names it; `None`
/// where it names none, or it cannot be told exactly what it names.
pub fn namespace<'a>(route: &Route, path: &'a str, body: &'a [u8]) -> Option<Cow<'a, str>> {
    let named = match &route.namespace {
        Some(pointer) => member(pointer, body)?,
        // A store sees through an encoding, and two spellings are not to be two namespaces.
        None => Cow::Borrowed(route.path.fit(path)?.namespace.filter(|name| !name.contains('%'))?),
    };
    // To many stores it is as if it were not there.
    (!named.is_empty()).then_some(named)
}

/// Everything that a body asks, as JSON text without white space. The order of members stays: to some stores
/// it is a part of the question.
pub fn question(body: &[u8]) -> Result<Vec<u8>, Unreadable> {
    if body.is_empty() {
        return Ok(Vec::new());
    }
    let text = std::str::from_utf8(body).map_err(|_| Unreadable("not UTF-8"))?;
    serde_json::from_str::<IgnoredAny>(text).map_err(|_| Unreadable("not JSON"))?;
    let mut out = String::with_capacity(text.len());
    write_compact(&mut out, text);
    Ok(out.into_bytes())
}

/// The text at a place of a body. A member that stands twice on the way is none.
fn member<'a>(pointer: &Pointer, body: &'a [u8]) -> Option<Cow<'a, str>> {
    let mut value = std::str::from_utf8(body).ok()?;
    for name in pointer.names() {
        let Members(members) = serde_json::from_str(value).ok()?;
        value = members.into_iter().find(|(known, _)| known == name)?.1.get();
    }
    if value.starts_with('"') { text(value) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn routes() -> Vec<Route> {
        let file = r#"
            [providers.s]
            base_url = "http://s"
            dialect = "generic"
            routes = [
                { kind = "read", path = "/c/{namespace}/query", ttl = "1s" },
                { kind = "read", path = "/find", namespace = "/in/db", ttl = "1s" },
                { kind = "read", path = "/c/{namespace}/points/{id}", method = "GET", ttl = "1s" },
                { kind = "write", path = "/c/{namespace}/*" },
            ]
        "#;
        Config::read("test", file, &[]).unwrap().providers["s"].routes.0.clone()
    }

    #[test]
    fn the_first_route_that_fits_says_what_a_request_does() {
        let routes = routes();
        let said = |method: Method, path: &str| match endpoint(&routes, &method, path) {
            Endpoint::Read(number) => format!("read {number}"),
            Endpoint::Write(number) => format!("write {number:?}"),
            _ => "other".to_owned(),
        };
        for (method, path, right) in [
            (Method::POST, "/c/docs/query", "read 0"),
            (Method::PUT, "/c/docs/query", "write Some(3)"),
            (Method::POST, "/find", "read 1"),
            (Method::GET, "/c/docs/points/7", "read 2"),
            (Method::DELETE, "/c/docs/points/7", "write Some(3)"),
            (Method::GET, "/c/docs/anything", "other"),
            (Method::POST, "/c/docs", "write None"),
            (Method::DELETE, "/elsewhere", "write None"),
            (Method::OPTIONS, "/elsewhere", "other"),
            (Method::from_bytes(b"LINK").unwrap(), "/elsewhere", "write None"),
        ] {
            assert_eq!(said(method, path), right, "{path}");
        }
    }

    #[test]
    fn a_namespace_is_told_exactly_or_not_at_all() {
        let routes = routes();
        let of_path = |path| namespace(&routes[0], path, b"");
        assert_eq!(of_path("/c/docs/query").as_deref(), Some("docs"));
        assert_eq!(of_path("/c/d%6Fcs/query"), None);
        let of_body = |body: &'static str| namespace(&routes[1], "/find", body.as_bytes());
        assert_eq!(of_body(r#"{"x":[1],"in":{"db":"a\u0062"}}"#).as_deref(), Some("ab"));
        for untold in [
            "",
            "[]",
            "{}",
            r#"{"in":{}}"#,
            r#"{"in":{"db":""}}"#,
            r#"{"in":{"db":7}}"#,
            r#"{"in":{"db":["a"]}}"#,
            r#"{"in":{"db":"a","db":"b"}}"#,
            r#"{"in":{"db":"a"},"in":{}}"#,
            r#"{"in":{"db":"\ud800"}}"#,
            r#"{"in":{"db":"a"}"#,
        ] {
            assert_eq!(of_body(untold), None, "{untold}");
        }
    }

    #[test]
    fn the_same_question_in_other_white_space_is_the_same_and_in_another_order_is_not() {
        let question = |body: &str| question(body.as_bytes());
        let one = question(" { \"a\" : [ 1.0 , \"x y\" ],\n\"b\":{} } ");
        assert_eq!(one.unwrap(), br#"{"a":[1.0,"x y"],"b":{}}"#);
        assert_ne!(question(r#"{"a":1,"b":1}"#), question(r#"{"b":1,"a":1}"#));
        assert_ne!(question("[1,2]"), question("[12]"));
        for wrong in ["{", "a", "{} {}", "\u{feff}{}", "{\"a\":1,}"] {
            assert!(question(wrong).is_err(), "{wrong}");
        }
    }
}
