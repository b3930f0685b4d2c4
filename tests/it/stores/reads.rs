//! What is read twice is asked once, within bounds that the operator and the caller set.

use std::time::Duration;

use http::Method;

use super::store::Store;
use super::{JSON, ROUTES, before, count, post, read, send, verdict, version, write};
use crate::harness::{Aside, Client, Gate, Scripted, Sidecar, all, json as answer, until};

#[tokio::test]
async fn a_read_is_asked_once() {
    let store = Store::start();
    let sidecar = before(&store, ROUTES, "");
    let client = sidecar.client();
    for (number, (method, path, body, again)) in [
        (Method::POST, "/c/a/get", r#"{"key":"k","top":1.0}"#, "{ \"key\" : \"k\",\n\"top\":1.0 }"),
        (Method::GET, "/c/a/keys/k", "", ""),
        (
            Method::POST,
            "/get",
            r#"{"in":{"namespace":"a"},"key":"k"}"#,
            r#"{"in":{"namespace":"a"}, "key":"k"}"#,
        ),
        (Method::POST, "/everything", "", ""),
        (Method::POST, "/everything", "[1]", "[ 1 ]"),
    ]
    .into_iter()
    .enumerate()
    {
        let first = send(&client, method.clone(), path, body).await;
        assert_eq!(first.header("cache-status"), "larder; fwd=miss; stored", "{path}");
        let second = send(&client, method, path, again).await;
        assert_eq!(second.header("cache-status"), "larder; hit; ttl=60; detail=memory", "{path}");
        assert!(!second.header("age").is_empty() && second.body == first.body, "{path}");
        assert_eq!(store.calls().len(), number + 1, "{path}");
    }
    let labels = |result| format!("operation=\"read\",result=\"{result}\",tier=\"memory\"");
    for result in ["hit", "miss"] {
        assert_eq!(count(&sidecar, "larder_cache_lookups_total", &labels(result)).await, "5");
    }
    assert_eq!(count(&sidecar, "larder_store_reads_total", "stored").await, "5");
    let answered = "code=\"200\",operation=\"read\",verdict=\"hit\"";
    assert_eq!(count(&sidecar, "larder_requests_total", answered).await, "5");
    let called = count(&sidecar, "larder_upstream_requests_total", "operation=\"read\"").await;
    assert_eq!(called, "5");
}

#[tokio::test]
async fn what_may_be_another_question_is() {
    let store = Store::start();
    let sidecar = before(&store, ROUTES, "");
    let client = sidecar.client();
    for (headers, path, body) in [
        (&[JSON][..], "/c/a/get", r#"{"key":"k","x":1}"#),
        // To some stores the order of members is an order of sorting.
        (&[JSON], "/c/a/get", r#"{"x":1,"key":"k"}"#),
        (&[JSON], "/c/a/get", r#"{"key":"k","x":1.0}"#),
        (&[JSON], "/c/b/get", r#"{"key":"k","x":1}"#),
        (&[JSON], "/c/a/get?consistency=all", r#"{"key":"k","x":1}"#),
        (&[JSON, ("api-key", "one")], "/c/a/get", r#"{"key":"k","x":1}"#),
        (&[JSON, ("api-key", "two")], "/c/a/get", r#"{"key":"k","x":1}"#),
        (&[JSON, ("authorization", "Bearer one")], "/c/a/get", r#"{"key":"k","x":1}"#),
        (&[JSON, ("x-tenant", "one")], "/c/a/get", r#"{"key":"k","x":1}"#),
    ] {
        let path = format!("/store{path}");
        let got = client.send(Method::POST, &path, headers, body).await;
        assert_eq!(verdict(&got), "stored", "{headers:?} {path} {body}");
        let again = client.send(Method::POST, &path, headers, body).await;
        assert_eq!(verdict(&again), "hit", "{headers:?} {path} {body}");
    }
}

#[tokio::test]
async fn an_answer_is_good_as_long_as_the_route_or_the_caller_says() {
    let store = Store::start();
    let routes = ROUTES.replacen("60s", "1s", 1);
    let sidecar = before(&store, &routes, "");
    let client = sidecar.client();
    read(&client, "a", "k").await;
    store.write_beside("a", "k");
    assert_eq!(read(&client, "a", "k").await, (0, "hit".to_owned()));
    until("it has ended", || async { read(&client, "a", "k").await.0 == 1 }).await;
    let long = [JSON, ("x-larder-ttl", "3600")];
    let path = "/store/c/a/get";
    client.send(Method::POST, path, &long, "{\"key\":\"l\"}").await;
    let hit = post(&client, "/c/a/get", "{\"key\":\"l\"}").await;
    assert_eq!(hit.header("cache-status"), "larder; hit; ttl=3600; detail=memory");
}

#[tokio::test]
async fn a_caller_says_what_it_wants_of_the_cache() {
    let store = Store::start();
    let sidecar = before(&store, ROUTES, "");
    let client = sidecar.client();
    let ask = async |name: &'static str, value: &'static str| {
        let body = "{\"key\":\"k\"}";
        client.send(Method::POST, "/store/c/a/get", &[JSON, (name, value)], body).await
    };
    let nothing = ask("cache-control", "only-if-cached").await;
    assert_eq!((nothing.status, nothing.header("x-larder-error")), (504, "not_cached"));
    for (name, value, right) in [
        ("cache-control", "no-store", "larder; fwd=bypass; detail=no-store"),
        ("x-larder-cache", "off", "larder; fwd=bypass; detail=opted-out"),
        ("idempotency-key", "1", "larder; fwd=bypass; detail=idempotency-key"),
        ("accept", "application/msgpack", "larder; fwd=bypass; detail=accept"),
        ("cache-control", "no-cache", "larder; fwd=request; stored; detail=no-cache"),
    ] {
        assert_eq!(ask(name, value).await.header("cache-status"), right);
    }
    store.write_beside("a", "k");
    assert_eq!(version(&ask("cache-control", "only-if-cached").await), 0);
    assert_eq!(version(&ask("accept", "text/html, */*;q=0.8").await), 0);
    assert_eq!(version(&ask("cache-control", "no-cache").await), 1);
    assert_eq!(version(&ask("cache-control", "only-if-cached").await), 1);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let too_old = "larder; fwd=request; stored; detail=max-age";
    assert_eq!(verdict(&ask("cache-control", "max-age=0").await), too_old);
    // None of these asks larder to forget anything.
    assert_eq!(count(&sidecar, "larder_store_writes_total", "").await, "0");
}

#[tokio::test]
async fn who_reads_the_same_meanwhile_waits_for_one_call() {
    let gate = Gate::closed();
    let held = gate.clone();
    let provider = Scripted::start(move |asked| {
        let gate = held.clone();
        async move {
            gate.pass().await;
            Some(answer(200, &serde_json::json!({ "version": asked.number })))
        }
    });
    let settings = format!(
        "[providers.store]\nbase_url = \"http://{}\"\ndialect = \"generic\"\n{ROUTES}",
        provider.address
    );
    let sidecar = Sidecar::with(provider.address, &settings);
    let ask = |client: Client| async move { read(&client, "a", "k").await };
    let client = sidecar.client();
    let asking = Aside::start(all((0..20).map(move |_| ask(client.clone()))));
    until("all have come", || async {
        sidecar.metric("larder_requests_in_flight", "read").await > 19.5
    })
    .await;
    gate.open();
    let answers = asking.done().await;
    assert!(answers.iter().all(|(version, _)| *version == 0), "{answers:?}");
    assert_eq!(provider.calls().len(), 1);
    assert_eq!(count(&sidecar, "larder_collapsed_inputs_total", "read").await, "19");
}

#[tokio::test]
async fn a_reload_takes_routes_over_and_forgets_nothing_else() {
    let store = Store::start();
    let sidecar = before(&store, ROUTES, "");
    let client = sidecar.client();
    read(&client, "a", "k").await;
    let provider = format!(
        "[providers.store]\nbase_url = \"http://{}\"\ndialect = \"generic\"\n",
        store.address()
    );
    let without = ROUTES.replace("path = \"/everything\"", "path = \"/something\"");
    sidecar.rewrite(&(provider + &without));
    sidecar.signal("HUP");
    until("it is taken over", || async {
        verdict(&post(&client, "/everything", "").await) == "larder; fwd=bypass; detail=write"
    })
    .await;
    // A read of no route is as good as a write, for all that is known of it.
    assert_eq!(read(&client, "a", "k").await.1, "stored");
    assert_eq!(write(&client, "a", "k").await, 1);
    assert_eq!(read(&client, "a", "k").await, (1, "stored".to_owned()));
}

#[tokio::test]
async fn a_purge_forgets_and_an_explanation_says_why() {
    let store = Store::start();
    let sidecar = before(&store, ROUTES, "");
    let (client, admin) = (sidecar.client(), sidecar.admin());
    for filters in ["provider=store", "provider=store&model=a", ""] {
        read(&client, "a", "k").await;
        assert_eq!(read(&client, "a", "k").await.1, "hit");
        let purged = admin.send(Method::DELETE, &format!("/api/entries?{filters}"), &[], "").await;
        assert_eq!(purged.status, 200, "{filters}");
    }
    let explained = [JSON, ("x-larder-explain", "1")];
    let path = "/store/c/a/get";
    let why = client.send(Method::POST, path, &explained, "{\"key\":\"k\",\"x\":1}").await;
    assert!(why.header("x-larder-explain").contains("body.x"), "{:?}", why.headers);
}
