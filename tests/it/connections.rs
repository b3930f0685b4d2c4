//! Connections to a provider: used again while they are open, closed when nobody needs them.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use larder::simulate::Settings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use crate::harness::{
    Aside, Ask, Asked, DIMENSIONS, Sidecar, Simulated, all, answer, texts, until,
};

pub(crate) async fn opened(sidecar: &Sidecar) -> f64 {
    sidecar.metric("larder_upstream_connections_opened_total", "openai").await
}

pub(crate) async fn open(sidecar: &Sidecar) -> f64 {
    sidecar.metric("larder_upstream_connections", "").await
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::before(provider.address);
    let client = sidecar.client();
    for text in texts("one after another", 50) {
        client.right(&Ask::of([text])).await;
    }
    assert!((opened(&sidecar).await - 1.0).abs() < 0.5);
    let messages = [serde_json::json!({ "role": "user", "content": "Hello" })];
    let chat = serde_json::json!({ "model": "m", "messages": messages, "stream": true });
    for _ in 0..20 {
        assert_eq!(client.chat(&chat).await.status, 200);
    }
    // The client has the last of a stream a moment before its connection is known to be free.
    assert!(opened(&sidecar).await < 3.5, "{}", opened(&sidecar).await);
}

#[tokio::test]
async fn no_more_are_kept_than_the_settings_say_and_none_for_longer() {
    let mut settings = Settings { dimensions: DIMENSIONS, ..Settings::instant() };
    settings.faults.latency = Duration::from_millis(100);
    let provider = Simulated::start(settings);
    let config = "[providers.openai]\nidle_connections = 3\nidle_timeout = \"1s\"\n";
    let sidecar = Sidecar::with(provider.address, config);
    let client = sidecar.client();
    let asking = (0..20).map(|n| {
        // Models of their own, so that each has a call of its own.
        let ask = Ask { model: format!("model {n}"), ..Ask::of(["text"]) };
        let client = client.clone();
        async move { client.right(&ask).await }
    });
    all(asking.collect::<Vec<_>>()).await;
    assert!(opened(&sidecar).await > 10.0);
    until("few are kept", || async { open(&sidecar).await < 3.5 }).await;
    assert!(open(&sidecar).await > 2.5);
    until("none is kept", || async { open(&sidecar).await < 0.5 }).await;
    client.right(&Ask::of(["another"])).await;
}

/// Answers once on each connection, says nothing of closing it, and closes it.
async fn serve_once_each(listener: TcpListener) {
    while let Ok((mut stream, _)) = listener.accept().await {
        answer_once(&mut stream).await;
    }
}

/// Answers the call that comes over a connection.
pub(crate) async fn answer_once(stream: &mut TcpStream) {
    let body = body(stream).await;
    let (method, headers) = (Method::POST, HeaderMap::new());
    let asked = Asked { method, path: String::new(), headers, body, number: 0 };
    let body = answer(&asked).to_string();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json";
    let all = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(all.as_bytes()).await.unwrap();
}

async fn body(stream: &mut TcpStream) -> Bytes {
    let mut asked = String::new();
    loop {
        let mut piece = [0; 4096];
        let count = stream.read(&mut piece).await.unwrap();
        assert!(count > 0, "closed within {asked}");
        asked.push_str(str::from_utf8(&piece[..count]).unwrap());
        if let Some((_, body)) =
            asked.split_once("\r\n\r\n").filter(|(_, body)| body.ends_with('}'))
        {
            return Bytes::copy_from_slice(body.as_bytes());
        }
    }
}

#[tokio::test]
async fn one_that_the_provider_closed_costs_no_call() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let _provider = Aside::start(serve_once_each(listener));
    let sidecar = Sidecar::with(address, "[providers.openai]\nretry_percent = 0\n");
    let client = sidecar.client();
    for text in texts("closed behind", 30) {
        client.right(&Ask::of([text])).await;
        // Long enough that its end has come.
        sleep(Duration::from_millis(5)).await;
    }
    assert!((opened(&sidecar).await - 30.0).abs() < 0.5);
}

#[tokio::test]
async fn a_sidecar_that_nobody_asks_sleeps() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::before(provider.address);
    sidecar.client().right(&Ask::of(["once"])).await;
    sleep(Duration::from_millis(500)).await;
    let before = sidecar.sleeps();
    sleep(Duration::from_secs(3)).await;
    // Whoever looks a hundred times a second whether something is to be done has 300.
    let woken = sidecar.sleeps() - before;
    assert!(woken < 60, "{woken}");
}
