//! What is the same question, who may share its answer, and when an answer is complete: for each
//! shape.

use proptest::prelude::*;

use super::*;
use crate::request::{Framing, Sharing};

const PATHS: &[(&str, &str)] = &[
    ("openai", "/chat/completions"),
    ("openai", "/completions"),
    ("openai", "/responses"),
    ("anthropic", "/messages"),
    ("gemini", "/models/gemini-2.5-flash:generateContent"),
    ("ollama", "/api/chat"),
    ("cohere", "/chat"),
];

fn of(dialect: &str, path: &str) -> &'static dyn ChatShape {
    shape(dialect, path).unwrap_or_else(|| panic!("{dialect} {path}"))
}

fn read(dialect: &str, path: &str, body: &str) -> ChatRequest {
    of(dialect, path).read(path, body.as_bytes()).unwrap()
}

fn sharing(dialect: &str, path: &str, body: &str) -> Sharing {
    read(dialect, path, body).sharing
}

fn chat(body: &str) -> ChatRequest {
    read("openai", "/chat/completions", body)
}

/// What becomes of a whole answer with one choice.
fn whole(dialect: &str, path: &str, body: &str) -> Result<(), Spoilt> {
    let mut watch = Watch::new();
    of(dialect, path).whole(body.as_bytes(), &mut watch);
    watch.verdict(1)
}

/// What becomes of a stream with one choice.
fn stream(dialect: &str, path: &str, frames: &[&str]) -> Result<(), Spoilt> {
    let mut watch = Watch::new();
    let shape = of(dialect, path);
    frames.iter().for_each(|data| shape.frame(b"", data.as_bytes(), &mut watch));
    shape.end(&mut watch);
    watch.verdict(1)
}

#[test]
fn endpoints_are_known_by_dialect_and_path() {
    for (dialect, path) in [
        ("openai", "/embeddings"),
        ("openai", "/chat/completions/abc"),
        ("openai", "/messages"),
        ("gemini", "/models/x:countTokens"),
        ("gemini", "/models/x:embedContent"),
        ("ollama", "/api/embed"),
        ("azure", "/openai/deployments/x/embeddings"),
    ] {
        assert!(shape(dialect, path).is_none(), "{dialect} {path}");
    }
    for (dialect, path) in [
        ("groq", "/chat/completions"),
        ("ollama", "/chat/completions"),
        ("mistral", "/fim/completions"),
        ("azure", "/openai/deployments/x/chat/completions"),
        ("gemini", "/models/x:streamGenerateContent"),
    ] {
        assert!(shape(dialect, path).is_some(), "{dialect} {path}");
    }
}

#[test]
fn order_white_space_escapes_and_who_asks_make_no_other_question() {
    let one = chat(r#"{"model":"m","temperature":0,"messages":[{"role":"user","content":"é\n"}]}"#);
    let other = chat(
        "{ \"messages\" : [ {\"content\":\"\\u00e9\\u000a\", \"role\":\"user\"} ],\n \
         \"user\":\"me\", \"metadata\":{\"a\":1}, \"temperature\":0, \"model\":\"\\u006d\"}",
    );
    assert_eq!(one, other);
    for different in [
        r#"{"model":"m","temperature":0,"messages":[{"role":"user","content":"é\n "}]}"#,
        r#"{"model":"m","temperature":0,"messages":[{"role":"user","content":"e\u0301\n"}]}"#,
        r#"{"model":"m","temperature":0,"seed":1,"messages":[{"role":"user","content":"é\n"}]}"#,
        r#"{"model":"n","temperature":0,"messages":[{"role":"user","content":"é\n"}]}"#,
    ] {
        assert_ne!(one.question, chat(different).question, "{different}");
    }
}

#[test]
fn what_cannot_be_read_in_one_form_is_taken_as_written() {
    let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
    for body in [
        r#"{"a":"\ud800"}"#,
        r#"{"a":{"b":1,"b":2}}"#,
        r#"{"a":123456789012345678901234567890.50}"#,
        &deep,
    ] {
        assert_eq!(chat(body).question, body.as_bytes(), "{body}");
    }
    assert_ne!(chat(r#"{"a":"\ud800"}"#).question, chat(r#"{"a":"\\ud800"}"#).question);
}

#[test]
fn a_member_that_stands_twice_is_not_read() {
    for (dialect, path) in PATHS {
        for body in [r#"{"model":"a","model":"b"}"#, "[]", "", "{", r#"{"stream":"yes"}"#] {
            let read = of(dialect, path).read(path, body.as_bytes());
            let stream_is_read = body.contains("stream") && *dialect == "gemini";
            assert_eq!(read.is_ok(), stream_is_read, "{dialect} {body}");
        }
    }
}

#[test]
fn only_questions_without_chance_and_effect_are_shared_by_themselves() {
    let openai = |body| sharing("openai", "/chat/completions", body);
    for body in [r#"{"temperature":0}"#, r#"{"temperature":0.0,"n":1,"tools":[],"store":false}"#] {
        assert_eq!(openai(body), Sharing::Deterministic, "{body}");
    }
    for (body, right) in [
        ("{}", Sharing::Drawn("temperature")),
        (r#"{"temperature":null}"#, Sharing::Drawn("temperature")),
        (r#"{"temperature":"0"}"#, Sharing::Drawn("temperature")),
        (r#"{"temperature":0.1}"#, Sharing::Drawn("temperature")),
        (r#"{"temperature":0,"n":2}"#, Sharing::Drawn("n")),
        (r#"{"temperature":0,"tools":[{}]}"#, Sharing::Drawn("tools")),
        (r#"{"temperature":0,"functions":[{}]}"#, Sharing::Drawn("tools")),
        (r#"{"temperature":0,"store":true}"#, Sharing::Never("state")),
        (r#"{"temperature":0,"modalities":["text","audio"]}"#, Sharing::Never("audio")),
    ] {
        assert_eq!(openai(body), right, "{body}");
    }
    let responses = |body| sharing("openai", "/responses", body);
    assert_eq!(responses(r#"{"temperature":0,"store":false}"#), Sharing::Deterministic);
    for body in [
        r#"{"temperature":0}"#,
        r#"{"temperature":0,"store":null}"#,
        r#"{"temperature":0,"store":false,"previous_response_id":"x"}"#,
        r#"{"temperature":0,"store":false,"conversation":"x"}"#,
        r#"{"temperature":0,"store":false,"background":true}"#,
    ] {
        assert_eq!(responses(body), Sharing::Never("state"), "{body}");
    }
    let anthropic = |body| sharing("anthropic", "/messages", body);
    assert_eq!(anthropic(r#"{"temperature":0}"#), Sharing::Deterministic);
    assert_eq!(anthropic("{}"), Sharing::Drawn("temperature"));
    assert_eq!(anthropic(r#"{"temperature":0,"tools":[{}]}"#), Sharing::Drawn("tools"));
    assert_eq!(anthropic(r#"{"temperature":0,"container":"x"}"#), Sharing::Never("state"));
    let ollama = |body| sharing("ollama", "/api/chat", body);
    assert_eq!(ollama(r#"{"options":{"temperature":0}}"#), Sharing::Deterministic);
    assert_eq!(ollama(r#"{"temperature":0}"#), Sharing::Drawn("temperature"));
    let cohere = |body| sharing("cohere", "/chat", body);
    assert_eq!(cohere(r#"{"temperature":0,"messages":[{}]}"#), Sharing::Deterministic);
    assert_eq!(cohere(r#"{"message":"x","stream":true}"#), Sharing::Never("framing"));
}

#[test]
fn gemini_says_in_its_path_how_it_answers() {
    let read = |path: &str, body: &str| {
        of("gemini", "/models/m:generateContent").read(path, body.as_bytes())
    };
    let cold = r#"{"contents":[],"generationConfig":{"temperature":0}}"#;
    let plain = read("/v1beta/models/m:generateContent", cold).unwrap();
    assert_eq!((plain.model.as_str(), plain.framing), ("m", None));
    assert_eq!(plain.sharing, Sharing::Deterministic);
    let events = read("/v1beta/models/m:streamGenerateContent?key=x&alt=sse", cold).unwrap();
    assert_eq!((events.framing, events.sharing), (Some(Framing::Events), Sharing::Deterministic));
    let array = read("/v1beta/models/m:streamGenerateContent", cold).unwrap();
    assert_eq!(array.sharing, Sharing::Never("array"));
    assert!(
        read("/models/m:generateContent", r#"{"generation_config":{"temperature":0}}"#).is_err()
    );
}

#[test]
fn ollama_streams_unless_told_not_to() {
    let framing = |body| read("ollama", "/api/generate", body).framing;
    assert_eq!(framing("{}"), Some(Framing::Lines));
    assert_eq!(framing(r#"{"stream":true}"#), Some(Framing::Lines));
    assert_eq!(framing(r#"{"stream":false}"#), None);
}

#[test]
fn prompts_and_choices_are_counted() {
    let choices = |body| read("openai", "/completions", body).choices;
    assert_eq!(choices(r#"{"prompt":"a"}"#), 1);
    assert_eq!(choices(r#"{"prompt":[1,2,3]}"#), 1);
    assert_eq!(choices(r#"{"prompt":["a","b"],"n":3}"#), 6);
    assert_eq!(choices(r#"{"prompt":[[1],[2]]}"#), 2);
}

#[test]
fn a_whole_answer_is_complete_only_with_a_good_reason() {
    let openai = |choice: &str| {
        whole("openai", "/chat/completions", &format!(r#"{{"choices":[{choice}],"usage":{{}}}}"#))
    };
    assert_eq!(openai(r#"{"index":0,"message":{"content":"a"},"finish_reason":"stop"}"#), Ok(()));
    for (choice, right) in [
        (r#"{"finish_reason":"length"}"#, Spoilt::Reason),
        (r#"{"finish_reason":"content_filter"}"#, Spoilt::Reason),
        (r#"{"finish_reason":"tool_calls"}"#, Spoilt::Reason),
        (r#"{"finish_reason":null}"#, Spoilt::Unfinished),
        (r#"{"finish_reason":"stop","message":{"tool_calls":[{}]}}"#, Spoilt::Reason),
        (r#"{"finish_reason":"stop","message":{"refusal":"no"}}"#, Spoilt::Refused),
        ("", Spoilt::Unfinished),
        (
            r#"{"index":0,"finish_reason":"stop"},{"index":1,"finish_reason":"stop"}"#,
            Spoilt::Unfinished,
        ),
        ("1", Spoilt::Unreadable),
    ] {
        assert_eq!(openai(choice), Err(right), "{choice}");
    }
    assert_eq!(whole("openai", "/chat/completions", r#"{"error":{}}"#), Err(Spoilt::Error));
    let message = |rest: &str| {
        whole("anthropic", "/messages", &format!(r#"{{"type":"message","content":[]{rest}}}"#))
    };
    assert_eq!(message(r#","stop_reason":"end_turn""#), Ok(()));
    assert_eq!(message(r#","stop_reason":"stop_sequence""#), Ok(()));
    for reason in ["max_tokens", "tool_use", "pause_turn", "refusal"] {
        assert_eq!(message(&format!(r#","stop_reason":"{reason}""#)), Err(Spoilt::Reason));
    }
    let response = |rest: &str| whole("openai", "/responses", &format!("{{{rest}}}"));
    assert_eq!(
        response(r#""status":"completed","error":null,"output":[{"type":"message"}]"#),
        Ok(())
    );
    assert_eq!(response(r#""status":"incomplete""#), Err(Spoilt::Reason));
    assert_eq!(
        response(r#""status":"completed","output":[{"type":"function_call"}]"#),
        Err(Spoilt::Reason)
    );
    let candidate = |rest: &str| {
        let path = "/models/m:generateContent";
        whole("gemini", path, &format!(r#"{{"candidates":[{{{rest}}}]}}"#))
    };
    assert_eq!(candidate(r#""finishReason":"STOP","content":{"parts":[{"text":"a"}]}"#), Ok(()));
    assert_eq!(candidate(r#""finishReason":"MAX_TOKENS""#), Err(Spoilt::Reason));
    assert_eq!(
        candidate(r#""finishReason":"STOP","content":{"parts":[{"functionCall":{}}]}"#),
        Err(Spoilt::Reason)
    );
    let ollama = |body| whole("ollama", "/api/chat", body);
    assert_eq!(ollama(r#"{"message":{"content":"a"},"done":true,"done_reason":"stop"}"#), Ok(()));
    assert_eq!(ollama(r#"{"done":true,"done_reason":"length"}"#), Err(Spoilt::Reason));
    assert_eq!(ollama(r#"{"done":false,"done_reason":"stop"}"#), Err(Spoilt::Unfinished));
    assert_eq!(
        ollama(r#"{"message":{"tool_calls":[{}]},"done":true,"done_reason":"stop"}"#),
        Err(Spoilt::Reason)
    );
    let cohere = |body| whole("cohere", "/chat", body);
    assert_eq!(cohere(r#"{"message":{"content":[]},"finish_reason":"COMPLETE"}"#), Ok(()));
    assert_eq!(cohere(r#"{"finish_reason":"MAX_TOKENS"}"#), Err(Spoilt::Reason));
}

#[test]
fn a_stream_is_complete_only_with_its_reasons_and_its_mark() {
    let openai = |frames: &[&str]| stream("openai", "/chat/completions", frames);
    let part = r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}"#;
    let stop = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
    let usage = r#"{"choices":[],"usage":{}}"#;
    assert_eq!(openai(&[part, part, stop, usage, "[DONE]"]), Ok(()));
    assert_eq!(openai(&[part, stop]), Err(Spoilt::Unfinished));
    assert_eq!(openai(&[part, "[DONE]"]), Err(Spoilt::Unfinished));
    assert_eq!(openai(&["[DONE]"]), Err(Spoilt::Unfinished));
    assert_eq!(openai(&[part, stop, "[DONE]", part]), Err(Spoilt::Unreadable));
    assert_eq!(openai(&[part, r#"{"error":{"message":"x"}}"#, "[DONE]"]), Err(Spoilt::Error));
    assert_eq!(openai(&[part, r#"{"object":"error"}"#, stop, "[DONE]"]), Err(Spoilt::Error));
    assert_eq!(openai(&[part, &part.replace("null", "\"length\""), "[DONE]"]), Err(Spoilt::Reason));

    let messages = |frames: &[&str]| stream("anthropic", "/messages", frames);
    let delta = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{}}"#;
    let (ping, over) = (r#"{"type":"ping"}"#, r#"{"type":"message_stop"}"#);
    assert_eq!(messages(&[r#"{"type":"message_start"}"#, ping, delta, over]), Ok(()));
    assert_eq!(messages(&[delta]), Err(Spoilt::Unfinished));
    assert_eq!(messages(&[over]), Err(Spoilt::Unfinished));
    assert_eq!(messages(&[delta, r#"{"type":"error"}"#, over]), Err(Spoilt::Error));

    let responses = |frames: &[&str]| stream("openai", "/responses", frames);
    let completed = r#"{"type":"response.completed","response":{"status":"completed"}}"#;
    assert_eq!(responses(&[r#"{"type":"response.created","response":{}}"#, completed]), Ok(()));
    assert_eq!(responses(&[r#"{"type":"response.created"}"#]), Err(Spoilt::Unfinished));
    assert_eq!(responses(&[r#"{"type":"response.incomplete"}"#]), Err(Spoilt::Reason));
    assert_eq!(responses(&[r#"{"type":"error"}"#]), Err(Spoilt::Error));

    let gemini = |frames: &[&str]| stream("gemini", "/models/m:streamGenerateContent", frames);
    assert_eq!(
        gemini(&[r#"{"candidates":[{}]}"#, r#"{"candidates":[{"finishReason":"STOP"}]}"#]),
        Ok(())
    );
    assert_eq!(gemini(&[r#"{"candidates":[{}]}"#]), Err(Spoilt::Unfinished));

    let ollama = |frames: &[&str]| stream("ollama", "/api/chat", frames);
    assert_eq!(ollama(&[r#"{"done":false}"#, r#"{"done":true,"done_reason":"stop"}"#]), Ok(()));
    assert_eq!(ollama(&[r#"{"done":false}"#, r#"{"error":"x"}"#]), Err(Spoilt::Error));

    let cohere = |frames: &[&str]| stream("cohere", "/chat", frames);
    let end = r#"{"type":"message-end","delta":{"finish_reason":"COMPLETE"}}"#;
    assert_eq!(cohere(&[r#"{"type":"content-delta","delta":{}}"#, end, "[DONE]"]), Ok(()));
    assert_eq!(cohere(&[r#"{"type":"tool-call-start"}"#, end]), Err(Spoilt::Reason));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn no_body_and_no_answer_breaks_a_shape(
        body in prop_oneof![
            "\\{(\"(model|stream|temperature|n|options|choices|type|a)\":(null|0|true|\"x\"|\\[\\]|\\{\\}|\\[\\{\"index\":1\\}\\]),?){0,4}\\}",
            "[\\[\\]{}:,\"a-e0-9\\\\ ]{0,60}",
        ],
        which in 0..PATHS.len(),
    ) {
        let (dialect, path) = PATHS[which];
        let shape = of(dialect, path);
        if let Ok(read) = shape.read(path, body.as_bytes()) {
            // One form is a form of itself.
            if let Ok(again) = shape.read(path, &read.question) {
                prop_assert_eq!(again.question, read.question);
            }
        }
        let mut watch = Watch::new();
        shape.whole(body.as_bytes(), &mut watch);
        shape.frame(b"", body.as_bytes(), &mut watch);
    }
}
