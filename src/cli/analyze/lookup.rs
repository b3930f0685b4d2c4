//! From a request of a log to what the server would look it up by.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method};

use super::super::Failure;
use super::entry;
use super::form::{Place, Request};
use crate::config::Config;
use crate::dialect::{Endpoint, named};
use crate::gate::route::{Routes, endpoint};
use crate::key::CacheKey;
use crate::request::Input;
use crate::serve::{Ask, Service, Target};
use crate::server;
use crate::upstream::Upstream;

/// What a request asks for.
#[derive(Debug)]
pub(super) enum Asked {
    Embeddings {
        inputs: Vec<Item>,
        /// How many tokens they are, where they are token ids.
        tokens: Option<u64>,
    },
    /// A model's words, where their answer may be kept.
    Words(Option<Item>),
}

/// What is kept by itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item {
    pub(super) key: CacheKey,
    /// What its entry weighs in memory.
    pub(super) weight: u64,
    /// Its part of the request, against the others'.
    pub(super) share: u64,
}

/// What a request asks for, and whom.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) provider: String,
    pub(super) model: String,
    pub(super) asked: Asked,
}

/// The server's own way from a request to its keys.
pub(super) struct Lookup {
    service: Arc<Service>,
    routes: Routes,
    default: Arc<Upstream>,
}

impl Lookup {
    pub(super) fn of(config: &Config) -> Result<Self, Failure> {
        let built = server::build(config)?;
        let missing = || Failure::Usage("server.default_provider: is not configured".to_owned());
        let default = built.upstreams.get(&config.server.default_provider).ok_or_else(missing)?;
        let (default, service) = (Arc::clone(default), Arc::clone(&built.service));
        Ok(Self { service, routes: Routes::new(built.upstreams, Arc::clone(&default)), default })
    }

    /// What a request is looked up by; none where larder passes it on as it is.
    pub(super) fn question(&self, request: Request<'_>) -> Option<Question> {
        let body = Bytes::from(request.body.into_owned());
        let answer = request.said.answer;
        match &request.place {
            Place::At(method, target) => {
                let (upstream, path) = self.addressed(target);
                let understood = upstream.dialect.endpoint(method, endpoint(path));
                self.read(&ask(upstream, (method, path), understood, body), answer)
            }
            Place::Guessed(provider, paths) => {
                let known = |name: &Cow<'_, str>| self.named(name);
                let upstream = provider.as_ref().and_then(known).unwrap_or(&self.default);
                // Who speaks for many providers is asked in `OpenAI`'s shapes.
                let openai = named("openai").filter(|_| provider.is_some());
                [Some(upstream.dialect), openai].into_iter().flatten().find_map(|dialect| {
                    paths.iter().find_map(|path| {
                        let understood = dialect.endpoint(&Method::POST, path);
                        let to = (&Method::POST, *path);
                        self.read(&ask(upstream, to, understood, body.clone()), answer)
                    })
                })
            }
        }
    }

    fn named(&self, name: &str) -> Option<&Arc<Upstream>> {
        self.routes.upstreams().find(|upstream| upstream.name == name)
    }

    /// Whom a URL or path is for, and the path below the base URL.
    fn addressed<'t>(&self, target: &'t str) -> (&Arc<Upstream>, &'t str) {
        let below = |upstream: &Arc<Upstream>| {
            let rest = target.strip_prefix(upstream.settings.base_url.trim_end_matches('/'));
            rest.filter(|rest| rest.starts_with('/'))
        };
        let reached = self.routes.upstreams().filter_map(|one| Some((one, below(one)?)));
        // What two base URLs begin is below the longer one; two of the same are told apart by name.
        let nearest = reached.min_by_key(|(one, rest)| (rest.len(), &one.name));
        let by_path = || {
            let path = path(target);
            self.routes.find(path).unwrap_or_else(|_| (self.routes.default(), path))
        };
        nearest.unwrap_or_else(by_path)
    }

    fn read(&self, ask: &Ask, answer: Option<usize>) -> Option<Question> {
        let provider = ask.target.upstream.name.clone();
        match ask.target.endpoint {
            Endpoint::Embed(shape) => {
                let (request, keys) = self.service.keys_of_inputs(shape, ask).ok()?;
                let weight = entry::of_vector(&request.model, request.dimensions);
                let item = |(key, input): (CacheKey, &Input<'_>)| Item {
                    key,
                    weight,
                    share: input.weight(),
                };
                let inputs = keys.into_iter().zip(&request.inputs).map(item).collect();
                let tokens = request.inputs.iter().map(tokens).sum();
                let asked = Asked::Embeddings { inputs, tokens };
                Some(Question { provider, model: request.model.into_owned(), asked })
            }
            Endpoint::Chat(shape) => {
                let (request, key) = self.service.key_of_words(shape, ask).ok()?;
                if shape.route().is_some() && key.is_none() {
                    return None;
                }
                let weight = entry::of_words(answer);
                let asked = Asked::Words(key.map(|key| Item { key, weight, share: 1 }));
                Some(Question { provider, model: request.model, asked })
            }
            // Which writes came between, a log does not say.
            Endpoint::Read(_) | Endpoint::Write(_) | Endpoint::Other => None,
        }
    }
}

/// A URL without what is before its path.
fn path(target: &str) -> &str {
    let Some((_, rest)) = target.split_once("://") else { return target };
    rest.find('/').and_then(|slash| rest.get(slash..)).unwrap_or("/")
}

fn tokens(input: &Input<'_>) -> Option<u64> {
    matches!(input, Input::Tokens(_)).then(|| input.weight())
}

/// A request as the gate would hand it on, without what logs do not have: its headers.
fn ask(
    upstream: &Arc<Upstream>,
    (method, path): (&Method, &str),
    endpoint: Endpoint,
    body: Bytes,
) -> Ask {
    let target = Target {
        upstream: Arc::clone(upstream),
        endpoint,
        method: method.clone(),
        path_and_query: path.to_owned(),
        received: Instant::now(),
        trace: None,
    };
    let json = HeaderValue::from_static("application/json");
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, json)]);
    Ask { target, headers, group: Vec::new(), body, rule: None, taping: None }
}
