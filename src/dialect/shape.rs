//! The shape of an endpoint for embeddings as a table of its fields. Reading, writing and taking an
//! answer apart follow from it.

use super::{Asked, EmbedCall, EmbedReply, EmbedShape, Invalid, Limits, Unreadable};
use super::{json, listed, openai, question, reply};
use crate::request::{EmbedRequest, Encoding, Input};
use crate::vector::Vector;

/// An endpoint's fields. What is in no list is not known, and keeps a request whole.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "columns of a table")]
pub(super) struct Shape {
    /// The field of the texts.
    pub(super) input: &'static str,
    /// The field of inputs that are objects, where there are such, and the names of their members;
    /// no names are any names.
    pub(super) objects: Option<(&'static str, &'static [&'static str])>,
    /// Fields that alter each vector by itself.
    pub(super) params: &'static [&'static str],
    /// Fields that alter no vector.
    pub(super) harmless: &'static [&'static str],
    /// Fields that make the vectors of a call depend on each other, unless they are false.
    pub(super) joins: &'static [&'static str],
    /// Fields that choose what a vector is made of, and the values for 32-bit floats, canonical.
    /// At any other value the vectors are kept as they come.
    pub(super) forms: &'static [(&'static str, &'static [&'static str])],
    /// The field that asks for dimensions.
    pub(super) dimensions: &'static str,
    /// The field that says for whom a call is made.
    pub(super) user: &'static str,
    /// What is known of `encoding_format`.
    pub(super) encodings: Encodings,
    /// Whether a null stands for a field that is not there.
    pub(super) null_is_absent: bool,
    /// Whether a request must name a model.
    pub(super) needs_model: bool,
    /// Whether the vectors depend on the path: then it is part of the key.
    pub(super) by_path: bool,
    /// Whether its requests travel with nobody.
    pub(super) alone: bool,
    /// Whether an input is a list of texts that see each other. What comes of it is kept as it is.
    pub(super) units: bool,
    /// What the provider takes in one call.
    pub(super) limits: Limits,
    /// How it answers.
    pub(super) answer: Answer,
}

/// What is known of an endpoint's `encoding_format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encodings {
    /// There is no such field.
    None,
    /// Clients set it, but it is not verified that base64 comes of it.
    Asked,
    /// Base64 is of little-endian 32-bit floats.
    Verified,
    /// The same, and numbers are what comes where nothing is said.
    Base64Only,
}

/// How an endpoint answers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Answer {
    /// A list `data` of items, as `OpenAI` does, each with its vector in this member.
    Data(&'static str),
    /// Lists of vectors.
    Listed(&'static listed::Form),
}

impl EmbedShape for Shape {
    fn limits(&self) -> Limits {
        self.limits
    }

    fn read<'a>(&self, path: &str, body: &'a [u8]) -> Result<EmbedRequest<'a>, Unreadable> {
        question::read(self, path, body)
    }

    fn write_call(&self, call: &EmbedCall<'_>) -> Vec<u8> {
        let length: usize = call.inputs.iter().map(|input| input.bytes() + 8).sum();
        let mut out = Vec::with_capacity(length + 256);
        out.push(b'{');
        if !call.model.is_empty() {
            out.extend(br#""model":"#);
            json::write_text(&mut out, call.model);
            out.push(b',');
        }
        let object = matches!(call.inputs.first(), Some(Input::Json(_)));
        let objects = self.objects.filter(|_| object).map(|(field, _)| field);
        json::write_text(&mut out, objects.unwrap_or(self.input));
        out.push(b':');
        write_inputs(&mut out, call.inputs);
        self.write_encoding(&mut out, call.encoding);
        if !call.params.is_empty() {
            out.push(b',');
            out.extend(call.params.as_bytes());
        }
        if let Some(user) = call.user {
            out.push(b',');
            json::write_text(&mut out, self.user);
            out.push(b':');
            out.extend(user.as_bytes());
        }
        out.push(b'}');
        out
    }

    fn read_reply(&self, body: &[u8], asked: Asked) -> Result<EmbedReply, Invalid> {
        match self.answer {
            Answer::Data(member) => reply::read(member, body, asked),
            Answer::Listed(form) => listed::read(form, body, asked),
        }
    }

    fn write_reply(&self, request: &EmbedRequest<'_>, vectors: &[Vector]) -> Vec<u8> {
        match self.answer {
            Answer::Data(member) => openai::write_reply(member, vectors, request.encoding),
            Answer::Listed(form) => listed::write(form, request, vectors),
        }
    }
}

impl Shape {
    /// Base64 is asked for where it is verified, and nothing is said where it is not: every
    /// provider then gives numbers.
    fn write_encoding(&self, out: &mut Vec<u8>, encoding: Encoding) {
        out.extend(match (self.encodings, encoding) {
            (Encodings::None | Encodings::Asked, _)
            | (_, Encoding::Kept)
            | (Encodings::Base64Only, Encoding::Float) => &b""[..],
            (Encodings::Verified, Encoding::Float) => br#","encoding_format":"float""#,
            (Encodings::Verified | Encodings::Base64Only, Encoding::Base64) => {
                br#","encoding_format":"base64""#
            }
        });
    }
}

fn write_inputs(out: &mut Vec<u8>, inputs: &[&Input<'_>]) {
    out.push(b'[');
    for (i, input) in inputs.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        match input {
            Input::Text(text) => json::write_text(out, text),
            Input::Json(json) => out.extend(json.as_bytes()),
            Input::Tokens(tokens) => {
                serde_json::to_writer(&mut *out, tokens).expect("writing to a Vec cannot fail");
            }
        }
    }
    out.push(b']');
}
