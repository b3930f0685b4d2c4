//! The simulated provider over real sockets.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::oracle::{self, Input};
use super::{Settings, Snapshot, serve};

/// A provider on a port of its own, gone when dropped.
struct Simulated {
    address: SocketAddr,
    _task: JoinSet<()>,
}

impl Simulated {
    async fn start(settings: Settings) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut task = JoinSet::new();
        task.spawn(async move {
            serve(listener, settings, std::future::pending()).await.unwrap();
        });
        Self { address, _task: task }
    }

    /// The reply as it came: head and body.
    async fn ask(&self, line: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!(
            "{line} HTTP/1.1\r\nhost: sim\r\nauthorization: Bearer a\r\nconnection: close\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        reply
    }

    async fn call(&self, line: &str, body: &Value) -> (u16, Value) {
        let reply = self.ask(line, &body.to_string()).await;
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap())
    }

    async fn embed(&self, body: &Value) -> (u16, Value) {
        self.call("POST /v1/embeddings", body).await
    }

    async fn stats(&self) -> Snapshot {
        serde_json::from_value(self.call("GET /__stats", &Value::Null).await.1).unwrap()
    }

    async fn change(&self, faults: Value) {
        assert_eq!(self.call("POST /__faults", &faults).await.0, 200);
    }
}

#[tokio::test]
async fn vectors_come_in_order_and_in_both_encodings() {
    let provider = Simulated::start(Settings::instant()).await;
    let mut body = json!({"model": "m", "input": ["a", "b", "a"], "dimensions": 5, "extra": {}});
    let (status, floats) = provider.embed(&body).await;
    body["encoding_format"] = json!("base64");
    let (_, encoded) = provider.embed(&body).await;
    assert_eq!(status, 200);
    assert_eq!(floats["usage"], json!({"prompt_tokens": 3, "total_tokens": 3}));
    for (index, text) in ["a", "b", "a"].into_iter().enumerate() {
        let right = oracle::vector("m", 5, Input::Text(text));
        assert_eq!(floats["data"][index]["index"], index);
        let given: Vec<f32> =
            serde_json::from_value(floats["data"][index]["embedding"].clone()).unwrap();
        assert_eq!(given, right);
        let bytes: Vec<u8> = right.iter().flat_map(|number| number.to_le_bytes()).collect();
        assert_eq!(
            encoded["data"][index]["embedding"],
            base64_simd::STANDARD.encode_to_string(bytes)
        );
    }
    let counted = provider.stats().await;
    assert_eq!((counted.inputs, counted.distinct_inputs, counted.embedding_requests), (6, 2, 2));
    assert_eq!((counted.batch_sizes[&3], counted.credentials, counted.requests), (2, 1, 2));
    assert_eq!((counted.in_flight, counted.max_in_flight, counted.connections), (0, 1, 3));
}

#[tokio::test]
async fn one_bad_input_fails_the_whole_call_without_being_named() {
    let provider = Simulated::start(Settings::instant()).await;
    for input in [json!(["good", "a __poison__ b"]), json!(["good", ""]), json!([[]])] {
        let (status, reply) = provider.embed(&json!({"model": "m", "input": input})).await;
        assert_eq!(status, 400);
        assert!(reply["error"]["message"].as_str().unwrap().starts_with("'$.input' is invalid. "));
        assert_eq!(reply["error"]["type"], "invalid_request_error");
    }
    let (status, _) = provider.embed(&json!({"model": "m", "input": ""})).await;
    assert_eq!(status, 200);
    let counted = provider.stats().await;
    assert_eq!((counted.inputs, counted.errors_by_status[&400]), (1, 3));
}

#[tokio::test]
async fn a_model_s_own_latency_holds_in_every_shape_and_may_change() {
    let mut settings = Settings::instant();
    settings.faults.latency_of = vec![("slow".to_owned(), Duration::from_millis(80))];
    let provider = Simulated::start(settings).await;
    let took = async |line: &str, model: &str| {
        let asked = Instant::now();
        let asked_of = if line.ends_with("chat/completions") { "messages" } else { "input" };
        let body = json!({ "model": model, asked_of: ["a"] });
        let (status, answer) = provider.call(line, &body).await;
        assert_eq!(status, 200, "{line}: {answer}");
        asked.elapsed()
    };
    let lines = ["/embeddings", "/chat/completions", "/responses"];
    let lines = lines.map(|path| format!("POST /v1{path}"));
    for line in &lines {
        assert!(took(line, "slow").await >= Duration::from_millis(80), "{line}");
    }
    provider.change(json!({ "latency_of_ms": { "slow": null, "other": 60 } })).await;
    let mistral = "POST /mistral/v1/embeddings";
    assert!(took(mistral, "other").await >= Duration::from_millis(60));
    let mut quick = Duration::MAX;
    for _ in 0..5 {
        quick = quick.min(took(&lines[0], "slow").await);
    }
    assert!(quick < Duration::from_millis(60), "{quick:?}");
    let (_, shown) = provider.call("GET /__faults", &Value::Null).await;
    assert_eq!(shown["latency_of_ms"], json!({ "other": 60.0 }));
}

#[tokio::test]
async fn limits_are_refused_in_the_provider_s_words() {
    let provider = Simulated::start(Settings::instant()).await;
    provider.change(json!({"max_inputs": 2, "max_tokens": 3})).await;
    let (_, reply) = provider.embed(&json!({"model": "m", "input": ["a", "b", "c"]})).await;
    assert_eq!(reply["error"]["message"], "Too many inputs. The max number of inputs is 2.");
    let (_, reply) = provider.embed(&json!({"model": "m", "input": [1, 2, 3, 4]})).await;
    assert_eq!(reply["error"]["message"], "Requested 4 tokens, max 3 tokens per request");
    assert_eq!(reply["error"]["code"], "max_tokens_per_request");
    for bad in [
        json!({"input": "a"}),
        json!({"model": "m"}),
        json!({"model": "m", "input": "a", "encoding_format": "FLOAT"}),
        json!({"model": "m", "input": "a", "dimensions": 2.5}),
        json!({"model": "m", "input": "a", "dimensions": 0}),
        json!([]),
    ] {
        assert_eq!(provider.embed(&bad).await.0, 400, "{bad}");
    }
    assert!(provider.ask("POST /v1/embeddings", "{").await.starts_with("HTTP/1.1 400 "));
    assert_eq!(provider.call("GET /v1/embeddings", &Value::Null).await.0, 405);
    assert_eq!(provider.call("GET /v1/nothing", &Value::Null).await.0, 404);
    assert_eq!(provider.call("GET /v1/models/gpt-4.1", &Value::Null).await.1["id"], "gpt-4.1");
    assert_eq!(provider.call("POST /__faults", &json!({"latency": 1})).await.0, 400);
    assert_eq!(provider.call("POST /__faults", &json!({"error_rate": 2})).await.0, 400);
}

#[tokio::test]
async fn faults_are_drawn_alike_in_every_run() {
    let provider = Simulated::start(Settings::instant()).await;
    provider.change(json!({"error_rate": 0.5})).await;
    let mut runs = Vec::new();
    for _ in 0..2 {
        provider.call("POST /__reset", &Value::Null).await;
        let mut run = Vec::new();
        for _ in 0..20 {
            run.push(provider.embed(&json!({"model": "m", "input": "a"})).await.0);
        }
        runs.push(run);
    }
    assert_eq!(runs[0], runs[1]);
    assert!(runs[0].contains(&200) && runs[0].contains(&500));
}

#[tokio::test]
async fn a_call_may_be_cut_off_hang_or_find_no_room() {
    let provider = Simulated::start(Settings::instant()).await;
    let body = r#"{"model":"m","input":"a"}"#;
    provider.change(json!({"reset_rate": 1.0})).await;
    assert_eq!(provider.ask("POST /v1/embeddings", body).await, "");
    provider.change(json!({"reset_rate": 0, "timeout_rate": 1.0, "max_concurrent": 1})).await;
    let hanging = provider.ask("POST /v1/embeddings", body);
    let meanwhile = async {
        while provider.stats().await.in_flight == 0 {}
        provider.ask("POST /v1/embeddings", body).await
    };
    let refused = tokio::select! {
        reply = hanging => reply,
        reply = meanwhile => reply,
    };
    assert!(refused.starts_with("HTTP/1.1 429 "), "{refused}");
    assert!(refused.contains("\r\nretry-after-ms: 10\r\n"), "{refused}");
    let freed = async { while provider.stats().await.in_flight > 0 {} };
    timeout(Duration::from_secs(5), freed).await.expect("a caller that left gave its seat back");
}

#[tokio::test]
async fn the_rate_is_limited() {
    let provider = Simulated::start(Settings::instant()).await;
    provider.change(json!({"rpm": 60})).await;
    let body = json!({"model": "m", "input": "a"});
    assert_eq!(provider.embed(&body).await.0, 200);
    let (status, reply) = provider.embed(&body).await;
    assert_eq!((status, &reply["error"]["code"]), (429, &json!("rate_limit_exceeded")));
}

#[tokio::test]
async fn chat_says_the_same_whole_and_streamed() {
    let provider = Simulated::start(Settings::instant()).await;
    provider.change(json!({"latency_ms": 30, "chunks": 4, "chunk_delay_ms": 5})).await;
    let started = Instant::now();
    let mut body = json!({"model": "gpt", "messages": [{"role": "user", "content": "hi"}]});
    let right = oracle::words(oracle::chat_seed("gpt", &body["messages"].to_string()), 4).concat();
    let (_, reply) = provider.call("POST /v1/chat/completions", &body).await;
    assert_eq!(reply["choices"][0]["message"]["content"], right);
    assert!(started.elapsed() >= Duration::from_millis(50));
    body["stream"] = json!(true);
    body["stream_options"] = json!({"include_usage": true});
    let reply = provider.ask("POST /v1/chat/completions", &body.to_string()).await;
    assert!(reply.contains("data: [DONE]\n\n"));
    let events = reply.lines().filter_map(|line| line.strip_prefix("data: {"));
    let events: Vec<Value> =
        events.map(|event| serde_json::from_str(&format!("{{{event}")).unwrap()).collect();
    let text = events.iter().filter_map(|event| event["choices"][0]["delta"]["content"].as_str());
    assert_eq!(text.collect::<String>(), right);
    assert_eq!(events.last().unwrap()["usage"]["completion_tokens"], 4);
    let counted = provider.stats().await;
    assert_eq!((counted.chat_requests, counted.in_flight), (2, 0));
}

/// Every shape of a model's words: its path, a call for an answer piece by piece, and how such a
/// stream ends.
const WORDS: &[(&str, &str, &str)] = &[
    ("/v1/chat/completions", r#"{"model":"m","messages":["a"],"stream":true}"#, "data: [DONE]\n\n"),
    ("/v1/responses", r#"{"model":"m","input":["a"],"stream":true}"#, "}}}\n\n"),
    (
        "/v1/messages",
        r#"{"model":"m","messages":["a"],"stream":true}"#,
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    ),
    ("/v1beta/models/m:streamGenerateContent?alt=sse", r#"{"contents":["a"]}"#, "\"}\r\n\r\n"),
    ("/api/chat", r#"{"model":"m","messages":["a"]}"#, "}\n"),
    ("/api/generate", r#"{"model":"m","prompt":["a"]}"#, "}\n"),
    ("/v2/chat", r#"{"model":"m","messages":["a"],"stream":true}"#, "}}}}\n\n"),
];

/// A reply's body, put together from its chunks where it came in some.
fn unchunked(reply: &str) -> String {
    let (head, mut rest) = reply.split_once("\r\n\r\n").unwrap();
    if !head.contains("chunked") {
        return rest.to_owned();
    }
    let mut body = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let (chunk, after) = after.split_at(usize::from_str_radix(size, 16).unwrap());
        body += chunk;
        rest = after.trim_start_matches("\r\n");
    }
    body
}

#[tokio::test]
async fn every_shape_says_the_same_words_whole_and_in_pieces() {
    let provider = Simulated::start(Settings::instant()).await;
    let words = oracle::words(oracle::chat_seed("m", r#"["a"]"#), 16);
    for (path, streamed, end) in WORDS {
        let line = format!("POST {path}");
        let stream = unchunked(&provider.ask(&line, streamed).await);
        assert!(stream.ends_with(end), "{path}: {stream}");
        let mut rest = stream.as_str();
        for word in &words {
            let found = rest.split_once(&format!("\"{word}\""));
            rest = found.unwrap_or_else(|| panic!("{path}: no {word:?} in {rest}")).1;
        }
        let whole =
            streamed.replace("true", "false").replace("\"model\"", "\"stream\":false,\"model\"");
        let whole =
            if streamed.contains("true") { streamed.replace("true", "false") } else { whole };
        let line = line.replace("streamGenerateContent?alt=sse", "generateContent");
        let (status, answer) = provider.call(&line, &serde_json::from_str(&whole).unwrap()).await;
        assert_eq!(status, 200, "{path}");
        assert!(answer.to_string().contains(&words.concat()), "{path}: {answer}");
        let poisoned = whole.replace("\"a\"", "\"__poison__\"");
        let (status, _) = provider.call(&line, &serde_json::from_str(&poisoned).unwrap()).await;
        assert_eq!(status, 400, "{path}");
    }
    assert_eq!(provider.stats().await.chat_requests, 3 * WORDS.len() as u64);
}
