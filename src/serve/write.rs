//! Requests that are passed on although they may change what a store says: what was kept of it is forgotten
//! before they go out, and again whenever something of their answers has come, so that nobody who has an
//! answer is given what was read before.

use std::time::Duration;

use super::relay::{Passing, relay};
use super::reply::{Content, Items, Reply, Verdict};
use super::{Ask, Directives, Service, Target};
use crate::clock::Clock;
use crate::config::stores::{Effect, Route};
use crate::dialect::{Endpoint, store};
use crate::tier::writes::Store;
use crate::upstream::Upstream;

/// A change of a store that is under way. When it is over, however that is, it may have happened.
#[derive(Debug)]
pub struct Change {
    store: &'static Store,
    /// Of which namespace; `None` is of any.
    namespace: Option<String>,
    /// How long it may take until it is seen.
    settles: Duration,
    clock: Clock,
}

impl Service {
    /// Passes a request on as it is, and forgets what it may change.
    pub async fn pass(&self, ask: &Ask, body: Passing, reason: &'static str) -> Reply {
        if Directives::read(&ask.headers).only_if_cached {
            // Nothing that is only passed on is in the cache.
            let reply = Reply::not_cached(Items::default());
            return Reply { verdict: Verdict { items: None, ..reply.verdict }, ..reply };
        }
        let change = match ask.target.endpoint {
            Endpoint::Write(number) => Some(self.change(number, (ask, &body))),
            _ => None,
        };
        let mut reply = relay(&ask.target, &ask.headers, body, reason).await;
        if let (Some(change), Content::Streamed(_, passage)) = (change, &mut reply.content) {
            change.forget();
            passage.change = Some(change);
        }
        reply
    }

    /// Whether the body of what may be a write has to be read, since what it changes is said there.
    pub fn must_read(&self, ask: &Ask) -> bool {
        let Target { upstream, method, path_and_query, .. } = &ask.target;
        let Endpoint::Write(number) = ask.target.endpoint else { return false };
        let route = number.and_then(|number| upstream.settings.routes.0.get(number));
        route.is_some_and(|route| route.namespace.is_some())
            || upstream.needs_body(method, path_and_query)
    }

    fn change(&self, number: Option<usize>, (ask, body): (&Ask, &Passing)) -> Change {
        let upstream = &ask.target.upstream;
        let route = number.and_then(|number| upstream.settings.routes.0.get(number));
        let body = match body {
            Passing::Whole(_) => &*ask.body,
            Passing::Streamed(_) => &[],
        };
        let named = route.and_then(|route| store::namespace(route, ask.target.path(), body));
        let change = Change {
            store: self.tiers.purges.store(&upstream.name),
            namespace: named.map(Into::into),
            settles: settles(route, upstream),
            clock: self.clock,
        };
        upstream.metrics.wrote(change.namespace.is_some());
        change.forget();
        change
    }
}

impl Change {
    /// Forgets what may be another now.
    pub fn forget(&self) {
        let settles = self.settles.as_micros().div_ceil(1_000);
        let settles = i64::try_from(settles).unwrap_or(i64::MAX);
        // The millisecond of now has begun already.
        let end = || self.clock.milliseconds().saturating_add(settles).saturating_add(1);
        let until = (settles > 0).then(end);
        self.store.wrote(self.namespace.as_deref(), until);
    }
}

impl Drop for Change {
    fn drop(&mut self) {
        self.forget();
    }
}

/// How long a write may take until it is seen; one of no route, as long as any.
fn settles(route: Option<&Route>, upstream: &Upstream) -> Duration {
    let of = |route: &Route| match route.effect {
        Effect::Write(settles) => settles,
        Effect::Read(_) => Duration::ZERO,
    };
    let longest = || upstream.settings.routes.0.iter().map(of).max().unwrap_or_default();
    route.map_or_else(longest, of)
}
