//! Failed requests: they count, with the status, the model and the reason, wherever an operator looks.

use std::fs;
use std::process::Command;

use async_compression::tokio::bufread::GzipEncoder;
use http::{Method, Response};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use crate::harness::{Ask, Scripted, Sidecar, free_port, json as reply, larder, path};

const KEY: &str = "sk-Canary0Qh7vBearerZw3n";
const MESSAGE: &str =
    "Incorrect API key provided: sk-Canary0Qh7vBearerZw3n. You can find yours there.";
const SHOWN: &str = "Incorrect API key provided: [key]. You can find yours there.";

/// A provider that rejects every key, and repeats it.
fn rejecting() -> Scripted {
    Scripted::start(|_| async {
        let error = json!({ "message": MESSAGE, "type": "invalid_request_error", "code": "invalid_api_key" });
        Some(reply(401, &json!({ "error": error })))
    })
}

async fn stats(sidecar: &Sidecar) -> Value {
    serde_json::from_str(&sidecar.admin().get("/api/stats?since=9e99").await.text()).unwrap()
}

/// Output of a command, both ways.
async fn said(mut command: Command) -> String {
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

fn chat(model: &str, words: &str) -> String {
    let messages = json!([{ "role": "user", "content": words }]);
    json!({ "model": model, "temperature": 0, "messages": messages }).to_string()
}

#[tokio::test]
async fn six_requests_with_a_wrong_key_looked_like_no_traffic() {
    let provider = rejecting();
    let sidecar = Sidecar::before(provider.address);
    let client = sidecar.client();
    let headers =
        [("content-type", "application/json"), ("authorization", &format!("Bearer {KEY}"))];
    for number in 0..3 {
        let ask = Ask::of([number.to_string()]).header("authorization", headers[1].1);
        assert_eq!(client.embed(&ask).await.status, 401);
        let words = chat("gpt-4o-mini", &number.to_string());
        let told = client.send(Method::POST, "/v1/chat/completions", &headers, words).await;
        assert!(told.status == 401 && told.text().contains(KEY), "{told:?}");
    }
    let stats = stats(&sidecar).await;
    assert_eq!(stats["responses"], 6, "{stats}");
    let failed = &stats["failed"][0];
    assert_eq!((&failed["count"], &failed["status"]), (&json!(6), &json!(401)), "{stats}");
    assert_eq!(failed["reason"], SHOWN, "{stats}");
    let models: Vec<&str> = stats["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| {
            assert_eq!((&error["reason"], &error["status"]), (&json!(SHOWN), &json!(401)));
            error["model"].as_str().unwrap()
        })
        .collect();
    assert_eq!(models.len(), 6);
    assert!(models[0] == "gpt-4o-mini" && models[1].starts_with("text-embedding"), "{models:?}");
    let log = sidecar.log();
    let line = format!("request failed: 401 from openai: {SHOWN}");
    assert_eq!(log.matches(&line).count(), 1, "{log}");
    assert!(log.contains("WARN") && !log.contains("Canary"), "{log}");
    let at = sidecar.admin.to_string();
    let table = said(larder(&["stats", "--admin-listen", &at])).await;
    assert!(table.starts_with("requests  6\n"), "{table}");
    let sentence = format!("failed    6 requests, all failed: 401 from openai: {SHOWN}\n");
    assert!(table.contains(&sentence), "{table}");
    let doctor = said(larder(&["doctor", "--admin-listen", &at])).await;
    assert!(doctor.contains(&format!("6 × 401 recently (\"{SHOWN}\")")), "{doctor}");
}

#[tokio::test]
async fn a_compressed_refusal_of_a_relayed_call_has_its_reason() {
    let provider = Scripted::start(|asked| async move {
        let body = json!({ "error": { "message": "Project has no access" } }).to_string();
        if asked.path.contains("plain") {
            return Some(reply(403, &serde_json::from_str(&body).unwrap()));
        }
        let mut gzip = Vec::new();
        GzipEncoder::new(body.as_bytes()).read_to_end(&mut gzip).await.unwrap();
        let response = Response::builder().status(403).header("content-encoding", "gzip");
        Some(response.body(Full::new(gzip.into())).unwrap())
    });
    let sidecar = Sidecar::before(provider.address);
    for (number, path) in (1..).zip(["/v1/plain", "/v1/gzip"]) {
        let headers = [("accept-encoding", "gzip")];
        assert_eq!(sidecar.client().send(Method::GET, path, &headers, "").await.status, 403);
        let failed = &stats(&sidecar).await["failed"][0];
        assert_eq!(
            (&failed["count"], &failed["reason"]),
            (&json!(number), &json!("Project has no access"))
        );
    }
}

#[tokio::test]
async fn a_message_shows_nothing_of_the_request_that_it_repeats() {
    let provider = Scripted::start(|asked| async move {
        let heard = String::from_utf8_lossy(&asked.body).into_owned();
        let message = format!("unsupported value in {heard}: see the documents");
        Some(reply(400, &json!({ "error": { "message": message } })))
    });
    let sidecar = Sidecar::before(provider.address);
    let private = "a private sentence that is nobody else's business";
    let headers = [("content-type", "application/json")];
    for path in ["/v1/chat/completions", "/v1/audio/speech"] {
        let told = sidecar.client().send(Method::POST, path, &headers, chat("m", private)).await;
        assert!(told.status == 400 && told.text().contains(private), "{told:?}");
    }
    let ask = Ask::of([private]);
    assert_eq!(sidecar.client().embed(&ask).await.status, 400);
    let text = stats(&sidecar).await.to_string();
    assert!(!text.contains("private") && !text.contains("business"), "{text}");
    assert!(text.contains("unsupported value in […]: see the documents"), "{text}");
    let log = sidecar.log();
    assert!(!log.contains("private") && log.contains("telling: request failed: 400 from"), "{log}");
    assert!(!log.contains("WARN"), "{log}");
}

/// `larder run` of six requests, and its last words.
async fn run(options: &[&str]) -> String {
    let script = "for n in 1 2 3 4 5 6; do curl -s -o /dev/null $OPENAI_BASE_URL/embeddings \
        -H 'content-type: application/json' -H 'authorization: Bearer k' \
        -d '{\"model\":\"m\",\"input\":\"'$n'\"}'; done";
    let mut run = larder(&[&["run"], options, &["--", "sh", "-c", script]].concat());
    run.env("PATH", std::env::var_os("PATH").unwrap());
    said(run).await
}

#[tokio::test]
async fn the_end_of_a_run_said_that_no_request_came_through() {
    let provider = rejecting();
    let upstream = format!("http://{}/v1", provider.address);
    let told = run(&["--upstream", &upstream]).await;
    let end = format!("larder: 6 requests, all failed: 401 from openai: {SHOWN}");
    assert!(told.contains(&end), "{told}");
    // In the first seconds, and once.
    assert_eq!(told.matches("request failed: 401 from openai").count(), 1, "{told}");

    let closed = free_port();
    let upstream = format!("http://127.0.0.1:{closed}/v1");
    let told = run(&["--upstream", &upstream]).await;
    assert!(
        told.contains("larder: 6 requests, all failed: ") || told.contains("6 requests failed"),
        "{told}"
    );
    let reason = format!("cannot reach openai at 127.0.0.1:{closed}: connection refused");
    assert!(told.lines().last().unwrap().contains(&reason), "{told}");

    let folder = path("recordings");
    fs::create_dir_all(&folder).unwrap();
    let told = run(&["--mode", "replay", "--recordings", folder.to_str().unwrap()]).await;
    assert!(told.contains("larder: 6 requests, all failed: 404 not_recorded"), "{told}");
    fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn a_malformed_request_counts_as_one_that_failed() {
    let provider = rejecting();
    let sidecar = Sidecar::before(provider.address);
    let mut raw = crate::harness::Raw::connect(sidecar.proxy).await;
    raw.send("GET /v1/../x HTTP/1.1\r\nhost: x\r\n\r\n".to_owned()).await;
    raw.stream_ends().await;
    let stats = stats(&sidecar).await;
    assert_eq!(
        (&stats["responses"], &stats["failed"][0]["code"]),
        (&json!(1), &json!("bad_request"))
    );
    let reason = stats["failed"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("dot segments"), "{reason}");
}

#[tokio::test]
async fn a_refusal_whose_client_leaves_counts_too() {
    let provider = Scripted::start(|_| async {
        let long = json!({ "error": { "message": "try later" }, "rest": "x".repeat(1 << 20) });
        Some(reply(503, &long))
    });
    let sidecar = Sidecar::before(provider.address);
    let mut raw = crate::harness::Raw::connect(sidecar.proxy).await;
    raw.send("GET /v1/files HTTP/1.1\r\nhost: x\r\n\r\n".to_owned()).await;
    crate::harness::until("it is counted", || async {
        stats(&sidecar).await["failed"][0]["count"] == 1
    })
    .await;
    drop(raw);
    assert_eq!(stats(&sidecar).await["errors"][0]["provider"], "openai");
}
