//! A request as it goes out, and what of it is needed to judge the answer.

use bytes::Bytes;

use super::catalogue::{Catalogue, quote};

/// One input of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Input {
    /// A text of the catalogue.
    Known(usize),
    /// A text that is in nobody's catalogue.
    New {
        text: String,
        /// Whether nobody is asked for it at the same time, or earlier in the same request.
        first: bool,
    },
}

impl Input {
    /// Its text.
    pub(crate) fn text<'a>(&'a self, catalogue: &'a Catalogue) -> &'a str {
        match self {
            Self::Known(place) => catalogue.text(*place),
            Self::New { text, .. } => text,
        }
    }
}

/// What is asked.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) body: Bytes,
    pub(crate) inputs: Vec<Input>,
}

/// What is the same in every request of a run.
#[derive(Debug, Clone)]
pub(crate) struct Form {
    pub(crate) model: String,
    pub(crate) dimensions: Option<usize>,
    pub(crate) encoding: Encoding,
}

/// How vectors are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Encoding {
    /// Numbers, as people write them.
    Float,
    /// Their bytes; what the official SDKs ask for.
    Base64,
}

impl Encoding {
    /// As it is called on the wire.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Float => "float",
            Self::Base64 => "base64",
        }
    }
}

impl Form {
    /// A request for vectors.
    pub(crate) fn embed(&self, catalogue: &Catalogue, inputs: Vec<Input>) -> Question {
        let quoted = inputs.iter().map(|input| match input {
            Input::Known(place) => catalogue.quoted(*place).to_owned(),
            Input::New { text, .. } => quote(text),
        });
        let quoted: Vec<String> = quoted.collect();
        let input = match quoted.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(",")),
        };
        let (model, encoding) = (quote(&self.model), self.encoding.name());
        let length = self.dimensions.map(|length| format!(r#","dimensions":{length}"#));
        let body = format!(
            r#"{{"model":{model},"input":{input},"encoding_format":"{encoding}"{}}}"#,
            length.unwrap_or_default()
        );
        Question { body: body.into(), inputs }
    }

    /// A request for a streamed answer of a model.
    pub(crate) fn stream(&self, text: String) -> Question {
        let (model, messages) = (quote(&self.model), messages(&text));
        let body =
            format!(r#"{{"model":{model},"messages":{messages},"temperature":0,"stream":true}}"#);
        Question { body: body.into(), inputs: vec![Input::New { text, first: true }] }
    }
}

/// A conversation of one line, as JSON.
pub(crate) fn messages(text: &str) -> String {
    format!(r#"[{{"role":"user","content":{}}}]"#, quote(text))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_body_is_what_the_api_takes() {
        let catalogue = Catalogue::made_up(1, 2);
        let form =
            Form { model: "m\"".to_owned(), dimensions: Some(8), encoding: Encoding::Base64 };
        let new = |text: &str| Input::New { text: text.to_owned(), first: true };
        let read =
            |question: Question| -> Value { serde_json::from_slice(&question.body).unwrap() };
        let one = read(form.embed(&catalogue, vec![Input::Known(1)]));
        let right = json!({"model": "m\"", "input": catalogue.text(1), "encoding_format": "base64",
            "dimensions": 8});
        assert_eq!(one, right);
        let many = read(form.embed(&catalogue, vec![new("a\n\""), Input::Known(0)]));
        assert_eq!(many["input"], json!(["a\n\"", catalogue.text(0)]));
        let stream = read(form.stream("\u{1}".to_owned()));
        assert_eq!(stream["messages"], json!([{"role": "user", "content": "\u{1}"}]));
        assert_eq!((&stream["stream"], &stream["temperature"]), (&json!(true), &json!(0)));
    }
}
