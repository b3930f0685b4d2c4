//! What is asked again in the same bytes gets the answer that was written before, while it is right.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::harness::{Ask, Scripted, Sidecar, json as answer_json};

#[tokio::test]
async fn the_same_bytes_get_what_was_stored_last() {
    let calls = Arc::new(AtomicU64::new(0));
    let provider = Scripted::start(move |_| {
        let number = calls.fetch_add(1, Ordering::Relaxed);
        let data = json!([{ "object": "embedding", "index": 0, "embedding": [number, 0.5] }]);
        let usage = json!({ "prompt_tokens": 1, "total_tokens": 1 });
        let body = json!({ "object": "list", "data": data, "model": "m", "usage": usage });
        async move { Some(answer_json(200, &body)) }
    });
    let sidecar = Sidecar::before(provider.address);
    let client = sidecar.client();
    let (ask, other) = (Ask::of(["again"]), Ask::of(["again"]).header("x-api-key", "other"));
    let first = async |ask: &Ask| {
        let answer = client.embed(ask).await;
        serde_json::from_slice::<Value>(&answer.body).unwrap()["data"][0]["embedding"][0].as_f64()
    };
    for _ in 0..4 {
        assert_eq!(first(&ask).await, Some(0.0));
    }
    assert_eq!(first(&ask.clone().header("cache-control", "no-cache")).await, Some(1.0));
    for _ in 0..4 {
        assert_eq!(first(&ask).await, Some(1.0));
    }
    assert_eq!(first(&other).await, Some(2.0));
    assert_eq!(first(&ask).await, Some(1.0));
}
