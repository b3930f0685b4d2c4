//! The example of selective extraction, as it is shipped.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{CHAT, post, provider};
use crate::harness::Sidecar;

/// What the memory service of `tests/load/app` says to the model that is to extract facts.
const PROMPT: &str = "Extract the facts about the user that are worth remembering from the message. \
                      Answer with JSON only: {\"facts\": [\"…\"]}, each fact one short sentence.";

fn extraction(message: &str) -> String {
    let messages =
        json!([{ "role": "system", "content": PROMPT }, { "role": "user", "content": message }]);
    json!({ "model": "gpt-4o", "temperature": 0, "messages": messages }).to_string()
}

#[tokio::test]
async fn short_messages_bring_no_facts_and_others_without_keywords_go_the_cheaper_way() {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples/selective-extraction.toml");
    let provider = provider();
    let sidecar = Sidecar::with(provider.address, &fs::read_to_string(file).unwrap());
    let ask = async |body: &str| post(&sidecar.client(), CHAT, &[], body).await;
    let short = ask(&extraction("Thanks, my friend, that is all I need!")).await;
    assert_eq!(short.header("x-larder-rule"), "too-short");
    let made: Value = serde_json::from_slice(&short.body).unwrap();
    let facts: Value =
        serde_json::from_str(made["choices"][0]["message"]["content"].as_str().unwrap()).unwrap();
    assert_eq!(facts, json!({ "facts": [] }));
    assert_eq!((&made["model"], provider.calls().len()), (&json!("gpt-4o"), 0));

    let dull = "What is the difference between a stack and a queue, and which one is faster?";
    assert_eq!(ask(&extraction(dull)).await.header("x-larder-rule"), "nothing-personal");
    let rich = "By the way, my sister Anna moved to Lisbon last year and I am visiting her in May.";
    assert_eq!(ask(&extraction(rich)).await.header("x-larder-rule"), "");
    let chat =
        extraction(dull).replace(PROMPT.split('.').next().unwrap(), "You are a helpful assistant");
    assert_eq!(ask(&chat).await.header("x-larder-rule"), "");
    let models: Vec<Value> =
        provider.calls().iter().map(|call| call.json()["model"].clone()).collect();
    assert_eq!(models, ["gpt-4o-mini", "gpt-4o", "gpt-4o"]);
}
