//! When an answer is complete: for each shape.

use super::*;

fn of(dialect: &str, path: &str) -> &'static dyn ChatShape {
    shape(dialect, &Method::POST, path).unwrap_or_else(|| panic!("{dialect} {path}"))
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
    for data in frames {
        shape.frame(b"", data.as_bytes(), &mut watch);
    }
    shape.end(&mut watch);
    watch.verdict(1)
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
}

#[test]
fn a_whole_answer_of_another_shape_is_complete_only_with_a_good_reason() {
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
