//! Hits that are asked again: told when they are no longer what the provider says, and nobody waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::harness::{Answer, Ask, Asked, Scripted, Sidecar, answer, json as reply, until};

/// A provider that, from a moment on, gives the contrary of each vector.
fn changing(changed: &Arc<AtomicBool>) -> Scripted {
    let changed = Arc::clone(changed);
    Scripted::start(move |asked: Asked| {
        let changed = Arc::clone(&changed);
        async move {
            let mut body = answer(&asked);
            if changed.load(Ordering::Relaxed) {
                for item in body["data"].as_array_mut().unwrap() {
                    let numbers = item["embedding"].as_array().unwrap();
                    let contrary = numbers.iter().map(|number| -number.as_f64().unwrap());
                    item["embedding"] = contrary.collect::<Vec<f64>>().into();
                }
            }
            Some(reply(200, &body))
        }
    })
}

/// The first number, in thousandths of a millionth.
#[expect(clippy::cast_possible_truncation, reason = "to be compared")]
fn first(answer: &Answer) -> i64 {
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    (body["data"][0]["embedding"][0].as_f64().unwrap() * 1e9) as i64
}

async fn checks(sidecar: &Sidecar, result: &str) -> f64 {
    sidecar.metric("larder_drift_checks_total", &format!("result=\"{result}\"")).await
}

#[tokio::test]
async fn vectors_that_the_provider_no_longer_gives_are_told_and_purged() {
    let changed = Arc::new(AtomicBool::new(false));
    let provider = changing(&changed);
    let sidecar =
        Sidecar::with(provider.address, "[drift]\nshare = 1.0\ndistance = 0.1\npurge = true\n");
    let client = sidecar.client();
    let ask = Ask::of(["canary text", "another"]).header("authorization", "Bearer canary-key");
    let old = first(&client.right(&ask).await);
    client.right(&ask).await;
    until("the hit is asked again", || async { checks(&sidecar, "same").await > 0.5 }).await;
    assert_eq!(provider.calls().len(), 2);
    assert_eq!(provider.calls()[1].credential(), "Bearer canary-key");

    changed.store(true, Ordering::Relaxed);
    let hit = client.embed(&ask).await;
    assert!(hit.header("cache-status").contains("hit") && first(&hit) == old, "{hit:?}");
    until("it is told", || async { checks(&sidecar, "drifted").await > 0.5 }).await;
    until("it is purged", || async {
        sidecar.log().contains("entries of the drifted model purged")
    })
    .await;
    let new = client.embed(&ask).await;
    assert!(new.header("cache-status").contains("fwd=miss") && first(&new) == -old, "{new:?}");
    assert!(sidecar.log().contains("embedding drift"));
    assert!(!sidecar.log().contains("canary"), "{}", sidecar.log());
}

#[tokio::test]
async fn a_share_of_hits_is_asked_again_and_a_provider_that_fails_is_no_drift() {
    let provider = Scripted::start(|asked: Asked| async move {
        let good = asked.number == 0;
        Some(if good { reply(200, &answer(&asked)) } else { reply(400, &json!({ "error": {} })) })
    });
    let sidecar = Sidecar::with(provider.address, "[drift]\nshare = 0.1\npurge = true\n");
    let client = sidecar.client();
    let ask = Ask::of(["a"]);
    client.right(&ask).await;
    for _ in 0..9 {
        client.right(&ask).await;
    }
    until("one is asked again", || async { checks(&sidecar, "failed").await > 0.5 }).await;
    assert_eq!(provider.calls().len(), 2);
    assert!(client.right(&ask).await.header("cache-status").contains("hit"));
}

#[tokio::test]
async fn by_default_nothing_is_asked_again() {
    let provider = changing(&Arc::default());
    let sidecar = Sidecar::before(provider.address);
    for _ in 0..50 {
        sidecar.client().right(&Ask::of(["a"])).await;
    }
    assert_eq!(provider.calls().len(), 1);
}
