//! Which requests a rule is for: all that it says has to hold.

use super::{CHAT, chat, post, provider, rule};
use crate::harness::{Sidecar, Simulated};

/// Conditions, and a pair each that they hold for and do not.
type Case = (&'static str, (&'static str, &'static str), (&'static str, &'static str));

/// The pairs are the path and a header of a request.
const CONDITIONS: &[Case] = &[
    (
        "path = \"/v1/chat/completions\"",
        ("/v1/chat/completions?a=b", ""),
        ("/openai/v1/chat/completions", ""),
    ),
    ("path = \"/openai/*\"", ("/openai/v1/chat/completions", ""), (CHAT, "")),
    ("header = \"X-Team\"", (CHAT, "search"), (CHAT, "")),
    ("header = \"x-team: sea*\"", (CHAT, "search"), (CHAT, "ads")),
    ("path = \"/v1/*\"\nheader = \"x-team: ads\"", (CHAT, "ads"), (CHAT, "search")),
    ("", (CHAT, ""), ("/v1/embeddings", "")),
];

/// The pairs are what the system and the user say.
const SAID: &[Case] = &[
    ("system_contains = \"Extract\"", ("Please Extract this", ""), ("extract", "Extract")),
    ("system_pattern = \"(?i)^extract.*facts?$\"", ("EXTRACT a fact", ""), ("extract all", "")),
    ("fewer_words_than = 3", ("a b c d", "two words"), ("", "now three words")),
    ("words_at_least = 3", ("", "now three words"), ("a b c d", "two words")),
    ("lacks = [\"my\", \"I am\"]", ("my", "mystery"), ("", "It is MY dog")),
    ("model = \"m\"\nfewer_words_than = 2", ("", "one"), ("", "one two")),
];

async fn fires(sidecar: &Sidecar, (path, team): (&str, &str), body: &str) -> bool {
    let headers: &[(&str, &str)] = if team.is_empty() { &[] } else { &[("x-team", team)] };
    let answer = post(&sidecar.client(), path, headers, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let rule = answer.header("x-larder-rule");
    assert!(matches!(rule, "" | "the-rule"), "{rule}");
    rule == "the-rule"
}

fn under(when: &str) -> String {
    rule("the-rule", &format!("then.cache = \"off\"\n[rules.when]\n{when}"))
}

#[tokio::test]
async fn the_head_of_a_request_has_to_be_what_a_rule_says() {
    let provider = Simulated::instant();
    for (when, yes, no) in CONDITIONS {
        let sidecar = Sidecar::with(provider.address, &under(when));
        assert!(fires(&sidecar, *yes, &chat("", "a")).await, "{when}");
        let embeds = no.0.ends_with("embeddings");
        let body = if embeds { r#"{"model":"m","input":"a"}"#.to_owned() } else { chat("", "a") };
        assert!(!fires(&sidecar, *no, &body).await, "{when}");
    }
}

#[tokio::test]
async fn what_is_said_has_to_be_what_a_rule_says() {
    let provider = provider();
    for (when, yes, no) in SAID {
        let sidecar = Sidecar::with(provider.address, &under(when));
        assert!(fires(&sidecar, (CHAT, ""), &chat(yes.0, yes.1)).await, "{when}");
        assert!(!fires(&sidecar, (CHAT, ""), &chat(no.0, no.1)).await, "{when}");
    }
}

#[tokio::test]
async fn a_model_is_told_by_its_name_or_the_beginning_of_it() {
    let provider = provider();
    for (pattern, model, is_for) in
        [("gpt-*", "gpt-5", true), ("gpt-5", "gpt-5", true), ("gpt-5", "gpt-5-mini", false)]
    {
        let sidecar = Sidecar::with(provider.address, &under(&format!("model = \"{pattern}\"")));
        let body = chat("", "a").replace("\"m\"", &format!("\"{model}\""));
        assert_eq!(fires(&sidecar, (CHAT, ""), &body).await, is_for, "{pattern} {model}");
    }
}

#[tokio::test]
async fn the_first_rule_that_fits_is_carried_out_and_counted() {
    let provider = provider();
    let rules = [
        rule("never", "when.model = \"another\"\nthen.cache = \"off\""),
        rule("short", "when.fewer_words_than = 3\nthen.answer = \"first\""),
        rule("rest", "then.answer = \"second\""),
    ];
    let sidecar = Sidecar::with(provider.address, &rules.concat());
    let client = sidecar.client();
    for (user, name, text) in [("a b", "short", "first"), ("a b c", "rest", "second")] {
        let answer = post(&client, CHAT, &[], &chat("", user)).await;
        assert_eq!(answer.header("x-larder-rule"), name);
        assert!(answer.text().contains(text), "{}", answer.text());
    }
    for (name, times) in [("never", 0.0), ("short", 1.0), ("rest", 1.0)] {
        let label = format!("rule=\"{name}\"");
        let text = sidecar.admin().get("/metrics").await.text();
        assert!(text.contains(&format!("larder_rules_total{{{label}}}")), "{name}");
        let counted = sidecar.metric("larder_rules_total", &label).await;
        assert!((counted - times).abs() < 0.5, "{name}: {counted}");
    }
    assert_eq!(provider.calls().len(), 0);
}

#[tokio::test]
async fn without_rules_nothing_is_told_of_any() {
    let provider = provider();
    let sidecar = Sidecar::before(provider.address);
    let answer = post(&sidecar.client(), CHAT, &[], &chat("", "a")).await;
    assert_eq!(answer.header("x-larder-rule"), "");
    assert!(!sidecar.admin().get("/metrics").await.text().contains("larder_rules_total{"));
}
