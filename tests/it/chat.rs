//! Answers of models: which are kept, for whom, and that they come back byte for byte.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Method, Response};
use http_body_util::Full;

use crate::harness::{Answer, Client, Scripted, Sidecar, Simulated};

/// What one endpoint is asked and answers.
struct Shape {
    /// Whose it is.
    dialect: &'static str,
    path: &'static str,
    ask: &'static str,
    media_type: &'static str,
    answer: &'static str,
    /// The same answer, not to be kept.
    unfinished: &'static [&'static str],
}

const EVENTS: &str = "text/event-stream";
const JSON: &str = "application/json";

const OPENAI: Shape = Shape {
    dialect: "openai",
    path: "/v1/chat/completions",
    ask: r#"{"model":"m","temperature":0,"messages":[{"role":"user","content":"a"}]}"#,
    media_type: JSON,
    answer: r#"{"id":"1","choices":[{"index":0,"message":{"content":"b"},"finish_reason":"stop"}]}"#,
    unfinished: &[
        r#"{"choices":[{"index":0,"message":{"content":"b"},"finish_reason":"length"}]}"#,
        r#"{"choices":[{"index":0,"message":{"tool_calls":[{}]},"finish_reason":"tool_calls"}]}"#,
        r#"{"choices":[{"index":0,"message":{"content":"b"},"finish_reason":"content_filter"}]}"#,
        r#"{"choices":[]}"#,
        "not json",
        "",
    ],
};

const OPENAI_STREAM: Shape = Shape {
    dialect: "openai",
    path: "/v1/chat/completions",
    ask: r#"{"model":"m","temperature":0,"stream":true,"messages":[]}"#,
    media_type: EVENTS,
    answer: ": hello\r\n\r\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"b\"}}]}\r\n\r\n\
             data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
             data: [DONE]\n\n",
    unfinished: &[
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"length\"}]}\n\ndata: [DONE]\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"b\"}}]}\n\ndata: [DONE]\n\n",
        "data: {\"error\":{\"message\":\"x\"}}\n\ndata: [DONE]\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n",
        "",
    ],
};

const COMPLETIONS: Shape = Shape {
    path: "/v1/completions",
    ask: r#"{"model":"m","temperature":0,"prompt":"a"}"#,
    answer: r#"{"choices":[{"index":0,"text":"b","finish_reason":"stop"}]}"#,
    unfinished: &[r#"{"choices":[{"index":0,"text":"b","finish_reason":"length"}]}"#],
    ..OPENAI
};

const RESPONSES: Shape = Shape {
    path: "/v1/responses",
    ask: r#"{"model":"m","temperature":0,"store":false,"input":"a"}"#,
    answer: r#"{"status":"completed","error":null,"output":[{"type":"message","content":[]}]}"#,
    unfinished: &[r#"{"status":"incomplete","error":null,"output":[]}"#],
    ..OPENAI
};

const RESPONSES_STREAM: Shape = Shape {
    path: "/v1/responses",
    ask: r#"{"model":"m","temperature":0,"store":false,"input":"a","stream":true}"#,
    media_type: EVENTS,
    answer: "event: response.created\ndata: {\"type\":\"response.created\"}\n\n\
             event: response.completed\n\
             data: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\"}}\n\n",
    unfinished: &[
        "event: error\ndata: {\"type\":\"error\"}\n\n",
        "event: response.incomplete\ndata: {\"type\":\"response.incomplete\",\"response\":{}}\n\n",
    ],
    ..OPENAI
};

const MESSAGES: Shape = Shape {
    dialect: "anthropic",
    path: "/anthropic/v1/messages",
    ask: r#"{"model":"m","max_tokens":9,"temperature":0,"messages":[]}"#,
    media_type: JSON,
    answer: r#"{"type":"message","content":[],"stop_reason":"end_turn"}"#,
    unfinished: &[
        r#"{"type":"message","content":[],"stop_reason":"max_tokens"}"#,
        r#"{"type":"message","content":[],"stop_reason":"tool_use"}"#,
    ],
};

const MESSAGES_STREAM: Shape = Shape {
    path: "/anthropic/messages",
    ask: r#"{"model":"m","max_tokens":9,"temperature":0,"messages":[],"stream":true}"#,
    media_type: EVENTS,
    answer: "event: message_start\ndata: {\"type\":\"message_start\"}\n\n\
             event: ping\ndata: {\"type\": \"ping\"}\n\n\
             event: message_delta\n\
             data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\n\
             event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    unfinished: &[
        "event: message_delta\n\
         data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\n",
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n",
    ],
    ..MESSAGES
};

const GEMINI: Shape = Shape {
    dialect: "gemini",
    path: "/gemini/v1beta/models/m:generateContent",
    ask: r#"{"contents":[],"generationConfig":{"temperature":0}}"#,
    media_type: JSON,
    answer: r#"{"candidates":[{"content":{"parts":[{"text":"b"}]},"finishReason":"STOP"}]}"#,
    unfinished: &[r#"{"candidates":[{"finishReason":"MAX_TOKENS"}]}"#],
};

const GEMINI_STREAM: Shape = Shape {
    path: "/gemini/v1beta/models/m:streamGenerateContent?alt=sse",
    media_type: EVENTS,
    answer: "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"b\"}]}}]}\r\n\r\n\
             data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\r\n\r\n",
    unfinished: &["data: {\"candidates\":[{\"content\":{\"parts\":[]}}]}\r\n\r\n"],
    ..GEMINI
};

const OLLAMA: Shape = Shape {
    dialect: "ollama",
    path: "/ollama/api/chat",
    ask: r#"{"model":"m","messages":[],"options":{"temperature":0}}"#,
    media_type: "application/x-ndjson",
    answer: "{\"message\":{\"content\":\"b\"},\"done\":false}\n\
             {\"message\":{\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\"}\n",
    unfinished: &[
        "{\"message\":{\"content\":\"b\"},\"done\":false}\n",
        "{\"message\":{\"content\":\"b\"},\"done\":false}\n{\"error\":\"x\"}\n",
    ],
};

const COHERE: Shape = Shape {
    dialect: "cohere",
    path: "/cohere/v2/chat",
    ask: r#"{"model":"m","messages":[{}],"temperature":0,"stream":true}"#,
    media_type: EVENTS,
    answer: "event: message-start\ndata: {\"type\":\"message-start\"}\n\n\
             event: message-end\n\
             data: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"COMPLETE\"}}\n\n",
    unfinished: &["event: message-start\ndata: {\"type\":\"message-start\"}\n\n"],
};

/// Those whose dialect this build has.
fn shapes() -> impl Iterator<Item = Shape> {
    let all = [
        OPENAI,
        OPENAI_STREAM,
        COMPLETIONS,
        RESPONSES,
        RESPONSES_STREAM,
        MESSAGES,
        MESSAGES_STREAM,
        GEMINI,
        GEMINI_STREAM,
        OLLAMA,
        COHERE,
    ];
    all.into_iter().filter(|shape| larder::dialect::named(shape.dialect).is_some())
}

/// A provider that says what it is told to say next.
struct Said(Scripted, Arc<Mutex<(&'static str, &'static str)>>);

impl Said {
    fn start() -> Self {
        let next = Arc::new(Mutex::new(("", "")));
        let says = Arc::clone(&next);
        let provider = Scripted::start(move |asked| {
            let (media_type, text) = *says.lock().unwrap();
            async move {
                let response = Response::builder()
                    .header("content-type", media_type)
                    .header("x-request-id", format!("req_{}", asked.number))
                    .header("x-ratelimit-remaining-requests", "7")
                    .header("anthropic-ratelimit-requests-remaining", "7")
                    .header("set-cookie", "a=b")
                    .header("openai-version", "2020-10-01");
                Some(response.body(Full::new(Bytes::from_static(text.as_bytes()))).unwrap())
            }
        });
        Self(provider, next)
    }

    fn sidecar(&self, more: &str) -> Sidecar {
        let at = self.0.address;
        let mut config = more.to_owned();
        for (name, base) in
            [("anthropic", "/v1"), ("gemini", "/v1beta"), ("ollama", ""), ("cohere", "/v2")]
        {
            if larder::dialect::named(name).is_some() {
                config += &format!(
                    "\n[providers.{name}]\ndialect = \"{name}\"\nbase_url = \"http://{at}{base}\"\n"
                );
            }
        }
        Sidecar::with(at, &config)
    }

    fn says(&self, media_type: &'static str, text: &'static str) {
        *self.1.lock().unwrap() = (media_type, text);
    }

    fn calls(&self) -> usize {
        self.0.calls().len()
    }
}

async fn post(client: &Client, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let json = [("content-type", JSON), ("authorization", "Bearer a")];
    let others = json.iter().filter(|(name, _)| headers.iter().all(|(other, _)| name != other));
    let headers: Vec<_> = headers.iter().chain(others).copied().collect();
    client.send(Method::POST, path, &headers, body.to_owned()).await
}

async fn ask(client: &Client, shape: &Shape) -> Answer {
    post(client, shape.path, &[], shape.ask).await
}

#[tokio::test]
async fn an_answer_that_ended_well_comes_back_byte_for_byte() {
    let provider = Said::start();
    let sidecar = provider.sidecar("");
    let client = sidecar.client();
    for (number, shape) in shapes().enumerate() {
        provider.says(shape.media_type, shape.answer);
        let first = ask(&client, &shape).await;
        let at = shape.path;
        assert_eq!((first.status, first.text().as_str()), (200, shape.answer), "{at}");
        assert_eq!(first.header("cache-status"), "larder; fwd=miss; stored", "{at}");
        assert_eq!(first.header("x-request-id"), format!("req_{number}"), "{at}");
        assert_eq!(first.header("x-ratelimit-remaining-requests"), "7", "{at}");
        let second = ask(&client, &shape).await;
        assert_eq!((second.status, second.text().as_str()), (200, shape.answer), "{at}");
        let status = second.header("cache-status");
        assert!(status.starts_with("larder; hit; ttl=86"), "{at}: {status}");
        assert!(status.ends_with("; detail=memory"), "{at}: {status}");
        assert_eq!(second.header("content-type"), shape.media_type, "{at}");
        assert_eq!(second.header("openai-version"), "2020-10-01", "{at}");
        assert!(second.header("server-timing").starts_with("cache;dur="), "{at}");
        assert_eq!(second.header("age"), "0", "{at}");
        for gone in
            ["x-request-id", "x-ratelimit-remaining-requests", "set-cookie", "x-larder-items"]
        {
            assert_eq!(second.header(gone), "", "{at}: {gone}");
        }
        assert_eq!(second.header("anthropic-ratelimit-requests-remaining"), "", "{at}");
        assert_eq!(provider.calls(), number + 1, "{at}");
    }
    let count = shapes().count() as f64;
    let stored = sidecar.metric("larder_chat_answers_total", "result=\"stored\"").await;
    assert!((stored - count).abs() < 0.5, "{stored}");
    let labels = "operation=\"chat\",verdict=\"hit\"";
    assert!(
        (sidecar.metric("larder_time_to_first_byte_seconds_count", labels).await - count).abs()
            < 0.5
    );
}

#[tokio::test]
async fn an_answer_that_did_not_end_well_is_passed_on_and_not_kept() {
    let provider = Said::start();
    let sidecar = provider.sidecar("");
    let client = sidecar.client();
    for shape in shapes() {
        for unfinished in shape.unfinished {
            provider.says(shape.media_type, unfinished);
            for _ in 0..2 {
                let before = provider.calls();
                let answer = ask(&client, &shape).await;
                assert_eq!((answer.status, answer.text().as_str()), (200, *unfinished));
                assert_eq!(provider.calls(), before + 1, "{unfinished}");
            }
        }
        provider.says("text/plain", shape.answer);
        let before = provider.calls();
        for _ in 0..2 {
            let answer = ask(&client, &shape).await;
            assert_eq!(answer.header("cache-status"), "larder; fwd=miss");
        }
        assert_eq!(provider.calls(), before + 2, "{}", shape.path);
    }
    assert!(sidecar.metric("larder_chat_answers_total", "result=\"stored\"").await < 0.5);
}

#[tokio::test]
async fn different_callers_and_versions_never_share() {
    let provider = Said::start();
    let sidecar = provider.sidecar("");
    let client = sidecar.client();
    provider.says(MESSAGES.media_type, MESSAGES.answer);
    let callers: &[&[(&str, &str)]] = &[
        &[],
        &[("authorization", "Bearer b")],
        &[("x-api-key", "a")],
        &[("anthropic-version", "2023-06-01")],
        &[("anthropic-beta", "x")],
        &[("openai-beta", "x")],
        &[("openai-organization", "x")],
    ];
    for (number, headers) in callers.iter().enumerate() {
        for _ in 0..2 {
            assert_eq!(post(&client, MESSAGES.path, headers, MESSAGES.ask).await.status, 200);
        }
        assert_eq!(provider.calls(), number + 1, "{headers:?}");
    }
    // Who is only told to the provider shares.
    let user = MESSAGES.ask.replace("{\"model\"", "{\"metadata\":{\"user_id\":\"x\"},\"model\"");
    assert!(post(&client, MESSAGES.path, &[], &user).await.header("cache-status").contains("hit"));
}

#[tokio::test]
async fn what_may_not_be_shared_is_relayed_and_says_why() {
    let provider = Said::start();
    let sidecar = provider.sidecar("");
    let client = sidecar.client();
    provider.says(JSON, OPENAI.answer);
    let cold = "\"temperature\":0,";
    for (body, why) in [
        (OPENAI.ask.replace(cold, ""), "temperature"),
        (OPENAI.ask.replace(cold, "\"temperature\":0,\"n\":2,"), "n"),
        (OPENAI.ask.replace(cold, "\"temperature\":0,\"tools\":[{}],"), "tools"),
        (OPENAI.ask.replace(cold, "\"temperature\":0,\"store\":true,"), "state"),
        (OPENAI.ask.replace(cold, "\"temperature\":0,\"temperature\":0,"), "unreadable"),
        ("{".to_owned(), "unreadable"),
    ] {
        for _ in 0..2 {
            let answer = post(&client, OPENAI.path, &[], &body).await;
            let right = format!("larder; fwd=bypass; detail={why}");
            assert_eq!(answer.header("cache-status"), right, "{body}");
            assert_eq!(answer.text(), OPENAI.answer);
        }
    }
    assert_eq!(provider.calls(), 12);
    let calls = provider.0.calls();
    assert_eq!(&calls[0].body[..], OPENAI.ask.replace(cold, "").as_bytes());
    let key = ("idempotency-key", "1");
    let answer = post(&client, OPENAI.path, &[key], OPENAI.ask).await;
    assert_eq!(answer.header("cache-status"), "larder; fwd=bypass; detail=idempotency-key");
}

#[tokio::test]
async fn a_caller_may_say_what_the_cache_is_to_do() {
    let provider = Said::start();
    let sidecar = provider.sidecar("");
    let client = sidecar.client();
    provider.says(JSON, OPENAI.answer);
    let warm = OPENAI.ask.replace("\"temperature\":0", "\"temperature\":1");
    let say = async |headers: &[(&str, &str)], body: &str| {
        post(&client, OPENAI.path, headers, body).await.header("cache-status").to_owned()
    };
    let cached = [("cache-control", "only-if-cached")];
    let answer = post(&client, OPENAI.path, &cached, OPENAI.ask).await;
    assert!(answer.is_own_error(504, "not_cached"), "{answer:?}");
    assert_eq!(say(&[("x-larder-ttl", "100")], OPENAI.ask).await, "larder; fwd=miss; stored");
    let hit = say(&cached, OPENAI.ask).await;
    assert!(hit.starts_with("larder; hit; ttl="), "{hit}");
    assert!(hit.contains("ttl=100") || hit.contains("ttl=99"), "{hit}");
    let no_store = "larder; fwd=bypass; detail=no-store";
    assert_eq!(say(&[("cache-control", "no-store")], OPENAI.ask).await, no_store);
    let off = "larder; fwd=bypass; detail=opted-out";
    assert_eq!(say(&[("x-larder-cache", "off")], OPENAI.ask).await, off);
    let anew = "larder; fwd=request; stored; detail=no-cache";
    assert_eq!(say(&[("cache-control", "no-cache")], OPENAI.ask).await, anew);
    let before = provider.calls();
    assert!(say(&[("cache-control", "max-age=60")], OPENAI.ask).await.contains("hit"));
    assert_eq!(provider.calls(), before);
    assert_eq!(say(&[("x-larder-cache", "on")], &warm).await, "larder; fwd=miss; stored");
    assert!(say(&[("x-larder-cache", "on")], &warm).await.contains("hit"));
    assert_eq!(say(&[], &warm).await, "larder; fwd=bypass; detail=temperature");
    let directives = provider.0.calls().iter().any(|call| {
        call.headers
            .keys()
            .any(|name| name.as_str().starts_with("x-larder") || name == "cache-control")
    });
    assert!(!directives);
}

#[tokio::test]
async fn the_settings_say_which_models_are_cached() {
    let provider = Said::start();
    let settings = "[providers.openai]\nchat_cache = \"off\"\n\
                    chat_cache_models = [\"warm-*=all\", \"cold=deterministic\"]\n";
    let sidecar = provider.sidecar(settings);
    let client = sidecar.client();
    provider.says(JSON, OPENAI.answer);
    for (model, temperature, right) in [
        ("m", 0, "larder; fwd=bypass; detail=chat-cache-off"),
        ("cold", 0, "larder; fwd=miss; stored"),
        ("cold", 1, "larder; fwd=bypass; detail=temperature"),
        ("warm-1", 1, "larder; fwd=miss; stored"),
    ] {
        let body = format!(r#"{{"model":"{model}","temperature":{temperature},"messages":[]}}"#);
        let answer = post(&client, OPENAI.path, &[], &body).await;
        assert_eq!(answer.header("cache-status"), right, "{body}");
    }
}

#[tokio::test]
async fn an_answer_over_the_bound_is_passed_on_whole_and_not_kept() {
    let provider = Said::start();
    let sidecar = provider.sidecar("[cache]\nmax_transcript = \"64\"\n");
    let client = sidecar.client();
    for shape in [OPENAI, OPENAI_STREAM] {
        provider.says(shape.media_type, shape.answer);
        for _ in 0..2 {
            assert_eq!(ask(&client, &shape).await.text(), shape.answer);
        }
    }
    assert_eq!(provider.calls(), 4);
    let large = sidecar.metric("larder_chat_answers_total", "result=\"too_large\"").await;
    assert!((large - 4.0).abs() < 0.5, "{large}");
}

#[tokio::test]
async fn a_refusal_of_the_provider_s_is_passed_on_and_not_kept() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::before(provider.address);
    let (client, direct) = (sidecar.client(), Client::new(provider.address));
    let body = OPENAI.ask.replace("\"a\"", "\"a __poison__\"");
    for _ in 0..2 {
        let got = post(&client, OPENAI.path, &[], &body).await;
        let right = post(&direct, OPENAI.path, &[], &body).await;
        assert_eq!((got.status, got.text()), (400, right.text()));
        assert_eq!(got.header("cache-status"), "larder; fwd=miss");
        assert!(got.header("x-request-id").starts_with("req_"));
    }
    assert_eq!(provider.stats().await.chat_requests, 4);
}
