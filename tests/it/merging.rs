//! Providers that merged calls fail at: no input is billed twice for long, and larder says why it stops merging.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::harness::{Ask, Asked, Client, Say, Scripted, Sidecar, all, answer, json as reply};

/// Requests of a round. All come at once, and have one input each.
const REQUESTS: usize = 64;

type Script = fn(&Asked) -> Say;

type Asking = fn(String) -> Ask;

type Change = fn(&mut Value, usize);

fn changed(asked: &Asked, change: impl Fn(&mut Value, usize)) -> Say {
    let mut body = answer(asked);
    let inputs = asked.inputs().len();
    change(&mut body, inputs);
    Some(reply(200, &body))
}

fn refused(status: u16) -> Say {
    Some(reply(status, &json!({ "error": { "message": "not supported", "code": "x" } })))
}

/// Refuses lists of several inputs.
fn to_lists(asked: &Asked, status: u16) -> Say {
    if asked.inputs().len() > 1 { refused(status) } else { Some(reply(200, &answer(asked))) }
}

/// A provider that takes some milliseconds for a call, so that requests wait and are merged.
fn slow(script: Script) -> Scripted {
    Scripted::start(move |asked| async move {
        tokio::time::sleep(Duration::from_millis(2)).await;
        script(&asked)
    })
}

/// One call at a time, so that a round is merged into few calls.
const ONE_AT_A_TIME: &str = "[providers.openai]\nmax_connections = 1\n";

/// Makes the requests of some rounds, all with other texts.
async fn rounds(client: &Client, rounds: std::ops::Range<usize>, ask: Asking) {
    for round in rounds {
        let asking = (0..REQUESTS).map(|n| {
            let (client, ask) = (client.clone(), ask(format!("round {round} input {n:03}")));
            async move { client.embed(&ask).await.status }
        });
        let statuses = all(asking.collect::<Vec<_>>()).await;
        assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    }
}

/// Inputs that a provider was sent in these calls.
fn inputs(calls: &[Asked]) -> usize {
    calls.iter().map(|call| call.inputs().len()).sum()
}

/// Whether six rounds cost what they should: the first three may teach, the others cost each input once.
async fn is_cheap_after_three_rounds(
    name: &str,
    script: Script,
    ask: Asking,
) -> (Scripted, Sidecar) {
    let provider = slow(script);
    let sidecar = Sidecar::with(provider.address, ONE_AT_A_TIME);
    rounds(&sidecar.client(), 0..3, ask).await;
    let learned = provider.calls().len();
    rounds(&sidecar.client(), 3..6, ask).await;
    let sent = inputs(&provider.calls_after(learned));
    assert!(sent * 100 <= 3 * REQUESTS * 102, "{name}: {sent} inputs for {}", 3 * REQUESTS);
    (provider, sidecar)
}

fn plain(text: String) -> Ask {
    Ask::of([text])
}

const FAILING: &[(&str, Script, Asking)] = &[
    (
        "400 to base64",
        |asked| {
            let is_base64 = asked.json()["encoding_format"] == "base64";
            if is_base64 { refused(400) } else { Some(reply(200, &answer(asked))) }
        },
        plain,
    ),
    (
        "dimensions ignored",
        |asked| {
            changed(asked, |body, _| {
                for item in body["data"].as_array_mut().unwrap() {
                    item["embedding"] = json!([0.5, 0.25, 0.125]);
                }
            })
        },
        |text| Ask::of([text]).dimensions(4),
    ),
    ("422 to lists", |asked| to_lists(asked, 422), plain),
    ("404 to lists", |asked| to_lists(asked, 404), plain),
    ("405 to lists", |asked| to_lists(asked, 405), plain),
    ("429 to lists", |asked| to_lists(asked, 429), plain),
    ("501 to lists", |asked| to_lists(asked, 501), plain),
    ("504 to lists", |asked| to_lists(asked, 504), plain),
    ("302 to lists", |asked| to_lists(asked, 302), plain),
    (
        "500 above 12 inputs",
        |asked| {
            if asked.inputs().len() > 12 { refused(500) } else { Some(reply(200, &answer(asked))) }
        },
        plain,
    ),
    (
        "another content type",
        |asked| {
            let mut response = reply(200, &answer(asked));
            let text = "text/plain".parse().unwrap();
            response.headers_mut().insert("content-type", text);
            Some(response)
        },
        plain,
    ),
];

#[tokio::test]
async fn a_provider_that_refuses_merged_calls_is_sent_each_input_once_after_three_rounds() {
    for (name, script, ask) in FAILING {
        is_cheap_after_three_rounds(name, *script, *ask).await;
    }
}

#[tokio::test]
async fn a_refusal_of_all_requests_is_asked_for_once_more_and_not_by_each() {
    let provider = slow(|_| refused(404));
    let sidecar = Sidecar::with(provider.address, ONE_AT_A_TIME);
    let client = sidecar.client();
    let asking = (0..REQUESTS).map(|n| {
        let (client, ask) = (client.clone(), plain(format!("input {n:03}")));
        async move { client.embed(&ask).await.status }
    });
    let statuses = all(asking.collect::<Vec<_>>()).await;
    assert!(statuses.iter().all(|status| *status == 404), "{statuses:?}");
    let calls = provider.calls().len();
    assert!(calls < REQUESTS / 4, "{calls} calls for {REQUESTS} requests");
}

#[tokio::test]
async fn a_call_of_more_tokens_than_a_minute_s_limit_is_sent_in_parts() {
    let provider = slow(|asked| {
        if asked.inputs().len() < 6 {
            return Some(reply(200, &answer(asked)));
        }
        let message = "Request too large for m in organization o on tokens per min (TPM): Limit 5, Requested 6.";
        let error = json!({ "error": { "message": message, "type": "tokens", "code": "rate_limit_exceeded" } });
        Some(reply(429, &error))
    });
    let sidecar = Sidecar::with(provider.address, ONE_AT_A_TIME);
    rounds(&sidecar.client(), 0..2, plain).await;
    sidecar.client().right(&Ask::of(crate::harness::texts("one list", 12))).await;
}

#[tokio::test]
async fn merging_that_stops_says_so_and_is_no_saving() {
    let (_, lists_refused, ask) = FAILING[2];
    let (_provider, sidecar) =
        is_cheap_after_three_rounds("422 to lists", lists_refused, ask).await;
    assert_eq!(sidecar.log().matches("merging stopped").count(), 1, "{}", sidecar.log());
    let stops = sidecar.metric("larder_batch_merging_stopped_total", "openai").await;
    assert!((stops - 1.0).abs() < 0.5, "{stops}");
    let saved = sidecar.metric("larder_upstream_calls_saved_total", "batched").await;
    assert!(saved < 0.5, "{saved} calls saved by merged calls that all failed");
    let ask = Ask::of(["one more"]).header("x-larder-explain", "1");
    let said = sidecar.client().right(&ask).await.header("x-larder-explain").to_owned();
    assert!(said.contains("merging is off for this model"), "{said}");
    let explained = sidecar.admin().get("/api/explain?outcome=miss").await.text();
    assert!(explained.contains("merging is off for this model"), "{explained}");
}

#[tokio::test]
async fn a_bad_input_now_and_then_is_no_reason_to_stop_merging() {
    let provider = slow(|asked| {
        if asked.holds("input 007") { refused(400) } else { Some(reply(200, &answer(asked))) }
    });
    let sidecar = Sidecar::with(provider.address, ONE_AT_A_TIME);
    let client = sidecar.client();
    for round in 0..4 {
        let asking = (0..16).map(|n| {
            let (client, ask) = (client.clone(), plain(format!("round {round} input {n:03}")));
            async move { client.embed(&ask).await.status }
        });
        let statuses = all(asking.collect::<Vec<_>>()).await;
        assert_eq!(statuses.iter().filter(|status| **status == 400).count(), 1);
    }
    assert!(!sidecar.log().contains("merging stopped"), "{}", sidecar.log());
}

/// Usages that cannot be shared out exactly.
const USAGES: &[(&str, Change)] = &[
    ("a boolean", |usage, _| usage["cached"] = json!(true)),
    ("a text", |usage, _| usage["tier"] = json!("standard 1")),
    ("an extra count", |usage, inputs| usage["pictures"] = json!(inputs)),
    ("a count with a point", |usage, _| {
        for name in ["prompt_tokens", "total_tokens"] {
            let count = usage[name].as_f64().unwrap();
            usage[name] = json!(count);
        }
    }),
    ("two counts", |usage, inputs| {
        usage["total_tokens"] = json!(usage["prompt_tokens"].as_u64().unwrap() + inputs as u64);
    }),
    ("a list", |usage, _| usage["details"] = json!([1, 2])),
];

fn with_usage(number: usize) -> impl Fn(&Asked) -> Say + Copy + Send + Sync + 'static {
    move |asked| changed(asked, |body, inputs| USAGES[number].1(&mut body["usage"], inputs))
}

#[tokio::test]
async fn vectors_are_kept_where_their_usage_cannot_be_shared_out() {
    for (number, (name, _)) in USAGES.iter().enumerate() {
        let script = with_usage(number);
        let provider = Scripted::start(move |asked| async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            script(&asked)
        });
        let sidecar = Sidecar::with(provider.address, ONE_AT_A_TIME);
        let client = sidecar.client();
        rounds(&client, 0..1, plain).await;
        let sent = inputs(&provider.calls());
        assert_eq!(sent, REQUESTS, "{name}");
        assert!(provider.calls().len() < REQUESTS / 2, "{name}: they were merged");
        rounds(&client, 0..1, plain).await;
        assert_eq!(inputs(&provider.calls()), REQUESTS, "{name}: they were not stored");
        let saved = sidecar.metric("larder_tokens_saved_total", "").await;
        let billed = sidecar.metric("larder_tokens_total", "").await;
        assert!((saved - billed).abs() < 0.5, "{name}: {saved} saved of {billed}");
        let stats: Value =
            serde_json::from_slice(&sidecar.admin().get("/api/stats").await.body).unwrap();
        let estimated = stats["totals"]["tokens"]["avoided"]["estimated"].as_f64().unwrap();
        assert!(estimated > 0.0 && estimated <= saved, "{name}: {estimated} of {saved}");
    }
}

#[tokio::test]
async fn the_usage_of_one_input_comes_back_as_it_was() {
    for (number, (name, _)) in USAGES.iter().enumerate() {
        let script = with_usage(number);
        let provider = Scripted::start(move |asked| async move { script(&asked) });
        let sidecar = Sidecar::before(provider.address);
        let (client, ask) = (sidecar.client(), Ask::of(["one text"]));
        let direct = provider.client().embed(&ask).await;
        client.embed(&ask).await;
        let hit = client.embed(&ask).await;
        assert!(hit.header("cache-status").contains("hit"), "{name}: {hit:?}");
        let usage = |body: &[u8]| serde_json::from_slice::<Value>(body).unwrap()["usage"].clone();
        assert_eq!(usage(&hit.body), usage(&direct.body), "{name}");
    }
}

/// A response of Cohere's, whose two counts of tokens differ, the second one with a point.
fn cohere(asked: &Asked) -> Say {
    let texts = asked.json()["texts"].as_array().map_or(0, Vec::len);
    let vectors: Vec<Value> = (0..texts).map(|_| json!([0.1, 0.2, 0.3])).collect();
    let counts = json!({ "billed_units": { "input_tokens": 2 * texts }, "tokens": {
        "input_tokens": 3.0 * f64::from(u32::try_from(texts).unwrap()) } });
    Some(reply(200, &json!({ "id": "x", "embeddings": { "float": vectors }, "meta": counts })))
}

#[tokio::test]
async fn two_counts_of_cohere_s_are_shared_out_each_by_itself() {
    let provider = slow(cohere);
    let config = format!(
        "[providers.cohere]\nbase_url = \"http://{}\"\nmax_connections = 1\n",
        provider.address
    );
    let sidecar = Sidecar::with(provider.address, &config);
    let client = sidecar.client();
    for _ in 0..2 {
        let asking = (0..REQUESTS).map(|n| {
            let client = client.clone();
            let body = json!({ "model": "embed-v4.0", "texts": [format!("input {n:03}")],
                "input_type": "search_query", "embedding_types": ["float"] });
            async move {
                let headers = [("content-type", "application/json")];
                client.send(Method::POST, "/cohere/v2/embed", &headers, body.to_string()).await
            }
        });
        for answer in all(asking.collect::<Vec<_>>()).await {
            assert_eq!(answer.status, 200, "{answer:?}");
            let body: Value = serde_json::from_slice(&answer.body).unwrap();
            assert_eq!(body["meta"]["billed_units"]["input_tokens"], 2, "{body}");
            assert_eq!(body["meta"]["tokens"]["input_tokens"], json!(3.0), "{body}");
        }
    }
    let texts = |call: &Asked| call.json()["texts"].as_array().unwrap().len();
    assert_eq!(provider.calls().iter().map(texts).sum::<usize>(), REQUESTS);
    assert!(provider.calls().len() < REQUESTS / 2, "they were merged");
}
