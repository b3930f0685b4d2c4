//! Rules that send requests to another provider.

use super::{CHAT, chat, post, provider, rule};
use crate::harness::{Scripted, Sidecar};

/// Before one provider, with another one.
fn between(first: &Scripted, second: &Scripted, more: &str) -> String {
    format!(
        "[providers.openai]\nbase_url = \"http://{}/v1\"\n[providers.anthropic]\n\
         base_url = \"http://{}/v1\"\n[providers.groq]\nbase_url = \"http://{}/openai/v1\"\n{more}",
        first.address, first.address, second.address
    )
}

#[tokio::test]
async fn a_request_goes_with_its_credential_to_the_provider_that_a_rule_names() {
    let (first, second) = (provider(), provider());
    let over =
        rule("over", "when.fewer_words_than = 3\nthen.provider = \"groq\"\nthen.model = \"llama\"");
    let sidecar = Sidecar::with(first.address, &between(&first, &second, &over));
    let credential = [("authorization", "Bearer mine")];
    let stored = "larder; fwd=miss; stored";
    let sent = post(&sidecar.client(), CHAT, &credential, &chat("", "a")).await;
    assert_eq!((sent.header("x-larder-rule"), sent.header("cache-status")), ("over", stored));
    let call = second.calls().pop().unwrap();
    assert_eq!(
        (call.path.as_str(), call.credential().as_str()),
        ("/openai/v1/chat/completions", "Bearer mine")
    );
    assert_eq!(String::from_utf8_lossy(&call.body), chat("", "a").replace("\"m\"", "\"llama\""));
    // It is kept as that provider's: who asks there gets it, and who asks here for that model does not.
    let llama = chat("", "a").replace("\"m\"", "\"llama\"");
    let path = "/groq/openai/v1/chat/completions";
    let there = post(&sidecar.client(), path, &credential, &llama).await;
    assert!(there.header("cache-status").starts_with("larder; hit"), "{there:?}");
    let long = post(&sidecar.client(), CHAT, &credential, &chat("", "a b c")).await;
    assert_eq!((long.header("x-larder-rule"), long.header("cache-status")), ("", stored));
    assert_eq!((first.calls().len(), second.calls().len()), (1, 1));
    let series = sidecar.metric("larder_upstream_requests_total", "upstream=\"groq\"").await;
    assert!((series - 1.0).abs() < 0.5, "{series}");
}

#[tokio::test]
async fn a_provider_with_a_key_of_its_own_is_not_shown_the_clients() {
    let (first, second) = (provider(), provider());
    let over =
        "api_key_env = \"GROQ_KEY\"\n".to_owned() + &rule("over", "then.provider = \"groq\"");
    let config = between(&first, &second, &over);
    let sidecar = Sidecar::within(first.address, &config, &[("GROQ_KEY", "sk-of-groq")]);
    for temperature in ["0", "1"] {
        let body =
            chat("", "a").replace("\"temperature\":0", &format!("\"temperature\":{temperature}"));
        let headers = [("authorization", "Bearer mine"), ("x-api-key", "mine")];
        let sent = post(&sidecar.client(), CHAT, &headers, &body).await;
        assert_eq!((sent.status, sent.header("x-larder-rule")), (200, "over"));
    }
    let calls = second.calls();
    assert_eq!(calls.len(), 2);
    for call in calls {
        assert_eq!(call.credential(), "Bearer sk-of-groq");
        assert!(!call.headers.values().any(|value| value.as_bytes().ends_with(b"mine")));
    }
    assert_eq!(first.calls().len(), 0);
}

#[tokio::test]
async fn a_request_that_the_other_provider_would_not_understand_stays() {
    let (first, second) = (provider(), provider());
    let over = rule("over", "then.provider = \"groq\"");
    let sidecar = Sidecar::with(first.address, &between(&first, &second, &over));
    let messages = r#"{"model":"m","max_tokens":9,"temperature":0,"messages":[]}"#;
    let answer = post(&sidecar.client(), "/anthropic/v1/messages", &[], messages).await;
    assert_eq!((answer.status, answer.header("x-larder-rule")), (200, ""));
    // Also where the shape of it would be the other's, but the place of it is the provider's own.
    let body = chat("", "a");
    let answer = post(&sidecar.client(), "/anthropic/v1/chat/completions", &[], &body).await;
    assert_eq!((answer.status, answer.header("x-larder-rule")), (200, ""));
    assert_eq!((first.calls().len(), second.calls().len()), (2, 0));
    assert_eq!(String::from_utf8_lossy(&first.calls()[0].body), messages);
}
