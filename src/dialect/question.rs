//! A request for embeddings in the `OpenAI` shape, read to its fields and inputs.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::Unreadable;
use super::json::{self, Members};
use super::openai::LIMITS;
use crate::request::{EmbedRequest, Encoding, Input, Unity};

/// Token arrays are documented up to this length, though longer ones may be taken.
const MAX_TOKEN_ARRAY: usize = 2_048;

pub(super) fn read(body: &[u8]) -> Result<EmbedRequest<'_>, Unreadable> {
    let Members(members) =
        serde_json::from_slice(body).map_err(|_| Unreadable("not an object, or a member twice"))?;
    let mut fields = Fields::default();
    for (name, value) in members {
        match name.as_ref() {
            "model" => fields.model = json::text(value.get()),
            "input" => fields.input = Some(value),
            "encoding_format" => fields.encoding = Some(read_encoding(value)?),
            "user" => fields.user = Some(read_user(value)?),
            "dimensions" => {
                fields.dimensions = value.get().parse().ok();
                fields.params.push((name, value));
            }
            _ => {
                fields.unknown = true;
                fields.params.push((name, value));
            }
        }
    }
    fields.into_request()
}

#[derive(Default)]
struct Fields<'a> {
    model: Option<Cow<'a, str>>,
    input: Option<&'a RawValue>,
    encoding: Option<Encoding>,
    user: Option<&'a str>,
    dimensions: Option<usize>,
    params: Vec<(Cow<'a, str>, &'a RawValue)>,
    unknown: bool,
}

impl<'a> Fields<'a> {
    fn into_request(mut self) -> Result<EmbedRequest<'a>, Unreadable> {
        let model = self.model.ok_or(Unreadable("no model"))?;
        let input = self.input.ok_or(Unreadable("no input"))?;
        let (inputs, scalar) = read_input(input)?;
        self.params.sort_by(|(a, _), (b, _)| a.cmp(b));
        let unity = match () {
            () if self.unknown => Unity::Whole,
            () if inputs.iter().any(is_doubtful) => Unity::Alone,
            () => Unity::Free,
        };
        Ok(EmbedRequest {
            model,
            inputs,
            scalar,
            encoding: self.encoding.unwrap_or(Encoding::Float),
            dimensions: self.dimensions,
            params: write_params(&self.params),
            user: self.user.map(Cow::Borrowed),
            unity,
        })
    }
}

fn read_encoding(value: &RawValue) -> Result<Encoding, Unreadable> {
    match value.get() {
        "null" | r#""float""# => Ok(Encoding::Float),
        r#""base64""# => Ok(Encoding::Base64),
        _ => Err(Unreadable("an unknown encoding_format")),
    }
}

fn read_user(value: &RawValue) -> Result<&str, Unreadable> {
    let text = value.get();
    let known = text.starts_with('"') || text == "null";
    if known { Ok(text) } else { Err(Unreadable("a user that is no string")) }
}

fn write_params(params: &[(Cow<'_, str>, &RawValue)]) -> String {
    let mut out = String::new();
    for (name, value) in params {
        if !out.is_empty() {
            out.push(',');
        }
        out.push_str(&serde_json::to_string(name).expect("a string is always JSON"));
        out.push(':');
        json::write_compact(&mut out, value.get());
    }
    out
}

/// Inputs that providers disagree about, or that are likely to be refused: they travel alone, in
/// the bytes they came in.
fn is_doubtful(input: &Input<'_>) -> bool {
    match input {
        Input::Text(text) => text.len() > 2 * LIMITS.input_tokens || text.trim().is_empty(),
        Input::Tokens(tokens) => tokens.len() > MAX_TOKEN_ARRAY,
    }
}

/// The inputs, and whether it was a single text outside a list.
fn read_input(input: &RawValue) -> Result<(Vec<Input<'_>>, bool), Unreadable> {
    const WRONG: Unreadable =
        Unreadable("an input that is no text, no tokens, and no list of them");
    if input.get().starts_with('"') {
        let text = json::text(input.get()).ok_or(WRONG)?;
        return Ok((vec![Input::Text(text)], true));
    }
    let elements = json::items(input.get(), &ElementSeed).ok_or(WRONG)?;
    match elements.first().ok_or(WRONG)? {
        Element::Token(_) => {
            let tokens: Option<Vec<u64>> = elements.into_iter().map(Element::token).collect();
            Ok((vec![Input::Tokens(tokens.ok_or(WRONG)?.into())], true))
        }
        Element::Input(first) => {
            let is_text = matches!(first, Input::Text(_));
            let inputs: Option<Vec<_>> =
                elements.into_iter().map(|element| element.input(is_text)).collect();
            Ok((inputs.ok_or(WRONG)?, false))
        }
    }
}

enum Element<'a> {
    Token(u64),
    Input(Input<'a>),
}

impl<'a> Element<'a> {
    fn token(self) -> Option<u64> {
        match self {
            Self::Token(token) => Some(token),
            Self::Input(_) => None,
        }
    }

    fn input(self, is_text: bool) -> Option<Input<'a>> {
        match self {
            Self::Input(input) if matches!(input, Input::Text(_)) == is_text => Some(input),
            _ => None,
        }
    }
}

#[derive(Clone)]
struct ElementSeed;

impl<'de> DeserializeSeed<'de> for ElementSeed {
    type Value = Element<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Everything that is not visited here is an error: numbers with a point or a sign, booleans,
/// nulls, objects.
impl<'de> Visitor<'de> for ElementSeed {
    type Value = Element<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a token or a list of tokens")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Element::Input(Input::Text(Cow::Borrowed(text))))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Element::Input(Input::Text(Cow::Owned(text.to_owned()))))
    }

    fn visit_u64<E: Error>(self, token: u64) -> Result<Self::Value, E> {
        Ok(Element::Token(token))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut tokens = Vec::new();
        while let Some(element) = seq.next_element_seed(TokenSeed)? {
            tokens.push(element);
        }
        if tokens.is_empty() {
            return Err(A::Error::custom("an empty list of tokens"));
        }
        Ok(Element::Input(Input::Tokens(tokens.into())))
    }
}

struct TokenSeed;

impl<'de> DeserializeSeed<'de> for TokenSeed {
    type Value = u64;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<u64, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for TokenSeed {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a token")
    }

    fn visit_u64<E: Error>(self, token: u64) -> Result<u64, E> {
        Ok(token)
    }
}
