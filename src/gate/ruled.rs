//! The operator's rules, where requests come in: which of them may be under one, and what it makes of them.

use std::sync::Arc;

use bytes::Bytes;
use tokio::task::spawn_blocking;

use super::Proxy;
use super::contain::contain;
use crate::dialect::Endpoint;
use crate::serve::Ask;
use crate::serve::reply::Reply;

/// Above this size a body is held against rules where that may take its time.
const APART: usize = 256 << 10;

impl Proxy {
    /// Whether a rule may be for a request, as far as its head tells.
    pub(super) fn may_be_ruled(&self, ask: &Ask, path_and_query: &str) -> bool {
        !self.rules.is_empty() && self.rules.may_fit(ask, path_of(path_and_query))
    }

    /// Carries out the first rule that fits a request: the answer, if that is one.
    pub(super) async fn rule(
        &self,
        ask: &mut Ask,
        path_and_query: &str,
        raw: &mut Bytes,
    ) -> Option<Reply> {
        let path = path_of(path_and_query);
        // What larder fails at fits no rule.
        let fired = if ask.body.len() < APART {
            contain(async { self.rules.find(ask, path) }).await.flatten()
        } else {
            let (rules, ask, path) = (Arc::clone(&self.rules), ask.clone(), path.to_owned());
            spawn_blocking(move || rules.find(&ask, &path)).await.ok().flatten()
        };
        fired?.carry_out(ask, raw)
    }

    /// Why a request is not to be answered from the cache although its body was read, as only rules want, and
    /// routes that decide by it.
    pub(super) fn declined(&self, ask: &Ask) -> Option<&'static str> {
        match ask.target.endpoint {
            Endpoint::Chat(shape) if !self.rules.is_empty() => self.service.declines(shape, ask),
            Endpoint::Read(_) => self.service.declines_read(ask),
            _ => None,
        }
    }
}

fn path_of(path_and_query: &str) -> &str {
    path_and_query.split('?').next().unwrap_or_default()
}
