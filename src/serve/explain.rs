//! Why a request was answered as it was: for who asks with it, and for who looks afterwards.

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue};
use serde_json::Value;
use serde_json::value::RawValue;

use super::reply::{Reply, Verdict};
use super::{Ask, Service};
use crate::credential;
use crate::dialect::Endpoint;
use crate::dialect::store::namespace;
use crate::explain::{Explanation, Identity, Place};
use crate::ledger;
use crate::metrics::Outcome;

pub(super) static EXPLAIN: HeaderName = HeaderName::from_static("x-larder-explain");

/// A body that is larger is not looked at again.
const LARGEST: usize = 64 << 10;

/// A longer name of a model is not shown.
const LONGEST_MODEL: usize = 128;

/// Members that hold what is asked about, part by part, in whatever dialect.
const PARTS: &[&str] =
    &["input", "inputs", "texts", "content", "contents", "messages", "prompt", "requests"];

/// Members that change no vector.
const NOT_ASKED: &[&str] = &["encoding_format", "user"];

impl Service {
    /// Notes why a request was not answered from the cache, and tells a client that requested it. Returns
    /// the model, where it was read for this; otherwise an empty string.
    pub fn explain(&self, ask: &Ask, reply: &mut Reply) -> String {
        let asked = ask.headers.get(&EXPLAIN).is_some_and(|value| value == "1");
        let outcome = reply.verdict.outcome();
        let is_passed_on = matches!(ask.target.endpoint, Endpoint::Write(_) | Endpoint::Other);
        if is_passed_on || outcome == Outcome::Hit && !asked {
            return String::new();
        }
        let mut explanation = explanation(ask, &reply.verdict);
        let model = explanation.model.clone();
        let is_new = matches!(outcome, Outcome::Miss | Outcome::Partial | Outcome::Collapsed);
        let noted = reply.verdict.place;
        let place = is_new.then(|| noted.unwrap_or_else(|| self.remember(ask)));
        if asked {
            explanation.nearest = place.and_then(|place| self.explained.nearest(place).0);
            reply.verdict.explained = Some(explanation.why().into());
        }
        if outcome != Outcome::Hit {
            self.explained.tell(explanation, place);
        }
        model
    }

    /// Notes what a request asks, for those that come later.
    pub(super) fn remember(&self, ask: &Ask) -> Place {
        self.explained.remember(self.identity(ask))
    }

    /// A request in digests that nobody can guess from.
    fn identity(&self, ask: &Ask) -> Identity {
        let digest = |bytes: &[u8]| self.explained.digest([bytes]);
        let mut identity = Identity::default();
        let (path, place) = (credential::without(&ask.target.path_and_query), &ask.target);
        if let Endpoint::Read(_) = place.endpoint {
            // Of a store nobody knows which members are what is asked about.
            identity.part(digest(path.as_bytes()));
        }
        identity.field("path", digest(path.as_bytes()));
        identity.field("provider", digest(place.upstream.identity.as_bytes()));
        let who = self.explained.digest(credential::shown(&ask.headers, &place.path_and_query));
        identity.field("credential", who);
        identity.who = if self.is_by_credential(ask) {
            who
        } else {
            self.explained.digest(ask.group.iter().map(HeaderValue::as_bytes))
        };
        for value in &ask.group {
            identity.field("group", digest(value.as_bytes()));
        }
        let telling = |name: &HeaderName, value: &HeaderValue| {
            !credential::is_header(name) && self.tells(name, value)
        };
        for (name, value) in ask.headers.iter().filter(|(name, value)| telling(name, value)) {
            identity.field(&format!("header:{name}"), digest(value.as_bytes()));
        }
        self.members(ask, &mut identity);
        identity
    }

    /// Adds what is in the body.
    fn members(&self, ask: &Ask, identity: &mut Identity) {
        let not_asked = match ask.target.endpoint {
            Endpoint::Chat(shape) => shape.not_asked(),
            Endpoint::Read(_) => &[],
            Endpoint::Embed(_) | Endpoint::Write(_) | Endpoint::Other => NOT_ASKED,
        };
        let digest = |value: &RawValue| self.explained.digest([plain(value).as_bytes()]);
        for (name, value) in members(ask) {
            if not_asked.contains(&name.as_ref()) {
                continue;
            }
            if !PARTS.contains(&name.as_ref()) {
                identity.field(&format!("body.{name}"), digest(value));
                continue;
            }
            for part in parts(value).unwrap_or_else(|| vec![value]) {
                identity.part(digest(part));
            }
        }
    }
}

fn explanation(ask: &Ask, verdict: &Verdict) -> Explanation {
    let what = (verdict.outcome().label(), verdict.bypass.map_or("", sentence));
    // Where it is entered the body need not be read again.
    let entered = verdict.credit.as_ref().map(|credit| &*credit.account.model);
    let entered = entered.filter(|model| *model != ledger::OTHER).map(str::to_owned);
    let model = entered.unwrap_or_else(|| model(ask));
    let model = Some(model).filter(|model| model.len() <= LONGEST_MODEL);
    let hits = verdict.items.map_or(0, |items| items.hit);
    Explanation {
        hits,
        rule: verdict.rule.as_ref().map(|rule| rule.name.clone()),
        note: verdict.note.as_ref().map(ToString::to_string),
        ..Explanation::of(&ask.target.upstream.name, &model.unwrap_or_default(), what)
    }
}

/// The members of a body, if it is a JSON object of a reasonable size.
fn members(ask: &Ask) -> BTreeMap<Cow<'_, str>, &RawValue> {
    let body = Some(&ask.body).filter(|body| body.len() <= LARGEST);
    body.and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default()
}

/// The items of a list of what is asked about. A list of numbers is one text in tokens.
fn parts(value: &RawValue) -> Option<Vec<&RawValue>> {
    if !value.get().starts_with('[') {
        return None;
    }
    let parts: Vec<&RawValue> = serde_json::from_str(value.get()).ok()?;
    let is_number =
        |part: &&RawValue| part.get().starts_with(|c: char| c == '-' || c.is_ascii_digit());
    (!parts.first().is_some_and(is_number)).then_some(parts)
}

/// A value without what changes nothing in it.
fn plain(value: &RawValue) -> Cow<'_, str> {
    let json = value.get();
    let parsed = json.starts_with(['{', '[']).then(|| serde_json::from_str::<Value>(json).ok());
    parsed.flatten().map_or(Cow::Borrowed(json), |value| value.to_string().into())
}

fn model(ask: &Ask) -> String {
    if ask.body.len() > LARGEST {
        return String::new();
    }
    match ask.target.endpoint {
        Endpoint::Embed(shape) => {
            let read = shape.read(&ask.target.path_and_query, &ask.body);
            read.map(|request| request.model.into_owned()).unwrap_or_default()
        }
        Endpoint::Chat(shape) => {
            let read = shape.read(&ask.target.path_and_query, &ask.body);
            read.map(|request| request.model).unwrap_or_default()
        }
        Endpoint::Read(number) => {
            let route = ask.target.upstream.settings.routes.0.get(number);
            let named = route.and_then(|route| namespace(route, ask.target.path(), &ask.body));
            named.map(Cow::into_owned).unwrap_or_default()
        }
        Endpoint::Write(_) | Endpoint::Other => String::new(),
    }
}

/// What a reason of `Cache-Status` means.
fn sentence(reason: &'static str) -> &'static str {
    match reason {
        "no-store" => "no-store: the request has Cache-Control: no-store",
        "no-cache" => "no-cache: the request has Cache-Control: no-cache",
        "idempotency-key" => {
            "idempotency-key: a request with this header always goes to the provider"
        }
        "no-scope" => {
            "no-scope: the request has neither the header of cache.scope nor a credential, so it shares nothing"
        }
        "opted-out" => "opted-out: the request has x-larder-cache: off",
        "chat-cache-off" => "chat-cache-off: chat_cache is off for this model; see [providers]",
        "temperature" => {
            "temperature: it is not 0, so each response may differ; x-larder-cache: on or chat_cache = \"all\" caches it anyway"
        }
        "n" => "n: more than one completion is requested, and each is sampled",
        "tools" => "tools: the model may call tools",
        "search" => {
            "search: the provider searches before the model answers, so the response depends on the world"
        }
        "state" => "state: the provider stores the conversation or continues a stored one",
        "audio" => "audio: the response is not text",
        "accept" => "accept: the Accept header excludes JSON",
        "write" => "write: the request may change the store",
        "unreadable" => {
            "unreadable: larder does not understand the body for this endpoint; it is forwarded unchanged"
        }
        "too-large" => "too-large: the body is larger than server.max_body",
        "rule" => "rule: a rule of the configuration answered the request",
        "relay" => "relay: this endpoint is not cached; the request is forwarded unchanged",
        other => other,
    }
}
