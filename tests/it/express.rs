//! What comes again on a connection under the same head is answered past hyper, and as it would be by it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use http::Method;
use larder::simulate::Settings;
use tokio::time::sleep;

use crate::harness::{Answer, Ask, Chance, DIMENSIONS, Raw, Sidecar, Simulated, texts, until};

const TRACED: &str = "[log]\nlevel = \"trace\"\n";

fn count(sidecar: &Sidecar) -> usize {
    sidecar.log().matches("served by the fast path").count()
}

/// Asked often enough that the next answer is remembered, and the head known.
async fn known(connection: &mut Raw, ask: &Ask) {
    for _ in 0..3 {
        connection.send(Raw::embed(ask)).await;
        ask.check(&connection.answer().await);
    }
}

async fn asked(connection: &mut Raw, ask: &Ask) -> Answer {
    connection.send(Raw::embed(ask)).await;
    connection.answer().await
}

/// What an answer says, but for what another moment changes.
fn said(answer: &Answer) -> BTreeSet<(String, String)> {
    let of_a_moment = ["date", "age", "server-timing"];
    let fields = answer.headers.iter().map(|(name, value)| {
        let value = if of_a_moment.contains(&name.as_str()) { "" } else { value.to_str().unwrap() };
        (name.to_string(), value.to_owned())
    });
    fields.collect()
}

fn any_ask(chance: &mut Chance) -> Ask {
    let names = texts("any", 10);
    let inputs: Vec<&str> =
        (0..=chance.below(3)).map(|_| names[chance.index(10)].as_str()).collect();
    let ask = if chance.below(3) == 0 { Ask::scalar(inputs[0]) } else { Ask::of(inputs) };
    let ask = if chance.below(2) == 0 { ask.base64() } else { ask };
    match chance.below(12) {
        0 => ask.header("x-api-key", "another"),
        1 => ask.header("cache-control", "no-store"),
        2 => ask.header("connection", "keep-alive"),
        _ => ask,
    }
}

async fn send_in_pieces(connection: &mut Raw, bytes: &[u8], chance: &mut Chance) {
    let mut rest = bytes;
    while chance.below(3) > 0 && rest.len() > 1 {
        let (now, later) = rest.split_at(1 + chance.index(rest.len() - 1));
        connection.send(now).await;
        sleep(Duration::from_millis(chance.below(3))).await;
        rest = later;
    }
    connection.send(rest).await;
}

#[tokio::test]
async fn an_answer_is_the_same_however_it_is_come_by() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::with(provider.address, TRACED);
    let mut chance = Chance::new();
    let mut compared = 0;
    for _ in 0..60 {
        let mut connection = Raw::connect(sidecar.proxy).await;
        for _ in 0..=chance.below(30) {
            let ask = any_ask(&mut chance);
            send_in_pieces(&mut connection, &Raw::embed(&ask), &mut chance).await;
            let answer = connection.answer().await;
            ask.check(&answer);
            // The first one on a connection is always hyper's.
            let first = asked(&mut Raw::connect(sidecar.proxy).await, &ask).await;
            if answer.header("cache-status").starts_with("larder; hit") {
                assert_eq!(answer.body, first.body);
                assert_eq!(said(&answer), said(&first));
                compared += 1;
            }
        }
    }
    assert!(compared > 100, "{compared}");
    until("some go past hyper", || async { count(&sidecar) > 50 }).await;
    assert!(sidecar.metric("larder_requests_in_flight", "").await < 0.5);
}

#[tokio::test]
async fn answers_come_in_the_order_of_their_requests() {
    let mut slow = Settings { dimensions: DIMENSIONS, ..Settings::instant() };
    slow.faults.latency = Duration::from_millis(200);
    let provider = Simulated::start(slow);
    let sidecar = Sidecar::with(provider.address, TRACED);
    let mut connection = Raw::connect(sidecar.proxy).await;
    let (hit, miss) = (Ask::of(["hit"]), Ask::of(["miss"]));
    known(&mut connection, &hit).await;
    until("it goes past hyper", || async { count(&sidecar) > 0 }).await;
    let before = count(&sidecar);
    // While hyper waits for the answer to one, the next is not answered before it.
    connection.send(Raw::embed(&miss)).await;
    sleep(Duration::from_millis(50)).await;
    connection.send(Raw::embed(&hit)).await;
    miss.check(&connection.answer().await);
    hit.check(&connection.answer().await);
    assert_eq!(count(&sidecar), before);
    // Several at once are hyper's.
    connection.send([Raw::embed(&hit), Raw::embed(&miss), Raw::embed(&hit)].concat()).await;
    for ask in [&hit, &miss, &hit] {
        ask.check(&connection.answer().await);
    }
    hit.check(&asked(&mut connection, &hit).await);
    until("it goes past hyper again", || async { count(&sidecar) > before }).await;
}

#[tokio::test]
async fn an_answer_waits_for_the_one_before_it_to_be_taken() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::with(provider.address, TRACED);
    let mut connection = Raw::connect(sidecar.proxy).await;
    // More than the sockets between them hold.
    let (large, small) = (Ask::of(texts("large", 600)), Ask::of(["small"]));
    known(&mut connection, &small).await;
    ask_twice(&mut connection, &large).await;
    for ask in [&large, &small, &large, &small] {
        connection.send(Raw::embed(ask)).await;
        sleep(Duration::from_millis(50)).await;
    }
    for ask in [&large, &small, &large, &small] {
        ask.check(&connection.answer().await);
    }
}

async fn ask_twice(connection: &mut Raw, ask: &Ask) {
    for _ in 0..2 {
        ask.check(&asked(connection, ask).await);
    }
}

#[tokio::test]
async fn what_never_comes_to_its_end_is_hypers_in_the_end() {
    let provider = Simulated::instant();
    let bounds = "[server]\nhead_timeout = \"1s\"\nbody_timeout = \"1s\"\n";
    let sidecar = Sidecar::with(provider.address, bounds);
    let ask = Ask::of(["half"]);
    let bytes = Raw::embed(&ask);
    let mut connection = Raw::connect(sidecar.proxy).await;
    known(&mut connection, &ask).await;
    connection.send(&bytes[..bytes.len() - 3]).await;
    let answer = connection.answer().await;
    assert!(answer.is_own_error(408, "request_timeout"), "{answer:?}");

    let mut connection = Raw::connect(sidecar.proxy).await;
    known(&mut connection, &ask).await;
    connection.send(&bytes[..20]).await;
    let started = Instant::now();
    connection.stream_ends().await;
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn what_is_known_of_a_head_ends_with_the_configuration_it_was_known_under() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::with(provider.address, TRACED);
    let ask = Ask::of(["known"]).header("authorization", "Bearer one");
    let mut connection = Raw::connect(sidecar.proxy).await;
    known(&mut connection, &ask).await;
    until("it goes past hyper", || async { count(&sidecar) > 0 }).await;
    sidecar.rewrite(&format!("{TRACED}[access]\nauth = \"allowlist\"\nkeys = [\"two\"]\n"));
    assert_eq!(sidecar.admin().send(Method::POST, "/api/reload", &[], "").await.status, 200);
    // It is taken over a moment after it was said to be.
    let mut refused = false;
    for _ in 0..200 {
        refused = asked(&mut connection, &ask).await.is_own_error(401, "unauthorized");
        if refused {
            break;
        }
        sleep(Duration::from_millis(10)).await;
    }
    assert!(refused);
}

#[tokio::test]
async fn what_is_purged_or_has_ended_is_asked_for_again() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::with(provider.address, "[cache]\nttl = \"2s\"\n");
    let ask = Ask::of(["short"]);
    let mut connection = Raw::connect(sidecar.proxy).await;
    known(&mut connection, &ask).await;
    assert_eq!(asked(&mut connection, &ask).await.hits(), 1);
    assert!(sidecar.admin().send(Method::DELETE, "/api/entries", &[], "").await.status < 300);
    assert_eq!(asked(&mut connection, &ask).await.hits(), 0);
    known(&mut connection, &ask).await;
    sleep(Duration::from_millis(2_100)).await;
    assert_eq!(asked(&mut connection, &ask).await.hits(), 0);
}

#[tokio::test]
async fn the_last_answer_of_a_draining_connection_says_so() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::before(provider.address);
    let ask = Ask::of(["last"]);
    let mut connection = Raw::connect(sidecar.proxy).await;
    known(&mut connection, &ask).await;
    sidecar.signal("TERM");
    until("it drains", || async { sidecar.log().contains("draining") }).await;
    sleep(Duration::from_millis(100)).await;
    let answer = asked(&mut connection, &ask).await;
    ask.check(&answer);
    assert_eq!(answer.header("connection"), "close");
    connection.stream_ends().await;
}
