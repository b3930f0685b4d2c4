//! An input that kills the provider's worker: only its own request fails, and the provider is called as before.

use std::time::Duration;

use serde_json::json;

use crate::harness::{Answer, Ask, Asked, Say, Scripted, Sidecar, all, answer, json as reply};

/// Requests that come at once.
const REQUESTS: usize = 16;

/// A provider whose worker dies of some inputs, at once, while other calls take their time.
fn dying(death: Death) -> Scripted {
    Scripted::start(move |asked: Asked| async move {
        if asked.holds("deadly") {
            return death();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        Some(reply(200, &answer(&asked)))
    })
}

type Death = fn() -> Say;

const DEATHS: &[(&str, Death)] = &[
    ("a closed connection", || None),
    ("502", || Some(reply(502, &json!({ "error": { "message": "worker died" } })))),
    ("503", || Some(reply(503, &json!({ "error": { "message": "no worker" } })))),
];

/// Makes a round of requests, one of which is deadly.
async fn one_is_deadly(sidecar: &Sidecar, name: &str, round: usize) {
    const DEADLY: usize = 5;
    let asking = (0..REQUESTS).map(|n| {
        let client = sidecar.client();
        let kind = if n == DEADLY { "deadly" } else { "harmless" };
        let ask = Ask::of([format!("{kind} {round} {n}")]);
        async move { (ask.clone(), client.embed(&ask).await) }
    });
    let answers = all(asking.collect::<Vec<_>>()).await;
    for (n, (ask, answer)) in answers.into_iter().enumerate() {
        if n == DEADLY {
            assert!([502, 503].contains(&answer.status), "{name}: {answer:?}");
            assert_ne!(answer.header("x-larder-error"), "circuit_open", "{name}");
        } else {
            ask.check(&answer);
        }
    }
}

#[tokio::test]
async fn requests_that_travel_with_a_deadly_one_do_not_fail_with_it() {
    for (name, death) in DEATHS {
        let provider = dying(*death);
        let config = "[providers.openai]\nmax_connections = 1\n";
        let sidecar = Sidecar::with(provider.address, config);
        for round in 0..3 {
            one_is_deadly(&sidecar, name, round).await;
        }
        assert!(!sidecar.log().contains("circuit breaker opened"), "{name}: {}", sidecar.log());
        let largest = provider.calls().iter().map(|call| call.inputs().len()).max();
        assert!(largest > Some(REQUESTS / 2), "{name}: they travelled together");
    }
}

#[tokio::test]
async fn a_provider_that_answers_no_merged_call_failed_all_but_one_request_for_ever() {
    for (name, death) in DEATHS {
        let provider = Scripted::start(move |asked: Asked| async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            if asked.inputs().len() > 1 { death() } else { Some(reply(200, &answer(&asked))) }
        });
        // One call at a time, so that the others of a round travel together.
        let config = "[providers.openai]\nmax_connections = 1\nbreaker_failures = 0\n";
        let sidecar = Sidecar::with(provider.address, config);
        for round in 0..3 {
            let asking = (0..REQUESTS).map(|n| harmless(&sidecar, round, n));
            for (ask, answer) in all(asking.collect::<Vec<_>>()).await {
                assert_eq!(answer.status, 200, "{name}, round {round}: {answer:?}");
                ask.check(&answer);
            }
        }
    }
}

fn harmless(
    sidecar: &Sidecar,
    round: usize,
    n: usize,
) -> impl Future<Output = (Ask, Answer)> + use<> {
    let (client, ask) = (sidecar.client(), Ask::of([format!("harmless {round} {n}")]));
    async move { (ask.clone(), client.embed(&ask).await) }
}

#[tokio::test]
async fn a_request_that_fails_alone_is_one_failure_however_often_it_is_repeated() {
    let provider = dying(|| None);
    let config = "[providers.openai]\nbreaker_failures = 4\n";
    let sidecar = Sidecar::with(provider.address, config);
    for n in 0..3 {
        let answer = sidecar.client().embed(&Ask::of([format!("deadly {n}")])).await;
        assert!(answer.is_own_error(502, "upstream_unreachable"), "{answer:?}");
    }
    sidecar.client().right(&Ask::of(["harmless"])).await;
    assert!(!sidecar.log().contains("circuit breaker opened"), "{}", sidecar.log());
}

#[tokio::test]
async fn a_provider_that_answers_nothing_is_not_called_for_each_request() {
    let provider = dying(|| Some(reply(503, &json!({ "error": { "message": "overloaded" } }))));
    let config = "[providers.openai]\nmax_connections = 1\n";
    let sidecar = Sidecar::with(provider.address, config);
    assert_eq!(wave(&sidecar, "first").await, REQUESTS * 4);
    assert!(provider.calls().len() <= 40, "{} calls", provider.calls().len());
    let calls = provider.calls().len();
    assert_eq!(wave(&sidecar, "second").await, REQUESTS * 4);
    let more = provider.calls().len() - calls;
    assert!(more <= 10, "{more} calls: the parts of a call are not tried again at once");
}

/// Makes deadly requests; how many fail.
async fn wave(sidecar: &Sidecar, name: &str) -> usize {
    let asking = (0..REQUESTS * 4).map(|n| {
        let (client, ask) = (sidecar.client(), Ask::of([format!("deadly {name} {n}")]));
        async move { client.embed(&ask).await.status }
    });
    let statuses = all(asking.collect::<Vec<_>>()).await;
    statuses.iter().filter(|status| **status == 503).count()
}
