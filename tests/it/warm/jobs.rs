//! `POST /api/warm` and `GET /api/jobs/ID`.

use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};

use super::{answered, busy};
use crate::harness::{
    Answer, Ask, Gate, Scripted, Sidecar, Simulated, answer, json as reply, texts, until,
};

const MODEL: &str = "text-embedding-3-small";

/// Takes a list to the sidecar.
async fn post(sidecar: &Sidecar, headers: &[(&str, &str)], body: &Value) -> Answer {
    sidecar.admin().send(Method::POST, "/api/warm", headers, body.to_string()).await
}

/// What is said of a job when it has ended.
async fn ended(sidecar: &Sidecar, accepted: &Answer) -> Value {
    assert_eq!(accepted.status, 202, "{accepted:?}");
    let told: Value = serde_json::from_slice(&accepted.body).unwrap();
    let path = format!("/api/jobs/{}", told["id"].as_str().unwrap());
    assert_eq!(accepted.header("location"), path);
    let started = Instant::now();
    loop {
        let told: Value = serde_json::from_slice(&sidecar.admin().get(&path).await.body).unwrap();
        if !["running", "waiting"].contains(&told["state"].as_str().unwrap()) {
            return told;
        }
        assert!(started.elapsed() < Duration::from_mins(1), "{told}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A job's counts.
fn counts(told: &Value) -> (&str, [u64; 5]) {
    let names = ["total", "done", "hits", "embedded", "failed"];
    (told["state"].as_str().unwrap(), names.map(|name| told[name].as_u64().unwrap()))
}

#[tokio::test]
async fn a_list_is_embedded_once_and_found_by_the_application() {
    const EVERY: u64 = 3;
    let provider = busy(EVERY);
    let sidecar = Sidecar::before(provider.address);
    let all = texts("warm", 5_000);
    let body = json!({ "model": MODEL, "inputs": all });
    let told = ended(&sidecar, &post(&sidecar, &[], &body).await).await;
    assert_eq!(counts(&told), ("done", [5_000, 5_000, 0, 5_000, 0]), "{told}");
    let calls = provider.calls();
    let times = answered(&calls, EVERY);
    assert_eq!((times.len(), times.values().sum::<u64>()), (5_000, 5_000));
    for part in all.chunks(1_000) {
        let got = sidecar.client().right(&Ask::of(part.to_vec())).await;
        assert_eq!(got.hits(), 1_000, "{:?}", got.headers);
    }
    // Once more there is nothing to do.
    let told = ended(&sidecar, &post(&sidecar, &[], &body).await).await;
    assert_eq!(counts(&told), ("done", [5_000, 5_000, 5_000, 0, 0]), "{told}");
    assert_eq!(provider.calls().len(), calls.len());
}

#[tokio::test]
async fn what_applications_send_decides_who_finds_it() {
    for (config, own) in [("", false), ("[cache]\nscope = \"header:x-tenant\"\n", true)] {
        let provider = Scripted::start(|asked| async move { Some(reply(200, &answer(&asked))) });
        let sidecar = Sidecar::with(provider.address, config);
        let carried = [
            ("x-larder-upstream-authorization", "Bearer canary-key"),
            ("x-larder-upstream-x-tenant", "a"),
            ("x-larder-upstream-x-larder-ttl", "3600"),
        ];
        let body = json!({ "model": MODEL, "inputs": ["one", "two"], "dimensions": 8 });
        let accepted = post(&sidecar, &carried, &body).await;
        let told = ended(&sidecar, &accepted).await;
        assert_eq!(counts(&told), ("done", [2, 2, 0, 2, 0]), "{told}");
        let call = provider.calls().pop().unwrap();
        assert_eq!(call.credential(), "Bearer canary-key");
        assert_eq!(call.headers.contains_key("x-tenant"), !own);
        assert!(call.headers.keys().all(|name| !name.as_str().starts_with("x-larder")), "{call:?}");
        let ask = Ask::of(["one", "two"]).dimensions(8).header("x-tenant", "a");
        let mine = ask.clone().header("authorization", "Bearer canary-key");
        let got = sidecar.client().right(&mine).await;
        assert!(got.header("cache-status").starts_with("larder; hit; ttl="), "{got:?}");
        let another = ask.header("authorization", "Bearer another");
        let got = sidecar.client().right(&another).await;
        assert_eq!(got.hits() == 2, own, "{:?}", got.headers);
        let said = [sidecar.log(), told.to_string(), accepted.text()].concat();
        assert!(!said.contains("canary"), "{said}");
    }
}

#[tokio::test]
async fn a_provider_with_a_key_of_larders_own_is_called_with_that() {
    let provider = Scripted::start(|asked| async move { Some(reply(200, &answer(&asked))) });
    let config = "[providers.openai]\napi_key_env = \"OWN\"\n";
    let sidecar = Sidecar::within(provider.address, config, &[("OWN", "sk-own")]);
    let body = json!({ "model": MODEL, "inputs": ["one"] });
    let told = ended(&sidecar, &post(&sidecar, &[], &body).await).await;
    assert_eq!(counts(&told), ("done", [1, 1, 0, 1, 0]), "{told}");
    assert_eq!(provider.calls()[0].credential(), "Bearer sk-own");
    assert_eq!(sidecar.client().right(&Ask::of(["one"])).await.hits(), 1);
}

#[tokio::test]
async fn one_bad_input_fails_alone_with_the_providers_words() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::before(provider.address);
    let mut all = texts("good", 299);
    all.insert(150, "a __poison__ text".to_owned());
    let body = json!({ "model": MODEL, "inputs": all });
    let told = ended(&sidecar, &post(&sidecar, &[], &body).await).await;
    assert_eq!(told["failed"], 1, "{told}");
    assert_eq!((told["state"].as_str(), told["done"].as_u64()), (Some("done"), Some(300)));
    let why = told["errors"][0].as_str().unwrap();
    assert!(why.starts_with("400 Bad Request: ") && why.chars().count() <= 300, "{why}");
    all.remove(150);
    assert_eq!(sidecar.client().right(&Ask::of(all)).await.hits(), 299);
}

#[tokio::test]
async fn whom_the_provider_does_not_know_is_told_at_once_and_without_the_key() {
    let provider = Scripted::start(|asked| async move {
        let message = format!("no such key: {} {}", asked.credential(), "x".repeat(1_000));
        Some(reply(401, &json!({ "error": { "message": message } })))
    });
    let sidecar = Sidecar::before(provider.address);
    let body = json!({ "model": MODEL, "inputs": texts("n", 2_000) });
    let carried = [("x-larder-upstream-authorization", "Bearer canary-key")];
    let told = ended(&sidecar, &post(&sidecar, &carried, &body).await).await;
    assert_eq!((told["state"].as_str(), told["failed"].as_u64()), (Some("failed"), Some(2_000)));
    let text = told.to_string();
    assert!(text.contains("no such key: Bearer ***") && !text.contains("canary"), "{text}");
    assert!(provider.calls().len() <= 4 && text.len() < 4_000, "{text}");
}

#[tokio::test]
async fn what_is_no_list_or_too_large_is_refused() {
    let provider = Simulated::instant();
    let config = "[server]\nmax_body = \"64KiB\"\n";
    let sidecar = Sidecar::with(provider.address, config);
    let nested = "[".repeat(10_000);
    for (body, status) in [
        ("", 400),
        ("{}", 400),
        (&nested, 400),
        ("{\"model\":\"m\",\"inputs\":[]}", 400),
        ("{\"model\":\"m\",\"inputs\":[\"a\"],\"provider\":\"nobody\"}", 400),
        ("{\"model\":\"m\",\"inputs\":[\"a\"],\"provider\":\"anthropic\"}", 400),
        (&"x".repeat(70_000), 413),
    ] {
        let got = sidecar.admin().send(Method::POST, "/api/warm", &[], body.to_owned()).await;
        assert_eq!(got.status, status, "{body:.40}: {got:?}");
    }
    let body = json!({ "model": MODEL, "inputs": ["a"] });
    for name in ["x-larder-upstream-host", "x-larder-upstream-content-length", "x-larder-upstream-"]
    {
        assert_eq!(post(&sidecar, &[(name, "1")], &body).await.status, 400, "{name}");
    }
    assert_eq!(sidecar.admin().get("/api/jobs/1").await.status, 404);
    assert_eq!(sidecar.admin().get("/api/warm").await.status, 405);
    // What is an input is for the provider's shape to say.
    let odd = json!({ "model": MODEL, "inputs": ["a", { "b": 1 }, [1, 2]] });
    let told = ended(&sidecar, &post(&sidecar, &[], &odd).await).await;
    assert_eq!((told["failed"].as_u64(), told["done"].as_u64()), (Some(1), Some(3)), "{told}");
}

#[tokio::test]
async fn so_many_jobs_go_on_at_once_and_a_drain_ends_them() {
    let gate = Gate::closed();
    let provider = Scripted::behind(&gate);
    let mut sidecar = Sidecar::with(provider.address, "[server]\ndrain = \"2s\"\n");
    let list = |n: usize| json!({ "model": MODEL, "inputs": texts(&format!("list {n}"), 600) });
    for n in 0..8 {
        assert_eq!(post(&sidecar, &[], &list(n)).await.status, 202);
    }
    let refused = post(&sidecar, &[], &list(8)).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"), "{refused:?}");
    provider.called(1).await;
    sidecar.signal("TERM");
    assert_eq!(sidecar.ended().await.code(), Some(0));
}

#[tokio::test]
async fn people_go_before_a_job() {
    let gate = Gate::closed();
    let provider = Scripted::behind(&gate);
    let config = "[providers.openai]\nmax_connections = 1\n";
    let sidecar = Sidecar::with(provider.address, config);
    let body = json!({ "model": MODEL, "inputs": texts("bulk", 2_000) });
    let accepted = post(&sidecar, &[], &body).await;
    provider.called(1).await;
    until("more of it waits", || async {
        sidecar.metric("larder_upstream_waiting_calls", "bulk").await > 0.5
    })
    .await;
    let client = sidecar.client();
    let asking = crate::harness::Aside::start(async move { client.right(&Ask::of(["now"])).await });
    until("somebody waits", || async {
        sidecar.metric("larder_upstream_waiting_calls", "interactive").await > 0.5
    })
    .await;
    gate.open();
    asking.done().await;
    let second = provider.calls().into_iter().position(|call| call.holds("now"));
    assert_eq!(second, Some(1));
    let told = ended(&sidecar, &accepted).await;
    assert_eq!(counts(&told), ("done", [2_000, 2_000, 0, 2_000, 0]), "{told}");
}
