//! Only who shows one of the operator's keys is answered at all.

use http::Method;
use serde_json::Value;

use super::{JSON, by, chat, good};
use crate::harness::{Ask, Scripted, Sidecar, config_file, larder, path, private, texts, until};

fn open() -> Scripted {
    Scripted::start(|asked| async move { Some(good(&asked)) })
}

fn listed(file: &std::path::Path) -> String {
    format!(
        "[access]\nauth = \"allowlist\"\nkeys_file = \"{}\"\nkeys = [\"third\"]\n",
        file.display()
    )
}

#[tokio::test]
async fn whoever_is_not_on_the_list_is_told_so_on_every_path() {
    let file = path("keys");
    private(&file, "# the team\nfirst\n\n  second  \n");
    let provider = open();
    let sidecar = Sidecar::with(provider.address, &listed(&file));
    let (client, ask) = (sidecar.client(), Ask::of(texts("listed", 2)));
    for key in ["first", "second", "third"] {
        client.right(&by(key, &ask)).await;
        assert_eq!(chat(&client, key, "listed").await.status, 200);
    }
    client.right(&ask.clone().header("x-api-key", "first")).await;
    client.right(&ask.clone().path("/v1/embeddings?key=second")).await;
    let calls = provider.calls().len();
    for (name, value) in [
        ("authorization", "Bearer fourth"),
        ("authorization", "Bearer firs"),
        ("authorization", "Bearer # the team"),
        ("authorization", "Bearer "),
        ("authorization", "Basic first"),
        ("x-api-key", "First"),
        ("x-other", "first"),
    ] {
        let refused = client.embed(&ask.clone().header(name, value)).await;
        assert!(refused.is_own_error(401, "unauthorized"), "{name}: {value}: {refused:?}");
        assert_eq!(refused.header("www-authenticate"), "Bearer");
        assert!(!refused.text().contains(value), "{refused:?}");
    }
    // It would be the provider's choice which of the two it is.
    let both = by("first", &ask).header("x-api-key", "fourth");
    assert!(client.embed(&both).await.is_own_error(401, "unauthorized"));
    for (method, path) in [(Method::GET, "/v1/models"), (Method::POST, "/v1/files")] {
        let refused = client.send(method, path, &[JSON], "").await;
        assert!(refused.is_own_error(401, "unauthorized"), "{path}: {refused:?}");
    }
    assert_eq!(provider.calls().len(), calls, "nothing of it reached the provider");
    assert!(sidecar.metric("larder_requests_total", "code=\"401\"").await > 6.5);
    std::fs::remove_file(file).unwrap();
}

#[tokio::test]
async fn a_refusal_is_in_the_callers_shape() {
    let file = path("keys");
    private(&file, "first\n");
    let sidecar = Sidecar::with(open().address, &listed(&file));
    let said = async |path| {
        let answer = sidecar.client().send(Method::POST, path, &[JSON], "{}").await;
        assert_eq!((answer.status, answer.header("x-larder-error")), (401, "unauthorized"));
        serde_json::from_slice::<Value>(&answer.body).unwrap()
    };
    let anthropic = said("/anthropic/v1/messages").await;
    assert_eq!(anthropic["error"]["type"], "authentication_error");
    let gemini = said("/gemini/v1beta/models/m:generateContent").await;
    assert_eq!(gemini["error"]["status"], "UNAUTHENTICATED");
    assert!(said("/ollama/api/chat").await["error"].is_string());
    std::fs::remove_file(file).unwrap();
}

#[tokio::test]
async fn a_reload_reads_the_list_again() {
    let file = path("keys");
    private(&file, "first\n");
    let provider = open();
    let sidecar = Sidecar::with(provider.address, &listed(&file));
    let (client, ask) = (sidecar.client(), Ask::of(["reloaded"]));
    let reload = async || sidecar.admin().send(Method::POST, "/api/reload", &[], "").await.status;
    client.right(&by("first", &ask)).await;
    std::fs::write(&file, "second\n").unwrap();
    assert_eq!(reload().await, 200);
    assert_eq!(client.embed(&by("first", &ask)).await.status, 401);
    client.right(&by("second", &ask)).await;
    // A list that cannot be read changes nothing.
    std::fs::remove_file(&file).unwrap();
    assert_eq!(reload().await, 422);
    client.right(&by("second", &ask)).await;
}

#[test]
fn a_list_without_keys_and_keys_without_a_list_are_errors() {
    let empty = path("no-keys");
    std::fs::write(&empty, "# none\n").unwrap();
    let file = |name: &str| format!("[access]\nauth = \"allowlist\"\nkeys_file = {name:?}\n");
    for (text, reason) in [
        ("[access]\nauth = \"allowlist\"\n".to_owned(), "access.auth: \"allowlist\" needs keys"),
        ("[access]\nkeys = [\"canary\"]\n".to_owned(), "access.auth: is not \"allowlist\""),
        (file("/nonexistent/keys"), "access.keys_file: /nonexistent/keys: No such file"),
        (file(empty.to_str().unwrap()), "has no key"),
    ] {
        let config = config_file(&text);
        let said = larder(&["check", "--config", config.name()]).output().unwrap();
        let wrong = String::from_utf8(said.stderr).unwrap();
        assert_eq!(said.status.code(), Some(2), "{wrong}");
        assert!(wrong.contains(reason) && !wrong.contains("canary"), "{wrong}");
    }
    std::fs::remove_file(empty).unwrap();
}

#[test]
fn keys_may_come_from_the_environment_and_are_never_printed() {
    let mut check = larder(&["check", "--auth", "allowlist"]);
    let said = check.env("LARDER_KEYS", "canary-one,canary-two").output().unwrap();
    let text = String::from_utf8(said.stdout).unwrap();
    assert!(said.status.success() && !text.contains("canary"), "{text}");
}

#[tokio::test]
async fn whoever_is_refused_has_a_line_in_the_log_too() {
    let config = "[access]\nauth = \"allowlist\"\nkeys = [\"first\"]\n[log]\nrequests = true\n";
    let sidecar = Sidecar::with(open().address, config);
    sidecar.client().embed(&by("other", &Ask::of(["unlisted"]))).await;
    let is_told = |line: &str| line.contains("status=401") && line.contains("unauthorized");
    until("it is logged", || async { sidecar.log().lines().any(is_told) }).await;
}
