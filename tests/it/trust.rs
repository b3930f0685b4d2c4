//! Certificates of providers: the server's own in `ca_file`.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::harness::{Aside, Authority, Pair, Sidecar, acceptor_of};

/// A provider that shows a certificate and answers each request, and its port.
async fn provider(pair: &Pair) -> (u16, Aside<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = acceptor_of(pair, &["http/1.1"]);
    let serving = Aside::start(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else { return };
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let said = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
            stream.write_all(said).await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    (port, serving)
}

#[tokio::test]
async fn a_self_signed_certificate_of_the_server_itself_is_accepted_as_curl_does() {
    let authority = Authority::new();
    let own = authority.own("own", "DNS:localhost,IP:127.0.0.1");
    let elsewhere = authority.own("elsewhere", "DNS:elsewhere.example");
    let other = authority.own("other", "DNS:localhost,IP:127.0.0.1");
    for (shown, trusted, host, status) in [
        (&own, &own, "localhost", 200),
        (&own, &own, "127.0.0.1", 200),
        // Of another name, and another certificate with the same one.
        (&elsewhere, &elsewhere, "localhost", 502),
        (&own, &other, "localhost", 502),
    ] {
        let (port, _serving) = provider(shown).await;
        let config = format!(
            "[providers.secure]\nbase_url = \"https://{host}:{port}/v1\"\nca_file = {:?}\n",
            trusted.cert
        );
        let sidecar = Sidecar::of_file(&config);
        let got = sidecar.client().get("/secure/v1/files").await;
        assert_eq!(got.status, status, "{host} {}: {got:?}", shown.cert);
    }
}
