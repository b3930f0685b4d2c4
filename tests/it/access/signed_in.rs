//! Users behind one sign-in proxy: one API key, and a header that names the user.

use http::Method;
use serde_json::json;

use super::{JSON, by, good};
use crate::harness::{Answer, Ask, Client, Gate, Scripted, Sidecar, all};

/// Headers with which proxies and platforms pass on a user, or the user's token.
const IDENTITIES: &[&str] = &[
    "cf-access-authenticated-user-email",
    "cf-access-jwt-assertion",
    "cookie",
    "forwarded",
    "remote-user",
    "sec-user",
    "x-amzn-oidc-accesstoken",
    "x-amzn-oidc-data",
    "x-amzn-oidc-identity",
    "x-auth-request-access-token",
    "x-auth-request-email",
    "x-auth-request-user",
    "x-b3-user",
    "x-datadog-user",
    "x-forwarded-access-token",
    "x-forwarded-client-cert",
    "x-forwarded-email",
    "x-forwarded-groups",
    "x-forwarded-preferred-username",
    "x-forwarded-user",
    "x-goog-authenticated-user-email",
    "x-goog-iap-jwt-assertion",
    "x-ms-client-principal",
    "x-ms-token-aad-access-token",
    "x-remote-user",
];

/// Headers of transport that differ from request to request.
const TRANSPORT: &[&str] = &[
    "amz-sdk-invocation-id",
    "b3",
    "baggage",
    "cf-ray",
    "date",
    "sec-ch-ua",
    "sec-fetch-site",
    "traceparent",
    "user-agent",
    "x-b3-traceid",
    "x-correlation-id",
    "x-datadog-trace-id",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-ms-client-request-id",
    "x-request-id",
    "x-stainless-os",
];

async fn chat_as(client: &Client, (name, value): (&str, &str)) -> Answer {
    let message = json!({ "role": "user", "content": format!("a question with {name}") });
    let body = json!({ "model": "m", "temperature": 0, "messages": [message] });
    let headers = [JSON, ("authorization", "Bearer one"), (name, value)];
    client.send(Method::POST, "/v1/chat/completions", &headers, body.to_string()).await
}

#[tokio::test]
async fn one_call_does_not_carry_the_texts_of_eleven_users_under_the_first_ones_token() {
    let gate = Gate::closed();
    let provider = Scripted::behind(&gate);
    let sidecar = Sidecar::before(provider.address);
    let client = sidecar.client();
    let asking = (0..11).map(|n| {
        let ask = by("one", &Ask::of([format!("text of user {n:02}.")]));
        let ask = ask.header("x-forwarded-access-token", &format!("token of user {n:02}"));
        let client = client.clone();
        async move { client.right(&ask).await }
    });
    let asking = crate::harness::Aside::start(all(asking.collect::<Vec<_>>()));
    provider.called(11).await;
    gate.open();
    asking.done().await;
    let calls = provider.calls();
    assert_eq!(calls.len(), 11);
    for call in calls {
        let token = call.headers["x-forwarded-access-token"].to_str().unwrap();
        let user = token.trim_start_matches("token of ");
        assert!(call.holds(user) && call.inputs().len() == 1, "{call:?}");
    }
}

#[tokio::test]
async fn a_signed_in_users_response_serves_no_other_user() {
    let provider = Scripted::start(|asked| async move { Some(good(&asked)) });
    let sidecar = Sidecar::before(provider.address);
    let client = sidecar.client();
    for (n, name) in IDENTITIES.iter().copied().enumerate() {
        for value in ["ann", "bob", "ann"] {
            client.right(&by("one", &Ask::of([format!("with {name}")])).header(name, value)).await;
            assert_eq!(chat_as(&client, (name, value)).await.status, 200);
        }
        let calls = provider.calls_after(4 * n);
        assert_eq!(calls.len(), 4, "{name}: ann and bob each have calls of their own");
        let bobs = calls.iter().filter(|call| call.headers[name] == "bob").count();
        assert_eq!(bobs, 2, "{name}");
    }
}

#[tokio::test]
async fn headers_of_transport_split_no_cache() {
    let provider = Scripted::start(|asked| async move { Some(good(&asked)) });
    let sidecar = Sidecar::before(provider.address);
    let client = sidecar.client();
    for (n, name) in TRANSPORT.iter().copied().enumerate() {
        for value in ["one", "two"] {
            client.right(&by("one", &Ask::of([format!("with {name}")])).header(name, value)).await;
            assert_eq!(chat_as(&client, (name, value)).await.status, 200);
        }
        assert_eq!(provider.calls().len(), 2 * (n + 1), "{name}");
    }
}
