//! Paths: every endpoint that a provider's SDK calls reaches the URL that the SDK calls without larder.
//!
//! `tests/golden/endpoints` has a file for each provider: the path that comes to larder, and the URL that
//! the SDK has for it by default. The first line names the SDK and its version.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use http::{Method, Uri};
use larder::config::BUILT_IN;
use serde_json::json;

use crate::harness::{Ask, Client, Scripted, Sidecar, answer, json as whole};

const JSON: (&str, &str) = ("content-type", "application/json");

/// The endpoints of a provider: the paths that come to larder, and the URLs that they stand for.
type Endpoints = Vec<(String, Uri)>;

fn endpoints() -> BTreeMap<String, Endpoints> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/endpoints");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let read = |file: std::path::PathBuf| {
        let text = fs::read_to_string(&file).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let row = |line: &str| {
            let (path, url) = line.split_once(' ').unwrap();
            (path.to_owned(), url.parse().unwrap())
        };
        (file.file_stem().unwrap().to_str().unwrap().to_owned(), lines.map(row).collect())
    };
    files.map(read).collect()
}

/// A provider that answers embeddings and everything else, and larder before it under the name of each
/// provider, with the base path that this one has.
fn stage() -> (Scripted, Sidecar) {
    let provider = Scripted::start(|asked| async move {
        let is_embed = asked.method == Method::POST && asked.path.contains("embeddings");
        Some(whole(200, &if is_embed { answer(&asked) } else { json!({ "number": asked.number }) }))
    });
    let mut config = String::new();
    for built_in in BUILT_IN.iter().filter(|built_in| built_in.name != "openai") {
        let base: Uri = built_in.base_url.parse().unwrap();
        let (name, path) = (built_in.name, base.path().trim_end_matches('/'));
        writeln!(config, "[providers.{name}]\nbase_url = \"http://{}{path}\"", provider.address)
            .unwrap();
    }
    let sidecar = Sidecar::with(provider.address, &config);
    (provider, sidecar)
}

#[tokio::test]
async fn every_endpoint_of_an_sdk_reaches_the_url_that_the_sdk_calls() {
    let (provider, sidecar) = stage();
    let client = sidecar.client();
    let mut wrong = Vec::new();
    let endpoints = endpoints();
    assert!(endpoints.len() > 10);
    for (name, endpoints) in &endpoints {
        let built_in = BUILT_IN.iter().find(|built_in| built_in.name == name).unwrap();
        for (path, url) in endpoints {
            let origin = url.to_string().replace(url.path(), "");
            assert!(built_in.base_url.starts_with(&origin), "{name}: {url}");
            let before = provider.calls().len();
            assert_eq!(client.get(path).await.status, 200, "{path}");
            let calls = provider.calls_after(before);
            if calls.len() != 1 || calls[0].path != url.path() {
                let called: Vec<_> = calls.into_iter().map(|call| call.path).collect();
                wrong.push(format!("{path} → {called:?} instead of {}", url.path()));
            }
        }
    }
    assert!(wrong.is_empty(), "{} go wrong:\n{}", wrong.len(), wrong.join("\n"));
}

async fn post(client: &Client, path: &str, body: &[u8]) -> String {
    let answer = client.send(Method::POST, path, &[JSON], body.to_vec()).await;
    assert_eq!(answer.status, 200, "{path}");
    answer.header("cache-status").to_owned()
}

#[tokio::test]
async fn a_path_with_or_without_version_and_with_slashes_too_many_is_one_question() {
    let (provider, sidecar) = stage();
    let client = sidecar.client();
    let texts = |name: &str| Ask::of([name]).body();
    for (paths, url) in [
        (
            &["/v1/embeddings", "//v1/embeddings", "/v1//embeddings", "/v1/embeddings/"][..],
            "/v1/embeddings",
        ),
        (
            &["/together/v1/embeddings", "/together/embeddings", "/together//v1//embeddings//"],
            "/v1/embeddings",
        ),
        (
            &[
                "/fireworks/v1/embeddings",
                "/fireworks/embeddings",
                "/fireworks/inference/v1/embeddings",
                "//fireworks//inference//v1/embeddings/",
            ],
            "/inference/v1/embeddings",
        ),
        (
            &[
                "/deepinfra/v1/openai/embeddings",
                "/deepinfra/embeddings",
                "/deepinfra/v1/embeddings",
            ],
            "/v1/openai/embeddings",
        ),
        (&["/groq/openai/v1/embeddings", "/groq/v1/embeddings"], "/openai/v1/embeddings"),
    ] {
        let before = provider.calls().len();
        for (number, path) in paths.iter().enumerate() {
            let status = post(&client, path, &texts(paths[0])).await;
            let right =
                if number == 0 { "larder; fwd=miss; stored" } else { "larder; hit; detail=memory" };
            assert_eq!(status, right, "{path}");
        }
        let calls: Vec<_> =
            provider.calls_after(before).into_iter().map(|call| call.path).collect();
        assert_eq!(calls, [url]);
    }
}

#[tokio::test]
async fn slashes_of_a_path_that_is_only_passed_on_stay() {
    let (provider, sidecar) = stage();
    let client = sidecar.client();
    for (path, url) in [
        ("//v1/files", "/v1/files"),
        ("/v1//files/", "/v1/files/"),
        ("/v1/files/a//b?x=//", "/v1/files/a//b?x=//"),
    ] {
        let before = provider.calls().len();
        assert_eq!(client.get(path).await.status, 200);
        assert_eq!(provider.calls_after(before)[0].path, url);
    }
}
