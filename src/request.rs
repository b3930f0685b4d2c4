//! What is asked, in words that no provider owns.
//!
//! A request for embeddings borrows from the body it was read from: a hit is answered without copying
//! a text.

use std::borrow::Cow;

/// How a caller wants its vectors written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// A JSON array of numbers.
    Float,
    /// Base64 of little-endian 32-bit floats.
    Base64,
    /// As the provider writes them, which its other fields choose and larder does not interpret:
    /// integers, bits, several forms at once. Requests for different forms share no entry.
    Kept,
}

/// One text, one list of token ids or one object: what one vector is made of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Input<'a> {
    /// The decoded string, byte for byte.
    Text(Cow<'a, str>),
    /// Token ids; a different input from the text that they stand for.
    Tokens(Cow<'a, [u64]>),
    /// Anything else that a provider makes one vector of, as canonical JSON text.
    Json(Cow<'a, str>),
}

impl Input<'_> {
    /// The same input, holding its own bytes.
    pub fn into_owned(self) -> Input<'static> {
        match self {
            Self::Text(text) => Input::Text(Cow::Owned(text.into_owned())),
            Self::Tokens(tokens) => Input::Tokens(Cow::Owned(tokens.into_owned())),
            Self::Json(json) => Input::Json(Cow::Owned(json.into_owned())),
        }
    }

    /// Its size on the wire in bytes, about.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Text(text) | Self::Json(text) => text.len(),
            Self::Tokens(tokens) => tokens.len() * 6,
        }
    }

    /// What it weighs against the others of its call when a provider's token count is shared out:
    /// the number of tokens where it is known, else the number of bytes.
    pub fn weight(&self) -> u64 {
        match self {
            Self::Text(text) | Self::Json(text) => text.len() as u64,
            Self::Tokens(tokens) => tokens.len() as u64,
        }
    }

    /// About how many tokens it has: exact for token ids, a quarter of the bytes for a text.
    pub fn estimated_tokens(&self) -> usize {
        match self {
            Self::Text(text) | Self::Json(text) => text.len().div_ceil(4),
            Self::Tokens(tokens) => tokens.len(),
        }
    }
}

/// A request for embeddings.
#[derive(Debug, Clone)]
pub struct EmbedRequest<'a> {
    /// The model, exactly as written; empty where the provider has only one and it is not named.
    pub model: Cow<'a, str>,
    /// Which of a provider's endpoints it was asked at, where they do not answer alike.
    pub scope: String,
    /// What is to be embedded, in the order of the request.
    pub inputs: Vec<Input<'a>>,
    /// Whether the one input stood by itself rather than in a list of one.
    pub scalar: bool,
    /// How the vectors are to be written.
    pub encoding: Encoding,
    /// Dimensions that are asked for, where they are a whole number.
    pub dimensions: Option<usize>,
    /// What else alters a vector: `"name":value` pairs as JSON text, sorted by name.
    pub params: String,
    /// The end user that the call is attributed to, as JSON text. Alters no vector, but calls for
    /// different users stay apart.
    pub user: Option<Cow<'a, str>>,
    /// How far the request may be taken apart.
    pub unity: Unity,
}

impl EmbedRequest<'_> {
    /// The same request, holding its own bytes.
    pub fn into_owned(self) -> EmbedRequest<'static> {
        EmbedRequest {
            model: Cow::Owned(self.model.into_owned()),
            scope: self.scope,
            inputs: self.inputs.into_iter().map(Input::into_owned).collect(),
            scalar: self.scalar,
            encoding: self.encoding,
            dimensions: self.dimensions,
            params: self.params,
            user: self.user.map(|user| Cow::Owned(user.into_owned())),
            unity: self.unity,
        }
    }
}

/// How far a request may be taken apart and put together with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unity {
    /// Each input is an answer of its own, and may travel with anybody's.
    Free,
    /// Each input is an answer of its own, but the call goes out exactly as it came: some input is
    /// one that providers disagree about.
    Alone,
    /// The request has fields that larder does not know, so an input's vector may depend on the
    /// others: it is cached as a whole, and the call goes out exactly as it came.
    Whole,
}

/// A request for a model's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatRequest {
    /// The model, exactly as written; empty where the path names it.
    pub model: String,
    /// How the answer comes if it is to come piece by piece.
    pub framing: Option<Framing>,
    /// How many answers are asked for at once.
    pub choices: u64,
    /// Who may be given the same answer.
    pub sharing: Sharing,
}

/// How the pieces of a streamed answer are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Server-sent events.
    Events,
    /// One JSON text a line.
    Lines,
}

/// Whether the same question may be given the same answer; where not, a word why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// It asks for no chance and has no effect.
    Deterministic,
    /// The provider draws anew each time, so only where the operator or the caller says so.
    Drawn(&'static str),
    /// It reads or leaves something at the provider, or cannot be told apart from what does.
    Never(&'static str),
}
