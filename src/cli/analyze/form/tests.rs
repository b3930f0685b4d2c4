//! Each form of a line, and lines of none.

use super::*;

/// Where a line's request went, and its body.
fn of(line: &str) -> Result<(Place<'_>, String), Unfit> {
    let request = read(line.as_bytes())?;
    Ok((request.place, String::from_utf8(request.body.into_owned()).unwrap()))
}

fn guessed(paths: &'static [&'static str]) -> Place<'static> {
    Place::Guessed(None, paths)
}

fn at(target: &str) -> Place<'_> {
    Place::At(Method::POST, Cow::Borrowed(target))
}

#[test]
fn a_body_is_a_line_by_itself() {
    for (line, paths) in [
        (r#"{"model":"m","input":["a","b"]}"#, EMBEDDINGS),
        (r#"{"model":"m","texts":["a"],"input_type":"search_query"}"#, EMBEDDINGS),
        (r#"{"inputs":"a"}"#, EMBEDDINGS),
        (r#"{"model":"m","messages":[]}"#, MESSAGES),
        (r#"{"model":"m","prompt":"a"}"#, PROMPTS),
    ] {
        assert_eq!(of(line), Ok((guessed(paths), line.to_owned())));
    }
}

#[test]
fn a_logged_request_says_where_it_went() {
    let body = r#"{"model":"m","input":"a"}"#;
    let string = serde_json::to_string(body).unwrap();
    for (line, target) in [
        (
            format!(
                r#"{{"timestamp":"t","request":{{"method":"POST","path":"/v1/e","body":{body}}}}}"#
            ),
            "/v1/e",
        ),
        (format!(r#"{{"timestamp":1,"request":{{"path":"/v1/e","body":{string}}}}}"#), "/v1/e"),
        (format!(r#"{{"custom_id":"1","method":"POST","url":"/v1/e","body":{body}}}"#), "/v1/e"),
        (
            format!(
                r#"{{"request":{{"url":"https://h/v1/e","body":{body}}},"response":{{"status_code":200}}}}"#
            ),
            "https://h/v1/e",
        ),
    ] {
        assert_eq!(of(&line), Ok((at(target), body.to_owned())), "{line}");
    }
}

#[test]
fn what_an_answer_says_of_itself_is_read() {
    let line = r#"{"request":{"url":"/e","body":{}},
        "response":{"status":200,"body":{"usage":{"prompt_tokens":7}}}}"#;
    let said = read(line.as_bytes()).unwrap().said;
    let length = r#"{"usage":{"prompt_tokens":7}}"#.len();
    assert_eq!(said, Said { tokens: Some(7), answer: Some(length), ..Said::default() });
}

#[test]
fn a_litellm_line_is_the_request_it_was_made_for() {
    let rest = r#""id":"x","status":"success","custom_llm_provider":"openai","startTime":1.5,
        "endTime":2.5,"prompt_tokens":5,"response_cost":0.25,"cache_hit":true,"model":"m""#;
    let place = |paths| Place::Guessed(Some(Cow::Borrowed("openai")), paths);
    for (call, asked, parameters, paths, body) in [
        ("aembedding", r#"[{"role":"user","content":"a"}]"#, "{}", EMBEDDINGS, r#""input":"a""#),
        (
            "embedding",
            r#"[{"role":"user","content":"a"},{"content":"b","role":"user"}]"#,
            r#"{"user":null,"dimensions":8}"#,
            EMBEDDINGS,
            r#""input":["a","b"],"dimensions":8"#,
        ),
        ("embedding", r#"["a","b"]"#, "{}", EMBEDDINGS, r#""input":["a","b"]"#),
        ("embedding", "[[1,2],[3]]", "{}", EMBEDDINGS, r#""input":[[1,2],[3]]"#),
        (
            "acompletion",
            r#"[{"role":"user","content":"a"}]"#,
            r#"{"temperature":0,"model":"other"}"#,
            MESSAGES,
            r#""messages":[{"role":"user","content":"a"}],"temperature":0"#,
        ),
        ("text_completion", r#""a""#, "{}", PROMPTS, r#""prompt":"a""#),
    ] {
        let line = format!(
            r#"{{"call_type":"{call}",{rest},"messages":{asked},"model_parameters":{parameters}}}"#
        );
        assert_eq!(of(&line), Ok((place(paths), format!(r#"{{"model":"m",{body}}}"#))), "{line}");
        let said = read(line.as_bytes()).unwrap().said;
        assert_eq!(said, Said { tokens: Some(5), cost: Some(0.25), answer: None, cached: true });
    }
}

#[test]
fn a_streamed_litellm_line_says_so() {
    let line = r#"{"call_type":"completion","model":"m","stream":true,"input":[],"messages":"x"}"#;
    assert_eq!(of(line).unwrap().1, r#"{"model":"m","messages":[],"stream":true}"#);
}

#[test]
fn what_is_withheld_or_failed_or_nothing_is_told_apart() {
    for (line, unfit) in [
        (r#"{"call_type":"embedding","model":"m","messages":null}"#, Unfit::Withheld),
        (
            r#"{"call_type":"embedding","model":"m","messages":[{"role":"user","content":"redacted-by-litellm"}]}"#,
            Unfit::Withheld,
        ),
        (r#"{"call_type":"aimage_generation","model":"m","messages":"x"}"#, Unfit::Withheld),
        (r#"{"call_type":"embedding","model":"m","status":"failure"}"#, Unfit::Failed),
        (r#"{"request":{"path":"/e","body":{}},"response":{"status":429}}"#, Unfit::Failed),
        (r#"{"path":"/e","status":500,"body":{}}"#, Unfit::Failed),
        (r#"{"request":{"path":"/e"}}"#, Unfit::Withheld),
        (r#"{"request":"POST /e HTTP/1.1"}"#, Unfit::Unknown),
        (r#"{"level":"info","input":"x"}"#, Unfit::Unknown),
        (r#"{"call_type":7}"#, Unfit::Unknown),
        (r#"{"custom_id":"1","response":{"status_code":200}}"#, Unfit::Unknown),
        ("[]", Unfit::Unknown),
        ("{", Unfit::Unknown),
        ("", Unfit::Unknown),
    ] {
        assert_eq!(of(line).err(), Some(unfit), "{line}");
    }
    assert_eq!(read(b"\xff\xfe").err(), Some(Unfit::Unknown));
}
