//! Headers that belong to both ends: they pass what is only relayed, and no stored response has them.

use bytes::Bytes;
use http::{Method, Response};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::harness::{Answer, Raw, Scripted, Sidecar, Spoken};

const JSON: (&str, &str) = ("content-type", "application/json");

/// Every response has cookies, and says what it is to be reached by.
fn provider() -> Scripted {
    Scripted::start(|asked| async move {
        let words = json!({ "choices": [{ "index": 0, "finish_reason": "stop", "message": {} }] });
        let response = Response::builder()
            .header("content-type", "application/json")
            .header("set-cookie", format!("call={}", asked.number))
            .header("set-cookie", "b=2; Secure")
            .header("strict-transport-security", "max-age=9")
            .header("alt-svc", "h3=\":443\"");
        Some(response.body(Full::new(Bytes::from(words.to_string()))).unwrap())
    })
}

/// The head of the next request on a connection, in lower case.
async fn head_of(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(head).unwrap().to_ascii_lowercase())
}

fn cookies(answer: &Answer) -> Vec<String> {
    let values = answer.headers.get_all("set-cookie").iter();
    values.map(|value| value.to_str().unwrap().to_owned()).collect()
}

fn chat(temperature: u32) -> Value {
    json!({ "model": "m", "temperature": temperature, "messages": [] })
}

#[tokio::test]
async fn cookies_pass_a_relay_and_are_in_no_stored_response() {
    let provider = provider();
    let sidecar = Sidecar::before(provider.address);
    let client = sidecar.client();
    let relayed = client.get("/v1/files").await;
    assert_eq!(cookies(&relayed), ["call=0", "b=2; Secure"]);
    assert_eq!(relayed.header("strict-transport-security"), "max-age=9");
    assert!(!relayed.headers.contains_key("alt-svc"));
    assert_eq!(cookies(&client.chat(&chat(1)).await), ["call=1", "b=2; Secure"]);
    let first = client.chat(&chat(0)).await;
    assert!(cookies(&first).is_empty(), "a client that returned them would have its own entries");
    let again = client.chat(&chat(0)).await;
    assert!(again.header("cache-status").starts_with("larder; hit"), "{again:?}");
    assert_eq!((cookies(&again), again.body), (Vec::new(), first.body));
}

#[tokio::test]
async fn a_cookie_of_the_network_before_a_provider_made_a_cache_for_each_client() {
    let provider = provider();
    let sidecar = Sidecar::before(provider.address);
    for (cookie, calls) in [("__cf_bm=1; _cfuvid=a", 1), ("__cf_bm=2", 1), ("session=1", 2)] {
        let headers = [JSON, ("cookie", cookie)];
        let client = sidecar.client();
        client.send(Method::POST, "/v1/chat/completions", &headers, chat(0).to_string()).await;
        assert_eq!(provider.calls().len(), calls, "{cookie}");
        assert!(provider.calls()[calls - 1].headers.contains_key("cookie"), "it is forwarded");
    }
}

#[tokio::test]
async fn cookies_pass_an_agreement_to_another_protocol() {
    const ASK: &str = "GET /v1/realtime HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\n\
        upgrade: websocket\r\n\r\n";
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sidecar = Sidecar::before(listener.local_addr().unwrap());
    let mut client = Raw::connect(sidecar.proxy).await;
    client.send(ASK).await;
    let (mut provider, _) = listener.accept().await.unwrap();
    assert!(head_of(&mut provider).await.unwrap().contains("upgrade: websocket"));
    let agree = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n\
        upgrade: websocket\r\nset-cookie: a=1\r\n\r\n";
    provider.write_all(agree.as_bytes()).await.unwrap();
    let agreed = client.answer().await;
    assert_eq!((agreed.status, agreed.header("set-cookie")), (101, "a=1"));
}

#[tokio::test]
async fn a_request_without_a_body_says_so_where_it_could_have_one() {
    let provider = Spoken::start("http/1.1", |mut stream, _| async move {
        while let Some(head) = head_of(&mut stream).await {
            let has_length = head.contains("\r\ncontent-length: 0\r\n");
            let status = if has_length { "200 OK" } else { "411 Length Required" };
            let said = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(said.as_bytes()).await.unwrap();
        }
    })
    .await;
    let sidecar = Sidecar::of_file(&provider.config(""));
    let client = sidecar.client();
    for (method, status) in [
        (Method::POST, 200),
        (Method::PUT, 200),
        (Method::PATCH, 200),
        (Method::GET, 411),
        (Method::DELETE, 411),
    ] {
        for path in ["/secure/v1/batches/b/cancel", "/secure/v1/chat/completions"] {
            let got = client.send(method.clone(), path, &[JSON], "").await;
            assert_eq!(got.status, status, "{method} {path}");
        }
    }
}
