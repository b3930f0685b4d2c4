//! Usage of every provider's shape, in one piece and in any number of pieces.

use serde_json::json;

use super::*;

fn tokens<const N: usize>(kinds: [(Kind, u64); N]) -> Tokens {
    kinds.into_iter().fold(Tokens::default(), |tokens, (kind, number)| tokens.with(kind, number))
}

fn read(layout: Layout, body: &str, at_a_time: usize) -> Reported {
    let mut reader = UsageReader::new(layout);
    body.as_bytes().chunks(at_a_time).for_each(|piece| reader.take(piece));
    reader.reported()
}

fn usage(body: &str) -> Usage {
    Reported::of(body.as_bytes()).usage.unwrap_or_default()
}

#[test]
fn cached_tokens_are_within_the_prompt_at_openai_and_beside_it_at_anthropic() {
    let openai = json!({ "usage": {
        "prompt_tokens": 2006, "completion_tokens": 300, "total_tokens": 2306,
        "prompt_tokens_details": { "cached_tokens": 1920, "audio_tokens": 6 },
        "completion_tokens_details": { "reasoning_tokens": 256, "audio_tokens": 4 },
    } });
    let expected = [
        (Kind::Input, 80),
        (Kind::CacheRead, 1920),
        (Kind::AudioInput, 6),
        (Kind::Output, 40),
        (Kind::Thinking, 256),
        (Kind::AudioOutput, 4),
    ];
    assert_eq!(usage(&openai.to_string()).tokens, tokens(expected));
    let anthropic = json!({ "usage": {
        "input_tokens": 9, "output_tokens": 5, "cache_read_input_tokens": 1000,
        "cache_creation_input_tokens": 100,
        "cache_creation": { "ephemeral_5m_input_tokens": 60, "ephemeral_1h_input_tokens": 40 },
        "server_tool_use": { "web_search_requests": 2 }, "service_tier": "standard",
    } });
    let expected = [
        (Kind::Input, 9),
        (Kind::CacheRead, 1000),
        (Kind::CacheWrite, 60),
        (Kind::CacheWrite1h, 40),
        (Kind::Output, 5),
    ];
    let read = usage(&anthropic.to_string());
    assert_eq!((read.tokens, read.searches), (tokens(expected), 2));
    assert_eq!(read.tokens.input(), 1109);
}

#[test]
fn every_shape_has_its_usage() {
    let all = [Kind::Input, Kind::CacheRead, Kind::Output, Kind::Thinking];
    for (body, numbers) in [
        (
            r#"{"usage":{"input_tokens":9,"output_tokens":5,"input_tokens_details":{"cached_tokens":4},"output_tokens_details":{"reasoning_tokens":2}}}"#,
            [5, 4, 3, 2],
        ),
        (
            r#"{"usageMetadata":{"promptTokenCount":9,"cachedContentTokenCount":4,"candidatesTokenCount":3,"thoughtsTokenCount":2,"totalTokenCount":14}}"#,
            [5, 4, 3, 2],
        ),
        (
            r#"[{"usageMetadata":{"promptTokenCount":9}},{"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":3,"toolUsePromptTokenCount":1}}]"#,
            [10, 0, 3, 0],
        ),
        (
            r#"{"usage":{"billed_units":{"input_tokens":5.0,"output_tokens":3},"tokens":{"input_tokens":70,"output_tokens":9}}}"#,
            [5, 0, 3, 0],
        ),
        (r#"{"meta":{"billed_units":{"input_tokens":5}}}"#, [5, 0, 0, 0]),
        (
            r#"{"usage":{"prompt_tokens":9,"prompt_cache_hit_tokens":4,"prompt_cache_miss_tokens":5,"completion_tokens":3}}"#,
            [5, 4, 3, 0],
        ),
        (r#"{"usage":{"total_tokens":7}}"#, [7, 0, 0, 0]),
        (r#"{"prompt_eval_count":5,"eval_count":3}"#, [5, 0, 3, 0]),
        // xAI counts the reasoning beside the output.
        (
            r#"{"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":14,"completion_tokens_details":{"reasoning_tokens":2}}}"#,
            [9, 0, 3, 2],
        ),
        // More parts than there are tokens.
        (
            r#"{"usage":{"prompt_tokens":2,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":9}}}"#,
            [0, 2, 1, 0],
        ),
    ] {
        let kinds = all.into_iter().zip(numbers);
        let expected = kinds.fold(Tokens::default(), |sum, (kind, number)| sum.with(kind, number));
        assert_eq!(usage(body).tokens, expected, "{body}");
    }
    assert_eq!(usage(r#"{"usage":{"cost":0.5,"prompt_tokens":1}}"#).dollars, Some(0.5));
    assert_eq!(usage(r#"{"usage":{"cost":-1,"prompt_tokens":1}}"#).dollars, None);
    assert_eq!(usage(r#"{"meta":{"billed_units":{"search_units":1}}}"#).searches, 1);
    let audio = r#"{"usageMetadata":{"promptTokenCount":9,"promptTokensDetails":[{"modality":"TEXT","tokenCount":2},{"modality":"AUDIO","tokenCount":7}]}}"#;
    assert_eq!(usage(audio).tokens, tokens([(Kind::Input, 2), (Kind::AudioInput, 7)]));
}

#[test]
fn tiers_and_models_are_as_the_provider_names_them() {
    for (word, tier) in [
        ("default", Tier::Standard),
        ("FLEX", Tier::Flex),
        ("priority", Tier::Priority),
        ("scale", Tier::Other),
    ] {
        let body = format!(
            r#"{{"model":"gpt-4o-2024-08-06","service_tier":"{word}","usage":{{"prompt_tokens":1}}}}"#
        );
        let reported = Reported::of(body.as_bytes());
        assert_eq!(reported.usage.unwrap().tier, tier);
        assert_eq!(reported.model, "gpt-4o-2024-08-06");
    }
    let fast = usage(r#"{"usage":{"input_tokens":1,"speed":"fast","inference_geo":"us"}}"#);
    assert!(fast.is_fast && fast.is_us);
}

#[test]
fn a_stream_is_read_wherever_it_is_cut() {
    let stream = format!(
        "event: message_start\ndata: {}\n\n{}data: {}\n\nevent: message_delta\ndata: {}\n\ndata: [DONE]\n\n",
        r#"{"type":"message_start","message":{"model":"claude-a","usage":{"input_tokens":12,"cache_read_input_tokens":7,"output_tokens":1}}}"#,
        "data: {\"delta\":{\"text\":\"word \"}}\n\n".repeat(50),
        r#"{"delta":{"text":"\"usage\":{\"output_tokens\": 9} {[ is a text"}}"#,
        r#"{"usage":{"output_tokens":567}}"#
    );
    let expected = tokens([(Kind::Input, 12), (Kind::CacheRead, 7), (Kind::Output, 567)]);
    for at_a_time in (1..120).chain([4_096, 1 << 20]) {
        let reported = read(Layout::Lines, &stream, at_a_time);
        assert_eq!(reported.usage.unwrap().tokens, expected, "{at_a_time}");
        assert_eq!(reported.model, "claude-a");
    }
}

#[test]
fn no_text_of_a_model_is_taken_for_a_count() {
    let quoted = r#"{"prompt_tokens":1000000}"#;
    let body = json!({
        "choices": [{ "message": { "content": quoted, "usage": { "prompt_tokens": 8 },
            "tool_calls": [{ "usage": { "prompt_tokens": 7 } }] } }],
        "output": [{ "usage": { "input_tokens": 6 } }],
        "metadata": { "usage": { "input_tokens": 5 } },
        "usage": { "prompt_tokens": 3, "completion_tokens": 2 },
    });
    let body = serde_json::to_string_pretty(&body).unwrap();
    for at_a_time in (1..60).chain([1 << 20]) {
        let reported = read(Layout::Whole, &body, at_a_time).usage.unwrap();
        assert_eq!(reported.tokens, tokens([(Kind::Input, 3), (Kind::Output, 2)]), "{at_a_time}");
    }
    assert_eq!(Reported::of(quoted.as_bytes()).usage, None);
}

#[test]
fn a_response_that_is_no_json_has_no_usage_and_takes_no_memory() {
    for body in [
        "",
        "null",
        "{",
        "[[[[",
        "}}]]",
        "\"usage\":{\"prompt_tokens\":1}",
        "{\"usage\":\"5\"}",
        "{\"usage\":{\"prompt_tokens\":\"5\"}}",
        "<html>{usage}</html>",
    ] {
        for layout in [Layout::Whole, Layout::Lines] {
            assert_eq!(read(layout, body, 3).usage, None, "{body}");
        }
    }
    let mut reader = UsageReader::new(Layout::Whole);
    reader.take(b"{\"model\":\"");
    (0..10_000).for_each(|_| reader.take(&[b'x'; 1_000]));
    reader.take(b"\",\"usage\":{\"prompt_tokens\":1}}");
    assert_eq!(reader.reported().usage.unwrap().tokens.sum(), 1);
    let deep = "[".repeat(1 << 20);
    assert_eq!(read(Layout::Whole, &deep, 1 << 16).usage, None);
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_read_the_same_in_pieces(
        body in "([{}\\[\\]\":, a\\\\\n]|\"usage\":|\"prompt_tokens\":1|\"model\":\"m\"|\"message\":){0,60}",
        at in 1_usize..20,
    ) {
        for layout in [Layout::Whole, Layout::Lines] {
            let pieces = read(layout, &body, at);
            proptest::prop_assert_eq!(pieces, read(layout, &body, usize::MAX));
        }
    }
}
