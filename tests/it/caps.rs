//! The size of calls that a provider accepts is learned from its refusals, whatever their words.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use crate::harness::{Ask, Asked, In, Scripted, Sidecar, answer, json as reply, texts};

const CAP: usize = 16;

/// A provider that refuses calls in its own words, and the number of its refusals.
fn refusing(
    (status, words): (u16, &'static str),
    is_too_large: impl Fn(&Asked) -> bool + Send + Sync + 'static,
) -> (Scripted, Arc<AtomicUsize>) {
    let refusals = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&refusals);
    let provider = Scripted::start(move |asked| {
        let words = words.replace("SENT", &asked.inputs().len().to_string());
        let is_refused = is_too_large(&asked);
        counted.fetch_add(usize::from(is_refused), Ordering::Relaxed);
        let refusal = json!({ "error": { "message": words, "type": "invalid_request_error" } });
        async move {
            Some(if is_refused { reply(status, &refusal) } else { reply(200, &answer(&asked)) })
        }
    });
    (provider, refusals)
}

#[tokio::test]
async fn a_cap_on_inputs_is_learned_whatever_the_words() {
    for (status, words) in [
        (400, "input: array length must be 16 or less"),
        (400, "Expected an array with maximum length 16"),
        (422, "number of inputs exceeds limit of 16"),
        (400, "too long: SENT > 16"),
        (400, "bad request"),
        (422, "validation failed"),
        (413, "no"),
    ] {
        let (provider, refusals) = refusing((status, words), |asked| asked.inputs().len() > CAP);
        let sidecar = Sidecar::before(provider.address);
        sidecar.client().right(&Ask::of(texts("first", 40))).await;
        let learned = refusals.load(Ordering::Relaxed);
        assert!(learned <= 3, "{words}: {learned} refusals");
        sidecar.client().right(&Ask::of(texts("second", 40))).await;
        sidecar.client().right(&Ask::of(texts("third", 100))).await;
        assert_eq!(refusals.load(Ordering::Relaxed), learned, "{words}");
    }
}

/// Bytes of all texts of a call.
fn bytes(asked: &Asked) -> usize {
    let length = |input: &In| match input {
        In::Text(text) => text.len(),
        In::Tokens(tokens) => tokens.len() * 4,
    };
    asked.inputs().iter().map(length).sum()
}

#[tokio::test]
async fn a_cap_on_tokens_is_learned_whatever_the_words() {
    for (status, words) in [
        (400, "max_tokens_per_request: 500"),
        (413, "payload too large"),
        (400, "this call has more tokens than the model takes"),
    ] {
        let (provider, refusals) = refusing((status, words), |asked| bytes(asked) > 2_000);
        let sidecar = Sidecar::before(provider.address);
        let long = |name: &str| texts(&name.repeat(40), 20);
        // A number of inputs that is accepted is not what is refused.
        sidecar.client().right(&Ask::of(texts("x", 30))).await;
        sidecar.client().right(&Ask::of(long("first"))).await;
        let learned = refusals.load(Ordering::Relaxed);
        assert!((1..=8).contains(&learned), "{words}: {learned} refusals");
        sidecar.client().right(&Ask::of(long("other"))).await;
        assert_eq!(refusals.load(Ordering::Relaxed), learned, "{words}");
        let before = provider.calls().len();
        sidecar.client().right(&Ask::of(texts("y", 30))).await;
        assert_eq!(provider.calls().len(), before + 1, "{words}: short texts are still one call");
    }
}

#[tokio::test]
async fn a_list_with_a_bad_input_gets_the_provider_s_own_refusal_and_teaches_no_cap() {
    let (provider, refusals) = refusing((400, "bad input"), |asked| asked.holds("bad"));
    let sidecar = Sidecar::before(provider.address);
    let client = sidecar.client();
    let list = Ask::of([texts("good", 20), texts("bad", 1), texts("fine", 19)].concat());
    let direct = provider.client().embed(&list).await;
    let refused = client.embed(&list).await;
    assert_eq!((refused.status, &refused.body), (400, &direct.body));
    let searched = refusals.load(Ordering::Relaxed);
    assert!(searched <= 4, "{searched} refusals");
    let before = provider.calls().len();
    client.right(&Ask::of(texts("later", 40))).await;
    assert_eq!(provider.calls().len(), before + 1, "a list of this size is one call");
}
