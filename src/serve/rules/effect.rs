//! What a rule makes of a request.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};

use super::super::reply::{Content, Reply, Verdict};
use super::super::{Ask, Target};
use super::{Rule, Rules};
use crate::config::speak_alike;
use crate::dialect::chat::{Answering, answer, renamed};
use crate::dialect::{ChatShape, Endpoint};
use crate::request::ChatRequest;
use crate::transcript::Transcript;
use crate::upstream::endpoint;

/// A rule that fits a request, and what it makes of it.
#[derive(Debug)]
pub struct Fired {
    pub(super) rule: Arc<Rule>,
    pub(super) effect: Effect,
}

/// What a rule makes of a request.
#[derive(Debug)]
pub(super) enum Effect {
    /// It is answered.
    Answered(Box<Transcript>),
    /// It goes there, with another body if it names another model.
    Sent(Box<Target>, Option<Bytes>),
    /// Its answer is kept or not.
    Kept,
}

impl Fired {
    /// Carries it out: the answer, if it is one, or else the request as it is now. `raw` is the body as it
    /// is sent.
    pub fn carry_out(self, ask: &mut Ask, raw: &mut Bytes) -> Option<Reply> {
        self.rule.fired.inc();
        ask.rule = Some(self.rule);
        match self.effect {
            Effect::Answered(transcript) => {
                let content = Content::Replayed(transcript);
                return Some(Reply { content, verdict: Verdict::bypass("rule") });
            }
            Effect::Sent(target, body) => {
                ask.target = *target;
                if let Some(body) = body {
                    // Made of what was decoded.
                    ask.headers.remove(header::CONTENT_ENCODING);
                    (ask.body, *raw) = (body.clone(), body);
                }
            }
            Effect::Kept => {}
        }
        None
    }
}

impl Rule {
    /// What the rule makes of a request; nothing where that cannot be done exactly.
    pub(super) fn effect(
        &self,
        ask: &Ask,
        (shape, request): (&dyn ChatShape, &ChatRequest),
        rules: &Rules,
    ) -> Option<Effect> {
        if let Some(text) = &self.then.answer {
            return answered(ask, (shape, request), (text, rules));
        }
        if self.then.cache.is_some() {
            return Some(Effect::Kept);
        }
        let mut target = ask.target.clone();
        let mut body = None;
        if let Some(model) = &self.then.model {
            let renamed = renamed(shape, (&target.path_and_query, &ask.body), model)?;
            target.path_and_query = renamed.path_and_query;
            body = Some(Bytes::from(renamed.body));
        }
        self.send_elsewhere(&mut target)?;
        Some(Effect::Sent(Box::new(target), body))
    }

    /// Turns a request to the provider of the rule, if it has one; nothing where that one would not
    /// understand it.
    fn send_elsewhere(&self, target: &mut Target) -> Option<()> {
        let Some(upstream) = &self.elsewhere else { return Some(()) };
        let (own, other) = (target.upstream.dialect, upstream.dialect);
        if !speak_alike(own.name(), other.name()) {
            return None;
        }
        let below = upstream.below_base(&target.path_and_query).to_owned();
        let endpoint = other.endpoint(&target.method, endpoint(&below));
        if !matches!(endpoint, Endpoint::Chat(_)) {
            return None;
        }
        (target.upstream, target.endpoint) = (Arc::clone(upstream), endpoint);
        target.path_and_query = below;
        Some(())
    }
}

fn answered(
    ask: &Ask,
    (shape, request): (&dyn ChatShape, &ChatRequest),
    (text, rules): (&str, &Rules),
) -> Option<Effect> {
    let (id, created) = rules.stamp();
    let answering = Answering {
        path_and_query: &ask.target.path_and_query,
        headers: &ask.headers,
        body: &ask.body,
        request,
        text,
        id: &id,
        created,
    };
    let written = answer(shape, &answering)?;
    ask.target.asks(&request.model);
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(written.media_type));
    let transcript = Transcript { headers, body: written.body.into(), usage: None };
    Some(Effect::Answered(Box::new(transcript)))
}
