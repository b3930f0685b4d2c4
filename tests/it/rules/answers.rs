//! Answers that larder gives itself, in every shape, plain and streamed: byte for byte those of
//! `tests/golden/rules`, and complete to who watches them in that shape.
//!
//! `LARDER_GOLDEN=write` writes those files anew.

use std::path::Path;
use std::{env, fs};

use http::Method;
use larder::dialect::chat::{Watch, shape};
use larder::gate::route::endpoint;
use larder::sse::{Frame, Splitter};
use larder::usage::{Layout, UsageReader};

use super::{post, provider, rule};
use crate::harness::{Answer, Scripted, Sidecar};

/// What is said, with what has to be escaped.
const TEXT: &str = "then.answer = '{\"facts\": []} é \u{1F600}'";

/// Name of the file, dialect, path, request.
type Case = (&'static str, &'static str, &'static str, &'static str);

const CASES: &[Case] = &[
    ("chat", "openai", "/v1/chat/completions", r#"{"model":"m\"","n":2,"messages":[]}"#),
    (
        "chat-stream",
        "openai",
        "/v1/chat/completions",
        r#"{"model":"m","stream":true,"messages":[]}"#,
    ),
    (
        "chat-stream-usage",
        "openai",
        "/v1/chat/completions",
        r#"{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[]}"#,
    ),
    ("completions", "openai", "/v1/completions", r#"{"model":"m","prompt":["a","b"]}"#),
    (
        "completions-stream",
        "openai",
        "/v1/completions",
        r#"{"model":"m","prompt":"a","stream":true}"#,
    ),
    (
        "responses",
        "openai",
        "/v1/responses",
        r#"{"model":"m","input":"a","instructions":"be brief","temperature":0}"#,
    ),
    ("responses-stream", "openai", "/v1/responses", r#"{"model":"m","input":"a","stream":true}"#),
    (
        "messages",
        "anthropic",
        "/anthropic/v1/messages",
        r#"{"model":"m","max_tokens":9,"messages":[]}"#,
    ),
    (
        "messages-stream",
        "anthropic",
        "/anthropic/v1/messages",
        r#"{"model":"m","max_tokens":9,"messages":[],"stream":true}"#,
    ),
    (
        "gemini",
        "gemini",
        "/gemini/v1beta/models/m:generateContent",
        r#"{"contents":[],"generationConfig":{"candidateCount":2}}"#,
    ),
    (
        "gemini-stream",
        "gemini",
        "/gemini/v1beta/models/m:streamGenerateContent?alt=sse",
        r#"{"contents":[]}"#,
    ),
    (
        "gemini-list",
        "gemini",
        "/gemini/v1beta/models/m:streamGenerateContent",
        r#"{"contents":[]}"#,
    ),
    ("ollama-chat", "ollama", "/ollama/api/chat", r#"{"model":"m","messages":[],"stream":false}"#),
    ("ollama-chat-stream", "ollama", "/ollama/api/chat", r#"{"model":"m","messages":[]}"#),
    (
        "ollama-generate",
        "ollama",
        "/ollama/api/generate",
        r#"{"model":"m","prompt":"a","stream":false}"#,
    ),
    ("ollama-generate-stream", "ollama", "/ollama/api/generate", r#"{"model":"m","prompt":"a"}"#),
    ("cohere", "cohere", "/cohere/v2/chat", r#"{"model":"m","messages":[{}]}"#),
    (
        "cohere-stream",
        "cohere",
        "/cohere/v2/chat",
        r#"{"model":"m","messages":[{}],"stream":true}"#,
    ),
    ("cohere-v1", "cohere", "/cohere/v1/chat", r#"{"model":"m","message":"a"}"#),
    (
        "cohere-v1-stream",
        "cohere",
        "/cohere/v1/chat",
        r#"{"model":"m","message":"a","stream":true}"#,
    ),
    ("fim", "mistral", "/mistral/v1/fim/completions", r#"{"model":"m","prompt":"a"}"#),
];

/// Those whose streams no watch of larder's reads: they are never kept.
const UNWATCHED: &[&str] = &["gemini-list", "cohere-v1-stream"];

fn sidecar(provider: &Scripted) -> Sidecar {
    Sidecar::with(provider.address, &rule("made", TEXT))
}

/// An answer as its file has it, without what is never the same twice.
fn as_written(answer: &Answer) -> String {
    let mut text = answer.text();
    for (before, digits, instead) in [
        ("larder-", "0123456789abcdef-", "ID"),
        ("\"created\":", "0123456789", "0"),
        ("\"created_at\":", "0123456789", "0"),
        ("\"created_at\":\"", "0123456789-:TZ", "TIME"),
    ] {
        let mut rest = text.as_str();
        let mut out = String::new();
        while let Some((head, tail)) = rest.split_once(before) {
            rest = tail.trim_start_matches(|c| digits.contains(c));
            let instead = if rest.len() < tail.len() { instead } else { "" };
            out = out + head + before + instead;
        }
        text = out + rest;
    }
    format!("{}\n\n{text}", answer.header("content-type"))
}

/// Whether an answer is complete to who watches it in its shape, and used nothing.
fn is_complete((name, dialect, path, body): &Case, answer: &Answer) -> bool {
    let below = path.strip_prefix(&format!("/{dialect}")).unwrap_or(path);
    let shape = shape(dialect, &Method::POST, endpoint(below)).unwrap();
    let request = shape.read(below, body.as_bytes()).unwrap();
    let mut watch = Watch::new();
    if let Some(framing) = request.framing {
        let mut splitter = Splitter::new(framing, 1 << 20);
        let mut each = |frame: Frame<'_>| shape.frame(frame.event, frame.data, &mut watch);
        splitter.push(&answer.body, &mut each).unwrap();
        assert!(splitter.end(&mut each), "{name}");
        shape.end(&mut watch);
    } else {
        shape.whole(&answer.body, &mut watch);
    }
    // Some tell what they used only if they are asked, and the first version of Cohere elsewhere.
    let layout = request.framing.map_or(Layout::Whole, |_| Layout::Lines);
    let mut usage = UsageReader::new(layout);
    usage.take(&answer.body);
    let used = usage.reported().usage.map_or(0, |usage| usage.tokens.sum());
    watch.verdict(request.choices).is_ok() && used == 0
}

#[tokio::test]
async fn every_shape_is_answered_plain_and_streamed() {
    let provider = provider();
    let sidecar = sidecar(&provider);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/rules");
    let writes = env::var("LARDER_GOLDEN").is_ok_and(|what| what == "write");
    for case in CASES {
        let (name, _, path, body) = case;
        let answer = post(&sidecar.client(), path, &[], body).await;
        assert_eq!((answer.status, answer.header("x-larder-rule")), (200, "made"), "{name}");
        assert_eq!(answer.header("cache-status"), "larder; detail=rule", "{name}");
        assert!(
            UNWATCHED.contains(name) || is_complete(case, &answer),
            "{name}: {}",
            answer.text()
        );
        let (file, written) = (folder.join(format!("{name}.txt")), as_written(&answer));
        if writes {
            fs::write(&file, &written).unwrap();
        }
        assert_eq!(written, fs::read_to_string(&file).unwrap_or_default(), "{name}");
    }
    assert_eq!(provider.calls().len(), 0);
}

#[tokio::test]
async fn a_stream_of_cohere_s_first_version_comes_as_events_to_who_accepts_them() {
    let provider = provider();
    let sidecar = sidecar(&provider);
    let body = r#"{"model":"m","message":"a","stream":true}"#;
    let accept = [("accept", "text/event-stream")];
    let answer = post(&sidecar.client(), "/cohere/v1/chat", &accept, body).await;
    assert!(answer.header("content-type").starts_with("text/event-stream"));
    assert!(
        answer.text().starts_with("data: {\"event_type\":\"stream-start\""),
        "{}",
        answer.text()
    );
}

#[tokio::test]
async fn no_two_answers_are_called_the_same() {
    let provider = provider();
    let sidecar = sidecar(&provider);
    let (_, _, path, body) = CASES[0];
    let first = post(&sidecar.client(), path, &[], body).await;
    let second = post(&sidecar.client(), path, &[], body).await;
    assert_ne!(first.body, second.body);
    assert_eq!(as_written(&first), as_written(&second));
}

#[tokio::test]
async fn more_answers_than_anybody_gives_at_once_are_not_made() {
    let provider = provider();
    let sidecar = sidecar(&provider);
    for n in ["0", "129", "18446744073709551615"] {
        let body = format!(r#"{{"model":"m","n":{n},"messages":[]}}"#);
        let answer = post(&sidecar.client(), "/v1/chat/completions", &[], &body).await;
        assert_eq!((answer.status, answer.header("x-larder-rule")), (200, ""), "{n}");
    }
    assert_eq!(provider.calls().len(), 3);
}
