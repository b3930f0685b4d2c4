//! The `OpenAI` shapes, which are also the defaults of every other dialect.

use std::borrow::Cow;
use std::fmt;

use http::StatusCode;
use serde::de::{DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::json::{self, Members};
use super::reply::{self, EmbedReply};
use super::{Dialect, EmbedCall, Invalid, Limits, Refusal, Unreadable};
use crate::error::Error;
use crate::request::{EmbedRequest, Encoding, Input, Unity};
use crate::vector::Vector;

/// `OpenAI` itself, and whoever speaks exactly like it.
#[derive(Debug)]
pub(super) struct OpenAi;

impl Dialect for OpenAi {
    fn name(&self) -> &'static str {
        "openai"
    }
}

/// As published for `/v1/embeddings`: 2,048 inputs, 8,192 tokens each, 300,000 together. The size
/// of a body is not published; 8 MiB have always been taken.
pub(super) const LIMITS: Limits =
    Limits { inputs: 2_048, input_tokens: 8_192, tokens: 300_000, bytes: 8 << 20 };

/// Token arrays are documented up to this length, though longer ones may be taken.
const MAX_TOKEN_ARRAY: usize = 2_048;

pub(super) fn read_embed(body: &[u8]) -> Result<EmbedRequest<'_>, Unreadable> {
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
            user: self.user,
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
    const WRONG: Unreadable = Unreadable("an input that is no text, no tokens, and no list of them");
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

    fn visit_borrowed_str<E: serde::de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Element::Input(Input::Text(Cow::Borrowed(text))))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Element::Input(Input::Text(Cow::Owned(text.to_owned()))))
    }

    fn visit_u64<E: serde::de::Error>(self, token: u64) -> Result<Self::Value, E> {
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

    fn visit_u64<E: serde::de::Error>(self, token: u64) -> Result<u64, E> {
        Ok(token)
    }
}

pub(super) fn write_call(call: &EmbedCall<'_>) -> Vec<u8> {
    let length: usize = call.inputs.iter().map(|input| input.bytes() + 8).sum();
    let mut out = Vec::with_capacity(length + 256);
    out.extend(br#"{"model":"#);
    json::write_text(&mut out, call.model);
    out.extend(br#","input":["#);
    for (i, input) in call.inputs.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        match input {
            Input::Text(text) => json::write_text(&mut out, text),
            Input::Tokens(tokens) => {
                serde_json::to_writer(&mut out, tokens).expect("writing to a Vec cannot fail");
            }
        }
    }
    out.extend(match call.encoding {
        Encoding::Float => &br#"],"encoding_format":"float""#[..],
        Encoding::Base64 => br#"],"encoding_format":"base64""#,
    });
    if !call.params.is_empty() {
        out.push(b',');
        out.extend(call.params.as_bytes());
    }
    if let Some(user) = call.user {
        out.extend(br#","user":"#);
        out.extend(user.as_bytes());
    }
    out.push(b'}');
    out
}

pub(super) fn read_reply(body: &[u8], inputs: usize) -> Result<EmbedReply, Invalid> {
    reply::read(body, inputs)
}

pub(super) fn write_reply(vectors: &[Vector], encoding: Encoding) -> Vec<u8> {
    let Some(first) = vectors.first() else { return Vec::new() };
    let width = if encoding == Encoding::Base64 { 16 } else { 36 };
    let room = vectors.len() * (first.dimensions() * width / 3 + first.item().len() + 64);
    let mut out = Vec::with_capacity(room + first.envelope().len() + 128);
    out.push(b'{');
    out.extend(first.envelope().as_bytes());
    out.extend(if out.len() > 1 { &br#","data":["#[..] } else { br#""data":["# });
    for (i, vector) in vectors.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write_item(&mut out, i, vector, encoding);
    }
    out.push(b']');
    write_usage(&mut out, vectors);
    out.push(b'}');
    out
}

fn write_item(out: &mut Vec<u8>, index: usize, vector: &Vector, encoding: Encoding) {
    out.push(b'{');
    out.extend(vector.item().as_bytes());
    if !vector.item().is_empty() {
        out.push(b',');
    }
    if vector.indexed() {
        out.extend(br#""index":"#);
        out.extend(itoa::Buffer::new().format(index).as_bytes());
        out.push(b',');
    }
    out.extend(br#""embedding":"#);
    match encoding {
        Encoding::Float => vector.write_floats(out),
        Encoding::Base64 => {
            out.push(b'"');
            vector.write_base64(out);
            out.push(b'"');
        }
    }
    out.push(b'}');
}

fn write_usage(out: &mut Vec<u8>, vectors: &[Vector]) {
    let Some(usage) = vectors.first().map(Vector::usage).filter(|usage| usage.is_some()) else {
        return;
    };
    let tokens: u64 = vectors.iter().map(|vector| u64::from(vector.tokens())).sum();
    let mut buffer = itoa::Buffer::new();
    let count = buffer.format(tokens).as_bytes();
    out.extend(br#","usage":{"#);
    if usage.prompt {
        out.extend(br#""prompt_tokens":"#);
        out.extend(count);
        out.push(b',');
    }
    if usage.total {
        out.extend(br#""total_tokens":"#);
        out.extend(count);
        out.push(b',');
    }
    out.extend(usage.rest.as_bytes());
    if out.last() == Some(&b',') {
        out.pop();
    }
    out.push(b'}');
}

/// By status, then by the words that providers use, since there is no code that they share.
pub(super) fn classify(status: StatusCode, body: &[u8]) -> Refusal {
    if !matches!(status.as_u16(), 400 | 413 | 422 | 424 | 500) {
        return Refusal::Shared;
    }
    let words = String::from_utf8_lossy(body.get(..4_096).unwrap_or(body)).to_ascii_lowercase();
    let said = |phrases: &[&str]| phrases.iter().any(|phrase| words.contains(phrase));
    if status == StatusCode::PAYLOAD_TOO_LARGE
        || said(&["max_tokens_per_request", "tokens per submitted batch", "too many tokens overall"])
    {
        return Refusal::TooLarge;
    }
    let cap = ["max number of inputs is ", "at most ", "maximum allowed batch size "]
        .iter()
        .find_map(|phrase| number_after(&words, phrase));
    if cap.is_some() || said(&["too many inputs", "batch size", "\"3210\""]) {
        return Refusal::TooManyInputs(cap);
    }
    Refusal::Request
}

fn number_after(words: &str, phrase: &str) -> Option<usize> {
    let (_, rest) = words.split_once(phrase)?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..digits)?.parse().ok().filter(|cap| *cap > 0)
}

pub(super) fn write_error(error: &Error) -> Vec<u8> {
    let mut out = br#"{"error":{"message":"#.to_vec();
    json::write_text(&mut out, &error.message);
    out.extend(br#","type":"larder_error","param":null,"code":"#);
    json::write_text(&mut out, error.kind.code());
    out.extend(b"}}");
    out
}
