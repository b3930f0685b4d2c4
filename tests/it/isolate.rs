//! What goes wrong in a call of several requests reaches only those whom it concerns.

use http::{HeaderMap, HeaderName};
use http_body_util::Full;
use larder::simulate::{Faults, Settings};
use serde_json::json as value;

use crate::harness::{
    Answer, Aside, Ask, Asked, DIMENSIONS, Gate, Say, Scripted, Sidecar, Simulated, all, answer,
    json, texts,
};

/// One call at a time, so that whoever comes while one is held back travels together.
const ONE_AT_A_TIME: &str =
    "[providers.openai]\nmax_connections = 1\nbatch_gap = \"100ms\"\npermit_timeout = \"30s\"\n";

/// A sidecar whose calls, but for the first, are answered by a script.
pub(crate) struct Merged {
    gate: Gate,
    pub(crate) provider: Scripted,
    pub(crate) sidecar: Sidecar,
}

impl Merged {
    pub(crate) fn answered(script: impl Fn(&Asked) -> Say + Clone + Send + Sync + 'static) -> Self {
        let gate = Gate::closed();
        let held = gate.clone();
        let provider = Scripted::start(move |asked| {
            let (held, script) = (held.clone(), script.clone());
            async move {
                if asked.holds("opener") {
                    held.pass().await;
                    return Some(json(200, &answer(&asked)));
                }
                script(&asked)
            }
        });
        let sidecar = Sidecar::with(provider.address, ONE_AT_A_TIME);
        Self { gate, provider, sidecar }
    }

    /// Answers to these requests, all in one call behind another one.
    pub(crate) async fn ask(&self, asks: &[Ask]) -> Vec<Answer> {
        let client = self.sidecar.client();
        let opener = Aside::start({
            let client = client.clone();
            async move { client.right(&Ask::of(["opener"])).await }
        });
        self.provider.called(1).await;
        let asking = asks.iter().cloned().map(|ask| {
            let client = client.clone();
            async move { client.embed(&ask).await }
        });
        let asking = Aside::start(all(asking.collect::<Vec<_>>()));
        let inputs: usize = asks.iter().map(|ask| ask.inputs.len()).sum();
        let inputs = u32::try_from(inputs).unwrap();
        self.sidecar.until("larder_batch_queued_inputs", inputs.into()).await;
        self.gate.open();
        opener.done().await;
        asking.done().await
    }

    /// That larder gave exactly what the provider gives to this request directly.
    pub(crate) async fn is_direct(&self, ask: &Ask, got: &Answer) {
        let direct = self.provider.client().embed(ask).await;
        assert_eq!(got.status, direct.status, "{got:?}");
        assert_eq!(got.body, direct.body, "{got:?}");
        assert_eq!(foreign(&got.headers), foreign(&direct.headers));
    }
}

/// The headers that are the provider's.
fn foreign(headers: &HeaderMap) -> Vec<(HeaderName, String)> {
    let own = ["cache-status", "x-larder-items", "server-timing", "date", "content-length"];
    let mut headers: Vec<_> = headers
        .iter()
        .filter(|(name, _)| !own.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.to_str().unwrap().to_owned()))
        .collect();
    headers.sort_by_key(|(name, _)| name.to_string());
    headers
}

/// Refuses every call that holds poison, and says something about this very call.
fn refusing(status: u16) -> impl Fn(&Asked) -> Say + Clone + Send + Sync + 'static {
    move |asked| {
        if !asked.holds("poison") {
            return Some(json(200, &answer(asked)));
        }
        let said = format!("bad input in a body of {} bytes", asked.body.len());
        let body = value!({ "error": { "message": said, "type": "t", "param": null, "code": 7 } });
        let mut response = json(status, &body);
        response.headers_mut().insert("x-ratelimit-remaining-requests", 5.into());
        Some(response)
    }
}

async fn poisoned(callers: usize, bad: usize, status: u16) {
    let merged = Merged::answered(refusing(status));
    let asks: Vec<Ask> = (0..callers)
        .map(|n| {
            let name = if n < bad { format!("poison {n:02}") } else { format!("wholesome {n:02}") };
            Ask::of(texts(&name, 1 + n % 3))
        })
        .collect();
    let answers = merged.ask(&asks).await;
    for (n, (ask, answer)) in asks.iter().zip(&answers).enumerate() {
        if n < bad {
            assert_eq!(answer.status, status);
            merged.is_direct(ask, answer).await;
        } else {
            ask.check(answer);
        }
    }
    let merged_call = &merged.provider.calls()[1];
    let inputs: usize = asks.iter().map(|ask| ask.inputs.len()).sum();
    assert_eq!(merged_call.inputs().len(), inputs, "all travelled in one call");
    merged.sidecar.until("larder_flights", 0.0).await;
}

#[tokio::test]
async fn of_two_callers_only_the_poisoned_one_is_refused() {
    for status in [400, 422, 424, 500] {
        poisoned(2, 1, status).await;
    }
}

#[tokio::test]
async fn of_seven_callers_only_the_poisoned_ones_are_refused() {
    for (bad, status) in [(0, 400), (1, 422), (3, 424), (7, 500)] {
        poisoned(7, bad, status).await;
    }
}

#[tokio::test]
async fn of_thirty_two_callers_only_the_poisoned_ones_are_refused() {
    for (bad, status) in [(1, 400), (8, 500), (31, 422), (32, 400)] {
        poisoned(32, bad, status).await;
    }
}

#[tokio::test]
async fn a_no_to_everybody_reaches_everybody_unchanged_after_one_call() {
    for status in [401, 404, 503] {
        let merged = Merged::answered(move |_| {
            let mut response = json(status, &value!({ "error": { "message": "no", "code": "x" } }));
            response.headers_mut().insert("retry-after", 7.into());
            response.headers_mut().insert("retry-after-ms", 6_500.into());
            Some(response)
        });
        let asks: Vec<Ask> = (0..9).map(|n| Ask::of([format!("input {n}")])).collect();
        let answers = merged.ask(&asks).await;
        assert_eq!(merged.provider.calls().len(), 2, "the opener's and one more");
        for (ask, answer) in asks.iter().zip(&answers) {
            assert_eq!((answer.status, answer.header("retry-after")), (status, "7"));
            merged.is_direct(ask, answer).await;
        }
    }
}

fn limited(max_inputs: usize) -> Simulated {
    let faults = Faults { max_inputs, ..Settings::instant().faults };
    Simulated::start(Settings { faults, dimensions: DIMENSIONS, ..Settings::instant() })
}

#[tokio::test]
async fn what_a_provider_takes_is_learned_from_its_no() {
    let provider = limited(3);
    let sidecar = Sidecar::before(provider.address);
    let client = sidecar.client();
    client.right(&Ask::of(texts("first", 20))).await;
    let refused = provider.stats().await.errors_by_status;
    assert_eq!(refused, [(400, 1)].into());
    client.right(&Ask::of(texts("again", 20))).await;
    assert_eq!(provider.stats().await.errors_by_status, refused, "nothing was refused again");
}

#[tokio::test]
async fn a_limit_that_only_the_merging_exceeds_reaches_nobody() {
    let provider = limited(3);
    let sidecar = Sidecar::before(provider.address);
    let client = sidecar.client();
    let asking = (0..40).map(|n| {
        let client = client.clone();
        async move { client.right(&Ask::of(texts(&format!("{n:02}"), 1 + n % 3))).await }
    });
    all(asking.collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn a_request_over_the_limit_is_split_and_comes_back_in_order() {
    let provider = limited(2_048);
    let sidecar = Sidecar::before(provider.address);
    sidecar.client().right(&Ask::of(texts("long", 2_500))).await;
    let stats = provider.stats().await;
    assert_eq!((stats.embedding_requests, stats.inputs), (2, 2_500));
    assert!(stats.errors_by_status.is_empty(), "{stats:?}");
}

#[tokio::test]
async fn a_request_over_the_limit_is_forwarded_where_that_is_asked_for() {
    let provider = limited(2_048);
    let config = "[providers.openai]\noversize = \"forward\"\n";
    let sidecar = Sidecar::with(provider.address, config);
    let ask = Ask::of(texts("long", 2_500));
    let refused = sidecar.client().embed(&ask).await;
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("max number of inputs is 2048"), "{refused:?}");
    assert!(!refused.headers.contains_key("x-larder-error"));
    assert_eq!(provider.stats().await.embedding_requests, 1);
}

#[tokio::test]
async fn poison_in_a_part_of_a_split_request_is_that_request_s_error() {
    let merged = Merged::answered(|asked| {
        if asked.inputs().len() > 3 {
            let said = value!({ "error": { "message": "max number of inputs is 3" } });
            return Some(json(400, &said));
        }
        refusing(400)(asked)
    });
    let bad = Ask::of([texts("good", 5), texts("poison", 1), texts("fine", 4)].concat());
    let good = Ask::of(texts("well", 10));
    let answers = merged.ask(&[bad, good.clone()]).await;
    assert_eq!(answers[0].status, 400, "{:?}", answers[0]);
    assert!(answers[0].text().contains("bad input"), "{:?}", answers[0]);
    good.check(&answers[1]);
}

#[tokio::test]
async fn a_connection_that_breaks_is_an_error_of_larder_s() {
    let merged = Merged::answered(|_| None);
    let asks: Vec<Ask> = (0..3).map(|n| Ask::of([format!("input {n}")])).collect();
    for answer in merged.ask(&asks).await {
        assert!(answer.is_own_error(502, "upstream_unreachable"), "{answer:?}");
    }
    merged.sidecar.until("larder_flights", 0.0).await;
}

/// An answer that is no JSON.
pub(crate) fn raw(media_type: &str, body: &'static str) -> Say {
    let response = http::Response::builder().header("content-type", media_type);
    Some(response.body(Full::from(body)).unwrap())
}

#[tokio::test]
async fn a_limit_that_is_larger_than_what_was_sent_is_no_limit_of_inputs() {
    let says = r#"{"error":{"code":null,"message":"dimensions must be at most 3072"}}"#;
    let provider = Scripted::start(move |asked| async move {
        let is_wrong = asked.json()["dimensions"] == 5_000;
        let refusal = || Some(json(400, &serde_json::from_str(says).unwrap()));
        if is_wrong { refusal() } else { Some(json(200, &answer(&asked))) }
    });
    let sidecar = Sidecar::before(provider.address);
    let wrong = sidecar.client().embed(&Ask::of(texts("wrong", 64)).dimensions(5_000)).await;
    assert_eq!((wrong.status, wrong.text().as_str()), (400, says));
    assert_eq!(provider.calls().len(), 1);
    sidecar.client().right(&Ask::of(texts("right", 64))).await;
    assert_eq!(provider.calls().len(), 2);
}

#[tokio::test]
async fn a_text_that_a_filter_refuses_with_403_failed_all_that_travelled_with_it() {
    for status in [403, 451] {
        let refusal = value!({ "error": { "message": "content filter", "type": "filter" } });
        let merged = Merged::answered(move |asked| {
            let status = if asked.holds("flagged") { status } else { 200 };
            let body = if status == 200 { answer(asked) } else { refusal.clone() };
            Some(json(status, &body))
        });
        let mut asks: Vec<Ask> =
            texts("harmless", 6).into_iter().map(|text| Ask::of([text])).collect();
        asks.push(Ask::of(["flagged"]));
        let answers = merged.ask(&asks).await;
        for (ask, answer) in asks.iter().zip(&answers).take(6) {
            ask.check(answer);
        }
        assert_eq!(answers[6].status, status);
    }
}
