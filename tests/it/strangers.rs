//! Servers that are not what they are taken for: their answers are named in words.

use std::net::TcpListener;
use std::process::{Command, Output, Stdio};

use http::Response;
use http_body_util::Full;
use serde_json::json;

use crate::harness::{
    Aside, Ask, Authority, Scripted, Sidecar, acceptor_of, all, json as reply, larder, path, until,
};

async fn ended(mut command: Command) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } =
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    (status.code(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

/// The commands that ask an admin listener.
const ASKING: [&[&str]; 5] = [&["stats"], &["doctor"], &["tail"], &["purge", "--all"], &["env"]];

async fn asked(address: &str, says: &str) {
    let asking =
        |command: &[&str]| ended(larder(&[command, &["--admin-listen", address]].concat()));
    let all = all(ASKING.map(asking)).await;
    for (command, (code, said)) in ASKING.iter().zip(all) {
        assert_eq!(code, Some(1), "{command:?}: {said}");
        assert!(said.contains(&format!("error: {address} {says}")), "{command:?}: {said}");
    }
}

#[tokio::test]
async fn a_silent_admin_port_was_waited_for_without_end() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    asked(&address, "accepts connections and does not answer within 5 s").await;
}

fn page(status: u16) -> Response<Full<bytes::Bytes>> {
    let page = "<!doctype html><html><head><title>Access denied by policy</title></head></html>";
    let response = Response::builder().status(status).header("content-type", "text/html");
    response.body(Full::new(page.into())).unwrap()
}

#[tokio::test]
async fn another_service_on_the_admin_port_is_named() {
    let other = Scripted::start(|_| async { Some(page(404)) });
    asked(&other.address.to_string(), "is not larder: it answered 404 text/html").await;
}

#[tokio::test]
async fn a_page_of_a_proxy_was_taken_for_a_provider_s_words() {
    for status in [200, 403] {
        let proxy = Scripted::start(move |_| async move { Some(page(status)) });
        let upstream = format!("http://{}/v1", proxy.address);
        let (code, said) = ended(larder(&["check", "--probe", "--upstream", &upstream])).await;
        let words = "an HTML page titled \"Access denied by policy\" instead of an API response";
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(&format!("responds with {status} and {words}")), "{said}");
        let sidecar = Sidecar::before(proxy.address);
        assert_eq!(sidecar.client().embed(&Ask::of(["a"])).await.status, status);
        until("the log says so", || async { sidecar.log().contains(words) }).await;
        let admin = sidecar.admin.to_string();
        let (_, said) = ended(larder(&["doctor", "--admin-listen", &admin])).await;
        let unusable = "openai sends unusable responses: 1 failed validation";
        let says = if status == 403 { words } else { unusable };
        assert!(said.contains(says), "{said}");
    }
}

#[tokio::test]
async fn tls_on_one_side_only_is_said_with_the_remedy() {
    let plain = Scripted::start(|_| async { Some(reply(200, &json!({}))) });
    let upstream = format!("https://{}/v1", plain.address);
    let (_, said) = ended(larder(&["check", "--probe", "--upstream", &upstream])).await;
    let words = "the server does not speak TLS there: set base_url to http://";
    assert!(said.contains(words), "{said}");

    let authority = Authority::new();
    let acceptor = acceptor_of(&authority.issue("provider"), &["http/1.1"]);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let _serving = Aside::start(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A handshake that fails writes an alert.
            drop(acceptor.accept(stream).await);
        }
    });
    let sidecar = Sidecar::before(address);
    for body in [json!({ "model": "m", "input": "a" }), json!({ "model": "m", "messages": [] })] {
        let path = if body["input"].is_null() { "/v1/chat/completions" } else { "/v1/embeddings" };
        let headers = [("content-type", "application/json")];
        let answer =
            sidecar.client().send(http::Method::POST, path, &headers, body.to_string()).await;
        let words = "if the server expects TLS, set base_url to https://";
        assert!(answer.status == 502 && answer.text().contains(words), "{answer:?}");
    }
}

#[tokio::test]
async fn a_client_with_the_wrong_scheme_was_met_with_silence() {
    let provider = Scripted::start(|_| async { Some(reply(200, &json!({}))) });
    let authority = Authority::new();
    let plain = Sidecar::before(provider.address);
    for listener in [plain.proxy, plain.admin] {
        // At once, and not after head_timeout.
        assert!(authority.connect(listener, &["http/1.1"]).await.is_err());
    }
    let words = "a client speaks TLS to a listener without it: write http://";
    until("the log says so", || async { plain.log().contains(words) }).await;
    assert_eq!(plain.log().matches(words).count(), 1, "{}", plain.log());

    let encrypted = Sidecar::with(provider.address, &authority.issue("own").config());
    let mut raw = crate::harness::Raw::connect(encrypted.proxy).await;
    raw.send("GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n".to_owned()).await;
    let words = "a client does not speak TLS to a listener with it: write https://";
    until("the log says so", || async { encrypted.log().contains(words) }).await;
}

#[tokio::test]
async fn a_warm_that_is_refused_was_silent_for_ten_minutes() {
    let provider = Scripted::start(|_| async {
        Some(reply(503, &json!({ "error": { "message": "under maintenance" } })))
    });
    let sidecar = Sidecar::before(provider.address);
    let file = path("lines.txt");
    std::fs::write(&file, "one\ntwo\n").unwrap();
    let (admin, errors) = (sidecar.admin.to_string(), path("errors"));
    let warm = ["warm", "--model", "m", "--admin-listen", &admin, file.to_str().unwrap()];
    let mut warm = larder(&warm);
    let mut warm =
        warm.stdout(Stdio::null()).stderr(std::fs::File::create(&errors).unwrap()).spawn().unwrap();
    let said = || std::fs::read_to_string(&errors).unwrap();
    until("it says what it waits for", || async {
        said().contains("warning: refused, next try in") && said().contains("under maintenance")
    })
    .await;
    warm.kill().unwrap();
    warm.wait().unwrap();
    std::fs::remove_file(file).unwrap();
    std::fs::remove_file(errors).unwrap();
}
