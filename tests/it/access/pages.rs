//! Web pages of elsewhere cannot spend the key that larder holds.

use std::net::TcpListener;
use std::os::fd::OwnedFd;

use http::Method;
use serde_json::Value;

use super::{JSON, good};
use crate::harness::{Answer, Ask, Client, Raw, Scripted, Sidecar, complaints, json, path};

const OWN: &str = "[providers.openai]\napi_key_env = \"OWN_KEY\"\n";
const ENVIRONMENT: &[(&str, &str)] = &[("OWN_KEY", "sk-of-the-operator")];
const CHAT: &str = "/v1/chat/completions";
const PAGE: &str = "https://app.example";

fn provider() -> Scripted {
    Scripted::start(|asked| async move {
        let is_understood = asked.path.contains("/chat/") || !asked.inputs().is_empty();
        Some(if is_understood { good(&asked) } else { json(200, &Value::Null) })
    })
}

fn sidecar(provider: &Scripted, config: &str) -> Sidecar {
    Sidecar::within(provider.address, &format!("{config}{OWN}"), ENVIRONMENT)
}

/// A POST as a page can send it without a preflight.
async fn post(client: &Client, path: &str, headers: &[(&str, &str)]) -> Answer {
    let body = r#"{"model":"m","temperature":0,"messages":[],"input":"a"}"#;
    let headers = [headers, &[("content-type", "text/plain")]].concat();
    client.send(Method::POST, path, &headers, body).await
}

/// The status of a request under a name, over a connection of its own.
async fn under(connection: Raw, host: &str) -> Answer {
    let mut connection = connection;
    connection.send(format!("GET /v1/files HTTP/1.1\r\nhost: {host}\r\n\r\n")).await;
    connection.answer().await
}

#[tokio::test]
async fn a_page_of_elsewhere_does_not_spend_the_operators_money() {
    let provider = provider();
    let sidecar = sidecar(&provider, "");
    let client = sidecar.client();
    for header in [
        ("origin", "https://evil.example"),
        ("origin", "http://localhost:3000"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        for path in [CHAT, "/v1/embeddings", "/v1/files", "/groq/openai/v1/models"] {
            let refused = post(&client, path, &[header]).await;
            assert!(refused.is_own_error(403, "forbidden_origin"), "{path}: {refused:?}");
            assert!(!refused.headers.contains_key("access-control-allow-origin"), "{refused:?}");
        }
        let refused = client.send(Method::GET, "/v1/files", &[header], "").await;
        assert_eq!(refused.header("x-larder-error"), "forbidden_origin");
        let refused = post(&client, "/anthropic/v1/messages", &[header]).await;
        let body: Value = serde_json::from_slice(&refused.body).unwrap();
        assert_eq!(
            (refused.status, &body["error"]["type"]),
            (403, &Value::from("permission_error"))
        );
    }
    assert_eq!(provider.calls().len(), 0);
    let own = format!("http://{}", sidecar.proxy);
    for header in
        [("origin", own.as_str()), ("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "cors")]
    {
        assert_eq!(post(&client, CHAT, &[header]).await.status, 200, "{header:?}");
    }
}

#[tokio::test]
async fn a_page_whose_name_leads_to_loopback_reads_nothing() {
    let provider = provider();
    let sidecar = sidecar(&provider, "");
    let port = sidecar.proxy.port();
    for host in ["evil.example", "localhost.evil.example:80", "127.0.0.1.evil.example", "10.0.0.1"]
    {
        let refused = under(Raw::connect(sidecar.proxy).await, host).await;
        assert!(refused.is_own_error(403, "forbidden_origin"), "{host}: {refused:?}");
        assert!(refused.text().contains("allowed_origins"), "{refused:?}");
    }
    assert_eq!(provider.calls().len(), 0);
    let port = format!("localhost:{port}");
    for host in
        [&*port, "LOCALHOST", "127.0.0.1:1", "[::1]", "larder.localhost", "host.docker.internal"]
    {
        assert_eq!(under(Raw::connect(sidecar.proxy).await, host).await.status, 200, "{host}");
    }
    // Without a Host there is no page.
    let mut old = Raw::connect(sidecar.proxy).await;
    old.send("GET /v1/files HTTP/1.0\r\n\r\n").await;
    assert_eq!(old.answer().await.status, 200);
}

#[tokio::test]
async fn a_cached_response_is_not_for_the_page_either() {
    let provider = provider();
    let sidecar = sidecar(&provider, "");
    let ask = Ask::of(["known"]);
    let mut connection = Raw::connect(sidecar.proxy).await;
    let local = |ask: &Ask| {
        let bytes = String::from_utf8(Raw::embed(ask)).unwrap();
        bytes.replacen("host: x", "host: localhost", 1)
    };
    for _ in 0..4 {
        connection.send(local(&ask)).await;
        ask.check(&connection.answer().await);
    }
    // `x` is no name of the listener; a head that came before is refused as the first one was.
    for _ in 0..4 {
        connection.send(Raw::embed(&ask)).await;
        assert!(connection.answer().await.is_own_error(403, "forbidden_origin"));
        connection.send(local(&ask.clone().header("origin", "http://evil.example"))).await;
        assert!(connection.answer().await.is_own_error(403, "forbidden_origin"));
    }
    assert_eq!(provider.calls().len(), 1);
}

#[tokio::test]
async fn without_a_key_of_larders_pages_are_the_providers_business() {
    let provider = provider();
    let sidecar = Sidecar::before(provider.address);
    let origin = ("origin", "https://evil.example");
    assert_eq!(post(&sidecar.client(), CHAT, &[origin]).await.status, 200);
    assert_eq!(under(Raw::connect(sidecar.proxy).await, "any.example").await.status, 200);
    assert_eq!(provider.calls()[0].headers["origin"], "https://evil.example");
}

#[tokio::test]
async fn a_listed_page_gets_what_cors_wants() {
    let provider = provider();
    let config = format!("[server]\nallowed_origins = [{PAGE:?}]\n");
    let sidecar = sidecar(&provider, &config);
    let client = sidecar.client();
    let asked = [
        ("origin", PAGE),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization,content-type"),
    ];
    let preflight = client.send(Method::OPTIONS, CHAT, &asked, "").await;
    assert_eq!((preflight.status, provider.calls().len()), (204, 0));
    assert_eq!(preflight.header("access-control-allow-origin"), PAGE);
    assert_eq!(preflight.header("access-control-allow-headers"), "authorization,content-type");
    assert!(preflight.header("access-control-allow-methods").contains("POST"));
    assert!(preflight.header("vary").contains("origin"));
    let page = [("origin", PAGE), ("sec-fetch-site", "cross-site"), JSON];
    for (path, status) in
        [(CHAT, 200), (CHAT, 200), ("/v1/embeddings", 200), ("/v1/files", 200), ("/opnai/x", 404)]
    {
        let answer = client.send(Method::POST, path, &page, r#"{"model":"m","input":"a"}"#).await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), PAGE, "{path}");
        let exposed = answer.header("access-control-expose-headers");
        assert!(
            exposed.contains("cache-status") && exposed.contains("x-larder-error"),
            "{exposed}"
        );
        assert!(answer.header("vary").contains("origin"), "{answer:?}");
    }
    assert!(provider.calls().iter().all(|call| !call.headers.contains_key("origin")));
    // The same page, asked for under its own name; and another page.
    assert_eq!(under(Raw::connect(sidecar.proxy).await, "app.example").await.status, 200);
    let other = [("origin", "https://app.example.evil.example")];
    let refused = post(&client, CHAT, &other).await;
    assert!(refused.is_own_error(403, "forbidden_origin"), "{refused:?}");
    let asked = [other[0], ("access-control-request-method", "POST")];
    assert_eq!(client.send(Method::OPTIONS, CHAT, &asked, "").await.status, 403);
}

#[tokio::test]
async fn a_listed_page_reads_hits_on_a_connection_that_is_known() {
    let provider = provider();
    let config = format!("[server]\nallowed_origins = [{PAGE:?}]\n");
    let sidecar = sidecar(&provider, &config);
    let ask = Ask::of(["again"]).header("origin", PAGE);
    let mut connection = Raw::connect(sidecar.proxy).await;
    for _ in 0..5 {
        connection.send(Raw::embed(&ask)).await;
        let answer = connection.answer().await;
        ask.check(&answer);
        assert_eq!(answer.header("access-control-allow-origin"), PAGE);
    }
    assert_eq!(provider.calls().len(), 1);
}

/// A listener off loopback by its configuration, as in Compose and Kubernetes, with a socket on loopback.
#[tokio::test]
async fn a_service_name_of_compose_is_no_foreign_host() {
    let provider = provider();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    let config = format!("[access]\nauth = \"allowlist\"\nkeys = [\"team\"]\n{OWN}");
    let sockets: Vec<OwnedFd> = vec![socket.into()];
    let config = (config.as_str(), ENVIRONMENT);
    let sidecar = Sidecar::activated_within((sockets, "proxy"), provider.address, config);
    for host in ["larder:5273", "larder.team.svc.cluster.local", "larder"] {
        let mut connection = Raw::connect(sidecar.proxy).await;
        let head =
            format!("GET /v1/files HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer team\r\n");
        connection.send(format!("{head}\r\n")).await;
        assert_eq!(connection.answer().await.status, 200, "{host}");
        connection.send(format!("{head}origin: http://evil.example\r\n\r\n")).await;
        assert_eq!(connection.answer().await.status, 403, "{host}");
    }
    assert_eq!(under(Raw::connect(sidecar.proxy).await, "larder").await.status, 401);
}

#[tokio::test]
async fn a_unix_socket_has_no_name_that_a_page_could_take() {
    let provider = provider();
    let socket = path("pages.sock");
    let sidecar =
        sidecar(&provider, &format!("[server]\nunix_socket = \"{}\"\n", socket.display()));
    assert_eq!(under(Raw::unix(&socket).await, "any").await.status, 200);
    drop(sidecar);
}

#[test]
fn an_origin_without_a_scheme_or_with_a_wildcard_is_an_error() {
    for wrong in ["*", "null", "app.example", "https://app.example/", "https://*.example"] {
        let said = complaints(&format!("[server]\nallowed_origins = [{wrong:?}]\n")).concat();
        assert!(said.contains("server.allowed_origins"), "{wrong}: {said}");
    }
}
