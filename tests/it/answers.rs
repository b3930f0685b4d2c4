//! Answers that take room: many large ones at once, those that nobody takes, and those that come piece
//! by piece, are held within a bound.

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::Value;

use crate::harness::{
    Aside, Ask, Asked, Raw, Sidecar, Simulated, Teller, all, answer, texts, until,
};

const BOUND: u64 = 16 << 20;
const CONFIG: &str = "[server]\nmax_answers = \"16MiB\"\n[cache]\nmemory = \"16MiB\"\n";

fn answer_to(body: &Bytes) -> Value {
    let (path, headers, body) = (String::new(), HeaderMap::new(), body.clone());
    answer(&Asked { method: Method::POST, path, headers, body, number: 0 })
}

#[tokio::test]
async fn many_large_answers_of_a_provider_at_once_are_held_within_a_bound() {
    const CALLS: usize = 48;
    let provider = Teller::of("application/json");
    let sidecar = Sidecar::with(provider.address, CONFIG);
    let before = sidecar.memory("VmRSS");
    let asking = (0..CALLS).map(|number| {
        // Nobody's call is another's.
        let key = format!("Bearer {number}");
        let ask = Ask::of([format!("text {number}")]).header("authorization", &key);
        let client = sidecar.client();
        async move {
            let got = client.embed(&ask).await;
            let is_turned_away = got.is_own_error(503, "overloaded");
            assert!(is_turned_away || ask.judge(&got).is_ok(), "{got:?}");
            is_turned_away
        }
    });
    let answers = Aside::start(all(asking.collect::<Vec<_>>()));
    let mut calls = Vec::new();
    for number in 0..CALLS {
        let call = provider.call(number).await;
        call.say(format!("{{\"padding\":\"{}\",", "x".repeat(4 << 20))).await;
        calls.push(call);
    }
    let most = usize::try_from(BOUND >> 22).unwrap();
    until("what there is no room for is given up", || async {
        calls.iter().filter(|call| !call.is_left()).count() <= most
    })
    .await;
    for call in calls.iter().filter(|call| !call.is_left()) {
        let rest = answer_to(&call.body).to_string();
        call.say(rest[1..].to_owned()).await;
        call.end().await;
    }
    let turned_away = answers.done().await.into_iter().filter(|is| *is).count();
    let grown = sidecar.memory("VmHWM") - before;
    eprintln!("{turned_away} of {CALLS} turned away, {} MiB more at the most", grown >> 20);
    assert!((CALLS - most..CALLS).contains(&turned_away));
    // Three times the bound, and what the connections themselves hold.
    assert!(grown < 3 * BOUND + CALLS as u64 * (512 << 10), "{grown}");
}

#[tokio::test]
async fn large_answers_that_nobody_takes_are_held_within_a_bound() {
    let provider = Simulated::instant();
    let config = "[server]\nmax_answers = \"64MiB\"\n[cache]\nmemory = \"16MiB\"\n";
    let sidecar = Sidecar::with(provider.address, config);
    let mut inputs = texts("lazy", 512);
    sidecar.client().right(&Ask::of(inputs.clone()).dimensions(1536)).await;
    let before = sidecar.memory("VmRSS");
    let mut lazy = Vec::new();
    for _ in 0..24 {
        // In another order, so that each is written anew.
        inputs.rotate_left(1);
        let mut connection = Raw::connect(sidecar.proxy).await;
        connection.send(Raw::embed(&Ask::of(inputs.clone()).dimensions(1536))).await;
        connection.until(b"\r\n").await;
        lazy.push(connection);
    }
    let grown = sidecar.memory("VmHWM") - before;
    eprintln!("{} MiB more at the most", grown >> 20);
    assert!(grown < 3 * (64 << 20), "{grown}");
    let full = sidecar.client().embed(&Ask::of(inputs.clone()).dimensions(1536)).await;
    assert!(full.is_own_error(503, "overloaded"), "{}", full.status);
    sidecar.client().right(&Ask::of(["a small one"])).await;
    drop(lazy);
    let ask = Ask::of(inputs).dimensions(1536);
    until("there is room again", || async { sidecar.client().embed(&ask).await.status == 200 })
        .await;
}

#[tokio::test]
async fn a_stream_that_there_is_no_room_for_is_passed_on_and_not_joined() {
    const BODY: &str = r#"{"model":"m","temperature":0,"stream":true,"messages":[]}"#;
    let provider = Teller::events();
    let sidecar = Sidecar::with(provider.address, "[server]\nmax_answers = \"64KiB\"\n");
    let ask = || async {
        let mut connection = Raw::connect(sidecar.proxy).await;
        connection.send(Raw::post("/v1/chat/completions", &[], BODY)).await;
        connection
    };
    let piece = format!("data: {{\"choices\":[],\"x\":\"{}\"}}\n\n", "x".repeat(20_000));
    let mut first = ask().await;
    let telling = provider.call(0).await;
    telling.say(piece.clone()).await;
    let mut joined = ask().await;
    joined.until(b"data: ").await;
    for _ in 1..10 {
        telling.say(piece.clone()).await;
    }
    telling.end().await;
    for reader in [&mut first, &mut joined] {
        assert_eq!(reader.answer().await.text(), piece.repeat(10));
    }
    let _later = ask().await;
    provider.call(1).await;
}
