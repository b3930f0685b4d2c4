//! Problems of a route as a whole, and of the stores of a configuration.

use std::time::Duration;

use http::Method;

use super::super::units::Setting as _;
use super::super::words::RouteKind;
use super::super::{Config, Provider};
use super::{BodyTest, Effect, Route, STORE, Written};

/// A key of a route, and the reason of its error.
type Wrong = (&'static str, String);

impl Written {
    /// The route, after the earlier ones.
    pub(super) fn resolve(self, before: &[Route]) -> Result<Route, Wrong> {
        let missing = |name| (name, "is missing".to_owned());
        let (effect, body) = (self.effect()?, self.body_test());
        let is_read = matches!(effect, Effect::Read(_));
        let method = self.method.or(is_read.then_some(Method::POST));
        if is_read && !matches!(method, Some(Method::GET | Method::POST)) {
            return Err(("method", "a read needs GET or POST".to_owned()));
        }
        let path = self.path.ok_or_else(|| missing("path"))?;
        if self.namespace.is_some() && path.has_namespace() {
            return Err(("namespace", "is in the path already; remove one".to_owned()));
        }
        let has_no_body = matches!(method, Some(Method::GET | Method::HEAD));
        for (name, pointer) in [("namespace", &self.namespace), ("body", &self.body)] {
            if pointer.is_some() && has_no_body {
                return Err((name, "needs a body, which GET and HEAD do not have".to_owned()));
            }
        }
        let is_same =
            |other: &Route| other.method == method && other.path == path && other.body.is_none();
        if before.iter().any(is_same) {
            return Err((
                "path",
                "is the path of an earlier route, which always matches first".to_owned(),
            ));
        }
        Ok(Route { method, path, namespace: self.namespace, body: body?, effect })
    }

    fn body_test(&self) -> Result<Option<BodyTest>, Wrong> {
        let (matches, matches_not) = (self.matches.clone(), self.matches_not.clone());
        match (self.body.clone(), matches.is_some() || matches_not.is_some()) {
            (Some(text), true) => Ok(Some(BodyTest { text, matches, matches_not })),
            (Some(_), false) => Err(("body", "needs matches, matches_not or both".to_owned())),
            (None, true) => Err(("body", "is missing: matches and matches_not need it".to_owned())),
            (None, false) => Ok(None),
        }
    }

    fn effect(&self) -> Result<Effect, Wrong> {
        match (self.kind, self.ttl, self.settles) {
            (None, ..) => Err(("kind", format!("is missing: {}", RouteKind::KIND))),
            (Some(RouteKind::Read), None, _) => Err(("ttl", "is missing".to_owned())),
            (Some(RouteKind::Read), Some(Duration::ZERO), _) => {
                Err(("ttl", "must be more than 0".to_owned()))
            }
            (Some(RouteKind::Read), _, Some(_)) => {
                Err(("settles", "is for writes only".to_owned()))
            }
            (Some(RouteKind::Write), Some(_), _) => Err(("ttl", "is for reads only".to_owned())),
            (Some(RouteKind::Read), Some(ttl), None) => Ok(Effect::Read(ttl)),
            (Some(RouteKind::Write), None, settles) => {
                Ok(Effect::Write(settles.unwrap_or_default()))
            }
        }
    }
}

impl Config {
    /// The problem of a provider as a store, with its key.
    pub(in super::super) fn check_store(&self, name: &str) -> Result<(), Wrong> {
        let Some(provider) = self.providers.get(name) else { return Ok(()) };
        if provider.dialect != STORE {
            let message = format!("need dialect = {STORE:?}");
            let has_routes = !provider.routes.0.is_empty();
            return if has_routes { Err(("routes", message)) } else { Ok(()) };
        }
        if !provider.fallback.is_empty() {
            return Err((
                "fallback",
                "a store cannot have one: writes would be missing there".to_owned(),
            ));
        }
        let others = self.providers.range(..name.to_owned());
        let is_same = |other: &&Provider| other.dialect == STORE && same_host(other, provider);
        match others.map(|(_, other)| other).find(is_same) {
            Some(_) => {
                let message = "is the host of another store too; writes through one would not invalidate \
                               the other";
                Err(("base_url", message.to_owned()))
            }
            None => Ok(()),
        }
    }
}

/// Whether two providers have the same host and port.
fn same_host(one: &Provider, other: &Provider) -> bool {
    let place = |provider: &Provider| {
        let uri: http::Uri = provider.base_url.parse().ok()?;
        let port = uri.port_u16().or(match uri.scheme_str() {
            Some("https") => Some(443),
            _ => Some(80),
        });
        Some((uri.host()?.to_ascii_lowercase(), port))
    };
    place(one).is_some_and(|place_of_one| place(other) == Some(place_of_one))
}
