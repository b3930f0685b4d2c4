//! What becomes of requests that a rule is for: the model that is asked, what is kept, what is told.

use http::Method;
use serde_json::Value;

use super::{CHAT, chat, post, provider, rule};
use crate::gate::gzip;
use crate::harness::{Scripted, Sidecar, until};

const CHEAP: &str = "when.header = \"x-cheap\"\nthen.model = \"cheap-\\\"1\\\"\"";

async fn status(sidecar: &Sidecar, headers: &[(&str, &str)], body: &str) -> String {
    post(&sidecar.client(), CHAT, headers, body).await.header("cache-status").to_owned()
}

fn last_body(provider: &Scripted) -> String {
    let call = provider.calls().pop().unwrap();
    String::from_utf8(call.body.to_vec()).unwrap()
}

#[tokio::test]
async fn another_model_changes_its_name_and_no_other_byte() {
    let provider = provider();
    let sidecar = Sidecar::with(provider.address, &rule("cheaper", CHEAP));
    for (body, right) in [
        (
            "{ \"messages\" : [{\"role\":\"user\",\"content\":\"\\u00e9 \\\"model\\\"\"}],\r\n \"model\":\t\"old\" ,\"temperature\":0.0}",
            "{ \"messages\" : [{\"role\":\"user\",\"content\":\"\\u00e9 \\\"model\\\"\"}],\r\n \"model\":\t\"cheap-\\\"1\\\"\" ,\"temperature\":0.0}",
        ),
        // Relayed, since it leaves something to chance.
        (
            r#"{"model":"old","unknown":[1.0,1e2],"messages":[]}"#,
            r#"{"model":"cheap-\"1\"","unknown":[1.0,1e2],"messages":[]}"#,
        ),
    ] {
        let answer = post(&sidecar.client(), CHAT, &[("x-cheap", "1")], body).await;
        assert_eq!((answer.status, answer.header("x-larder-rule")), (200, "cheaper"));
        assert_eq!(last_body(&provider), right);
        post(&sidecar.client(), CHAT, &[], body).await;
        assert_eq!(last_body(&provider), body);
    }
    // It names no model that could be another.
    let answer = post(&sidecar.client(), CHAT, &[("x-cheap", "1")], "{\"messages\":[]}").await;
    assert_eq!((answer.status, answer.header("x-larder-rule")), (200, ""));
}

#[tokio::test]
async fn an_answer_is_kept_under_the_request_as_it_was_sent() {
    let provider = provider();
    let settings = "[cache]\nharmless_headers = [\"x-cheap\"]\n".to_owned();
    let sidecar = Sidecar::with(provider.address, &(settings + &rule("cheaper", CHEAP)));
    let (old, new) = (chat("", "a"), chat("", "a").replace("\"m\"", "\"cheap-\\\"1\\\"\""));
    let cheap = [("x-cheap", "1")];
    assert_eq!(status(&sidecar, &cheap, &old).await, "larder; fwd=miss; stored");
    assert!(status(&sidecar, &cheap, &old).await.starts_with("larder; hit"));
    assert!(status(&sidecar, &[], &new).await.starts_with("larder; hit"));
    assert_eq!(status(&sidecar, &[], &old).await, "larder; fwd=miss; stored");
    assert_eq!(provider.calls().len(), 2);
    let entries = sidecar.admin().get("/api/stats").await.text();
    assert!(entries.contains("cheap-"), "{entries}");
}

#[tokio::test]
async fn a_rule_says_whether_an_answer_is_kept_and_how_long() {
    let provider = provider();
    let rules = [
        rule("warm", "when.header = \"x-policy: all\"\nthen.cache = \"all\"\nthen.ttl = \"100s\""),
        rule(
            "for-ever",
            "when.header = \"x-policy: ever\"\nthen.cache = \"all\"\nthen.ttl = \"0\"",
        ),
        rule("cold", "when.header = \"x-policy: cold\"\nthen.cache = \"deterministic\""),
        rule("off", "when.header = \"x-policy: off\"\nthen.cache = \"off\""),
    ];
    let off = "[providers.openai]\nchat_cache = \"off\"\n".to_owned();
    let sidecar = Sidecar::with(provider.address, &(off + &rules.concat()));
    let (cold, warm) = (chat("", "a"), chat("", "a").replace(":0,", ":1,").replace(":0}", ":1}"));
    assert!(warm.contains("\"temperature\":1"));
    let say = async |policy, body: &str| status(&sidecar, &[("x-policy", policy)], body).await;
    assert_eq!(say("all", &warm).await, "larder; fwd=miss; stored");
    let hit = say("all", &warm).await;
    assert!(hit == "larder; hit; ttl=100; detail=memory" || hit.contains("ttl=99"), "{hit}");
    assert_eq!(say("ever", &warm).await, "larder; fwd=miss; stored");
    assert_eq!(say("ever", &warm).await, "larder; hit; detail=memory");
    assert_eq!(say("cold", &warm).await, "larder; fwd=bypass; detail=temperature");
    assert_eq!(say("cold", &cold).await, "larder; fwd=miss; stored");
    let bypass = "larder; fwd=bypass; detail=chat-cache-off";
    assert_eq!(say("off", &cold).await, bypass);
    // The provider's own setting for whom no rule is, although the body was read for the rules.
    assert_eq!(status(&sidecar, &[], &cold).await, bypass);
    // What a caller says stands above the operator's rule, as it does above the other settings.
    let on = [("x-policy", "off"), ("x-larder-cache", "on")];
    assert_eq!(status(&sidecar, &on, &cold).await, "larder; fwd=miss; stored");
    let no_store = [("x-policy", "all"), ("cache-control", "no-store")];
    assert_eq!(status(&sidecar, &no_store, &warm).await, "larder; fwd=bypass; detail=no-store");
}

#[tokio::test]
async fn a_request_that_the_cache_has_no_part_in_is_under_rules_all_the_same() {
    let provider = provider();
    let rules =
        [rule("cheaper", CHEAP), rule("short", "when.fewer_words_than = 2\nthen.answer = \"no\"")];
    let sidecar = Sidecar::with(provider.address, &rules.concat());
    for (name, value) in
        [("cache-control", "no-store"), ("idempotency-key", "1"), ("x-larder-cache", "off")]
    {
        let headers = [("x-cheap", "1"), (name, value)];
        let sent = post(&sidecar.client(), CHAT, &headers, &chat("", "a b c")).await;
        assert_eq!(sent.header("x-larder-rule"), "cheaper", "{name}");
        assert!(sent.header("cache-status").starts_with("larder; fwd=bypass"), "{name}");
        assert!(last_body(&provider).contains("cheap-"), "{name}");
        let made = post(&sidecar.client(), CHAT, &[(name, value)], &chat("", "a")).await;
        assert_eq!(made.header("x-larder-rule"), "short", "{name}");
    }
}

#[tokio::test]
async fn an_answer_of_a_rule_is_neither_a_hit_nor_forwarded_and_says_which_rule_it_is_of() {
    let provider = provider();
    let rules =
        [rule("short", "when.fewer_words_than = 2\nthen.answer = \"no\""), rule("cheaper", CHEAP)];
    let sidecar = Sidecar::with(provider.address, &rules.concat());
    let explain = ("x-larder-explain", "1");
    let made = post(&sidecar.client(), CHAT, &[explain], &chat("", "a")).await;
    assert_eq!(made.header("cache-status"), "larder; detail=rule");
    let why = "rule: a rule of the configuration answered the request (rule short)";
    assert_eq!(made.header("x-larder-explain"), why);
    assert_eq!(made.header("server-timing"), "");
    let sent = post(&sidecar.client(), CHAT, &[explain, ("x-cheap", "1")], &chat("", "a b")).await;
    let why = "first time: no similar request among the last 256 misses (rule cheaper)";
    assert_eq!(sent.header("x-larder-explain"), why);
    let told = sidecar.admin().get("/api/explain?rule=short").await;
    let told: Value = serde_json::from_slice(&told.body).unwrap();
    let told = told["explanations"].as_array().unwrap();
    assert_eq!(
        (told.len(), &told[0]["rule"], &told[0]["outcome"]),
        (1, &"short".into(), &"bypass".into())
    );
    let labels = "operation=\"chat\",verdict=\"bypass\"";
    assert!(
        (sidecar.metric("larder_requests_total", &format!("code=\"200\",{labels}")).await - 1.0)
            .abs()
            < 0.5
    );
}

#[tokio::test]
async fn rules_are_taken_over_with_a_reload_and_wrong_ones_are_refused() {
    let provider = provider();
    let answering = |text: &str| rule("short", &format!("then.answer = \"{text}\""));
    let sidecar = Sidecar::with(provider.address, &answering("one"));
    let text = async || post(&sidecar.client(), CHAT, &[], &chat("", "a")).await.text();
    assert!(text().await.contains("\"one\""));
    sidecar.rewrite(&answering("two"));
    sidecar.signal("HUP");
    until("it is taken over", || async { text().await.contains("\"two\"") }).await;
    sidecar.rewrite(&rule("short", "then.answr = \"three\""));
    let refused = sidecar.admin().send(Method::POST, "/api/reload", &[], "").await;
    assert_eq!(refused.status, 422);
    assert!(refused.text().contains(":4: rules[0].then.answr: unknown key"), "{}", refused.text());
    assert!(text().await.contains("\"two\""));
    sidecar.rewrite("[log]\nrequests = false\n");
    assert_eq!(sidecar.admin().send(Method::POST, "/api/reload", &[], "").await.status, 200);
    assert!(text().await.contains("\"b\""));
}

#[tokio::test]
async fn a_model_that_stands_in_the_path_is_another_there() {
    let provider = provider();
    let at = provider.address;
    let config = format!(
        "[providers.azure]\nbase_url = \"http://{at}\"\n[providers.gemini]\nbase_url = \"http://{at}\"\n{}",
        rule("cheaper", "when.model = \"old\"\nthen.model = \"new\"")
    );
    let sidecar = Sidecar::with(at, &config);
    for (path, body, right) in [
        (
            "/azure/openai/deployments/old/chat/completions?api-version=1",
            r#"{"model":"old"}"#,
            ("/openai/deployments/new/chat/completions?api-version=1", r#"{"model":"new"}"#),
        ),
        (
            "/gemini/v1beta/models/old:generateContent",
            r#"{"contents":[]}"#,
            ("/v1beta/models/new:generateContent", r#"{"contents":[]}"#),
        ),
    ] {
        let answer = post(&sidecar.client(), path, &[], body).await;
        assert_eq!((answer.status, answer.header("x-larder-rule")), (200, "cheaper"), "{path}");
        let call = provider.calls().pop().unwrap();
        let body = String::from_utf8_lossy(&call.body).into_owned();
        assert_eq!((call.path.as_str(), body.as_str()), right, "{path}");
    }
}

#[tokio::test]
async fn a_coded_body_is_looked_at_and_goes_on_as_it_came_unless_its_model_is_another() {
    let provider = provider();
    let keep = rule("keep", "when.words_at_least = 3\nthen.cache = \"deterministic\"");
    let sidecar = Sidecar::with(provider.address, &(rule("cheaper", CHEAP) + &keep));
    let body = chat("", "one two three").replace("\"temperature\":0", "\"temperature\":1");
    let coded = gzip(body.as_bytes()).await;
    let json = [("content-type", "application/json"), ("content-encoding", "gzip")];
    let client = sidecar.client();
    let kept = client.send(Method::POST, CHAT, &json, coded.clone()).await;
    assert_eq!((kept.status, kept.header("x-larder-rule")), (200, "keep"));
    let call = provider.calls().pop().unwrap();
    assert_eq!(
        (&call.body[..], &call.headers["content-encoding"]),
        (&coded[..], &"gzip".parse().unwrap())
    );
    let cheap = [json[0], json[1], ("x-cheap", "1")];
    let sent = client.send(Method::POST, CHAT, &cheap, coded).await;
    assert_eq!((sent.status, sent.header("x-larder-rule")), (200, "cheaper"));
    let call = provider.calls().pop().unwrap();
    assert!(!call.headers.contains_key("content-encoding"));
    assert_eq!(last_body(&provider), body.replace("\"m\"", "\"cheap-\\\"1\\\"\""));
}

#[tokio::test]
async fn the_span_of_a_request_names_its_rule() {
    let (provider, collector) = (provider(), provider());
    let address = collector.address;
    let traces = format!("[traces]\nendpoint = \"http://{address}\"\nprotocol = \"http/json\"\n");
    let short = rule("short", "then.answer = \"no\"");
    let sidecar = Sidecar::with(provider.address, &(traces + &short));
    post(&sidecar.client(), CHAT, &[], &chat("", "a")).await;
    let named = r#"{"key":"larder.rule","value":{"stringValue":"short"}}"#;
    let is_told =
        || collector.calls().iter().any(|call| String::from_utf8_lossy(&call.body).contains(named));
    until("the span is told", || async { is_told() }).await;
}
