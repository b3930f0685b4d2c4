//! What is asked, in whatever shape.

use serde_json::Value;

use super::Shape;
use crate::simulate::oracle::{self, Input};

/// More than any model has.
const MAX_DIMENSIONS: usize = 16_384;

/// A call for embeddings.
#[derive(Debug)]
pub(super) struct Question {
    /// The whole body.
    pub(super) body: Value,
    /// The model as it is named.
    pub(super) model: String,
    /// The model of each input, as its parameters alter it.
    models: Vec<String>,
    /// What is to be embedded.
    pub(super) inputs: Vec<Asked>,
    /// How long the vectors are to be, where it says so.
    pub(super) dimensions: Option<usize>,
}

/// One thing to embed.
#[derive(Debug)]
pub(super) enum Asked {
    /// A text, or an object as its JSON text.
    Text(String),
    /// Token ids.
    Tokens(Vec<u64>),
}

impl Asked {
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self::Text(text.clone())),
            Value::Array(list) => {
                list.iter().map(Value::as_u64).collect::<Option<_>>().map(Self::Tokens)
            }
            Value::Object(_) => Some(Self::Text(value.to_string())),
            _ => None,
        }
    }

    /// Whether a text contains this.
    pub(super) fn contains(&self, part: &str) -> bool {
        matches!(self, Self::Text(text) if text.contains(part))
    }

    fn as_input(&self) -> Input<'_> {
        match self {
            Self::Text(text) => Input::Text(text),
            Self::Tokens(tokens) => Input::Tokens(tokens),
        }
    }
}

impl Question {
    /// Reads a body; nothing if it is not understood.
    pub(super) fn read(shape: Shape, path: &str, body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let model = shape.model(path, &body)?;
        let (asked, requests) = shape.inputs(&body)?;
        let altered = |request: &Value| oracle::altered(&model, &shape.params(request));
        let models = requests.iter().map(|request| altered(request)).collect();
        let first = requests.first()?;
        let dimensions = shape.dimensions_field();
        let dimensions = match first.get(dimensions) {
            None | Some(Value::Null) => None,
            Some(length) => Some(usize::try_from(length.as_u64()?).ok()?),
        };
        if asked.is_empty() || dimensions.is_some_and(|n| n == 0 || n > MAX_DIMENSIONS) {
            return None;
        }
        Some(Self { model, models, inputs: asked, dimensions, body })
    }

    /// How many tokens it has.
    pub(super) fn tokens(&self) -> u64 {
        self.inputs.iter().map(|input| oracle::tokens(input.as_input())).sum()
    }

    /// What its vectors are made from.
    pub(super) fn digests(&self, default_dimensions: usize) -> Vec<u128> {
        let dimensions = self.dimensions.unwrap_or(default_dimensions);
        let digest =
            |(model, input): (&String, &Asked)| oracle::digest(model, dimensions, input.as_input());
        self.models.iter().zip(&self.inputs).map(digest).collect()
    }
}

impl Shape {
    fn model(self, path: &str, body: &Value) -> Option<String> {
        let named = body.get("model").and_then(Value::as_str).map(str::to_owned);
        match self {
            Self::GeminiOne | Self::GeminiBatch => {
                let (model, _) = path.split_once("/models/")?.1.split_once(':')?;
                Some(model.to_owned())
            }
            Self::Azure => {
                let (deployment, _) = path.split_once("/deployments/")?.1.split_once('/')?;
                Some(deployment.to_owned())
            }
            Self::Tei | Self::TeiCompatible => Some("tei".to_owned()),
            Self::Nomic => Some(named.unwrap_or_else(|| "nomic-embed-text-v1".to_owned())),
            _ => named,
        }
    }

    /// The inputs, and for each the request that it is part of.
    fn inputs(self, body: &Value) -> Option<(Vec<Asked>, Vec<&Value>)> {
        let requests: Vec<&Value> = match self {
            Self::GeminiOne => vec![body],
            Self::GeminiBatch => body.get("requests")?.as_array()?.iter().collect(),
            _ => {
                let field = body.get(self.input_field()).or_else(|| body.get("inputs"))?;
                let asked = match field {
                    Value::Array(list) if !list.iter().all(Value::is_u64) => {
                        let all: Option<Vec<Asked>> = list.iter().map(Asked::of).collect();
                        all.filter(|all| !all.iter().any(Asked::contains_nothing))?
                    }
                    one => vec![Asked::of(one)?],
                };
                let requests = vec![body; asked.len()];
                return Some((asked, requests));
            }
        };
        let asked: Option<Vec<Asked>> = requests.iter().map(|one| content(one)).collect();
        Some((asked?, requests))
    }

    fn input_field(self) -> &'static str {
        match self {
            Self::CohereV1 | Self::CohereV2 | Self::Nomic => "texts",
            Self::OllamaEmbeddings => "prompt",
            Self::Tei => "inputs",
            _ => "input",
        }
    }

    fn dimensions_field(self) -> &'static str {
        match self {
            Self::CohereV1 | Self::CohereV2 | Self::Voyage | Self::Mistral => "output_dimension",
            Self::GeminiOne | Self::GeminiBatch => "outputDimensionality",
            Self::Nomic => "dimensionality",
            _ => "dimensions",
        }
    }

    /// What alters the vectors of a request, beside model and dimensions.
    fn params(self, request: &Value) -> Vec<(&'static str, String)> {
        let names: &[&'static str] = match self {
            Self::CohereV1 | Self::CohereV2 => &["input_type", "max_tokens", "truncate"],
            Self::GeminiOne | Self::GeminiBatch => &["taskType", "title"],
            Self::Nomic => &["long_text_mode", "task_type"],
            Self::OllamaEmbed => &["options", "truncate"],
            // It does not normalise: never the vector of the newer endpoint.
            Self::OllamaEmbeddings => &["options", "prompt"],
            Self::Tei => &["normalize", "prompt_name", "truncate", "truncation_direction"],
            Self::Voyage => &["input_type", "truncation"],
            Self::Azure | Self::Mistral | Self::TeiCompatible | Self::Together => &[],
        };
        let value =
            |name: &&'static str| Some((*name, request.get(*name).filter(|v| !v.is_null())?));
        names.iter().filter_map(value).map(|(name, value)| (name, value.to_string())).collect()
    }
}

impl Asked {
    fn contains_nothing(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Tokens(tokens) => tokens.is_empty(),
        }
    }
}

/// A content of one text counts as that text.
fn content(request: &Value) -> Option<Asked> {
    let content = request.get("content")?;
    let parts = content.get("parts")?.as_array()?;
    match parts.as_slice() {
        [part] => part.get("text").and_then(Asked::of),
        [] => None,
        _ => Asked::of(content),
    }
}
