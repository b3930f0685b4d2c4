//! Replicas that miss the same at the same time make one provider call.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use larder::simulate::{Faults, Settings};

use super::ready_replica;
use crate::harness::{
    Aside, Ask, DIMENSIONS, RedisServer, Scripted, Sidecar, Simulated, all, answer, json, texts,
    until,
};

/// Some calls take a while.
fn slow(milliseconds: u64) -> Simulated {
    let faults = Faults { latency: Duration::from_millis(milliseconds), ..Faults::default() };
    Simulated::start(Settings { dimensions: DIMENSIONS, faults, ..Settings::instant() })
}

async fn replicas(provider: &Simulated, redis: &RedisServer, count: usize) -> Vec<Sidecar> {
    let mut replicas = Vec::new();
    for _ in 0..count {
        replicas.push(ready_replica(provider.address, &redis.url()).await);
    }
    replicas
}

#[tokio::test]
async fn two_hundred_cold_requests_to_four_replicas_are_one_call() {
    let (redis, provider) = (RedisServer::start().await, slow(200));
    let replicas = replicas(&provider, &redis, 4).await;
    let ask = Ask::of(["the same"]);
    let asking = (0..200).map(|n| {
        let (client, ask) = (replicas[n % 4].client(), ask.clone());
        async move { client.right(&ask).await }
    });
    all(asking.collect::<Vec<_>>()).await;
    let stats = provider.stats().await;
    assert_eq!((stats.embedding_requests, stats.inputs), (1, 1));
    // And so for requests of which each has a part of its own.
    let asking = (0..40).map(|n| {
        let mut inputs = texts("in common", 8);
        inputs.push(format!("its own {n:06}"));
        let (client, ask) = (replicas[n % 4].client(), Ask::of(inputs));
        async move { client.right(&ask).await }
    });
    all(asking.collect::<Vec<_>>()).await;
    assert_eq!(provider.stats().await.inputs, 1 + 8 + 40);
}

#[tokio::test]
async fn a_plain_answer_of_a_model_is_asked_for_once_and_a_streamed_one_never_waits() {
    let (redis, provider) = (RedisServer::start().await, slow(300));
    let replicas = replicas(&provider, &redis, 4).await;
    let body = |stream: bool| {
        let messages = serde_json::json!([{ "role": "user", "content": "the same" }]);
        serde_json::json!({ "model": "gpt-4o", "temperature": 0, "stream": stream, "messages": messages })
    };
    for (stream, calls) in [(false, 1), (true, 1 + 4)] {
        let asking = (0..40).map(|n| {
            let (client, body) = (replicas[n % 4].client(), body(stream));
            async move { client.chat(&body).await }
        });
        let answers = all(asking.collect::<Vec<_>>()).await;
        assert!(answers.iter().all(|answer| answer.status == 200));
        if !stream {
            assert!(answers.iter().all(|answer| answer.body == answers[0].body));
        }
        assert_eq!(provider.stats().await.chat_requests, calls);
    }
}

#[tokio::test]
async fn the_death_of_a_leader_costs_a_call_and_no_error() {
    let redis = RedisServer::start().await;
    let calls = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&calls);
    // The first call is never answered.
    let provider = Scripted::start(move |asked| {
        let number = counted.fetch_add(1, Ordering::Relaxed);
        async move {
            if number == 0 {
                std::future::pending::<()>().await;
            }
            Some(json(200, &answer(&asked)))
        }
    });
    let leader = ready_replica(provider.address, &redis.url()).await;
    let ask = Ask::of(["whose leader dies"]);
    let (dying, asked) = (leader.client(), ask.clone());
    let _asking = Aside::start(async move { dying.try_embed(&asked).await.is_err() });
    provider.called(1).await;
    let others = [
        ready_replica(provider.address, &redis.url()).await,
        ready_replica(provider.address, &redis.url()).await,
    ];
    let asking = others.each_ref().map(|other| {
        let (client, ask) = (other.client(), ask.clone());
        async move { client.right(&ask).await }
    });
    let asking = Aside::start(all(asking));
    until("both wait", || async {
        let mut waiting = 0.0;
        for other in &others {
            waiting += other.metric("larder_flights", "").await;
        }
        waiting > 1.5
    })
    .await;
    // While the leader lives, they wait, for longer than a lease lasts by itself.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    leader.signal("KILL");
    asking.done().await;
    assert_eq!(calls.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_leader_that_fails_does_not_fail_the_others() {
    let redis = RedisServer::start().await;
    let calls = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&calls);
    let provider = Scripted::start(move |asked| {
        let number = counted.fetch_add(1, Ordering::Relaxed);
        async move {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let refused = serde_json::json!({ "error": { "message": "no" } });
            Some(if number == 0 { json(500, &refused) } else { json(200, &answer(&asked)) })
        }
    });
    let one = ready_replica(provider.address, &redis.url()).await;
    let other = ready_replica(provider.address, &redis.url()).await;
    let ask = Ask::of(["whose first call fails"]);
    let (client, asked) = (one.client(), ask.clone());
    let first = Aside::start(async move { client.embed(&asked).await });
    provider.called(1).await;
    other.client().right(&ask).await;
    assert_eq!(first.done().await.status, 500);
    assert_eq!(calls.load(Ordering::Relaxed), 2);
}

/// Whoever asks often, asks for few things: the provider sees each once, whichever replica is asked.
#[tokio::test]
async fn the_provider_sees_each_input_of_a_zipf_load_once() {
    const TEXTS: usize = 500;
    const REQUESTS: usize = 4_000;
    let (redis, provider) = (RedisServer::start().await, slow(20));
    let replicas = replicas(&provider, &redis, 4).await;
    let weights: Vec<f64> = (1..=TEXTS)
        .scan(0.0, |sum, rank| {
            *sum += 1.0 / f64::from(u32::try_from(rank).unwrap());
            Some(*sum)
        })
        .collect();
    let total = weights[TEXTS - 1];
    let mut state = 1_u64;
    let mut draw = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(state >> 32).unwrap()) / f64::from(u32::MAX) * total
    };
    let mut asks: Vec<Vec<usize>> = vec![Vec::new(); 32];
    for number in 0..REQUESTS {
        let drawn = draw();
        let text = weights.partition_point(|sum| *sum < drawn).min(TEXTS - 1);
        asks[number % 32].push(text);
    }
    let asking = asks.into_iter().enumerate().map(|(worker, texts)| {
        let client = replicas[worker % 4].client();
        async move {
            for text in texts {
                client.right(&Ask::of([format!("zipf {text:06}")])).await;
            }
        }
    });
    all(asking.collect::<Vec<_>>()).await;
    let seen = provider.stats().await;
    let excess = seen.inputs - seen.distinct_inputs as u64;
    eprintln!("{} distinct inputs, {excess} asked for again", seen.distinct_inputs);
    assert_eq!(excess, 0);
}
