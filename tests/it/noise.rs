//! What clients and providers make up never becomes a series, a line of the log, or a line in one.

use serde_json::{Value, json};

use crate::harness::{Ask, Scripted, Sidecar, answer, json as reply};

/// So many lines of the metrics, all but those of a label that names a status.
async fn series(sidecar: &Sidecar) -> usize {
    let text = sidecar.admin().get("/metrics").await.text();
    text.lines().filter(|line| !line.starts_with('#')).count()
}

async fn make_up(sidecar: &Sidecar, round: usize) {
    let client = sidecar.client();
    for n in 0..300 {
        let name = format!("{round}-{n}");
        let ask = Ask::of([name.clone()]).header("authorization", &format!("Bearer {name}"));
        let ask = Ask { model: format!("model {name}"), ..ask };
        client.embed(&ask).await;
        let method = http::Method::from_bytes(format!("MADE{n}").as_bytes()).unwrap();
        client.send(method, &format!("/v1/made/{name}"), &[], "").await;
        client.get(&format!("/{name}/v1/models")).await;
        let headers = [("content-type", "application/json"), ("x-larder-priority", "made up")];
        let body = json!({ "model": name, "temperature": 0, "messages": [] }).to_string();
        client.send(http::Method::POST, "/v1/chat/completions", &headers, body).await;
    }
}

#[tokio::test]
async fn names_that_are_made_up_make_no_series() {
    let provider = Scripted::start(|asked| async move {
        let good = asked.path.contains("embeddings");
        Some(if good { reply(200, &answer(&asked)) } else { reply(404, &json!({})) })
    });
    let sidecar = Sidecar::before(provider.address);
    make_up(&sidecar, 0).await;
    let before = series(&sidecar).await;
    make_up(&sidecar, 1).await;
    assert_eq!(series(&sidecar).await, before);
}

#[tokio::test]
async fn a_line_of_the_log_is_one_line_whatever_is_in_it() {
    let evil = "a\r\nb\u{1b}[31m\u{2028}{\"level\":\"ERROR\"}";
    let provider = Scripted::start(move |asked| {
        let mut bad = answer(&asked);
        bad["data"][0]["index"] = json!(7);
        bad["model"] = json!(evil);
        async move { Some(reply(200, &bad)) }
    });
    let settings = "[log]\nformat = \"json\"\nlevel = \"trace\"\n";
    let sidecar = Sidecar::with(provider.address, settings);
    for n in 0..5 {
        let ask = Ask { model: format!("{evil}{n}"), ..Ask::of([evil]) };
        assert_eq!(sidecar.client().embed(&ask).await.status, 200);
    }
    let log = sidecar.log();
    assert!(log.contains("failed validation"), "{log}");
    let lines = log.lines().filter(|line| !line.starts_with("listening "));
    for line in lines {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "{line:?}");
        assert!(!line.contains('\u{1b}'), "{line:?}");
    }
}
