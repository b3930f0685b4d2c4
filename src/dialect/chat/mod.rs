//! The shapes in which providers are asked for a model's words and answer, a file for each.
//!
//! A shape reads of a request what decides whether two are the same question and may be given the
//! same answer, and watches an answer for its end. It never changes either. For rules of the operator's it
//! also reads what is said, and writes answers that no provider gave.

#[cfg(test)]
mod answer_tests;
mod anthropic;
mod cohere;
mod fields;
mod gemini;
mod model;
mod ollama;
mod openai;
mod responses;
mod route;
mod spoken;
#[cfg(test)]
mod tests;
mod watch;
mod world;
mod write;

pub use model::{Renamed, renamed};
pub use spoken::Spoken;
pub use watch::{Spoilt, Watch};
pub use world::{Sign, WORLD, World};
pub use write::{Answering, Written};

use std::time::Duration;

use http::Method;

use self::fields::Fields;
use self::watch::MOST_CHOICES;
use super::Unreadable;
use crate::config::words::CachedRoute;
use crate::request::ChatRequest;

/// The shape in which an endpoint is asked for a model's words and answers.
pub trait ChatShape: Sync + std::fmt::Debug {
    /// Reads a request. The path is as it came, below the base URL, with its query.
    fn read(&self, path_and_query: &str, body: &[u8]) -> Result<ChatRequest, Unreadable>;

    /// Reads what is said in a request, as far as it is text.
    fn spoken<'a>(&self, path_and_query: &str, body: &'a [u8]) -> Result<Spoken<'a>, Unreadable>;

    /// The model's name in a path without its query, where it is there.
    fn model_in<'p>(&self, _path: &'p str) -> Option<&'p str> {
        None
    }

    /// Writes an answer of larder's own, whole or as the stream that is asked for; `None` where that
    /// cannot be done exactly.
    fn write(&self, answering: &Answering<'_>) -> Option<Written>;

    /// Members of a request that no answer depends on.
    fn not_asked(&self) -> &'static [&'static str] {
        &[]
    }

    /// Looks at a whole answer that came at once.
    fn whole(&self, body: &[u8], watch: &mut Watch);

    /// Looks at one frame of a streamed answer: the name of its event, if it has one, and what it
    /// says.
    fn frame(&self, event: &[u8], data: &[u8], watch: &mut Watch);

    /// The name of the endpoint among those that are only kept where the operator lists them.
    fn route(&self) -> Option<CachedRoute> {
        None
    }

    /// How long an answer may be kept at the most, whatever the settings say.
    fn most_ttl(&self) -> Option<Duration> {
        None
    }

    /// Looks at the end of a stream that came to its end between two frames, for a shape that has no
    /// mark of its own.
    fn end(&self, _watch: &mut Watch) {}
}

/// Everything of a request that may change the answer, as JSON text in one form only. Not a part of
/// reading it, since most requests are passed on whatever they say.
pub fn question(shape: &dyn ChatShape, body: &[u8]) -> Result<Vec<u8>, Unreadable> {
    if body.is_empty() {
        return Ok(Vec::new());
    }
    Ok(Fields::read(body)?.canonical(shape.not_asked()))
}

/// An answer of larder's own, whole or as the stream that is asked for; `None` where nobody would be asked
/// for so many answers at once, or it cannot be told in what shape.
pub fn answer(shape: &dyn ChatShape, answering: &Answering<'_>) -> Option<Written> {
    let count = usize::try_from(answering.request.choices).ok()?;
    (1..=MOST_CHOICES).contains(&count).then(|| shape.write(answering))?
}

/// The shape of an answer that is whole JSON and nothing more: of a read of a store.
pub fn whole() -> &'static dyn ChatShape {
    &route::READ
}

/// The shape of a dialect's endpoint, by what follows the base URL without version and query.
pub fn shape(dialect: &str, method: &Method, path: &str) -> Option<&'static dyn ChatShape> {
    if let Some(route) = route::of(method, path) {
        return Some(route);
    }
    if method != Method::POST {
        return None;
    }
    match (dialect, path) {
        ("anthropic", "/messages") => Some(&anthropic::Messages),
        ("cohere", "/chat") => Some(&cohere::Chat),
        ("gemini", path) if gemini::is_generate(path) => Some(&gemini::Generate),
        ("ollama", "/api/chat" | "/api/generate") => Some(&ollama::Chat),
        ("mistral", "/fim/completions") => Some(&openai::Completions),
        ("azure", path) if path.contains("/deployments/") => compatible(after_deployment(path)),
        // Where they speak as `OpenAI` does, they do it below a path of its own.
        ("gemini", path) => compatible(path.strip_prefix("/openai").unwrap_or(path)),
        ("cohere", path) => compatible(path.strip_prefix("/compatibility/v1").unwrap_or(path)),
        (_, path) => compatible(path),
    }
}

/// `OpenAI`'s endpoints, which nearly every provider has too.
fn compatible(path: &str) -> Option<&'static dyn ChatShape> {
    match path {
        "/chat/completions" => Some(&openai::ChatCompletions),
        "/completions" => Some(&openai::Completions),
        "/responses" => Some(&responses::Responses),
        _ => None,
    }
}

/// What follows the name of a deployment.
fn after_deployment(path: &str) -> &str {
    let rest = path.split_once("/deployments/").map_or("", |(_, rest)| rest);
    rest.find('/').and_then(|slash| rest.get(slash..)).unwrap_or_default()
}

/// The name of a deployment, which is the model there.
fn deployment(path: &str) -> Option<&str> {
    path.split_once("/deployments/")?.1.split('/').next()
}
