//! Why a request was not answered from the cache: told with the answer and afterwards, by names and digests.

use serde_json::{Value, json};

use crate::harness::{Ask, Sidecar, Simulated};

const SECRET: &str = "canary-text";

async fn explained(sidecar: &Sidecar, query: &str) -> Vec<Value> {
    let answer = sidecar.admin().get(&format!("/api/explain{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(!answer.text().contains("canary"), "{}", answer.text());
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    body["explanations"].as_array().unwrap().clone()
}

fn asking(texts: &[&str]) -> Ask {
    let texts = texts.iter().map(|text| (*text).to_owned());
    Ask::of(texts).header("x-larder-explain", "1").header("authorization", "Bearer canary-key")
}

#[tokio::test]
async fn a_miss_says_what_is_another_than_in_what_was_asked_of_late() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::before(provider.address);
    let client = sidecar.client();
    let why = async |ask: Ask| client.right(&ask).await.header("x-larder-explain").to_owned();
    let new = "first time: no similar request among the last 256 misses";
    assert_eq!(why(asking(&[SECRET, "two"])).await, new);
    assert_eq!(why(asking(&[SECRET])).await, "found in the cache");
    let with = |what: &str| format!("1 of 1 items were requested 0 s ago, with a different {what}");
    assert_eq!(why(asking(&[SECRET]).dimensions(8)).await, with("body.dimensions"));
    let mut other = asking(&["two"]);
    "text-embedding-3-large".clone_into(&mut other.model);
    assert_eq!(why(other.header("x-team", "canary")).await, with("body.model, header:x-team"));
    let stranger = Ask::of(["two"]).header("x-larder-explain", "1");
    // What others asked is not for everybody to know.
    assert_eq!(why(stranger.header("authorization", "Bearer canary-2")).await, new);
    let mixed = why(asking(&[SECRET, "three"])).await;
    assert_eq!(mixed, "1 of 2 items were in the cache; the others are new");
    // Nobody is told who did not ask.
    let silent = client.right(&Ask::of(["four"])).await;
    assert_eq!(silent.header("x-larder-explain"), "");

    let all = explained(&sidecar, "").await;
    assert_eq!(all.len(), 6, "{all:?}");
    assert_eq!(all[0]["nearest"], Value::Null);
    assert_eq!(all[1]["outcome"], "partial");
    assert_eq!(all[2]["nearest"]["differs"][0]["field"], "credential");
    let differs = &all[4]["nearest"]["differs"];
    assert_eq!(
        (&differs[0]["field"], &differs[0]["there"]),
        (&json!("body.dimensions"), &Value::Null)
    );
    assert_eq!(differs[0]["here"].as_str().unwrap().len(), 16);
    let large = explained(&sidecar, "?model=text-embedding-3-large&outcome=miss").await;
    assert_eq!(large.len(), 1, "{large:?}");
    assert_eq!(sidecar.admin().get("/api/explain?modle=x").await.status, 400);
    assert!(!sidecar.log().contains("canary"));
}

#[tokio::test]
async fn a_bypass_says_why() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::before(provider.address);
    let client = sidecar.client();
    let messages = json!([{ "role": "user", "content": SECRET }]);
    let warm = json!({ "model": "m", "temperature": 1, "messages": messages });
    client.chat(&warm).await;
    let ask = asking(&["a"]).header("cache-control", "no-store");
    let answer = client.embed(&ask).await;
    assert!(answer.header("x-larder-explain").starts_with("no-store: "), "{answer:?}");
    let told: Vec<String> = explained(&sidecar, "?outcome=bypass")
        .await
        .iter()
        .map(|one| one["why"].as_str().unwrap().split(':').next().unwrap().to_owned())
        .collect();
    assert_eq!(told, ["no-store", "temperature"]);
}
