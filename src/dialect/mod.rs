//! Providers' wire shapes, as pure functions: no I/O, no clock, no state.
//!
//! A dialect is one file, one line in [`ALL`] and one in `config::DIALECTS`; it says which of a provider's endpoints are
//! understood, and in what shape each of them speaks. What a dialect does not override is the
//! `OpenAI` shape, which most providers speak.

mod anthropic;
mod azure;
mod canonical;
pub mod chat;
mod check;
mod cohere;
mod compatible;
mod dashscope;
mod deepinfra;
mod deepseek;
mod fireworks;
mod gemini;
mod generic;
mod groq;
mod infinity;
mod input;
mod jina;
mod json;
mod layout;
mod listed;
mod llamacpp;
mod lmstudio;
mod mistral;
mod nim;
mod nomic;
mod ollama;
mod openai;
mod openrouter;
mod portion;
mod question;
mod reply;
mod shape;
pub mod store;
mod tei;
mod together;
mod usage;
mod vllm;
mod voyage;

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, Method, StatusCode, header};

pub use canonical::one_spelling;
pub use chat::ChatShape;
pub use layout::Layout;
pub use portion::Portion;
pub use reply::{EmbedReply, Item};

use crate::config::words::CachedRoute;
use crate::error::Error;
use crate::metrics::Operation;
use crate::request::{EmbedRequest, Encoding, Input};
use crate::vector::Vector;

/// The dialects by name.
pub const ALL: &[&dyn Dialect] = &[
    &openai::OpenAi,
    &anthropic::Anthropic,
    &azure::Azure,
    &cohere::Cohere,
    &dashscope::DASHSCOPE,
    &deepinfra::DEEPINFRA,
    &deepseek::DEEPSEEK,
    &fireworks::FIREWORKS,
    &gemini::Gemini,
    &generic::Generic,
    &groq::GROQ,
    &infinity::INFINITY,
    &jina::JINA,
    &llamacpp::LLAMACPP,
    &lmstudio::LMSTUDIO,
    &mistral::Mistral,
    &nim::NIM,
    &nomic::Nomic,
    &ollama::Ollama,
    &openrouter::OPENROUTER,
    &tei::Tei,
    &together::TOGETHER,
    &vllm::VLLM,
    &voyage::Voyage,
];

/// The dialect of a name.
pub fn named(name: &str) -> Option<&'static dyn Dialect> {
    ALL.iter().copied().find(|dialect| dialect.name() == name)
}

/// Where most providers look for a credential.
const BEARER: (HeaderName, &str) = (header::AUTHORIZATION, "Bearer ");

/// What one provider call carries.
#[derive(Debug, Clone, Copy)]
pub struct EmbedCall<'a> {
    /// The model.
    pub model: &'a str,
    /// The inputs, in order.
    pub inputs: &'a [&'a Input<'static>],
    /// What else alters a vector, as in [`EmbedRequest::params`].
    pub params: &'a str,
    /// The end user, as JSON text.
    pub user: Option<&'a str>,
    /// How the vectors are wanted.
    pub encoding: Encoding,
}

/// What was asked with a call, as far as its answer depends on it.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// How many inputs it has.
    pub inputs: usize,
    /// How the vectors were wanted; a provider may give them otherwise.
    pub encoding: Encoding,
}

/// What a provider takes in one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Inputs.
    pub inputs: usize,
    /// Tokens of one input.
    pub input_tokens: usize,
    /// Tokens of all inputs.
    pub tokens: usize,
    /// Bytes of all inputs.
    pub bytes: usize,
}

/// What a provider's no is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The call has more inputs than the provider takes; how many it takes, if it says.
    TooManyInputs(Option<usize>),
    /// The call has more tokens or bytes than the provider takes.
    TooLarge,
    /// Something in the call is bad, and it does not say which input it is.
    Request,
    /// Who asks, how often, or for what model; the same for every input of the call.
    Shared,
}

/// Why bytes are not a request that larder can take apart. They are passed on as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable(pub &'static str);

/// Why an answer of a provider cannot be trusted. It is never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invalid(pub &'static str);

/// What is understood of an endpoint.
#[derive(Debug, Clone, Copy)]
pub enum Endpoint {
    /// It gives embeddings, in this shape.
    Embed(&'static dyn EmbedShape),
    /// It gives a model's words, in this shape.
    Chat(&'static dyn ChatShape),
    /// It reads from a store, as the route of this number says.
    Read(usize),
    /// It writes to a store, as the route of this number says; where there is none, nobody knows what.
    Write(Option<usize>),
    /// Nothing: its requests are passed on as they are.
    Other,
}

impl Endpoint {
    /// The operation under which requests of the endpoint are counted. A list of models is no completion,
    /// although it can be cached in the same way.
    pub fn operation(self) -> Operation {
        match self {
            Self::Embed(_) => Operation::Embed,
            Self::Chat(shape) if shape.route() == Some(CachedRoute::Models) => Operation::Relay,
            Self::Chat(_) => Operation::Chat,
            Self::Read(_) => Operation::Read,
            Self::Write(_) | Self::Other => Operation::Relay,
        }
    }
}

/// What is particular to one provider.
pub trait Dialect: Sync + std::fmt::Debug {
    /// Its name in the configuration.
    fn name(&self) -> &'static str;

    /// The shape of an endpoint that gives embeddings. The path is what follows the base URL, without
    /// its version segment and its query.
    fn embed(&self, method: &Method, path: &str) -> Option<&'static dyn EmbedShape> {
        openai::embed(method, path)
    }

    /// What an endpoint is, by method and path as above.
    fn endpoint(&self, method: &Method, path: &str) -> Endpoint {
        let chat = || chat::shape(self.name(), method, path).map(Endpoint::Chat);
        self.embed(method, path).map(Endpoint::Embed).or_else(chat).unwrap_or(Endpoint::Other)
    }

    /// The header that the provider looks for a credential in, and what stands before it there, by a
    /// request's path and headers.
    fn credential(&self, _path: &str, _headers: &HeaderMap) -> (HeaderName, &'static str) {
        BEARER
    }

    /// The headers and query parameters in which the provider takes a credential. Credentials in other
    /// places are meant for another provider, and are not sent.
    fn credentials(&self) -> &'static [&'static str] {
        &["authorization"]
    }

    /// The provider's endpoints beside its base path, where there are some.
    fn layout(&self) -> Option<&'static Layout> {
        layout::of(self.name())
    }

    /// Where it can be asked whether the provider knows the credential of a request, by path and query
    /// below the base URL; `None` where there is nothing that only those see whom it knows.
    fn check_path(&self, path_and_query: &str) -> Option<String> {
        check::path(self.name(), path_and_query)
    }

    /// What a refused call was refused for.
    fn classify(&self, status: StatusCode, body: &[u8]) -> Refusal {
        openai::classify(status, body)
    }

    /// Whether a refusal for too many calls means that none will be taken later either, since what was
    /// paid for is used up.
    fn is_out_of_quota(&self, body: &[u8]) -> bool {
        openai::is_out_of_quota(body)
    }

    /// The body of an error that larder itself makes on a path, as JSON.
    fn write_error(&self, _path: &str, error: &Error) -> Vec<u8> {
        openai::write_error(error)
    }
}

/// The shape in which an endpoint is asked for embeddings and answers.
pub trait EmbedShape: Sync + std::fmt::Debug {
    /// What the endpoint takes in one call.
    fn limits(&self) -> Limits;

    /// Reads a request. The path is as it came, below the base URL, with its query.
    fn read<'a>(
        &self,
        path_and_query: &str,
        body: &'a [u8],
    ) -> Result<EmbedRequest<'a>, Unreadable>;

    /// Writes the body of a call for the inputs of several requests, or for some of one's.
    fn write_call(&self, call: &EmbedCall<'_>) -> Vec<u8>;

    /// Where such a call goes, if not where its requests came in.
    fn call_path<'p>(&self, path_and_query: &'p str) -> Cow<'p, str> {
        Cow::Borrowed(path_and_query)
    }

    /// Reads a provider's answer to a request; item *i* belongs to input *i*.
    fn read_reply(&self, body: &[u8], asked: Asked) -> Result<EmbedReply, Invalid>;

    /// The same for a call that [`EmbedShape::write_call`] wrote.
    fn read_call_reply(&self, body: &[u8], asked: Asked) -> Result<EmbedReply, Invalid> {
        self.read_reply(body, asked)
    }

    /// Writes the answer to a request, one vector for each of its inputs.
    fn write_reply(&self, request: &EmbedRequest<'_>, vectors: &[Vector]) -> Vec<u8>;
}
