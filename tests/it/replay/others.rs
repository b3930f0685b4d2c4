//! Everything else that a provider has, and what must not reach one while larder replays.

use bytes::Bytes;
use http::{Method, Response};
use http_body_util::Full;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{Recording, finish, post};
use crate::harness::{Raw, Scripted, Simulated, json as reply};

const UPGRADE: &str = "GET /v1/realtime HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\n\
    upgrade: websocket\r\nsec-websocket-key: dGhlIHNhbXBsZQ==\r\n\r\n";

/// A form with a file, parted by this.
fn form(boundary: &str) -> (String, Vec<u8>) {
    let head = "content-disposition: form-data; name=\"file\"; filename=\"a\"";
    let body = format!("--{boundary}\r\n{head}\r\n\r\n\u{1}words\r\n--{boundary}--\r\n");
    (format!("multipart/form-data; boundary={boundary}"), body.into_bytes())
}

#[tokio::test]
async fn lists_forms_and_bytes_come_again() {
    let provider = Scripted::start(|asked| async move {
        if asked.path.starts_with("/v1/files") {
            return Some(reply(200, &json!({ "id": "file-1", "got": asked.body.len() })));
        }
        if asked.path.contains("speech") {
            let sound = Full::new(Bytes::from_static(&[0xff, 0xfb, 0, 1]));
            return Some(
                Response::builder().header("content-type", "audio/mpeg").body(sound).unwrap(),
            );
        }
        Some(reply(200, &json!({ "data": [], "asked": asked.path })))
    });
    let recording = Recording::new();
    let sidecar = recording.record(provider.address);
    let client = sidecar.client();
    let models = client.get("/v1/models?limit=2&key=Canary").await;
    let (kind, body) = form("one0123456789");
    let file = client.send(Method::POST, "/v1/files", &[("content-type", &kind)], body).await;
    let sound = post(&client, "/v1/audio/speech", r#"{"input":"x"}"#).await;
    let removed = client.send(Method::DELETE, "/v1/files/file-1", &[], "").await;
    finish(sidecar).await;
    let replay = recording.replay();
    let client = replay.client();
    // Another credential, and another boundary.
    assert_eq!(client.get("/v1/models?limit=2").await.body, models.body);
    assert_eq!(client.get("/v1/models?limit=3").await.status, 404);
    let (kind, body) = form("two-9876");
    let again = client.send(Method::POST, "/v1/files", &[("content-type", &kind)], body).await;
    assert_eq!(again.body, file.body);
    let again = post(&client, "/v1/audio/speech", r#"{ "input": "x" }"#).await;
    assert_eq!((again.header("content-type"), &again.body), ("audio/mpeg", &sound.body));
    let again = client.send(Method::DELETE, "/v1/files/file-1", &[], "").await;
    assert_eq!(again.body, removed.body);
    replay.called_nobody();
}

#[tokio::test]
async fn a_change_of_protocol_passes_unrecorded_and_is_refused_in_a_replay() {
    let peer = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let recording = Recording::new();
    let sidecar = recording.record(peer.local_addr().unwrap());
    for _ in 0..2 {
        let mut client = Raw::connect(sidecar.proxy).await;
        client.send(UPGRADE).await;
        let (mut provider, _) = peer.accept().await.unwrap();
        let mut head = [0; 4];
        provider.read_exact(&mut head).await.unwrap();
        let agree = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nhello";
        provider.write_all(agree.as_bytes()).await.unwrap();
        assert_eq!(client.answer().await.status, 101);
        client.until(b"hello").await;
    }
    assert_eq!(sidecar.log().matches("not recorded: a protocol upgrade").count(), 1);
    finish(sidecar).await;
    let replay = recording.replay();
    let mut client = Raw::connect(replay.sidecar.proxy).await;
    client.send(UPGRADE).await;
    let answer = client.answer().await;
    assert!(answer.is_own_error(404, "not_recorded"), "{answer:?}");
    replay.called_nobody();
}

#[tokio::test]
async fn a_replay_needs_no_key() {
    let (recording, provider) = (Recording::new(), Simulated::instant());
    let mine = "[providers.openai]\napi_key_env = \"LARDER_NO_SUCH_KEY\"\nfallback = [\"other\"]\n\
                [providers.other]\nbase_url = \"http://other.example/v1\"\n\
                api_key_env = \"LARDER_NO_OTHER_KEY\"\n";
    let sidecar = recording.record(provider.address);
    let asked =
        post(&sidecar.client(), "/v1/chat/completions", r#"{"model":"m","messages":[]}"#).await;
    finish(sidecar).await;
    let replay = recording.replay_with(mine);
    let again =
        post(&replay.client(), "/v1/chat/completions", r#"{"messages":[],"model":"m"}"#).await;
    assert_eq!(again.body, asked.body);
    replay.called_nobody();
}

#[tokio::test]
async fn nothing_that_larder_does_by_itself_calls_a_provider() {
    let (recording, provider) = (Recording::new(), Simulated::instant());
    finish(recording.record(provider.address)).await;
    let replay = recording.replay_with("[access]\nauth = \"verify\"\n[drift]\nshare = 1.0\n");
    let job = r#"{"model":"m","inputs":["a","b"]}"#;
    let ask = r#"{"model":"m","input":["a","b"]}"#;
    let headers = [("content-type", "application/json")];
    let started = replay.sidecar.admin().send(Method::POST, "/api/warm", &headers, job).await;
    assert_eq!(started.status, 202, "{started:?}");
    let id: serde_json::Value = serde_json::from_slice(&started.body).unwrap();
    let place = format!("/api/jobs/{}", id["id"].as_str().unwrap());
    crate::harness::until("the job fails", || async {
        replay.sidecar.admin().get(&place).await.text().contains("\"failed\"")
    })
    .await;
    assert!(post(&replay.client(), "/v1/embeddings", ask).await.is_own_error(404, "not_recorded"));
    replay.called_nobody();
}
