//! A log by chance, and what is in it.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use crate::harness::Chance;

/// What every text has in it.
pub(super) const CANARY: &str = "canary";

/// How many forms of a line there are.
pub(super) const FORMS: usize = 8;

/// What is known of the requests of one kind.
#[derive(Debug, Default)]
pub(super) struct Known {
    requests: u64,
    inputs: u64,
    pub(super) within: u64,
    pub(super) across: u64,
    seen: HashSet<String>,
}

impl Known {
    /// Requests, inputs, distinct ones, duplicates within one request and across them.
    pub(super) fn numbers(&self) -> [u64; 5] {
        [self.requests, self.inputs, self.seen.len() as u64, self.within, self.across]
    }

    fn add(&mut self, inputs: &[String]) {
        self.requests += 1;
        self.inputs += inputs.len() as u64;
        let mut own = HashSet::new();
        for input in inputs {
            if !own.insert(input) {
                self.within += 1;
            } else if !self.seen.insert(input.clone()) {
                self.across += 1;
            }
        }
    }
}

/// The lines so far.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) bytes: Vec<u8>,
    pub(super) embeddings: Known,
    /// Answers that may be kept.
    pub(super) words: Known,
}

/// A request in its parts.
struct Question {
    chat: bool,
    model: &'static str,
    asked: Value,
    parameters: Map<String, Value>,
}

impl Log {
    pub(super) fn line(&mut self, line: &[u8]) {
        self.bytes.extend(line);
        self.bytes.push(b'\n');
    }

    /// So many more requests, in the forms that a draw chooses.
    pub(super) fn fill(
        &mut self,
        chance: &mut Chance,
        count: usize,
        form: &dyn Fn(usize) -> usize,
    ) {
        for _ in 0..count {
            let question =
                if chance.below(4) == 0 { self.chat(chance) } else { self.embed(chance) };
            let line = question.line(form(chance.index(1_000)));
            self.line(line.to_string().as_bytes());
        }
    }

    fn embed(&mut self, chance: &mut Chance) -> Question {
        let model = ["text-embedding-3-small", "text-embedding-3-large"][chance.index(2)];
        let mut parameters = Map::new();
        let dimensions = chance.below(3) == 0;
        if dimensions {
            parameters.insert("dimensions".to_owned(), json!(256));
        }
        // Alters no vector.
        if chance.below(2) == 0 {
            let format = ["float", "base64"][chance.index(2)];
            parameters.insert("encoding_format".to_owned(), json!(format));
        }
        let tokens = chance.below(5) == 0;
        let inputs: Vec<Value> = (0..=chance.below(6)).map(|_| input(chance, tokens)).collect();
        let told = |input: &Value| format!("{model} {dimensions} {input}");
        self.embeddings.add(&inputs.iter().map(told).collect::<Vec<_>>());
        let scalar = inputs.len() == 1 && chance.below(2) == 0;
        let asked = if scalar { inputs[0].clone() } else { Value::Array(inputs) };
        Question { chat: false, model, asked, parameters }
    }

    fn chat(&mut self, chance: &mut Chance) -> Question {
        let mut parameters = Map::new();
        let temperature = [json!(0), json!(0.7)][chance.index(2)].clone();
        let cacheable = temperature == json!(0);
        parameters.insert("temperature".to_owned(), temperature);
        if chance.below(3) == 0 {
            parameters.insert("stream".to_owned(), json!(true));
        }
        let asked = json!([{"role": "user", "content": text(chance)}]);
        let told = format!("{asked} {}", parameters.contains_key("stream"));
        self.words.add(if cacheable { std::slice::from_ref(&told) } else { &[] });
        Question { chat: true, model: "gpt-4o-mini", asked, parameters }
    }
}

/// One of not so many, some of them oftener than others.
fn text(chance: &mut Chance) -> String {
    let most = 1 + chance.below(60);
    format!("{CANARY} \"{}\"\n\u{e9}\\", chance.below(most))
}

fn input(chance: &mut Chance, tokens: bool) -> Value {
    if tokens { json!([1, chance.below(30)]) } else { json!(text(chance)) }
}

impl Question {
    fn line(&self, form: usize) -> Value {
        let (path, body) = (self.path(), self.body());
        let url = format!("https://api.openai.com{path}");
        match form {
            0 => body,
            1 => {
                json!({"timestamp": "t", "request": {"method": "POST", "path": path, "body": body}})
            }
            2 => json!({"timestamp": 7, "request": {"path": path, "body": body.to_string()}}),
            3 => json!({"custom_id": "c", "method": "POST", "url": path, "body": body}),
            4 => json!({
                "request": {"url": url, "body": body},
                "response": {"status_code": 200, "body": {"usage": {"prompt_tokens": 3}}},
            }),
            5 => json!({"url": url, "body": body.to_string(), "status": 200}),
            6 => self.litellm(&self.logged()),
            _ => {
                let mut line = self.litellm(&Value::Null);
                line["input"] = self.asked.clone();
                line
            }
        }
    }

    fn path(&self) -> &'static str {
        if self.chat { "/v1/chat/completions" } else { "/v1/embeddings" }
    }

    fn body(&self) -> Value {
        let mut body = self.parameters.clone();
        let asked = if self.chat { "messages" } else { "input" };
        body.insert(asked.to_owned(), self.asked.clone());
        body.insert("model".to_owned(), json!(self.model));
        Value::Object(body)
    }

    /// As `LiteLLM` logs what was asked: texts as the messages of a user.
    fn logged(&self) -> Value {
        let message = |text: &Value| json!({"role": "user", "content": text});
        match &self.asked {
            Value::String(_) => json!([message(&self.asked)]),
            Value::Array(texts) if texts[0].is_string() => texts.iter().map(message).collect(),
            other => other.clone(),
        }
    }

    fn litellm(&self, messages: &Value) -> Value {
        json!({
            "id": "x",
            "call_type": if self.chat { "acompletion" } else { "aembedding" },
            "status": "success",
            "custom_llm_provider": "openai",
            "model": self.model,
            "messages": messages,
            "model_parameters": self.parameters,
            "response_cost": 0.001,
            "prompt_tokens": 3,
            "startTime": 1.5,
            "endTime": 2.5,
            "cache_hit": null,
        })
    }
}
