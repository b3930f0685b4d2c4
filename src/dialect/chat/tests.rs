//! What is the same question, and who may share its answer: for each shape.

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
    shape(dialect, &Method::POST, path).unwrap_or_else(|| panic!("{dialect} {path}"))
}

fn read(dialect: &str, path: &str, body: &str) -> ChatRequest {
    of(dialect, path).read(path, body.as_bytes()).unwrap()
}

fn sharing(dialect: &str, path: &str, body: &str) -> Sharing {
    read(dialect, path, body).sharing
}

/// What is asked of `/chat/completions`.
fn asked(body: &str) -> Vec<u8> {
    question(of("openai", "/chat/completions"), body.as_bytes()).unwrap()
}

#[test]
fn endpoints_are_known_by_dialect_and_path() {
    for (dialect, path) in [
        ("openai", "/embeddings"),
        ("openai", "/chat/completions/abc"),
        ("openai", "/messages"),
        ("gemini", "/models/x:predict"),
        ("gemini", "/models/x:embedContent"),
        ("ollama", "/api/embed"),
        ("azure", "/openai/deployments/x/embeddings"),
    ] {
        assert!(shape(dialect, &Method::POST, path).is_none(), "{dialect} {path}");
    }
    for (dialect, path) in [
        ("groq", "/chat/completions"),
        ("ollama", "/chat/completions"),
        ("mistral", "/fim/completions"),
        ("azure", "/openai/deployments/x/chat/completions"),
        ("gemini", "/models/x:streamGenerateContent"),
        ("gemini", "/openai/chat/completions"),
        ("cohere", "/compatibility/v1/chat/completions"),
    ] {
        assert!(shape(dialect, &Method::POST, path).is_some(), "{dialect} {path}");
    }
}

#[test]
fn what_speaks_like_openai_has_its_endpoints() {
    for dialect in crate::config::LIKE_OPENAI {
        for path in ["/chat/completions", "/completions", "/responses"] {
            let shapes = (of(dialect, path), of("openai", path));
            assert_eq!(format!("{:?}", shapes.0), format!("{:?}", shapes.1), "{dialect}");
        }
    }
}

#[test]
fn order_white_space_escapes_and_who_asks_make_no_other_question() {
    let one =
        asked(r#"{"model":"m","temperature":0,"messages":[{"role":"user","content":"é\n"}]}"#);
    let other = asked(
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
        assert_ne!(one, asked(different), "{different}");
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
        assert_eq!(asked(body), body.as_bytes(), "{body}");
    }
    assert_ne!(asked(r#"{"a":"\ud800"}"#), asked(r#"{"a":"\\ud800"}"#));
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
        (r#"{"temperature":0,"plugins":[{"id":"web"}]}"#, Sharing::Drawn("search")),
        (r#"{"temperature":0,"model":"m:online"}"#, Sharing::Drawn("search")),
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
        drop(shape.read(path, body.as_bytes()));
        if let Ok(once) = question(shape, body.as_bytes()) {
            // One form is a form of itself.
            if let Ok(again) = question(shape, &once) {
                prop_assert_eq!(again, once);
            }
        }
        drop(shape.spoken(path, body.as_bytes()));
        drop(renamed(shape, (path, body.as_bytes()), "m"));
        let mut watch = Watch::new();
        shape.whole(body.as_bytes(), &mut watch);
        shape.frame(b"", body.as_bytes(), &mut watch);
    }
}
