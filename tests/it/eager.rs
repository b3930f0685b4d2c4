//! Connections that are there before the first call: when they are opened, who takes them, and when they go.

use std::time::{Duration, Instant};

use http::Method;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use crate::connections::{answer_once, open, opened};
use crate::harness::{
    Aside, Ask, Encrypted, Gate, Sidecar, Simulated, all, complaints, path, until,
};

const EAGER: &str = "[server]\neager = true\n";
const BOTH: [&[&str]; 2] = [&["http/1.1"], &["h2", "http/1.1"]];

/// Long enough for what is done at the start.
const A_WHILE: Duration = Duration::from_millis(400);

fn free() -> Gate {
    let gate = Gate::closed();
    gate.open();
    gate
}

fn secure(model: usize) -> Ask {
    Ask { model: format!("model {model}"), ..Ask::of(["text"]).path("/secure/v1/embeddings") }
}

async fn listener() -> (TcpListener, Sidecar) {
    listener_before(EAGER).await
}

async fn listener_before(config: &str) -> (TcpListener, Sidecar) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sidecar = Sidecar::with(listener.local_addr().unwrap(), config);
    (listener, sidecar)
}

async fn accept(listener: &TcpListener) -> TcpStream {
    let accepted = timeout(Duration::from_secs(10), listener.accept()).await;
    settled().await;
    accepted.expect("nobody connects").unwrap().0
}

/// Waits until so many are open at the provider, and here.
async fn connected(provider: &Encrypted, count: usize) {
    until("it is connected to", || async { provider.open() == count }).await;
    settled().await;
}

/// Long enough that what one side knows is known to the other.
async fn settled() {
    sleep(Duration::from_millis(50)).await;
}

async fn nobody_connects(listener: &TcpListener) -> bool {
    timeout(A_WHILE, listener.accept()).await.is_err()
}

#[tokio::test]
async fn the_first_call_of_an_eager_sidecar_finds_its_connection_open() {
    let (listener, sidecar) = listener().await;
    let mut connection = accept(&listener).await;
    let client = sidecar.client();
    let asking = Aside::start(async move { client.right(&Ask::of(["first"])).await });
    answer_once(&mut connection).await;
    asking.done().await;
    assert!(nobody_connects(&listener).await);
    assert!((opened(&sidecar).await - 1.0).abs() < 0.5);
}

#[tokio::test]
async fn nothing_is_opened_before_a_call_unless_that_is_wanted() {
    let (listener, sidecar) = listener_before("").await;
    assert_eq!(sidecar.admin().get("/readyz").await.status, 200);
    assert!(nobody_connects(&listener).await);
}

#[tokio::test]
async fn a_replay_connects_to_nobody() {
    let recordings = path("never");
    std::fs::create_dir_all(&recordings).unwrap();
    let config = format!("{EAGER}mode = \"replay\"\nrecordings = {recordings:?}\n");
    let (listener, _sidecar) = listener_before(&config).await;
    assert!(nobody_connects(&listener).await);
    drop(std::fs::remove_dir_all(&recordings));
}

#[tokio::test]
async fn over_tls_the_handshake_is_done_before_the_first_call() {
    for protocols in BOTH {
        let (other, gate) = (Simulated::instant(), free());
        let provider = Encrypted::start(protocols, &gate).await;
        let sidecar = Sidecar::with(other.address, &(EAGER.to_owned() + &provider.config("")));
        connected(&provider, 1).await;
        assert_eq!(provider.calls(), 0);
        for number in 0..5 {
            sidecar.client().right(&secure(number)).await;
        }
        assert_eq!((provider.calls(), provider.opened()), (5, 1), "{protocols:?}");
    }
}

#[tokio::test]
async fn many_calls_are_under_way_on_one_connection_over_http2() {
    let (other, gate) = (Simulated::instant(), Gate::closed());
    let provider = Encrypted::start(BOTH[1], &gate).await;
    let sidecar = Sidecar::with(other.address, &(EAGER.to_owned() + &provider.config("")));
    let client = sidecar.client();
    let ask = move |number| {
        let client = client.clone();
        async move { client.right(&secure(number)).await }
    };
    // Before its protocol is known, each call would open a connection for itself.
    connected(&provider, 1).await;
    let first = Aside::start(ask(0));
    until("the first is under way", || async { provider.calls() == 1 }).await;
    let others = Aside::start(all((1..=60).map(ask)));
    until("all are under way", || async { provider.calls() == 61 }).await;
    assert_eq!(provider.opened(), 1);
    gate.open();
    first.done().await;
    others.done().await;
    assert_eq!((provider.calls(), provider.opened()), (61, 1));
}

#[tokio::test]
async fn one_that_the_provider_closed_meanwhile_costs_no_call_and_is_opened_again() {
    for protocols in BOTH {
        let (other, gate) = (Simulated::instant(), free());
        let provider = Encrypted::start(protocols, &gate).await;
        let more = "warm_connections = 1\nretry_percent = 0\n";
        let sidecar = Sidecar::with(other.address, &provider.config(more));
        connected(&provider, 1).await;
        provider.close();
        connected(&provider, 0).await;
        sidecar.client().right(&secure(0)).await;
        provider.close();
        connected(&provider, 1).await;
        assert!(provider.opened() < 5, "{}", provider.opened());
        sidecar.client().right(&secure(1)).await;
    }
}

#[tokio::test]
async fn without_tls_one_that_the_provider_closed_meanwhile_costs_no_call() {
    let (listener, sidecar) =
        listener_before("[providers.openai]\nwarm_connections = 1\nretry_percent = 0\n").await;
    drop(accept(&listener).await);
    settled().await;
    let client = sidecar.client();
    let asking = Aside::start(async move { client.right(&Ask::of(["first"])).await });
    answer_once(&mut accept(&listener).await).await;
    asking.done().await;
    // Gone with the answer; and what is opened in its place is taken by the next call.
    let mut next = accept(&listener).await;
    let client = sidecar.client();
    let asking = Aside::start(async move { client.right(&Ask::of(["second"])).await });
    answer_once(&mut next).await;
    asking.done().await;
}

#[tokio::test]
async fn a_provider_that_says_something_unasked_is_asked_on_another_connection() {
    let (listener, sidecar) = listener().await;
    let mut connection = accept(&listener).await;
    connection
        .write_all(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n")
        .await
        .unwrap();
    sleep(Duration::from_millis(20)).await;
    let client = sidecar.client();
    let asking = Aside::start(async move { client.right(&Ask::of(["first"])).await });
    answer_once(&mut accept(&listener).await).await;
    asking.done().await;
}

#[tokio::test]
async fn as_many_are_open_as_the_settings_say_and_one_over_http2() {
    for (protocols, wanted) in BOTH.into_iter().zip([4, 1]) {
        let (other, gate) = (Simulated::instant(), free());
        let provider = Encrypted::start(protocols, &gate).await;
        let sidecar = Sidecar::with(other.address, &provider.config("warm_connections = 4\n"));
        connected(&provider, wanted).await;
        for number in 0..10 {
            sidecar.client().right(&secure(number)).await;
        }
        sleep(A_WHILE).await;
        assert_eq!((provider.opened(), provider.open()), (wanted, wanted), "{protocols:?}");
    }
}

#[tokio::test]
async fn unused_ones_are_opened_anew_when_their_time_has_passed() {
    let provider = Simulated::instant();
    let config = "[providers.openai]\nwarm_connections = 2\nidle_timeout = \"1s\"\n";
    let sidecar = Sidecar::with(provider.address, config);
    until("they are opened again", || async { opened(&sidecar).await > 3.5 }).await;
    assert!(open(&sidecar).await < 2.5);
    sidecar.client().right(&Ask::of(["text"])).await;
}

#[tokio::test]
async fn a_reload_closes_those_of_a_provider_that_has_changed() {
    let (other, gate) = (Simulated::instant(), free());
    let provider = Encrypted::start(BOTH[0], &gate).await;
    let sidecar = Sidecar::with(other.address, &provider.config("warm_connections = 3\n"));
    let reload = async |config: &str| {
        sidecar.rewrite(config);
        let answer = sidecar.admin().send(Method::POST, "/api/reload", &[], "").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    };
    connected(&provider, 3).await;
    // What stays as it is keeps them.
    reload(&format!("[cache]\nttl = \"2h\"\n{}", provider.config("warm_connections = 3\n"))).await;
    sleep(A_WHILE).await;
    assert_eq!(provider.opened(), 3);
    reload(&provider.config("warm_connections = 2\n")).await;
    until("two others are open", || async { (provider.open(), provider.opened()) == (2, 5) }).await;
    reload(&provider.config("")).await;
    connected(&provider, 0).await;
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_a_line_in_the_log() {
    let provider = Simulated::instant();
    let config = "[providers.nowhere]\nbase_url = \"http://127.0.0.1:1/v1\"\n";
    let sidecar = Sidecar::with(provider.address, &(EAGER.to_owned() + config));
    let warned = || sidecar.log().matches("cannot open a warm connection").count();
    until("it is told", || async { warned() == 1 }).await;
    assert!(sidecar.log().contains("nowhere") && sidecar.log().contains("refused"));
    assert_eq!(sidecar.admin().get("/readyz").await.status, 200);
    // Long enough for another attempt.
    sleep(Duration::from_secs(3)).await;
    assert_eq!(warned(), 1, "{}", sidecar.log());
    sidecar.client().right(&Ask::of(["elsewhere"])).await;
}

#[tokio::test]
async fn the_end_does_not_wait_for_a_handshake() {
    let (other, silent) = (Simulated::instant(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let address = silent.local_addr().unwrap();
    let config = format!("{EAGER}[providers.silent]\nbase_url = \"https://{address}/v1\"\n");
    let mut sidecar = Sidecar::with(other.address, &config);
    let _begun = accept(&silent).await;
    let told = Instant::now();
    sidecar.signal("TERM");
    assert_eq!(sidecar.ended().await.code(), Some(0));
    assert!(told.elapsed() < Duration::from_secs(1), "{:?}", told.elapsed());
}

#[test]
fn no_more_may_be_wanted_than_may_be_open() {
    for bound in ["max_connections = 2\n", "idle_connections = 2\n"] {
        let said = complaints(&format!("[providers.openai]\nwarm_connections = 3\n{bound}"));
        assert!(
            said.iter().any(|line| line.contains("openai.warm_connections: 3 is more")),
            "{said:?}"
        );
    }
}
