//! Who may ask, who shares stored answers, and that no call is ever made with another's credential.

mod admin;
mod allowlist;
mod misrouted;
mod own_key;
mod pages;
mod scope;
mod signed_in;
mod verify;

use bytes::Bytes;
use http::{Method, Response};
use http_body_util::Full;
use serde_json::json;

use crate::harness::{self, Answer, Ask, Asked, Client, Say};

const JSON: (&str, &str) = ("content-type", "application/json");

/// The right answer of a provider to embeddings and to a chat, for an account of the credential's own.
fn good(asked: &Asked) -> Response<Full<Bytes>> {
    let mut response = if asked.path.contains("/chat/") {
        let message = json!({ "role": "assistant", "content": "said" });
        let choice = json!({ "index": 0, "message": message, "finish_reason": "stop" });
        harness::json(200, &json!({ "object": "chat.completion", "choices": [choice] }))
    } else {
        harness::json(200, &harness::answer(asked))
    };
    let account = asked.credential().replace("Bearer ", "account of ");
    response.headers_mut().insert("openai-organization", account.parse().unwrap());
    response
}

/// A provider's no to a credential.
fn unauthorized() -> Say {
    let error = json!({ "message": "no such key", "code": "invalid_api_key" });
    Some(harness::json(401, &json!({ "error": error })))
}

/// The same ask by a key.
fn by(key: &str, ask: &Ask) -> Ask {
    ask.clone().header("authorization", &format!("Bearer {key}"))
}

/// A chat that may be kept, by a key.
async fn chat(client: &Client, key: &str, question: &str) -> Answer {
    let message = json!({ "role": "user", "content": question });
    let body = json!({ "model": "m", "temperature": 0, "messages": [message] });
    let key = format!("Bearer {key}");
    let headers = [JSON, ("authorization", key.as_str())];
    client.send(Method::POST, "/v1/chat/completions", &headers, body.to_string()).await
}
