//! The forms of a line: a request's body as it was sent, a line of a log that has one, and
//! `LiteLLM`'s.

mod litellm;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use http::Method;
use serde::Deserialize;
use serde_json::value::RawValue;

/// A request, as far as a line tells.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) place: Place<'a>,
    pub(super) body: Cow<'a, [u8]>,
    pub(super) said: Said,
}

/// Where a request went.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place<'a> {
    /// To this path or URL.
    At(Method, Cow<'a, str>),
    /// To the first of these paths that the provider has, and whose requests look like this one; the
    /// provider by name where the line says it.
    Guessed(Option<Cow<'a, str>>, &'static [&'static str]),
}

/// What a line tells beside the request.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(super) struct Said {
    /// Tokens that the provider counted for the question.
    pub(super) tokens: Option<u64>,
    /// What it cost, in dollars.
    pub(super) cost: Option<f64>,
    /// How many bytes the answer has, about.
    pub(super) answer: Option<usize>,
    /// Whether another cache has answered it.
    pub(super) cached: bool,
}

/// Why a line is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfit {
    /// It is of no form that is known.
    Unknown,
    /// What was asked is not in it, or not all of it.
    Withheld,
    /// Nothing came of the request that could be kept.
    Failed,
}

/// Where embeddings are asked for, the rarest path first.
const EMBEDDINGS: &[&str] = &["/embed", "/api/embed", "/embeddings"];

/// Where answers to messages are asked for.
const MESSAGES: &[&str] = &["/messages", "/chat", "/api/chat", "/chat/completions"];

/// Where a text is completed.
const PROMPTS: &[&str] = &["/completions"];

/// The members that tell the forms apart.
#[derive(Debug, Deserialize)]
struct Members<'a> {
    #[serde(borrow)]
    call_type: Option<&'a RawValue>,
    #[serde(borrow)]
    request: Option<&'a RawValue>,
    #[serde(borrow)]
    response: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<&'a RawValue>,
    #[serde(borrow)]
    url: Option<&'a RawValue>,
    #[serde(borrow)]
    path: Option<&'a RawValue>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    #[serde(borrow)]
    inputs: Option<&'a RawValue>,
    #[serde(borrow)]
    texts: Option<&'a RawValue>,
    #[serde(borrow)]
    messages: Option<&'a RawValue>,
    #[serde(borrow)]
    prompt: Option<&'a RawValue>,
}

/// The request that a line tells of.
pub(super) fn read(line: &[u8]) -> Result<Request<'_>, Unfit> {
    let members: Members<'_> = serde_json::from_slice(line).map_err(|_| Unfit::Unknown)?;
    if members.call_type.is_some() {
        return litellm::read(line);
    }
    if let Some(request) = members.request {
        let inner: Members<'_> = read_raw(request).ok_or(Unfit::Unknown)?;
        return logged(&inner, &members);
    }
    if members.url.is_some() || members.path.is_some() {
        return logged(&members, &members);
    }
    let paths = members.looks_like().ok_or(Unfit::Unknown)?;
    let place = Place::Guessed(None, paths);
    Ok(Request { place, body: Cow::Borrowed(line), said: Said::default() })
}

impl Members<'_> {
    /// Where a body of this look is sent.
    fn looks_like(&self) -> Option<&'static [&'static str]> {
        let named = |member: Option<&RawValue>| self.model.and(member).is_some();
        if named(self.input) || named(self.texts) || self.inputs.is_some() {
            Some(EMBEDDINGS)
        } else if named(self.messages) {
            Some(MESSAGES)
        } else if named(self.prompt) {
            Some(PROMPTS)
        } else {
            None
        }
    }
}

/// A line of an access log, or of a file of requests: the request's members, and those of the line.
fn logged<'a>(request: &Members<'a>, line: &Members<'a>) -> Result<Request<'a>, Unfit> {
    let target = request.url.or(request.path).and_then(text).ok_or(Unfit::Unknown)?;
    let method = match request.method {
        None => Method::POST,
        Some(method) => text(method).and_then(|name| name.parse().ok()).ok_or(Unfit::Unknown)?,
    };
    let answer = line.response.and_then(read_raw::<Answer<'_>>).unwrap_or_default();
    let statuses = [line.status, answer.status, answer.status_code];
    if statuses.into_iter().flatten().filter_map(number).any(|status| status >= 400.0) {
        return Err(Unfit::Failed);
    }
    let body = request.body.ok_or(Unfit::Withheld)?;
    let said = Said { tokens: answer.tokens(), answer: answer.length(), ..Said::default() };
    Ok(Request { place: Place::At(method, target), body: json(body), said })
}

/// What a line says of the answer.
#[derive(Debug, Default, Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    #[serde(borrow)]
    status_code: Option<&'a RawValue>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Counted {
    usage: Option<Usage>,
}

#[derive(Debug, Deserialize)]
struct Usage {
    prompt_tokens: Option<u64>,
}

impl Answer<'_> {
    fn tokens(&self) -> Option<u64> {
        let counted: Counted = serde_json::from_slice(&json(self.body?)).ok()?;
        counted.usage?.prompt_tokens
    }

    fn length(&self) -> Option<usize> {
        self.body.map(|body| json(body).len())
    }
}

/// A body, which may stand in a string.
fn json(body: &RawValue) -> Cow<'_, [u8]> {
    match text(body) {
        Some(text) => Cow::Owned(text.into_owned().into_bytes()),
        None => Cow::Borrowed(body.get().as_bytes()),
    }
}

/// A value of a type, if it is one.
fn read_raw<'a, T: Deserialize<'a>>(json: &'a RawValue) -> Option<T> {
    serde_json::from_str(json.get()).ok()
}

/// A text, if it is one.
fn text(json: &RawValue) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Text<'t>(#[serde(borrow)] Cow<'t, str>);
    read_raw::<Text<'_>>(json).map(|Text(text)| text)
}

/// A number, if it is one.
fn number(json: &RawValue) -> Option<f64> {
    read_raw(json)
}
