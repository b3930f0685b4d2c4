//! A new configuration for a running sidecar: taken over whole or not at all, and no request notices.

use http::Method;

use crate::harness::{Ask, Load, Sidecar, Simulated, texts, until};

const FIRST: &str = "[cache]\nttl = \"1h\"\n";

fn with_another(provider: &Simulated) -> String {
    let address = provider.address;
    format!("[cache]\nttl = \"2h\"\n[providers.another]\nbase_url = \"http://{address}/v1\"\n")
}

#[tokio::test]
async fn a_reload_under_load_loses_no_request_and_takes_over_what_is_new() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::with(provider.address, FIRST);
    let client = sidecar.client();
    client.right(&Ask::of(texts("kept", 3))).await;
    let load = Load::on(&client, "reloaded");
    for round in 0..5 {
        load.goes_on(20).await;
        sidecar.rewrite(&if round % 2 == 0 { with_another(&provider) } else { FIRST.to_owned() });
        sidecar.signal("HUP");
        until("it is taken over", || async {
            sidecar.log().matches("configuration reloaded").count() > round
        })
        .await;
    }
    load.goes_on(20).await;
    load.ends().await;
    let hit = client.right(&Ask::of(texts("kept", 3))).await;
    assert!(hit.header("cache-status").contains("hit"), "{:?}", hit.headers);
    client.right(&Ask::of(["elsewhere"]).path("/another/v1/embeddings")).await;
    // The new time to live is that of what is stored from now on.
    client.right(&Ask::of(["new"])).await;
    let again = client.right(&Ask::of(["new"])).await;
    let ttl = again.header("cache-status").split("ttl=").nth(1).unwrap().to_owned();
    let ttl = ttl.split(';').next().unwrap().parse::<u64>().unwrap();
    assert!((7_100..=7_200).contains(&ttl), "{ttl}");
    // The provider that stayed as it was kept its connections.
    assert!(sidecar.metric("larder_upstream_connections_opened_total", "openai").await < 5.0);
}

#[tokio::test]
async fn a_wrong_file_is_refused_whole_and_the_running_configuration_stays() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::with(provider.address, FIRST);
    let reload = async || sidecar.admin().send(Method::POST, "/api/reload", &[], "").await;
    let successful = async || sidecar.metric("larder_config_last_reload_successful", "").await;
    assert!(successful().await > 0.5);
    let wrong = format!("{}[server]\nmax_body = \"much\"\n", with_another(&provider));
    sidecar.rewrite(&wrong);
    let refused = reload().await;
    assert_eq!(refused.status, 422);
    assert!(refused.text().contains(":6: server.max_body: expected a size"), "{}", refused.text());
    assert!(successful().await < 0.5);
    let ask = Ask::of(["elsewhere"]).path("/another/v1/embeddings");
    assert_ne!(sidecar.client().embed(&ask).await.status, 200);
    sidecar.signal("HUP");
    until("it says so", || async {
        sidecar.log().contains("the running configuration is unchanged")
    })
    .await;
    sidecar.client().right(&Ask::of(["still"])).await;
    sidecar.rewrite(&with_another(&provider));
    assert_eq!(reload().await.status, 200);
    assert!(successful().await > 0.5);
    sidecar.client().right(&ask).await;
    assert_eq!(sidecar.admin().get("/api/reload").await.status, 405);
}

async fn reload(sidecar: &Sidecar) -> (u16, String) {
    let answer = sidecar.admin().send(Method::POST, "/api/reload", &[], "").await;
    (answer.status, answer.text())
}

#[tokio::test]
async fn a_reload_names_the_keys_that_it_applies_and_those_that_need_a_restart() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::with(provider.address, FIRST);
    let next = "[cache]\nmemory = \"1MiB\"\n[server]\nthreads = 1\nmax_body = \"100B\"\n\
                [providers.another]\nbase_url = \"http://127.0.0.1:1\"\n";
    sidecar.rewrite(next);
    let report = "reloaded\napplied: server.max_body, cache.ttl, providers.another (new)\n\
                  needs a restart: server.threads, cache.memory\n";
    assert_eq!(reload(&sidecar).await, (200, report.to_owned()));
    let applied = "applied=\"server.max_body, cache.ttl, providers.another (new)\"";
    let waiting = "keys=\"server.threads, cache.memory\"";
    until("the log has both", || async {
        sidecar.log().contains(applied) && sidecar.log().contains(waiting)
    })
    .await;
    // The running configuration counts, not the file of the last reload.
    let again = "reloaded\napplied: nothing\nneeds a restart: server.threads, cache.memory\n";
    assert_eq!(reload(&sidecar).await, (200, again.to_owned()));
    let large = sidecar.client().embed(&Ask::of(texts("large", 50))).await;
    assert!(large.is_own_error(413, "body_too_large"), "{large:?}");
    sidecar.rewrite(FIRST);
    let back = "reloaded\napplied: server.max_body, cache.ttl, providers.another (removed)\n";
    assert_eq!(reload(&sidecar).await, (200, back.to_owned()));
}

#[tokio::test]
async fn a_file_that_is_empty_or_gone_leads_no_request_to_another_provider() {
    let provider = Simulated::instant();
    let inside = format!("[providers.openai]\nbase_url = \"http://{}/v1\"\n", provider.address);
    let sidecar = Sidecar::of_file(&inside);
    sidecar.client().right(&Ask::of(["before"])).await;
    for (text, reason) in [
        (Some(""), "the file sets no key any more"),
        (Some("# nothing\n"), "the file sets no key any more"),
        (Some("[cache]\nttl = \"1h\"\n"), "would go to https://api.openai.com/v1"),
        (None, "no such file or directory"),
    ] {
        match text {
            Some(text) => sidecar.rewrite(text),
            None => sidecar.remove_file(),
        }
        let (status, body) = reload(&sidecar).await;
        assert!(status == 422 && body.contains(reason), "{text:?}: {status} {body}");
        until("the log has it", || async { sidecar.log().contains(reason) }).await;
        sidecar.client().right(&Ask::of([format!("after {text:?}")])).await;
    }
    let refusals = sidecar.log().matches("reload failed").count();
    sidecar.signal("HUP");
    until("it says so", || async { sidecar.log().matches("reload failed").count() > refusals })
        .await;
    sidecar.rewrite(&format!("{inside}[cache]\nttl = \"1h\"\n"));
    assert_eq!(reload(&sidecar).await.0, 200);
    sidecar.client().right(&Ask::of(["at last"])).await;
}
