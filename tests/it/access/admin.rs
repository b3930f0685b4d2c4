//! Who may use the admin listener.

use http::Method;

use crate::harness::{Ask, Raw, Sidecar, Simulated, config_file, larder};

const GUARDED: [(Method, &str); 10] = [
    (Method::GET, "/metrics"),
    (Method::POST, "/api/reload"),
    (Method::DELETE, "/api/entries"),
    (Method::GET, "/api/entries"),
    (Method::GET, "/api/stats"),
    (Method::POST, "/api/warm"),
    (Method::GET, "/api/jobs/1"),
    (Method::GET, "/nothing"),
    (Method::POST, "/"),
    (Method::POST, "/healthz"),
];

#[tokio::test]
async fn a_token_is_asked_for_everywhere_but_at_the_health_and_at_the_empty_page() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::with(provider.address, "[server]\nadmin_token = \"canary-token\"\n");
    sidecar.client().right(&Ask::of(["kept"])).await;
    let admin = sidecar.admin();
    for path in ["/healthz", "/readyz"] {
        assert_eq!(admin.get(path).await.status, 200);
    }
    // A browser cannot show the token before it has the page, which knows nothing by itself.
    let page = admin.get("/").await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-security-policy").starts_with("default-src 'none'; "));
    for (method, path) in GUARDED {
        for shown in ["", "Bearer canary", "Bearer canary-token2", "Basic canary-token"] {
            let headers = [("authorization", shown)];
            let refused = admin.send(method.clone(), path, &headers, "").await;
            assert_eq!(refused.status, 401, "{path}: {shown}: {refused:?}");
            assert_eq!(refused.header("www-authenticate"), "Bearer");
        }
    }
    let shown = [("authorization", "Bearer canary-token")];
    let metrics = admin.send(Method::GET, "/metrics", &shown, "").await;
    assert_eq!(metrics.status, 200);
    assert!(metrics.text().contains("larder_cache_entries{tier=\"memory\"} 1"), "{metrics:?}");
    assert_eq!(admin.send(Method::DELETE, "/api/entries", &shown, "").await.status, 200);
    assert_eq!(admin.send(Method::GET, "/nothing", &shown, "").await.status, 404);
    assert!(!sidecar.log().contains("canary"), "{}", sidecar.log());
}

/// The status of an answer of the admin listener under a name.
async fn asked(sidecar: &Sidecar, path: &str, host: &str) -> u16 {
    let mut connection = Raw::connect(sidecar.admin).await;
    connection.send(format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n")).await;
    connection.answer().await.status
}

#[tokio::test]
async fn a_page_whose_name_leads_here_is_not_answered() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::before(provider.address);
    let port = sidecar.admin.port();
    for host in [format!("localhost:{port}"), format!("127.0.0.1:{port}"), "[::1]".to_owned()] {
        assert_eq!(asked(&sidecar, "/metrics", &host).await, 200, "{host}");
    }
    for host in ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "192.0.2.1"]
    {
        assert_eq!(asked(&sidecar, "/metrics", host).await, 403, "{host}");
        assert_eq!(asked(&sidecar, "/readyz", host).await, 200, "{host}");
    }
    let token = "[server]\nadmin_token = \"t\"\n";
    let sidecar = Sidecar::with(provider.address, token);
    assert_eq!(asked(&sidecar, "/metrics", "any.example").await, 401);
    let mut connection = Raw::connect(sidecar.admin).await;
    let request = "GET /metrics HTTP/1.1\r\nhost: any.example\r\nauthorization: Bearer t\r\n\r\n";
    connection.send(request).await;
    assert_eq!(connection.answer().await.status, 200);
}

#[tokio::test]
async fn no_answer_is_for_web_pages() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::before(provider.address);
    let admin = sidecar.admin();
    let from = [("origin", "http://evil.example"), ("access-control-request-method", "DELETE")];
    for (method, path, status) in [
        (Method::OPTIONS, "/api/entries", 405),
        (Method::OPTIONS, "/healthz", 405),
        (Method::OPTIONS, "/nowhere", 405),
        (Method::GET, "/metrics", 200),
        (Method::GET, "/healthz", 200),
        (Method::GET, "/nowhere", 404),
    ] {
        let answer = admin.send(method, path, &from, "").await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.header("content-security-policy"), "default-src 'none'", "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        let mut names = answer.headers.keys();
        assert!(!names.any(|name| name.as_str().starts_with("access-control")), "{answer:?}");
    }
}

#[test]
fn off_loopback_a_token_is_needed() {
    let file = config_file("[server]\nadmin_listen = \"0.0.0.0:5274\"\n");
    let check = || larder(&["check", "--config", file.name()]);
    let said = check().output().unwrap();
    let wrong = String::from_utf8(said.stderr).unwrap();
    assert_eq!(said.status.code(), Some(2), "{wrong}");
    assert!(
        wrong.contains("server.admin_listen") && wrong.contains("LARDER_ADMIN_TOKEN"),
        "{wrong}"
    );
    let said = check().env("LARDER_ADMIN_TOKEN", "canary").output().unwrap();
    let text = String::from_utf8(said.stdout).unwrap();
    assert!(said.status.success() && !text.contains("canary"), "{text}");
}
