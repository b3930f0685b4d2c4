//! A request for embeddings, and whether an answer is the right one for it.

use base64_simd::STANDARD;
use larder::simulate::oracle::{self, Input};
use serde_json::{Value, json};

use super::{Answer, DIMENSIONS};

/// One input.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum In {
    Text(String),
    Tokens(Vec<u64>),
}

impl In {
    pub(crate) fn of(value: &Value) -> Self {
        match value {
            Value::String(text) => Self::Text(text.clone()),
            other => Self::Tokens(serde_json::from_value(other.clone()).unwrap()),
        }
    }

    pub(crate) fn json(&self) -> Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Tokens(tokens) => json!(tokens),
        }
    }

    pub(crate) fn as_input(&self) -> Input<'_> {
        match self {
            Self::Text(text) => Input::Text(text),
            Self::Tokens(tokens) => Input::Tokens(tokens),
        }
    }
}

/// A request for embeddings.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) model: String,
    pub(crate) inputs: Vec<In>,
    pub(crate) scalar: bool,
    pub(crate) base64: bool,
    pub(crate) dimensions: Option<usize>,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) path: String,
    pub(crate) more: Vec<(&'static str, Value)>,
}

impl Ask {
    pub(crate) fn inputs(inputs: Vec<In>) -> Self {
        Self {
            model: "text-embedding-3-small".to_owned(),
            inputs,
            scalar: false,
            base64: false,
            dimensions: None,
            headers: Vec::new(),
            path: "/v1/embeddings".to_owned(),
            more: Vec::new(),
        }
    }

    pub(crate) fn of<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Self {
        Self::inputs(texts.into_iter().map(|text| In::Text(text.into())).collect())
    }

    /// One text by itself, outside a list.
    pub(crate) fn scalar(text: &str) -> Self {
        Self { scalar: true, ..Self::of([text]) }
    }

    pub(crate) fn base64(self) -> Self {
        Self { base64: true, ..self }
    }

    pub(crate) fn dimensions(self, dimensions: usize) -> Self {
        Self { dimensions: Some(dimensions), ..self }
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(crate) fn path(self, path: &str) -> Self {
        Self { path: path.to_owned(), ..self }
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        let mut body = json!({ "model": self.model });
        body["input"] = match self.inputs.as_slice() {
            [only] if self.scalar => only.json(),
            list => list.iter().map(In::json).collect(),
        };
        if self.base64 {
            body["encoding_format"] = json!("base64");
        }
        if let Some(dimensions) = self.dimensions {
            body["dimensions"] = json!(dimensions);
        }
        for (name, value) in &self.more {
            body[*name] = value.clone();
        }
        body.to_string().into_bytes()
    }

    pub(crate) fn vector(&self, input: &In) -> Vec<f32> {
        oracle::vector(&self.model, self.dimensions.unwrap_or(DIMENSIONS), input.as_input())
    }

    pub(crate) fn tokens(&self) -> u64 {
        self.inputs.iter().map(|input| oracle::tokens(input.as_input())).sum()
    }

    /// Holds an answer against what the provider would have said to this request alone.
    pub(crate) fn check(&self, answer: &Answer) {
        if let Err(wrong) = self.judge(answer) {
            panic!("{wrong}\nasked: {self:?}\ngot: {answer:?}");
        }
    }

    pub(crate) fn judge(&self, answer: &Answer) -> Result<(), String> {
        if answer.status != 200 {
            return Err(format!("status {}", answer.status));
        }
        let body: Value = serde_json::from_slice(&answer.body).map_err(|e| e.to_string())?;
        let tokens = json!({ "prompt_tokens": self.tokens(), "total_tokens": self.tokens() });
        let wrong = |what: &str| Err(what.to_owned());
        if body["object"] != "list" || body["model"] != self.model {
            return wrong("object or model");
        }
        if body["usage"] != tokens {
            return Err(format!("usage {} where {tokens} is right", body["usage"]));
        }
        let data = body["data"].as_array().ok_or("no data")?;
        if data.len() != self.inputs.len() {
            return wrong("another number of vectors");
        }
        for (index, (item, input)) in data.iter().zip(&self.inputs).enumerate() {
            if item["index"] != index || item["object"] != "embedding" {
                return Err(format!("index or object of item {index}"));
            }
            if !self.is_vector(&item["embedding"], &self.vector(input)) {
                return Err(format!("a wrong vector for item {index}"));
            }
        }
        Ok(())
    }

    fn is_vector(&self, got: &Value, right: &[f32]) -> bool {
        if self.base64 {
            return got.as_str() == Some(&encode(right));
        }
        let Some(got) = got.as_array() else { return false };
        // The number as the provider prints it, read as a 64-bit float as clients do.
        let printed = |float: f32| float.to_string().parse::<f64>().unwrap().to_bits();
        got.len() == right.len()
            && got.iter().zip(right).all(|(got, right)| {
                got.as_f64().is_some_and(|got| got.to_bits() == printed(*right))
            })
    }
}

/// Base64 of little-endian 32-bit floats.
fn encode(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
    STANDARD.encode_to_string(bytes)
}

/// A vector as a provider writes it.
pub(crate) fn encode_numbers(vector: &[f32], base64: bool) -> Value {
    if base64 {
        return json!(encode(vector));
    }
    // As few digits as tell a 32-bit float from its neighbours, as most providers print them.
    vector.iter().map(|float| float.to_string().parse::<f64>().unwrap()).collect()
}
