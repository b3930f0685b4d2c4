//! Models' words are recorded by the question, plain and streamed.

use serde_json::json;

use super::{CHAT, Recording, finish, post, text};
use crate::harness::{Raw, Scripted, Sidecar, Simulated, Teller, Telling, json as reply};

const STREAMED: &str =
    r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"Canary"}]}"#;
const DONE: &str = "data: [DONE]\n\n";

#[tokio::test]
async fn plain_and_streamed_answers_come_again_byte_for_byte() {
    let (recording, provider) = (Recording::new(), Simulated::instant());
    let sidecar = recording.record(provider.address);
    let plain = r#"{"model":"m","messages":[{"role":"user","content":"Canary"}]}"#;
    let cold = r#"{"model":"m","temperature":0,"messages":[{"role":"user","content":"Canary"}]}"#;
    let cold_stream = cold.replace("{\"model\"", "{\"stream\":true,\"model\"");
    let asks = [plain, STREAMED, cold, &cold_stream];
    let mut recorded = Vec::new();
    for ask in asks {
        recorded.push(post(&sidecar.client(), CHAT, ask).await);
        // From the cache, for those that it keeps.
        post(&sidecar.client(), CHAT, ask).await;
    }
    finish(sidecar).await;
    let replay = recording.replay();
    for (ask, recorded) in asks.into_iter().zip(&recorded) {
        // Another spelling of the same JSON.
        let spelt =
            ask.replace("\"model\":\"m\",", "").replacen('{', "{ \"model\" : \"\\u006d\", ", 1);
        let again = post(&replay.client(), CHAT, &spelt).await;
        assert_eq!((again.status, &again.body), (200, &recorded.body));
        assert_eq!(again.header("content-type"), recorded.header("content-type"));
        assert_eq!(again.header("cache-status"), "larder; hit; detail=recording");
    }
    assert!(recorded[1].text().ends_with(DONE));
    replay.called_nobody();
    let files: String = recording.answers().iter().map(|file| text(file)).collect();
    assert!(
        files.contains("\"path\": \"/v1/chat/completions\"") && files.contains("\"model\": \"m\"")
    );
}

#[tokio::test]
async fn different_answers_come_in_their_order_and_the_last_one_stays() {
    let said = ["a", "a", "b", "c", "c"];
    let provider = Scripted::start(move |asked| async move {
        Some(reply(200, &json!({ "said": said[asked.number] })))
    });
    let recording = Recording::new();
    let sidecar = recording.record(provider.address);
    let ask = r#"{"model":"m","messages":[]}"#;
    let mut recorded = Vec::new();
    for _ in said {
        recorded.push(post(&sidecar.client(), CHAT, ask).await.text());
    }
    finish(sidecar).await;
    assert_eq!(recording.answers().len(), 3);
    let replay = recording.replay();
    for at in 0..8 {
        let again = post(&replay.client(), CHAT, ask).await;
        assert_eq!(again.text(), recorded[at.min(4)], "at {at}");
    }
    replay.called_nobody();
}

#[tokio::test]
async fn errors_of_the_provider_are_answers_and_those_of_larder_are_not() {
    let provider = Scripted::start(|asked| async move {
        match asked.number {
            0 => None,
            1 => {
                let mut no = reply(429, &json!({ "error": { "message": "slow down" } }));
                no.headers_mut().insert("x-ratelimit-remaining", 0.into());
                Some(no)
            }
            _ => Some(reply(200, &json!({ "said": "yes" }))),
        }
    });
    let recording = Recording::new();
    let sidecar = recording.record(provider.address);
    let ask = r#"{"model":"m","messages":[]}"#;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(post(&sidecar.client(), CHAT, ask).await.status);
    }
    assert_eq!(statuses, [502, 429, 200]);
    finish(sidecar).await;
    let replay = recording.replay();
    let no = post(&replay.client(), CHAT, ask).await;
    assert_eq!((no.status, no.header("x-ratelimit-remaining")), (429, ""));
    assert_eq!(no.text(), r#"{"error":{"message":"slow down"}}"#);
    assert_eq!(post(&replay.client(), CHAT, ask).await.text(), r#"{"said":"yes"}"#);
}

/// A client that has the first event of a stream, and whoever tells the others.
async fn begun(sidecar: &Sidecar, provider: &Teller) -> (Raw, Telling) {
    let mut client = Raw::connect(sidecar.proxy).await;
    client.send(Raw::post(CHAT, &[], STREAMED)).await;
    let telling = provider.call(0).await;
    telling.say("data: {}\n\n").await;
    client.until(b"data: {}\n\n").await;
    (client, telling)
}

#[tokio::test]
async fn a_client_that_leaves_at_the_last_event_has_its_answer_recorded() {
    let (recording, provider) = (Recording::new(), Teller::events());
    let sidecar = recording.record(provider.address);
    let (client, telling) = begun(&sidecar, &provider).await;
    drop(client);
    sidecar.until("larder_requests_in_flight", 0.0).await;
    telling.say(DONE).await;
    telling.end().await;
    finish(sidecar).await;
    let again = post(&recording.replay().client(), CHAT, STREAMED).await;
    assert_eq!(again.text(), format!("data: {{}}\n\n{DONE}"));
}

#[tokio::test]
async fn an_answer_that_is_cut_short_is_not_recorded() {
    let (recording, provider) = (Recording::new(), Teller::events());
    let sidecar = recording.record(provider.address);
    let (mut client, telling) = begun(&sidecar, &provider).await;
    telling.cut().await;
    client.stream_ends().await;
    finish(sidecar).await;
    assert!(recording.answers().is_empty());
    let missing = post(&recording.replay().client(), CHAT, STREAMED).await;
    assert!(missing.is_own_error(404, "not_recorded"), "{missing:?}");
}

#[tokio::test]
async fn what_is_not_recorded_fails_in_the_callers_dialect() {
    let (recording, provider) = (Recording::new(), Simulated::instant());
    let sidecar = recording.record(provider.address);
    post(&sidecar.client(), CHAT, STREAMED).await;
    finish(sidecar).await;
    let replay = recording.replay();
    let other = STREAMED.replace("Canary", "Canarium");
    let answer = post(&replay.client(), CHAT, &other).await;
    assert!(answer.is_own_error(404, "not_recorded"), "{answer:?}");
    let said = answer.text();
    assert!(said.contains("is recorded, but with a different query or body"), "{said}");
    let answer = post(&replay.client(), "/anthropic/v1/messages", &other).await;
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((answer.status, &body["error"]["type"]), (404, &json!("not_found_error")));
    assert!(!said.contains("Canari") && !answer.text().contains("Canari"));
    replay.called_nobody();
}
