//! The operator's rules: which requests they are for, and what becomes of those.

mod actions;
mod answers;
mod conditions;
mod elsewhere;
mod example;
mod hostile;
mod settings;

use http::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Client, Scripted, json as answer_json};

/// What a provider says in `OpenAI`'s shape.
fn words() -> Value {
    let choice = json!({ "index": 0, "message": { "content": "b" }, "finish_reason": "stop" });
    json!({ "id": "1", "choices": [choice] })
}

/// A provider that says the same to everybody.
fn provider() -> Scripted {
    Scripted::start(|_| async { Some(answer_json(200, &words())) })
}

/// A rule by its name.
fn rule(name: &str, parts: &str) -> String {
    format!("\n[[rules]]\nname = \"{name}\"\n{parts}\n")
}

async fn post(client: &Client, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let headers: Vec<_> =
        [("content-type", "application/json")].iter().chain(headers).copied().collect();
    client.send(Method::POST, path, &headers, body.to_owned()).await
}

/// A request for chat by what the system and the user say.
fn chat(system: &str, user: &str) -> String {
    let messages =
        json!([{ "role": "system", "content": system }, { "role": "user", "content": user }]);
    json!({ "model": "m", "temperature": 0, "messages": messages }).to_string()
}

const CHAT: &str = "/v1/chat/completions";
