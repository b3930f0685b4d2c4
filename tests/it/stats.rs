//! `larder stats` beside a running sidecar.

use std::process::Stdio;

use serde_json::Value;

use crate::harness::{Ask, Sidecar, Simulated, larder};

/// What the command prints, and whether it was content.
fn stats(arguments: &[&str]) -> (bool, String) {
    let output = larder(&[&["stats"], arguments].concat()).output().unwrap();
    let (out, err) = (output.stdout, output.stderr);
    (output.status.success(), String::from_utf8([out, err].concat()).unwrap())
}

#[tokio::test]
async fn it_prints_what_the_running_sidecar_has_counted() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::with(provider.address, "[server]\nadmin_token = \"canary\"\n");
    for text in ["a", "a", "b\u{7}"] {
        sidecar.client().right(&Ask::of([text])).await;
    }
    let mut odd = Ask::of(["a"]);
    "red\u{1b}[31m".clone_into(&mut odd.model);
    sidecar.client().right(&odd).await;
    let address = sidecar.admin.to_string();
    let at = ["--admin-listen", &address];
    let (good, text) = stats(&[&at[..], &["--admin-token", "canary"]].concat());
    assert!(good, "{text}");
    assert!(text.contains("25.0 % (1 of 4 inputs; 0 coalesced, 3 misses)"), "{text}");
    assert!(text.contains("3 made, 1 saved (1 cached, 0 coalesced, 0 batched)"), "{text}");
    assert!(text.contains("text-embedding-3-small") && !text.contains('\u{1b}'), "{text}");
    let (good, json) = stats(&[&at[..], &["--json", "--admin-token", "canary"]].concat());
    let body: Value = serde_json::from_str(&json).unwrap();
    assert!(good && body["totals"]["inputs"]["hit"] == 1, "{json}");
    let (good, text) = stats(&at);
    assert!(!good && text.contains("LARDER_ADMIN_TOKEN"), "{text}");
    drop(sidecar);
    let (good, text) = stats(&at);
    assert!(!good && text.contains(&format!("no sidecar listens at {address}")), "{text}");
}

#[tokio::test]
async fn it_ends_when_nobody_reads_on() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::before(provider.address);
    let address = sidecar.admin.to_string();
    let watched = move || {
        let mut stats = larder(&["stats", "--watch", "--json", "--admin-listen", &address]);
        let mut stats = stats.stdout(Stdio::piped()).spawn().unwrap();
        drop(stats.stdout.take());
        stats.wait().unwrap()
    };
    assert!(tokio::task::spawn_blocking(watched).await.unwrap().success());
}
