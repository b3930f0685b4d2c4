//! Answers in each provider's shape.

use base64_simd::STANDARD;
use serde_json::{Map, Value, json};

use super::Shape;
use super::question::{Asked, Question};
use crate::simulate::oracle;

impl Shape {
    /// The answer to a call whose vectors are made from these digests.
    pub(super) fn reply(self, question: &Question, digests: &[u128], dimensions: usize) -> Value {
        let vectors: Vec<Vec<f32>> =
            digests.iter().map(|digest| oracle::vector_of(*digest, dimensions)).collect();
        let tokens = question.tokens();
        let (model, body) = (&question.model, &question.body);
        let floats = || vectors.iter().map(|vector| numbers(vector)).collect::<Vec<_>>();
        match self {
            Self::CohereV1 | Self::CohereV2 => self.cohere(question, &vectors),
            Self::GeminiOne => json!({ "embedding": { "values": floats().first() } }),
            Self::GeminiBatch => {
                let all = floats().into_iter().map(|values| json!({ "values": values }));
                json!({ "embeddings": all.collect::<Vec<_>>() })
            }
            Self::Nomic => json!({
                "embeddings": floats(),
                "usage": { "prompt_tokens": tokens, "total_tokens": tokens },
                "model": model,
                "inference_mode": "remote",
            }),
            Self::OllamaEmbed => json!({
                "model": model,
                "embeddings": floats(),
                "total_duration": 14_143_917,
                "load_duration": 1_019_500,
                "prompt_eval_count": tokens,
            }),
            Self::OllamaEmbeddings => json!({ "embedding": floats().first() }),
            Self::Tei => json!(floats()),
            Self::Azure | Self::Mistral | Self::TeiCompatible | Self::Together | Self::Voyage => {
                self.list(
                    question,
                    &vectors.iter().map(|vector| encode(body, vector)).collect::<Vec<_>>(),
                )
            }
        }
    }

    fn list(self, question: &Question, embeddings: &[Value]) -> Value {
        let item = |(index, embedding)| json!({ "object": "embedding", "index": index, "embedding": embedding });
        let data: Vec<Value> = embeddings.iter().enumerate().map(item).collect();
        let mut list = json!({ "object": "list", "data": data, "model": question.model });
        let tokens = question.tokens();
        let mut add = |name: &str, value| {
            list.as_object_mut().map(|list| list.insert(name.to_owned(), value));
        };
        match self {
            Self::Together => {}
            Self::Voyage => add("usage", json!({ "total_tokens": tokens })),
            _ => add("usage", json!({ "prompt_tokens": tokens, "total_tokens": tokens })),
        }
        if self == Self::Mistral {
            add("id", json!("simulated"));
        }
        list
    }

    fn cohere(self, question: &Question, vectors: &[Vec<f32>]) -> Value {
        let types = question.body.get("embedding_types").and_then(Value::as_array);
        let version = if self == Self::CohereV1 { "1" } else { "2" };
        let billed = json!({ "input_tokens": question.tokens() });
        let meta = json!({ "api_version": { "version": version }, "billed_units": billed });
        let texts: Vec<&str> = question.inputs.iter().filter_map(Asked::as_text).collect();
        let by_type = |name: &Value| {
            let name = name.as_str().unwrap_or_default();
            (name.to_owned(), vectors.iter().map(|vector| as_type(name, vector)).collect())
        };
        let plain = types.is_none() && self == Self::CohereV1;
        let floats = || vectors.iter().map(|vector| numbers(vector)).collect::<Vec<Value>>();
        let (embeddings, kind) = match types {
            _ if plain => (json!(floats()), "embeddings_floats"),
            None => (json!({ "float": floats() }), "embeddings_by_type"),
            Some(types) => (
                Value::Object(types.iter().map(by_type).collect::<Map<_, _>>()),
                "embeddings_by_type",
            ),
        };
        let mut said =
            json!({ "id": "simulated", "texts": texts, "embeddings": embeddings, "meta": meta });
        if self == Self::CohereV1 {
            said.as_object_mut().map(|said| said.insert("response_type".to_owned(), json!(kind)));
        }
        said
    }
}

impl Asked {
    fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Tokens(_) => None,
        }
    }
}

/// A vector in the form and the encoding that a call wants.
fn encode(body: &Value, vector: &[f32]) -> Value {
    let said = |name: &str| body.get(name).and_then(Value::as_str);
    let base64 = said("encoding_format") == Some("base64");
    match (said("output_dtype"), base64) {
        (Some("int8"), false) => as_type("int8", vector),
        (Some("int8"), true) => {
            let bytes: Vec<u8> =
                vector.iter().map(|number| integer(*number).cast_unsigned()).collect();
            json!(STANDARD.encode_to_string(bytes))
        }
        (_, true) => as_type("base64", vector),
        (_, false) => numbers(vector),
    }
}

fn as_type(name: &str, vector: &[f32]) -> Value {
    match name {
        "int8" => vector.iter().map(|number| integer(*number)).collect(),
        "base64" => {
            let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
            json!(STANDARD.encode_to_string(bytes))
        }
        _ => numbers(vector),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "numbers are between -1 and 1")]
fn integer(number: f32) -> i8 {
    (number * 127.0) as i8
}

/// As few digits as tell a 32-bit float from its neighbours, as most providers print them.
fn numbers(vector: &[f32]) -> Value {
    let shortest = |number: &f32| number.to_string().parse::<f64>().expect("a number is one");
    vector.iter().map(shortest).collect()
}
