//! A provider that fails, and where its requests go instead.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::harness::{Ask, Scripted, Sidecar, answer, config_file, json, larder, texts};

/// A provider that can be told to fail.
fn provider(fails: &Arc<AtomicBool>) -> Scripted {
    let fails = Arc::clone(fails);
    Scripted::start(move |asked| {
        let fails = fails.load(Ordering::Relaxed);
        let words = serde_json::json!({ "choices": [], "id": "words" });
        let good = if asked.path.contains("chat") { words } else { answer(&asked) };
        let no = serde_json::json!({ "error": { "message": "no" } });
        async move { Some(if fails { json(503, &no) } else { json(200, &good) }) }
    })
}

#[tokio::test]
async fn what_a_failing_provider_does_not_answer_is_asked_of_another() {
    let (first_fails, second_fails) = (Arc::default(), Arc::default());
    let (first, second) = (provider(&first_fails), provider(&second_fails));
    let settings = format!(
        "[providers.openai]\nfallback = [\"other\"]\n[providers.other]\n\
         base_url = \"http://{}/v1\"\napi_key_env = \"OTHER_KEY\"\n",
        second.address
    );
    let sidecar = Sidecar::within(first.address, &settings, &[("OTHER_KEY", "sk-of-the-other")]);
    let client = sidecar.client();
    let ask = Ask::of(texts("fallback", 5)).header("authorization", "Bearer mine");
    client.right(&ask).await;
    assert_eq!(second.calls().len(), 0);
    first_fails.store(true, Ordering::Relaxed);
    let more = Ask::of(texts("more", 5)).header("authorization", "Bearer mine");
    let got = client.right(&more).await;
    assert_eq!(got.header("cache-status"), "larder; fwd=miss; stored; fallback");
    assert!(client.right(&more).await.header("cache-status").contains("hit"));
    // What is kept of the first is served as ever, and each has seen its own key only.
    assert_eq!(client.right(&ask).await.header("cache-status"), "larder; hit; detail=memory");
    for (calls, key) in [(first.calls(), "Bearer mine"), (second.calls(), "Bearer sk-of-the-other")]
    {
        assert!(calls.iter().all(|call| call.credential() == key), "{calls:?}");
    }
    for temperature in [0, 1] {
        let body = serde_json::json!({ "model": "m", "temperature": temperature, "messages": [] });
        let chat = client.chat(&body).await;
        assert_eq!((chat.status, chat.text().contains("words")), (200, true));
        assert!(chat.header("cache-status").ends_with("; fallback"), "{chat:?}");
    }
    assert!(sidecar.metric("larder_upstream_fallbacks_total", "openai").await > 3.5);
    // Where both fail, it is the first one's no; and it is asked again when it is well.
    second_fails.store(true, Ordering::Relaxed);
    let new = Ask::of(["new"]);
    assert_eq!(client.embed(&new).await.status, 503);
    first_fails.store(false, Ordering::Relaxed);
    let got = client.right(&new).await;
    assert_eq!(got.header("cache-status"), "larder; fwd=miss; stored");
}

#[test]
fn a_fallback_that_would_see_anothers_credential_is_refused() {
    for (other, complaint) in [
        ("base_url = \"http://elsewhere/v1\"\n", "needs api_key_env"),
        ("base_url = \"http://127.0.0.1:9/v1\"\ndialect = \"tei\"\n", "another dialect"),
    ] {
        let first = "[providers.openai]\nbase_url = \"http://127.0.0.1:8/v1\"\n";
        let file = config_file(&format!(
            "{first}fallback = [\"other\", \"nobody\"]\n[providers.other]\n{other}"
        ));
        let output = larder(&["check", "--config", file.name()]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(complaint) && said.contains("unknown provider"), "{said}");
    }
}
