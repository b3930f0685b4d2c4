//! A connection that becomes another protocol: WebSocket and its like.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{Aside, Raw, Sidecar, Simulated};

const ASK: &str = "GET /v1/realtime?model=m HTTP/1.1\r\nhost: x\r\nConnection: keep-alive, Upgrade\r\n\
    Upgrade: websocket\r\nsec-websocket-key: dGhlIHNhbXBsZQ==\r\nauthorization: Bearer k\r\n\r\n";

const AGREE: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\n\
    upgrade: websocket\r\nsec-websocket-accept: yes\r\n\r\n";

/// A provider of one connection.
struct Peer(TcpListener);

impl Peer {
    async fn listen() -> (Self, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (Self(listener), address)
    }

    /// The connection, and the head of the request on it.
    async fn accept(&self) -> (TcpStream, String) {
        let (mut stream, _) = self.0.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        (stream, String::from_utf8(head).unwrap().to_ascii_lowercase())
    }
}

#[tokio::test]
async fn bytes_go_both_ways_until_one_side_closes() {
    let (peer, address) = Peer::listen().await;
    let sidecar = Sidecar::before(address);
    let mut client = Raw::connect(sidecar.proxy).await;
    // The client may be so sure of the answer that it goes on at once.
    client.send(format!("{ASK}early")).await;
    let (mut provider, head) = peer.accept().await;
    for part in [
        "get /v1/realtime?model=m http/1.1\r\n",
        "connection: upgrade\r\n",
        "upgrade: websocket\r\n",
        "sec-websocket-key: dghlihnhbxbszq==\r\n",
        "authorization: bearer k\r\n",
    ] {
        assert!(head.contains(part), "{part} in {head}");
    }
    provider.write_all(format!("{AGREE}hello").as_bytes()).await.unwrap();
    let agreed = client.answer().await;
    assert_eq!(agreed.status, 101);
    assert_eq!(agreed.header("upgrade"), "websocket");
    assert_eq!(agreed.header("sec-websocket-accept"), "yes");
    client.until(b"hello").await;
    let mut early = [0; 5];
    provider.read_exact(&mut early).await.unwrap();
    assert_eq!(&early, b"early");
    let sent: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    let written = Aside::start(async move {
        let mut got = vec![0; 400_000];
        provider.read_exact(&mut got).await.unwrap();
        provider.write_all(&got).await.unwrap();
        got
    });
    client.send(&sent).await;
    assert!(written.done().await == sent);
    let back = client.rest().await;
    assert_eq!(back.len(), String::from_utf8_lossy(&[b"hello", &sent[..]].concat()).len());
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_providers_connection() {
    let (peer, address) = Peer::listen().await;
    let sidecar = Sidecar::before(address);
    let mut client = Raw::connect(sidecar.proxy).await;
    client.send(ASK).await;
    let (mut provider, _) = peer.accept().await;
    provider.write_all(AGREE.as_bytes()).await.unwrap();
    client.answer().await;
    sidecar.until("larder_requests_in_flight", 1.0).await;
    drop(client);
    assert_eq!(provider.read(&mut [0; 1]).await.unwrap_or(0), 0);
    drop(provider);
    sidecar.until("larder_requests_in_flight", 0.0).await;
}

#[tokio::test]
async fn a_provider_that_does_not_agree_is_relayed() {
    let (peer, address) = Peer::listen().await;
    let sidecar = Sidecar::before(address);
    let mut client = Raw::connect(sidecar.proxy).await;
    client.send(ASK).await;
    let (mut provider, _) = peer.accept().await;
    let no = "HTTP/1.1 426 Upgrade Required\r\ncontent-length: 2\r\nx-why: no\r\n\r\nno";
    provider.write_all(no.as_bytes()).await.unwrap();
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.text().as_str()), (426, "no"));
    assert_eq!(answer.header("x-why"), "no");
}

#[tokio::test]
async fn http2_in_clear_is_not_switched_to() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::before(provider.address);
    let mut client = Raw::connect(sidecar.proxy).await;
    let ask = "GET /v1/models HTTP/1.1\r\nhost: x\r\nconnection: Upgrade, HTTP2-Settings\r\n\
        upgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n";
    client.send(ask).await;
    assert_eq!(client.answer().await.status, 200);
}
