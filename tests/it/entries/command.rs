//! `larder purge` beside a running sidecar.

use super::{listed, of_model};
use crate::harness::{Ask, Sidecar, Simulated, larder, texts};

/// The command's exit code, and what it says.
fn purge(arguments: &[&str]) -> (Option<i32>, String) {
    let output = larder(&[&["purge"], arguments].concat()).output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code(), said)
}

#[tokio::test]
async fn it_purges_what_it_is_told_and_asks_for_that() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::with(provider.address, "[server]\nadmin_token = \"canary\"\n");
    for model in ["one", "two", "three"] {
        sidecar.client().right(&of_model(model, &Ask::of(texts("kept", 10)))).await;
    }
    let admin = sidecar.admin.to_string();
    let at = |more: &[&str]| {
        purge(&[&["--admin-listen", &admin, "--admin-token", "canary"], more].concat())
    };
    for (arguments, code, says) in [
        (&[][..], 2, "say which entries"),
        (&["--dry-run"], 2, "say which entries"),
        (&["--all", "--model", "one"], 2, "cannot be used with"),
        (&["--provider", "opnai"], 2, "unknown provider; did you mean `openai`?"),
        (&["--match", "["], 2, "match: "),
        (&["--before", "tomorrow"], 2, "before: expected"),
        (&["--key", "short"], 2, "key: expected"),
        (&["--all", "--dry-run"], 0, "30 entries would be purged"),
        (&["--match", "t*", "--dry-run"], 0, "20 entries would be purged"),
        (&["--match", "t*", "--model", "two"], 0, "10 entries purged"),
        (&["--model", "one"], 0, "10 entries purged"),
        (&["--before", "1h"], 0, "0 entries purged"),
        (&["--provider", "openai", "--all"], 2, "cannot be used with"),
        (&["--all"], 0, "10 entries purged"),
    ] {
        let (got, said) = at(arguments);
        assert_eq!(got, Some(code), "{arguments:?}: {said}");
        assert!(said.contains(says) && !said.contains("canary"), "{arguments:?}: {said}");
    }
    let (code, said) = purge(&["--admin-listen", &admin, "--all"]);
    assert!(code == Some(1) && said.contains("LARDER_ADMIN_TOKEN"), "{said}");
    drop(sidecar);
    let (code, said) = at(&["--all"]);
    assert!(code == Some(1) && said.contains("no sidecar listens at"), "{said}");
}

#[tokio::test]
async fn the_key_that_is_listed_is_the_key_that_is_purged() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::before(provider.address);
    sidecar.client().right(&Ask::of(texts("kept", 3))).await;
    let key = listed(&sidecar, "").await[0]["key"].as_str().unwrap().to_owned();
    let admin = sidecar.admin.to_string();
    // A key may begin with a dash.
    let (code, said) = purge(&["--admin-listen", &admin, &format!("--key={key}")]);
    assert!(code == Some(0) && said == "1 entry purged\n", "{said}");
    assert_eq!(listed(&sidecar, "").await.len(), 2);
}
