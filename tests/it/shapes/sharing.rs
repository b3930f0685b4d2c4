//! Which questions share an entry, and what comes back of vectors that are no 32-bit floats.

use std::time::Duration;

use serde_json::json;

use super::{AZURE, BATCH, ONE, Shapes, ask, gemini_batch, gemini_one, openai, prompt, read};
use crate::harness::texts;

#[tokio::test]
async fn what_names_the_model_tells_entries_apart() {
    let shapes = Shapes::start(Duration::ZERO);
    let azure = |model| json!({ "model": model, "input": "azure" });
    let other = "/openai/deployments/d2/embeddings?api-version=2024-10-21";
    let newer = "/openai/deployments/d1/embeddings?api-version=2025-01-01";
    let of = |path, model| (("azure", path), azure(model));
    // The deployment is the model, whatever the body says, and even if it says nothing.
    assert!(shapes.right(("azure", AZURE), &json!({ "input": "azure" })).await.status == 200);
    for (path, shared) in [(AZURE, true), (other, false), (newer, false)] {
        let body = json!({ "input": "azure" });
        let hit = shapes.right(("azure", path), &body).await;
        assert_eq!(hit.header("cache-status").contains("; hit"), shared, "{path}");
    }
    let answer = ask(&shapes.client, &format!("/azure{AZURE}"), &azure("zz")).await;
    assert!(answer.header("cache-status").contains("; hit"), "{answer:?}");
    assert!(!shapes.shares(of(AZURE, "m"), of("/openai/deployments/d3/embeddings", "m")).await);
}

#[tokio::test]
async fn nulls_of_voyage_are_fields_that_are_not_there() {
    let shapes = Shapes::start(Duration::ZERO);
    let place = ("voyage", "/v1/embeddings");
    let nulls = json!({ "model": "m", "input": ["null"], "input_type": null, "output_dtype": null,
        "output_dimension": null, "encoding_format": "base64" });
    let plain = json!({ "model": "m", "input": ["null"] });
    // A vector that comes both ways.
    for encoding in [json!(null), json!("base64")] {
        let both = json!({ "model": "m", "input": ["both"], "encoding_format": encoding });
        shapes.right(place, &both).await;
    }
    assert!(shapes.shares((place, plain.clone()), (place, nulls)).await);
    let query = json!({ "model": "m", "input": ["null"], "input_type": "query" });
    assert!(!shapes.shares((place, plain), (place, query)).await);
}

#[tokio::test]
async fn vectors_of_integers_come_back_as_they_were() {
    let shapes = Shapes::start(Duration::ZERO);
    let place = ("voyage", "/v1/embeddings");
    let of = |texts: &[String], more: &[(&str, &str)]| {
        let mut body = json!({ "model": "m", "input": texts, "output_dtype": "int8" });
        for (name, value) in more {
            body[*name] = json!(value);
        }
        body
    };
    let (ten, base64) = (texts("integers", 10), ("encoding_format", "base64"));
    assert!(!shapes.shares((place, of(&ten, &[])), (place, of(&ten, &[base64]))).await);
    for body in [of(&ten, &[]), of(&ten, &[base64])] {
        let hit = shapes.right(place, &body).await;
        assert!(hit.header("cache-status").contains("; hit"), "{hit:?}");
    }
    let more = texts("integers", 12);
    let partial = shapes.right(place, &of(&more, &[base64])).await;
    assert_eq!(partial.header("x-larder-items"), "hit=10, collapsed=0, miss=2");
}

#[tokio::test]
async fn each_set_of_embedding_types_has_its_entry() {
    let shapes = Shapes::start(Duration::ZERO);
    let place = ("cohere", "/v2/embed");
    let ask = |types: &[&str]| json!({ "model": "m", "texts": ["t", "u"], "input_type": "x", "embedding_types": types });
    let two = ask(&["float", "int8"]);
    assert!(shapes.shares((place, two.clone()), (place, ask(&["int8", "float"]))).await);
    assert!(!shapes.shares((place, two), (place, ask(&["float"]))).await);
    let v1 = ("cohere", "/v1/embed");
    assert!(!shapes.shares((place, ask(&["float"])), (v1, ask(&["float"]))).await);
    let mut more = ask(&["base64", "float", "int8"]);
    shapes.right(place, &more).await;
    more["texts"] = json!(["v", "u", "t"]);
    let partial = shapes.right(place, &more).await;
    assert_eq!(partial.header("x-larder-items"), "hit=2, collapsed=0, miss=1");
}

#[tokio::test]
async fn gemini_s_single_and_batched_requests_share_their_entries() {
    let shapes = Shapes::start(Duration::ZERO);
    let (one, batch) = (("gemini", ONE), ("gemini", BATCH));
    assert!(shapes.shares((one, gemini_one(&["g1"])), (batch, gemini_batch(&["g1"]))).await);
    assert!(shapes.shares((batch, gemini_batch(&["g2", "g3"])), (one, gemini_one(&["g3"]))).await);
    let v1 = ("gemini", "/v1/models/gemini-embedding-001:embedContent");
    assert!(!shapes.shares((one, gemini_one(&["g4"])), (v1, gemini_one(&["g4"]))).await);
    let mut other = gemini_one(&["g1"]);
    other["taskType"] = json!("RETRIEVAL_QUERY");
    assert!(!shapes.shares((one, gemini_one(&["g1"])), (one, other)).await);
}

#[tokio::test]
async fn ollama_s_two_endpoints_share_nothing() {
    let shapes = Shapes::start(Duration::ZERO);
    let (new, old) = (("ollama", "/api/embed"), ("ollama", "/api/embeddings"));
    assert!(!shapes.shares((new, openai(&["o"])), (old, prompt(&["o"]))).await);
    assert!(shapes.shares((old, prompt(&["p"])), (old, prompt(&["p"]))).await);
}

#[tokio::test]
async fn what_a_provider_leaves_out_is_left_out_and_what_it_adds_is_kept() {
    let shapes = Shapes::start(Duration::ZERO);
    for (provider, usage, id) in [("together", false, false), ("mistral", true, true)] {
        for _ in 0..3 {
            let answer =
                read(&shapes.right((provider, "/v1/embeddings"), &openai(&["a", "b"])).await);
            assert_eq!(answer.get("usage").is_some(), usage, "{answer}");
            assert_eq!(answer.get("id").is_some(), id, "{answer}");
        }
    }
}
