//! What is kept of a store's answers is what it said, and only where it said all of it.

use bytes::Bytes;
use http::{Method, Response};
use http_body_util::Full;

use super::{JSON, ROUTES, count, post, verdict};
use crate::harness::{Scripted, Sidecar};

type Said = Response<Full<Bytes>>;

/// A sidecar before a provider that always says this.
fn saying(said: impl Fn() -> Said + Send + Sync + 'static) -> (Scripted, Sidecar) {
    let provider = Scripted::start(move |_| {
        let said = said();
        async move { Some(said) }
    });
    let settings = format!(
        "[providers.store]\nbase_url = \"http://{}\"\ndialect = \"generic\"\n{ROUTES}",
        provider.address
    );
    let sidecar = Sidecar::with(provider.address, &settings);
    (provider, sidecar)
}

fn said(status: u16, headers: &[(&str, &str)], body: &'static str) -> Said {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(Full::new(body.into())).unwrap()
}

#[tokio::test]
async fn a_hit_is_byte_for_byte_without_what_was_one_callers() {
    let body = "{ \"b\" : 1.50, \"a\":\"\\u00e9\",\"a\":[ ] }\n";
    let headers = [
        JSON,
        ("set-cookie", "session=1"),
        ("x-request-id", "7"),
        ("connection", "x-hop"),
        ("x-hop", "1"),
        ("x-ratelimit-remaining", "3"),
    ];
    let (provider, sidecar) = saying(move || said(200, &headers, body));
    let client = sidecar.client();
    let first = post(&client, "/c/a/get", "{}").await;
    assert_eq!((first.text().as_str(), first.header("x-request-id")), (body, "7"));
    let hit = post(&client, "/c/a/get", "{}").await;
    assert_eq!((verdict(&hit).as_str(), hit.text().as_str()), ("hit", body));
    assert_eq!(hit.header("content-type"), "application/json");
    for name in ["set-cookie", "x-request-id", "x-hop", "x-ratelimit-remaining"] {
        assert_eq!(hit.header(name), "", "{name}");
    }
    assert_eq!(provider.calls().len(), 1);
}

#[tokio::test]
async fn what_is_no_whole_good_answer_is_not_kept() {
    for (status, headers, body) in [
        (200, [JSON].as_slice(), "{\"a\":"),
        (200, &[("content-type", "text/plain")], "{}"),
        (200, &[], "{}"),
        (200, &[JSON, ("content-encoding", "x-own")], "{}"),
        (206, &[JSON], "{}"),
        (202, &[JSON], "{}"),
        (404, &[JSON], "{\"error\":\"no such collection\"}"),
        (400, &[JSON], "{\"error\":\"bad\"}"),
        (500, &[JSON], "{}"),
    ] {
        let (provider, sidecar) = saying(move || said(status, headers, body));
        let client = sidecar.client();
        for number in 1..=2 {
            let got = post(&client, "/c/a/get", "{}").await;
            assert_eq!((got.status, got.text().as_str()), (status, body));
            assert_eq!(provider.calls().len(), number, "{status} {headers:?} {body}");
        }
    }
}

#[tokio::test]
async fn what_is_not_read_as_json_goes_through_untouched() {
    let (provider, sidecar) = saying(|| said(200, &[JSON], "{}"));
    let client = sidecar.client();
    for (header, body, detail) in [
        (JSON, "{\"a\":", "unreadable"),
        (JSON, "\u{feff}{}", "unreadable"),
        (("content-type", "application/x-ndjson"), "{}\n{}\n", "relay"),
    ] {
        for _ in 0..2 {
            let got = client.send(Method::POST, "/store/c/a/get", &[header], body).await;
            let right = format!("larder; fwd=bypass; detail={detail}");
            assert_eq!((got.status, got.header("cache-status")), (200, right.as_str()));
            assert_eq!(provider.calls().last().unwrap().body, body);
        }
    }
    assert_eq!(provider.calls().len(), 6);
    assert_eq!(count(&sidecar, "larder_store_writes_total", "").await, "0");
}
