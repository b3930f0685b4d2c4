//! Redirects: a provider's reference to itself leads a client through larder again.

use bytes::Bytes;
use http::{Method, Response};
use http_body_util::Full;

use crate::harness::{Ask, Asked, Say, Scripted, Sidecar, answer, json};

/// Redirects what has no `moved` in its path to the reference of its header `to`.
fn moved(asked: &Asked) -> Say {
    let to = asked.headers.get("to").filter(|_| !asked.path.contains("moved"));
    let Some(to) = to else { return Some(json(200, &answer(asked))) };
    let host = asked.headers["host"].to_str().unwrap();
    let to = to.to_str().unwrap().replace("HOST", host);
    let status = asked.headers.get("status").map_or("307", |status| status.to_str().unwrap());
    let response = Response::builder().status(status).header("location", &to);
    Some(response.header("content-location", to).body(Full::new(Bytes::new())).unwrap())
}

fn stage() -> (Scripted, Sidecar) {
    let provider = Scripted::start(|asked| async move { moved(&asked) });
    let config = format!(
        "[providers.deep]\nbase_url = \"http://{0}/gateway/v1\"\n[providers.bare]\n\
         base_url = \"http://{0}\"\n",
        provider.address
    );
    let sidecar = Sidecar::with(provider.address, &config);
    (provider, sidecar)
}

#[tokio::test]
async fn a_redirect_of_a_provider_to_itself_leads_through_larder() {
    let (provider, sidecar) = stage();
    let client = sidecar.client();
    let own = format!("http://{}", provider.address);
    for (path, to, location) in [
        ("/v1/embeddings", "http://HOST/v1/moved?a=b#c", "/v1/moved?a=b#c"),
        ("/openai/v1/embeddings", "http://HOST/v1/moved", "/openai/v1/moved"),
        ("/v1/files", "http://HOST/v1/moved", "/v1/moved"),
        ("/v1/files", "HTTP://HOST/v2/moved", "/v2/moved"),
        ("/v1/files", "//HOST/v1/moved", "/v1/moved"),
        ("/v1/files", "/v1/moved", "/v1/moved"),
        ("/deep/embeddings", "http://HOST/gateway/v1/moved", "/deep/gateway/v1/moved"),
        ("/deep/v1/files", "/gateway/v1/moved", "/deep/gateway/v1/moved"),
        ("/bare/v1/embeddings", "/v1/moved", "/bare/v1/moved"),
        // Relative ones mean the same to both.
        ("/v1/files", "moved", "moved"),
        ("/v1/files", "?moved", "?moved"),
        // Those of others stay.
        ("/v1/files", "https://HOST/v1/moved", "https://HOST/v1/moved"),
        ("/v1/files", "http://elsewhere.example/v1/moved", "http://elsewhere.example/v1/moved"),
        ("/v1/files", "http://a@HOST/v1/moved", "http://a@HOST/v1/moved"),
        // larder would call another URL for these.
        ("/deep/files", "http://HOST/moved", "OWN/moved"),
        ("/v1/embeddings", "/v1/embeddings/", "OWN/v1/embeddings/"),
    ] {
        let headers = [("content-type", "application/json"), ("to", to)];
        let got = client.send(Method::POST, path, &headers, Ask::of([to]).body()).await;
        let right = location.replace("HOST", &provider.address.to_string()).replace("OWN", &own);
        assert_eq!((got.status, got.header("location")), (307, &*right), "{path} {to}");
        assert_eq!(got.header("content-location"), right);
    }
}

#[tokio::test]
async fn a_client_that_follows_a_redirect_gets_its_vectors_from_larder() {
    let (provider, sidecar) = stage();
    let client = sidecar.client();
    for (path, status) in [("/v1/embeddings", "308"), ("/deep/v1/embeddings", "307")] {
        let to = if path.starts_with("/deep") {
            "/gateway/v1/moved/embeddings"
        } else {
            "/v1/moved/embeddings"
        };
        let (body, json) = (Ask::of(["a"]).body(), ("content-type", "application/json"));
        let headers = [json, ("to", to), ("status", status)];
        let got = client.send(Method::POST, path, &headers, body.clone()).await;
        let before = provider.calls().len();
        let next = client.send(Method::POST, got.header("location"), &headers, body).await;
        assert_eq!(next.status, 200);
        assert_eq!(provider.calls_after(before)[0].path, to);
    }
}
