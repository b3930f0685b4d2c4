//! Endpoints that answer the same question alike as a rule, whole and without effect: what is harmful,
//! documents by rank, tokens and their number, which models there are. Kept where the operator says so.

use std::borrow::Cow;
use std::time::Duration;

use http::Method;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::super::Unreadable;
use super::{Answering, ChatShape, Spoilt, Spoken, Watch, Written};
use crate::config::words::CachedRoute;
use crate::request::{ChatRequest, Sharing};

/// New models should not have to be waited for.
const MODELS_TTL: Duration = Duration::from_secs(10);

/// Such an endpoint.
#[derive(Debug)]
pub(super) struct Route(Option<CachedRoute>);

/// One that nobody lists: a read of a store.
pub(super) static READ: Route = Route(None);

/// The endpoint of a path.
pub(super) fn of(method: &Method, path: &str) -> Option<&'static dyn ChatShape> {
    let route: &'static Route = match (method, path) {
        (&Method::POST, "/moderations") => &Route(Some(CachedRoute::Moderations)),
        (&Method::POST, "/rerank") => &Route(Some(CachedRoute::Rerank)),
        (&Method::POST, "/messages/count_tokens" | "/responses/input_tokens") => {
            &Route(Some(CachedRoute::CountTokens))
        }
        (&Method::POST, path) if path.ends_with(":countTokens") => {
            &Route(Some(CachedRoute::CountTokens))
        }
        (&Method::POST, "/tokenize" | "/detokenize") => &Route(Some(CachedRoute::Tokenize)),
        (&Method::GET, "/models" | "/api/tags") => &Route(Some(CachedRoute::Models)),
        (&Method::GET, path) if path.starts_with("/models/") => &Route(Some(CachedRoute::Models)),
        _ => return None,
    };
    Some(route)
}

/// The model that a request names; empty if it names none.
fn model(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Request<'a> {
        #[serde(borrow)]
        model: Cow<'a, str>,
    }
    serde_json::from_slice::<Request<'_>>(body).map_or_else(|_| String::new(), |it| it.model.into())
}

impl ChatShape for Route {
    fn route(&self) -> Option<CachedRoute> {
        self.0
    }

    fn most_ttl(&self) -> Option<Duration> {
        (self.0 == Some(CachedRoute::Models)).then_some(MODELS_TTL)
    }

    fn read(&self, _path: &str, body: &[u8]) -> Result<ChatRequest, Unreadable> {
        Ok(ChatRequest {
            model: self.0.map(|_| model(body)).unwrap_or_default(),
            framing: None,
            choices: 1,
            sharing: Sharing::Deterministic,
        })
    }

    fn spoken<'a>(&self, _path: &str, _body: &'a [u8]) -> Result<Spoken<'a>, Unreadable> {
        Err(Unreadable("no messages"))
    }

    fn write(&self, _answering: &Answering<'_>) -> Option<Written> {
        None
    }

    fn whole(&self, body: &[u8], watch: &mut Watch) {
        match serde_json::from_slice::<IgnoredAny>(body) {
            Ok(_) => watch.choice(0, Some("whole"), &["whole"]),
            Err(_) => watch.spoil(Spoilt::Unreadable),
        }
        watch.end();
    }

    fn frame(&self, _event: &[u8], _data: &[u8], watch: &mut Watch) {
        watch.spoil(Spoilt::Unreadable);
    }
}
