//! Streams on their way: as they come, to everybody who asks the same, and no further than somebody
//! wants them.

use std::collections::BTreeSet;
use std::time::Duration;

use http::Method;
use larder::simulate::{Faults, Settings, oracle};
use serde_json::Value;

use crate::harness::{Answer, Client, Raw, Sidecar, Simulated, Teller, all, until};

const PATH: &str = "/v1/chat/completions";
const COLD: &str = r#"{"model":"m","temperature":0,"stream":true,"messages":[]}"#;
const WARM: &str = r#"{"model":"m","temperature":1,"stream":true,"messages":[]}"#;
const PART: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"b\"}}]}\n\n";
const STOP: &str =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const DONE: &str = "data: [DONE]\n\n";

async fn ask(sidecar: &Sidecar, body: &str) -> Raw {
    let mut connection = Raw::connect(sidecar.proxy).await;
    connection.send(Raw::post(PATH, &[], body)).await;
    connection
}

#[tokio::test]
async fn pieces_go_out_as_they_come_in() {
    let provider = Teller::events();
    let sidecar = Sidecar::before(provider.address);
    for (call, body) in [WARM, COLD].into_iter().enumerate() {
        let mut client = ask(&sidecar, body).await;
        let telling = provider.call(call).await;
        assert_eq!(telling.body, body);
        // Not even whole frames are waited for.
        for piece in [&PART[..7], &PART[7..], STOP, DONE] {
            telling.say(piece.to_owned()).await;
            client.until(piece.as_bytes()).await;
        }
        telling.end().await;
        let answer = client.answer().await;
        assert_eq!(answer.text(), [PART, STOP, DONE].concat());
        assert_eq!(answer.header("content-type"), "text/event-stream");
    }
    assert_eq!(ask(&sidecar, COLD).await.answer().await.text(), [PART, STOP, DONE].concat());
    assert_eq!(provider.calls(), 2);
}

#[tokio::test]
async fn whoever_asks_the_same_joins_from_the_first_byte_and_the_leader_may_leave() {
    let provider = Teller::events();
    let sidecar = Sidecar::before(provider.address);
    let mut leader = ask(&sidecar, COLD).await;
    let telling = provider.call(0).await;
    telling.say(PART).await;
    leader.until(PART.as_bytes()).await;
    let mut follower = ask(&sidecar, COLD).await;
    follower.until(PART.as_bytes()).await;
    drop(leader);
    telling.say(STOP).await;
    follower.until(STOP.as_bytes()).await;
    telling.say(DONE).await;
    telling.end().await;
    let answer = follower.answer().await;
    assert_eq!(answer.text(), [PART, STOP, DONE].concat());
    assert_eq!(answer.header("cache-status"), "larder; fwd=miss; collapsed");
    assert_eq!(provider.calls(), 1);
    let joined = sidecar.metric("larder_collapsed_inputs_total", "chat").await;
    assert!((joined - 1.0).abs() < 0.5);
    let hit = ask(&sidecar, COLD).await.answer().await;
    assert!(hit.header("cache-status").starts_with("larder; hit"));
    assert_eq!(hit.text(), answer.text());
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_call_that_was_its_alone() {
    let provider = Teller::events();
    let sidecar = Sidecar::before(provider.address);
    for call in 0..2 {
        let mut client = ask(&sidecar, WARM).await;
        let telling = provider.call(call).await;
        telling.say(PART).await;
        client.until(PART.as_bytes()).await;
        assert!(!telling.is_left());
        drop(client);
        telling.left().await;
    }
    sidecar.until("larder_client_cancelled_total", 2.0).await;
    until("no call is under way", || async {
        sidecar.metric("larder_upstream_connections", "active").await < 0.5
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_nobody_can_share_is_not_finished_for_nobody() {
    let provider = Teller::events();
    let sidecar = Sidecar::before(provider.address);
    // Nothing that would be kept: an error came.
    let mut client = ask(&sidecar, COLD).await;
    let telling = provider.call(0).await;
    telling.say("data: {\"error\":{}}\n\n").await;
    client.until(b"{\"error\":{}}").await;
    drop(client);
    telling.left().await;
    // Nothing that anybody could join.
    let mut client = Raw::connect(sidecar.proxy).await;
    client.send(Raw::post(PATH, &[("cache-control", "no-cache")], COLD)).await;
    let telling = provider.call(1).await;
    telling.say(PART).await;
    client.until(PART.as_bytes()).await;
    drop(client);
    telling.left().await;
    sidecar.until("larder_chat_streams", 0.0).await;
}

#[tokio::test]
async fn an_answer_that_may_be_kept_waits_a_while_for_who_comes_back() {
    let provider = Teller::events();
    let sidecar = Sidecar::before(provider.address);
    let mut client = ask(&sidecar, COLD).await;
    let telling = provider.call(0).await;
    telling.say(PART).await;
    client.until(PART.as_bytes()).await;
    drop(client);
    sidecar.until("larder_client_cancelled_total", 1.0).await;
    telling.say(STOP).await;
    let again = ask(&sidecar, COLD).await;
    telling.say(DONE).await;
    telling.end().await;
    let mut again = again;
    assert_eq!(again.answer().await.text(), [PART, STOP, DONE].concat());
    // With nobody there, it is given up in the end.
    let other = COLD.replace("\"m\"", "\"n\"");
    let mut client = ask(&sidecar, &other).await;
    let telling = provider.call(1).await;
    telling.say(PART).await;
    client.until(PART.as_bytes()).await;
    drop(client);
    telling.left().await;
    sidecar.until("larder_chat_streams", 0.0).await;
    let abandoned = sidecar.metric("larder_chat_answers_total", "abandoned").await;
    assert!((abandoned - 1.0).abs() < 0.5);
}

#[tokio::test]
async fn a_cut_is_a_cut_for_everybody_and_nothing_is_kept() {
    let provider = Teller::events();
    let sidecar = Sidecar::before(provider.address);
    let mut leader = ask(&sidecar, COLD).await;
    let telling = provider.call(0).await;
    telling.say(PART).await;
    leader.until(PART.as_bytes()).await;
    let mut follower = ask(&sidecar, COLD).await;
    follower.until(PART.as_bytes()).await;
    telling.say(&STOP.as_bytes()[..9]).await;
    telling.cut().await;
    for client in [leader, follower] {
        let rest = client.rest().await;
        assert!(rest.contains(&STOP[..9]), "{rest}");
        assert!(!rest.ends_with("0\r\n\r\n"), "{rest}");
    }
    let mut again = ask(&sidecar, COLD).await;
    let telling = provider.call(1).await;
    telling.say([PART, STOP, DONE].concat()).await;
    telling.end().await;
    assert_eq!(again.answer().await.text(), [PART, STOP, DONE].concat());
    assert!((sidecar.metric("larder_chat_answers_total", "\"cut\"").await - 1.0).abs() < 0.5);
}

#[tokio::test]
async fn a_reader_that_does_not_read_slows_nobody() {
    let provider = Teller::events();
    // More than the sockets of the slow one hold by themselves: by so much it may be ahead at first.
    let sidecar = Sidecar::with(provider.address, "[cache]\nmax_transcript = \"16MiB\"\n");
    let slow = ask(&sidecar, COLD).await;
    let telling = provider.call(0).await;
    telling.say(PART).await;
    let mut quick = ask(&sidecar, COLD).await;
    quick.until(PART.as_bytes()).await;
    let comment = format!(": {}\n\n", "x".repeat(65_000));
    let count = 800;
    let telling_all = async {
        for _ in 0..count {
            telling.say(comment.clone()).await;
        }
        telling.say([STOP, DONE].concat()).await;
        telling.end().await;
    };
    let (answer, ()) = tokio::join!(quick.answer(), telling_all);
    let right = [PART, &comment.repeat(count), STOP, DONE].concat();
    assert!(answer.body == right.as_bytes(), "{} of {}", answer.body.len(), right.len());
    let rest = slow.rest().await;
    assert!(!rest.ends_with("0\r\n\r\n"), "the slow one got a clean end");
    assert!(rest.len() < right.len());
    let held = sidecar.memory("VmHWM");
    assert!(held < 150 << 20, "{held}");
}

async fn stream(client: &Client, content: &str) -> Answer {
    let body = format!(
        r#"{{"model":"m","temperature":0,"stream":true,"messages":[{{"role":"user","content":"{content}"}}]}}"#
    );
    client.send(Method::POST, PATH, &[("content-type", "application/json")], body).await
}

/// The text that a stream tells, piece by piece.
fn words(answer: &Answer) -> Vec<String> {
    let text = answer.text();
    let frames = text.split("\n\n").filter_map(|frame| frame.strip_prefix("data: "));
    let chunks = frames.filter_map(|data| serde_json::from_str::<Value>(data).ok());
    let content = chunks
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned));
    content.filter(|word| !word.is_empty()).collect()
}

fn simulated(chunks: usize, chunk_delay: Duration) -> Simulated {
    let settings = Settings::instant();
    let faults = Faults { chunks, chunk_delay, ..settings.faults };
    Simulated::start(Settings { faults, ..settings })
}

#[tokio::test]
async fn fifty_who_ask_the_same_at_once_are_one_call() {
    let provider = simulated(50, Duration::from_millis(4));
    let sidecar = Sidecar::before(provider.address);
    let client = sidecar.client();
    let asking = (0..50).map(|_| {
        let client = client.clone();
        async move { stream(&client, "the same").await }
    });
    let answers = all(asking.collect::<Vec<_>>()).await;
    assert_eq!(provider.stats().await.chat_requests, 1);
    let bodies: BTreeSet<&[u8]> = answers.iter().map(|answer| &answer.body[..]).collect();
    assert_eq!(bodies.len(), 1);
    assert_eq!(words(&answers[0]).len(), 50);
    let led = answers.iter().filter(|a| a.header("cache-status") == "larder; fwd=miss");
    assert_eq!(led.count(), 1);
}

#[tokio::test]
async fn two_hundred_streams_at_once_lose_nothing_and_keep_their_order() {
    let provider = simulated(100, Duration::from_millis(1));
    let settings = "[providers.openai]\nmax_connections = 200\n";
    let sidecar = Sidecar::with(provider.address, settings);
    let client = sidecar.client();
    let asking = (0..200).map(|n| {
        let client = client.clone();
        async move { (n, stream(&client, &format!("number {n}")).await) }
    });
    for (n, answer) in all(asking.collect::<Vec<_>>()).await {
        let messages = format!(r#"[{{"role":"user","content":"number {n}"}}]"#);
        let right = oracle::words(oracle::chat_seed("m", &messages), 100);
        assert_eq!(words(&answer), right, "{n}");
        assert!(answer.text().ends_with(DONE));
    }
    assert_eq!(provider.stats().await.chat_requests, 200);
    sidecar.until("larder_chat_streams", 0.0).await;
}

#[tokio::test]
async fn who_asks_again_while_a_stream_lasts_is_not_taken_for_one_who_sends_no_head() {
    let provider = Teller::events();
    let sidecar = Sidecar::with(provider.address, "[server]\nhead_timeout = \"200ms\"\n");
    let mut client = ask(&sidecar, WARM).await;
    let telling = provider.call(0).await;
    telling.say(PART).await;
    client.until(PART.as_bytes()).await;
    client.send(Raw::post(PATH, &[], WARM)).await;
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        telling.say(PART).await;
    }
    telling.end().await;
    assert_eq!(client.answer().await.text(), PART.repeat(11));
    let second = provider.call(1).await;
    second.say(DONE).await;
    second.end().await;
    assert_eq!(client.answer().await.text(), DONE);
}
