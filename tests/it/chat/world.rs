//! Chats whose responses depend on the world, and numbers that are written in several ways.

use std::fs;
use std::path::Path;

use larder::dialect::chat::{Sign, WORLD};
use serde_json::{Value, json};

use super::Said;
use super::shapes::{JSON, OPENAI};

fn question(more: &str) -> Value {
    let mut question = json!({ "model": "m", "temperature": 0, "messages": [] });
    let more: Value = serde_json::from_str(more).unwrap();
    for (name, value) in more.as_object().unwrap() {
        question[name] = value.clone();
    }
    question
}

#[tokio::test]
async fn a_chat_that_switches_a_search_on_with_an_empty_object_is_not_stored() {
    let provider = Said::start();
    let sidecar = provider.sidecar("");
    let client = sidecar.client();
    provider.says(JSON, OPENAI.answer);
    for (number, more) in [
        r#"{"web_search_options":{}}"#,
        r#"{"search_parameters":{}}"#,
        r#"{"enable_search":true}"#,
        r#"{"model":"sonar-pro"}"#,
        r#"{"model":"perplexity/sonar"}"#,
        r#"{"model":"groq/compound-mini"}"#,
        r#"{"model":"gpt-4o-mini-search-preview"}"#,
        r#"{"model":"m:online"}"#,
    ]
    .into_iter()
    .enumerate()
    {
        for _ in 0..2 {
            let status = client.chat(&question(more)).await.header("cache-status").to_owned();
            assert_eq!(status, "larder; fwd=bypass; detail=search", "{more}");
        }
        assert_eq!(provider.calls(), 2 * (number + 1));
    }
    for off in [r#"{"enable_search":false}"#, r#"{"web_search_options":null}"#] {
        let status = client.chat(&question(off)).await.header("cache-status").to_owned();
        assert_eq!(status, "larder; fwd=miss; stored", "{off}");
    }
}

#[tokio::test]
async fn a_temperature_of_0_and_of_0_0_are_one_question() {
    let provider = Said::start();
    let sidecar = provider.sidecar("");
    let client = sidecar.client();
    provider.says(JSON, OPENAI.answer);
    for (number, more) in [
        r#"{"temperature":0,"top_p":1}"#,
        r#"{"temperature":0.0,"top_p":1}"#,
        r#"{"temperature":-0.0,"top_p":1.0}"#,
    ]
    .into_iter()
    .enumerate()
    {
        let answer = client.chat(&question(more)).await;
        let is_hit = answer.header("cache-status").starts_with("larder; hit");
        assert_eq!((is_hit, provider.calls()), (number > 0, 1), "{more}");
    }
    client.chat(&question(r#"{"temperature":0,"top_p":0.9}"#)).await;
    assert_eq!(provider.calls(), 2);
}

#[test]
fn the_documents_name_every_sign_of_a_search_with_its_source() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/CACHING.md");
    let page = fs::read_to_string(page).unwrap();
    for (provider, rows) in WORLD {
        let line = page.lines().find(|line| line.starts_with(&format!("| {provider} |")));
        let line = line.unwrap_or_else(|| panic!("{provider} is missing"));
        for row in *rows {
            let (Sign::Member(name) | Sign::Model(name)) = row.sign;
            assert!(line.contains(&format!("`{name}`")), "{provider}: {name}");
            assert!(line.contains(row.source), "{provider}: {}", row.source);
        }
    }
}
