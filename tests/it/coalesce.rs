//! Whoever asks at the same time is answered by the same call.

use std::time::{Duration, Instant};

use larder::simulate::{Faults, Settings};

use crate::harness::{
    Aside, Ask, DIMENSIONS, Gate, In, Raw, Scripted, Sidecar, Simulated, all, answer, json, texts,
};

/// A provider that answers rightly once the gate is open.
fn gated(gate: &Gate) -> Scripted {
    let gate = gate.clone();
    Scripted::start(move |asked| {
        let gate = gate.clone();
        async move {
            gate.pass().await;
            Some(json(200, &answer(&asked)))
        }
    })
}

#[tokio::test]
async fn a_hundred_identical_requests_at_once_are_one_call() {
    let gate = Gate::closed();
    let provider = gated(&gate);
    let sidecar = Sidecar::before(provider.address);
    let client = sidecar.client();
    let ask = Ask::of(texts("same", 4));
    let asking = (0..100).map(|_| {
        let (client, ask) = (client.clone(), ask.clone());
        async move { client.right(&ask).await }
    });
    let asking = Aside::start(all(asking.collect::<Vec<_>>()));
    sidecar.until("larder_cache_lookups_total", 400.0).await;
    gate.open();
    let answers = asking.done().await;
    assert_eq!(provider.calls().len(), 1);
    let collapsed = "larder; fwd=miss; collapsed";
    let led = answers.iter().filter(|answer| answer.header("cache-status") != collapsed);
    assert_eq!(led.count(), 1);
    let follower = answers.iter().find(|a| a.header("cache-status") == collapsed).unwrap();
    assert_eq!(follower.header("x-larder-items"), "hit=0, collapsed=4, miss=0");
    sidecar.until("larder_flights", 0.0).await;
}

#[tokio::test]
async fn a_leader_that_leaves_takes_nothing_from_those_who_follow() {
    let gate = Gate::closed();
    let provider = gated(&gate);
    let sidecar = Sidecar::before(provider.address);
    let client = sidecar.client();
    let ask = Ask::of(texts("left", 3));
    let mut leader = Raw::connect(sidecar.proxy).await;
    leader.send(Raw::embed(&ask)).await;
    sidecar.until("larder_flights", 3.0).await;
    let asking = (0..20).map(|_| {
        let (client, ask) = (client.clone(), ask.clone());
        async move { client.right(&ask).await }
    });
    let asking = Aside::start(all(asking.collect::<Vec<_>>()));
    sidecar.until("larder_cache_lookups_total", 63.0).await;
    drop(leader);
    sidecar.until("larder_client_cancelled_total", 1.0).await;
    gate.open();
    asking.done().await;
    assert_eq!(provider.calls().len(), 1);
}

#[tokio::test]
async fn a_call_whose_asker_left_is_kept_for_the_next() {
    let gate = Gate::closed();
    let provider = gated(&gate);
    let sidecar = Sidecar::before(provider.address);
    let ask = Ask::of(["kept"]);
    let mut leader = Raw::connect(sidecar.proxy).await;
    leader.send(Raw::embed(&ask)).await;
    provider.called(1).await;
    drop(leader);
    sidecar.until("larder_client_cancelled_total", 1.0).await;
    gate.open();
    sidecar.until("larder_flights", 0.0).await;
    sidecar.client().right(&ask).await;
    assert_eq!(provider.calls().len(), 1);
}

#[tokio::test]
async fn two_hundred_single_inputs_are_few_calls_and_none_is_refused() {
    let latency = Duration::from_millis(100);
    let faults = Faults {
        latency,
        latency_per_item: Duration::from_millis(1),
        max_concurrent: 4,
        ..Settings::instant().faults
    };
    let settings = Settings { faults, dimensions: DIMENSIONS, ..Settings::instant() };
    let provider = Simulated::start(settings);
    let sidecar = Sidecar::with(provider.address, "[providers.openai]\nmax_connections = 4\n");
    let client = sidecar.client();
    let asking = texts("burst", 200).into_iter().map(|text| {
        let client = client.clone();
        async move { client.right(&Ask::scalar(&text)).await }
    });
    let started = Instant::now();
    all(asking.collect::<Vec<_>>()).await;
    let took = started.elapsed();
    let stats = provider.stats().await;
    eprintln!("200 one-input requests: {took:?}, calls by size {:?}", stats.batch_sizes);
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert!(stats.embedding_requests <= 8, "{stats:?}");
    assert_eq!((stats.inputs, stats.errors_by_status.len()), (200, 0), "{stats:?}");
}

#[tokio::test]
async fn whoever_asks_again_after_a_refusal_is_asked_for_again() {
    let provider = Scripted::start(|_| async { Some(json(500, &serde_json::json!({}))) });
    let sidecar = Sidecar::before(provider.address);
    let asking = (0..8).map(|caller| {
        // Models of their own, so that nobody's call is merged with another's.
        let ask = Ask { model: format!("model {caller}"), ..Ask::of(texts("again", 50)) };
        let client = sidecar.client();
        async move {
            for _ in 0..50 {
                assert_eq!(client.embed(&ask).await.status, 500);
            }
        }
    });
    all(asking.collect::<Vec<_>>()).await;
    assert_eq!(provider.calls().len(), 8 * 50, "some retry got the answer of before");
}

#[tokio::test]
async fn overlapping_requests_in_opposite_order_do_not_wait_for_each_other() {
    let provider = Simulated::instant();
    let config = "[providers.openai]\nmax_connections = 1\nbatch_gap = \"1ms\"\n";
    let sidecar = Sidecar::with(provider.address, config);
    let client = sidecar.client();
    for round in 0..50 {
        let forth = texts(&format!("round {round:02}"), 12);
        let back: Vec<String> = forth.iter().rev().cloned().collect();
        let asking = (0..8).map(|n| {
            let list = if n % 2 == 0 { &forth[n..] } else { &back[n..] };
            let (client, ask) = (client.clone(), Ask::of(list.to_vec()));
            async move { client.right(&ask).await }
        });
        all(asking.collect::<Vec<_>>()).await;
    }
    assert_eq!(provider.stats().await.inputs, 600, "each input was asked for once");
    sidecar.until("larder_flights", 0.0).await;
}

#[tokio::test]
async fn who_is_answered_together_travels_together_again() {
    let mut settings = Settings { dimensions: DIMENSIONS, ..Settings::instant() };
    settings.faults.latency = Duration::from_millis(150);
    let provider = Simulated::start(settings);
    let sidecar = Sidecar::with(provider.address, "[providers.openai]\nmax_connections = 4\n");
    let client = sidecar.client();
    let asking = (0..64).map(|caller| {
        let client = client.clone();
        async move {
            for text in texts(&format!("caller {caller:02}"), 10) {
                client.right(&Ask::of([text])).await;
            }
        }
    });
    all(asking.collect::<Vec<_>>()).await;
    // Ten rounds of four calls with 16 each are 40; the first round has one alone.
    let stats = provider.stats().await;
    assert_eq!(stats.inputs, 640);
    assert!(stats.requests < 70, "{} calls", stats.requests);
    let large = sidecar.metric("larder_batch_inputs_count", "").await
        - sidecar.metric("larder_batch_inputs_bucket", "le=\"32\"").await;
    assert!(large < 0.5, "{large} calls with more than their part");
}

#[tokio::test]
async fn different_credentials_and_kinds_never_travel_together() {
    let gate = Gate::closed();
    let provider = gated(&gate);
    let sidecar = Sidecar::with(provider.address, "[providers.openai]\nmax_connections = 1\n");
    let client = sidecar.client();
    let asking = (0..40).map(|n| {
        let key = format!("Bearer key-{}", n % 4);
        let ask = match n % 8 {
            0..4 => Ask::of([format!("key-{} {n:04}", n % 4)]),
            _ => Ask::inputs(vec![In::Tokens(vec![n % 4, n])]),
        };
        let (client, ask) = (client.clone(), ask.header("authorization", &key));
        async move { client.right(&ask).await }
    });
    let asking = Aside::start(all(asking.collect::<Vec<_>>()));
    sidecar.until("larder_flights", 40.0).await;
    gate.open();
    asking.done().await;
    let calls = provider.calls();
    assert!(calls.len() < 20, "{} calls", calls.len());
    for call in calls {
        let key = call.credential();
        let inputs = call.inputs();
        let texts = inputs.iter().filter(|input| matches!(input, In::Text(_))).count();
        assert!(texts == 0 || texts == inputs.len());
        for input in inputs {
            let owner = match input {
                In::Text(text) => format!("Bearer {}", text.split(' ').next().unwrap()),
                In::Tokens(tokens) => format!("Bearer key-{}", tokens[0]),
            };
            assert_eq!(owner, key);
        }
    }
}
