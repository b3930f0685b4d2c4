//! The `OpenAI` shapes, which are also the defaults of every other dialect.

use http::{Method, StatusCode};

use super::shape::{Answer, Encodings, Shape};
use super::{Dialect, EmbedShape, Limits, Refusal, json, usage};
use crate::error::Error;
use crate::request::Encoding;
use crate::vector::Vector;

/// `OpenAI` itself, and whoever speaks exactly like it.
#[derive(Debug)]
pub(super) struct OpenAi;

impl Dialect for OpenAi {
    fn name(&self) -> &'static str {
        "openai"
    }
}

pub(super) fn embed(method: &Method, path: &str) -> Option<&'static dyn EmbedShape> {
    match (method, path) {
        (&Method::POST, "/embeddings") => Some(&EMBEDDINGS),
        _ => None,
    }
}

/// `/v1/embeddings`.
pub(super) static EMBEDDINGS: Shape = SHAPE;

/// What most providers' shapes differ from in a few fields.
pub(super) const SHAPE: Shape = Shape {
    input: "input",
    objects: None,
    params: &["dimensions"],
    harmless: &[],
    joins: &[],
    forms: &[],
    dimensions: "dimensions",
    user: "user",
    encodings: Encodings::Verified,
    null_is_absent: false,
    needs_model: true,
    by_path: false,
    alone: false,
    units: false,
    limits: LIMITS,
    answer: Answer::Data("embedding"),
};

/// As published for `/v1/embeddings`: 2,048 inputs, 8,192 tokens each, 300,000 together. The size
/// of a body is not published; 8 MiB have always been taken.
pub(super) const LIMITS: Limits =
    Limits { inputs: 2_048, input_tokens: 8_192, tokens: 300_000, bytes: 8 << 20 };

/// The answer of these vectors, each in this member of its item.
pub(super) fn write_reply(member: &str, vectors: &[Vector], encoding: Encoding) -> Vec<u8> {
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
        write_item(&mut out, (i, member), vector, encoding);
    }
    out.push(b']');
    usage::write(&mut out, vectors);
    out.push(b'}');
    out
}

fn write_item(
    out: &mut Vec<u8>,
    (index, member): (usize, &str),
    vector: &Vector,
    encoding: Encoding,
) {
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
    out.push(b'"');
    out.extend(member.as_bytes());
    out.extend(br#"":"#);
    match encoding {
        Encoding::Float | Encoding::Kept => vector.write_floats(out),
        Encoding::Base64 => {
            out.push(b'"');
            vector.write_base64(out);
            out.push(b'"');
        }
    }
    out.push(b'}');
}

/// By status, then by the words that providers use, since there is no code that they share.
pub(super) fn classify(status: StatusCode, body: &[u8]) -> Refusal {
    let words = String::from_utf8_lossy(body.get(..4_096).unwrap_or(body)).to_ascii_lowercase();
    let said = |phrases: &[&str]| phrases.iter().any(|phrase| words.contains(phrase));
    // One call has more tokens than a minute's limit: "Request too large for MODEL on tokens per min (TPM)".
    if status == StatusCode::TOO_MANY_REQUESTS && said(&["request too large"]) {
        return Refusal::TooLarge;
    }
    // A filter of content refuses one text with 403 or 451.
    if !matches!(status.as_u16(), 400 | 403 | 413 | 422 | 424 | 451 | 500) {
        return Refusal::Shared;
    }
    if said(&["max_tokens_per_request", "tokens per submitted batch", "too many tokens overall"]) {
        return Refusal::TooLarge;
    }
    let cap = CAPS.iter().find_map(|phrase| number_after(&words, phrase));
    if cap.is_some() || said(&["too many inputs", "batch size", "\"3210\""]) {
        return Refusal::TooManyInputs(cap);
    }
    if status == StatusCode::PAYLOAD_TOO_LARGE { Refusal::TooLarge } else { Refusal::Request }
}

/// By the words of `OpenAI` and of those that took them over.
pub(super) fn is_out_of_quota(body: &[u8]) -> bool {
    let words = String::from_utf8_lossy(body.get(..4_096).unwrap_or(body));
    ["insufficient_quota", "billing_hard_limit_reached"].iter().any(|word| words.contains(word))
}

/// Words before the number of inputs that a provider accepts.
const CAPS: &[&str] = &[
    "max number of inputs is ",
    "at most ",
    "maximum allowed batch size ",
    "not be larger than ",
    "array length must be ",
    "array with maximum length ",
    "exceeds limit of ",
    // In "too long: 40 > 16".
    " > ",
];

/// A number of inputs; what is said of characters or tokens is about one input.
fn number_after(words: &str, phrase: &str) -> Option<usize> {
    let (_, rest) = words.split_once(phrase)?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, unit) = rest.split_at_checked(end)?;
    let of_one = [" char", " token", " byte"].iter().any(|other| unit.starts_with(other));
    digits.parse().ok().filter(|cap| *cap > 0 && !of_one)
}

pub(super) fn write_error(error: &Error) -> Vec<u8> {
    let mut out = br#"{"error":{"message":"#.to_vec();
    json::write_text(&mut out, &error.message);
    out.extend(br#","type":"larder_error","param":null,"code":"#);
    json::write_text(&mut out, error.kind.code());
    out.extend(b"}}");
    out
}
