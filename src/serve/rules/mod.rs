//! The operator's rules for requests for a model's words: the first that fits a request answers it, sends
//! it elsewhere, or says whether its answer is kept.

mod effect;
mod heard;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::HeaderMap;

pub use effect::Fired;

use super::Ask;
use crate::clock::unix_seconds;
use crate::config::words::ChatCache;
use crate::config::{Action, Conditions, Rule as Setting};
use crate::dialect::{ChatShape, Endpoint};
use crate::metrics::{IntCounter, Metrics};
use crate::upstream::Upstream;
use heard::Heard;

/// The rules in their order.
#[derive(Debug, Default)]
pub struct Rules {
    rules: Vec<Arc<Rule>>,
    /// How many answers were given, so that each is called another.
    given: AtomicU64,
}

/// One rule.
pub struct Rule {
    /// What it is called: letters, digits, `-` and `_`.
    pub name: String,
    when: Conditions,
    then: Action,
    elsewhere: Option<Arc<Upstream>>,
    fired: IntCounter,
}

impl Rules {
    /// The rules of a configuration, among these providers.
    pub fn new(
        settings: &[Setting],
        upstreams: &HashMap<String, Arc<Upstream>>,
        metrics: &Metrics,
    ) -> Self {
        let rule = |setting: &Setting| {
            let Setting { name, when, then, .. } = setting.clone();
            let elsewhere = then.provider.as_ref().and_then(|name| upstreams.get(name)).cloned();
            let fired = metrics.rule(&name);
            Arc::new(Rule { name, when, then, elsewhere, fired })
        };
        Self { rules: settings.iter().map(rule).collect(), given: AtomicU64::default() }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether a request may be one that a rule is for, as far as its head and its path tell.
    pub fn may_fit(&self, ask: &Ask, path: &str) -> bool {
        words_of(ask).is_some() && self.rules.iter().any(|rule| rule.fits_head(path, &ask.headers))
    }

    /// The first rule that fits a request, and what it makes of it. What cannot be read exactly fits none.
    pub fn find(&self, ask: &Ask, path: &str) -> Option<Fired> {
        let mut heard = Heard::new(words_of(ask)?, ask);
        for rule in self.rules.iter().filter(|rule| rule.fits_head(path, &ask.headers)) {
            if heard.fits(&rule.when)?
                && let Some(effect) = rule.effect(ask, (heard.shape, heard.request()?), self)
            {
                return Some(Fired { rule: Arc::clone(rule), effect });
            }
        }
        None
    }

    /// What no other answer is called, and the second of its making.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "until 2106")]
    fn stamp(&self) -> (String, u32) {
        let (now, number) = (unix_seconds(), self.given.fetch_add(1, Ordering::Relaxed));
        (format!("larder-{:x}-{number:x}", (now * 1e6) as u64), now as u32)
    }
}

impl Rule {
    /// Whether the answer is kept, if the rule says so.
    pub(super) fn cache(&self) -> Option<ChatCache> {
        self.then.cache
    }

    /// How long it is good, if the rule says so; zero is for ever.
    pub(super) fn ttl(&self) -> Option<Duration> {
        self.then.ttl
    }

    fn fits_head(&self, path: &str, headers: &HeaderMap) -> bool {
        let Conditions { path: of_path, header, .. } = &self.when;
        of_path.as_ref().is_none_or(|glob| glob.fits(path))
            && header.as_ref().is_none_or(|test| test.fits(headers))
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The shape of a request for a model's words.
fn words_of(ask: &Ask) -> Option<&'static dyn ChatShape> {
    match ask.target.endpoint {
        Endpoint::Chat(shape) if shape.route().is_none() => Some(shape),
        _ => None,
    }
}
