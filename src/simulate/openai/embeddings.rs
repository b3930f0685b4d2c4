//! `POST /v1/embeddings`.

use std::borrow::Cow;
use std::io::Write;
use std::sync::Arc;

use base64_simd::STANDARD;
use http::{Response, StatusCode};
use tokio::task;

use super::fields::{Fields, Item, Text, items, value};
use super::refusal::{Refusal, Trouble};
use crate::simulate::POISON;
use crate::simulate::bill::Bill;
use crate::simulate::faults::Faults;
use crate::simulate::oracle::{self, Input};
use crate::simulate::provider::Provider;
use crate::simulate::reply::{self, Body};

/// More than any model has, and few enough that 2,048 vectors still fit into memory.
const MAX_DIMENSIONS: usize = 16_384;
/// So many numbers are written in well under a millisecond; then the other connections of the
/// thread have their turn.
const NUMBERS_PER_TURN: usize = 16_384;

/// Answers a call for embeddings.
pub(super) async fn answer(
    provider: &Arc<Provider>,
    body: &[u8],
) -> Result<Response<Body>, Trouble> {
    provider.stats().embedding_request();
    let call = provider.admit()?;
    let request = Request::read(body, provider.dimensions())?;
    let tokens = request.check(call.faults())?;
    call.survive(&request.model).await?;
    let reply = request.into_reply(tokens);
    provider.stats().batch(&reply.digests);
    provider.bill(&reply.model, &Bill::of_input(tokens));
    call.work(&reply.model, reply.digests.len()).await;
    Ok(reply::json(StatusCode::OK, reply.write().await))
}

#[derive(Debug)]
struct Request<'a> {
    model: Cow<'a, str>,
    items: Vec<Item<'a>>,
    dimensions: usize,
    encoding: Encoding,
}

impl<'a> Request<'a> {
    fn read(body: &'a [u8], default_dimensions: usize) -> Result<Self, Refusal> {
        let fields = Fields::read(body)?;
        let model = fields.model()?;
        let items = fields.input.and_then(items).ok_or_else(|| Refusal::field("input"))?;
        let dimensions = value("dimensions", fields.dimensions)?.unwrap_or(default_dimensions);
        if dimensions == 0 || dimensions > MAX_DIMENSIONS {
            return Err(Refusal::field("dimensions"));
        }
        let encoding: Option<Text<'a>> = value("encoding_format", fields.encoding_format)?;
        let encoding = match encoding.as_ref().map(|Text(name)| name.as_ref()) {
            None | Some("float") => Encoding::Float,
            Some("base64") => Encoding::Base64,
            Some(other) => return Err(unsupported(other)),
        };
        Ok(Self { model, items, dimensions, encoding })
    }

    /// How many tokens it has, if it is within what a call may have.
    fn check(&self, faults: &Faults) -> Result<u64, Refusal> {
        if self.items.len() > faults.max_inputs {
            return Err(Refusal::inputs(faults.max_inputs));
        }
        let inputs = || self.items.iter().map(Item::as_input);
        let tokens = inputs().map(oracle::tokens).sum();
        if tokens > faults.max_tokens {
            return Err(Refusal::tokens(tokens, faults.max_tokens));
        }
        if inputs().any(|input| matches!(input, Input::Text(text) if text.contains(POISON))) {
            return Err(Refusal::field("input"));
        }
        Ok(tokens)
    }

    fn into_reply(self, tokens: u64) -> Reply<'a> {
        let digest =
            |item: &Item<'_>| oracle::digest(&self.model, self.dimensions, item.as_input());
        let digests = self.items.iter().map(digest).collect();
        let (dimensions, encoding) = (self.dimensions, self.encoding);
        Reply { model: self.model, digests, dimensions, encoding, tokens }
    }
}

fn unsupported(encoding: &str) -> Refusal {
    let message =
        format!("Invalid value: '{encoding}'. Supported values are: 'float' and 'base64'.");
    Refusal::value("encoding_format", message)
}

#[derive(Debug)]
struct Reply<'a> {
    model: Cow<'a, str>,
    digests: Vec<u128>,
    dimensions: usize,
    encoding: Encoding,
    tokens: u64,
}

impl Reply<'_> {
    async fn write(&self) -> Vec<u8> {
        let vector_bytes = self.encoding.bytes(self.dimensions) + 64;
        let mut out = Vec::with_capacity(self.digests.len() * vector_bytes + 128);
        let mut index_text = itoa::Buffer::new();
        out.extend_from_slice(br#"{"object":"list","data":["#);
        let turn = (NUMBERS_PER_TURN / self.dimensions).max(1);
        for (index, digest) in self.digests.iter().enumerate() {
            if index > 0 {
                out.push(b',');
                if index % turn == 0 {
                    task::yield_now().await;
                }
            }
            out.extend_from_slice(br#"{"object":"embedding","index":"#);
            out.extend_from_slice(index_text.format(index).as_bytes());
            out.extend_from_slice(br#","embedding":"#);
            self.encoding.write(&oracle::vector_of(*digest, self.dimensions), &mut out);
            out.push(b'}');
        }
        let model = serde_json::to_string(&self.model).expect("a string is JSON");
        let tokens = self.tokens;
        write!(
            out,
            r#"],"model":{model},"usage":{{"prompt_tokens":{tokens},"total_tokens":{tokens}}}}}"#
        )
        .expect("a vector takes every byte");
        out
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Float,
    Base64,
}

impl Encoding {
    /// About how long a vector is when written.
    fn bytes(self, dimensions: usize) -> usize {
        match self {
            Self::Float => dimensions * 13,
            Self::Base64 => dimensions * 16 / 3,
        }
    }

    fn write(self, vector: &[f32], out: &mut Vec<u8>) {
        match self {
            Self::Float => serde_json::to_writer(out, vector).expect("finite numbers are JSON"),
            Self::Base64 => {
                let mut bytes = vec![0; vector.len() * 4];
                for (four, number) in bytes.chunks_exact_mut(4).zip(vector) {
                    four.copy_from_slice(&number.to_le_bytes());
                }
                out.push(b'"');
                STANDARD.encode_append(&bytes, out);
                out.push(b'"');
            }
        }
    }
}
