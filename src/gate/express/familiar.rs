//! What the proxy knows of a request from its head, and the answer to another one with that head.

use std::sync::{Arc, Weak};
use std::time::Instant;

use bytes::Bytes;
use http::request::Parts;

use super::Written;
use crate::dialect::Endpoint;
use crate::gate::admin::Event;
use crate::gate::admit::Way;
use crate::gate::pages::Entrance;
use crate::gate::route::understood;
use crate::gate::write::tell;
use crate::gate::{Proxy, client, target};
use crate::serve::reply::{Content, Reply};
use crate::serve::{Ask, Target};

/// What a head says to the proxy that read it.
pub(super) struct Familiar {
    proxy: Weak<Proxy>,
    /// What the questions with this head begin with; their bodies follow.
    beginning: Vec<u8>,
}

impl Familiar {
    /// Whether it is what the proxy knows that serves now.
    pub(super) fn is_of(&self, proxy: &Arc<Proxy>) -> bool {
        std::ptr::eq(self.proxy.as_ptr(), Arc::as_ptr(proxy))
    }
}

impl Proxy {
    /// What a head says, where an answer that is remembered is all that a request with it may need: it may
    /// ask, it asks nothing of the cache, and nothing is noted of it but what is noted of every answer.
    pub(super) fn meet(self: &Arc<Self>, head: Parts, entrance: Entrance) -> Option<Familiar> {
        if self.recordings.is_some() {
            return None;
        }
        if self.log_requests || self.tracer.is_some() || client::is_retry(&head.headers) {
            return None;
        }
        let path_and_query = target::of(&head.method, &head.uri).ok()?;
        let Way { upstream, rest, refused } = self.admit(&head, path_and_query, entrance);
        if refused.is_some() || self.pages.listed(&head.headers).is_some() {
            return None;
        }
        let endpoint = understood(upstream, &head, &rest);
        if !matches!(endpoint, Endpoint::Embed(_)) {
            return None;
        }
        let (upstream, path_and_query) = (Arc::clone(upstream), rest.into_owned());
        let (method, received) = (head.method, Instant::now());
        let target = Target { upstream, endpoint, method, path_and_query, received, trace: None };
        let mut headers = head.headers;
        let group = self.service.group(&mut headers);
        let ask = Ask { target, headers, group, body: Bytes::new(), rule: None, taping: None };
        let beginning = self.service.familiar(&ask)?;
        Some(Familiar { proxy: Arc::downgrade(self), beginning })
    }

    /// The answer to a request with a head that is known, if it is remembered.
    pub(super) fn again(&self, familiar: &Familiar, body: &[u8]) -> Option<Written> {
        if body.len() > self.settings.max_body.as_usize() {
            return None;
        }
        let received = Instant::now();
        let question = [&familiar.beginning, body].concat();
        let Reply { content, verdict } = self.service.recall(&question, received)?;
        let Content::Written(answer, None) = content else { return None };
        let total = received.elapsed();
        let written = Written::ok(tell(&verdict, (&self.embed, total)), answer);
        if let Some(hit) = Event::hit(verdict, received, total) {
            self.recent.feed.push(hit);
        }
        Some(written)
    }
}
