//! What lasts: answers that a restart finds again.

mod carry;
mod chaos;
mod kills;
mod large;
mod room;

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::{env, fs};

use serde_json::json;

use crate::harness::{Ask, Sidecar, Simulated, path, texts, until};

/// A cache directory that is removed when it is dropped.
#[derive(Debug)]
pub(super) struct CacheDir(pub(super) PathBuf);

impl CacheDir {
    pub(super) fn new() -> Self {
        Self(path("cache"))
    }

    /// The configuration of a sidecar that uses it.
    pub(super) fn config(&self, more: &str) -> String {
        format!("[disk]\ndir = \"{}\"\ntimeout = \"2s\"\n{more}", self.0.display())
    }

    /// A file in it.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.0.join("v1").join(name)
    }
}

impl Drop for CacheDir {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Waits until it has written so many entries.
pub(super) async fn written(sidecar: &Sidecar, entries: f64) {
    until("the entries are written", || async {
        sidecar.metric("larder_cache_insertions_total", "disk").await >= entries
    })
    .await;
}

/// Ends it in order.
pub(super) async fn ended(mut sidecar: Sidecar) {
    sidecar.signal("TERM");
    assert_eq!(sidecar.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_restart_keeps_what_was_stored_and_how_old_it_is() {
    let (directory, provider) = (CacheDir::new(), Simulated::instant());
    let body = json!({ "model": "gpt-4o", "temperature": 0, "messages": [{ "role": "user", "content": "hi" }] });
    let ask = Ask::of(texts("kept", 32)).header("authorization", "Bearer mine");
    let first = Sidecar::with(provider.address, &directory.config(""));
    first.client().right(&ask).await;
    let said = first.client().chat(&body).await;
    ended(first).await;
    // The wall clock is set back a year meanwhile; the machine has been up all the time.
    let clock = fs::read_to_string(directory.file("clock")).unwrap();
    let (before, wall) = clock.trim().rsplit_once(' ').unwrap();
    let wall = wall.parse::<u64>().unwrap() + 31_536_000;
    fs::write(directory.file("clock"), format!("{before} {wall}\n")).unwrap();
    let second = Sidecar::with(provider.address, &directory.config(""));
    let answer = second.client().right(&ask).await;
    assert_eq!(answer.header("cache-status"), "larder; hit; detail=disk");
    assert!(answer.header("age").parse::<u64>().unwrap() < 30, "{:?}", answer.headers);
    let again = second.client().right(&ask).await;
    assert_eq!(again.header("cache-status"), "larder; hit; detail=memory");
    let replayed = second.client().chat(&body).await;
    assert!(replayed.header("cache-status").ends_with("detail=disk"), "{:?}", replayed.headers);
    assert_eq!(replayed.body, said.body);
    let theirs = Ask::of(texts("kept", 32)).header("authorization", "Bearer another");
    assert!(second.client().right(&theirs).await.header("cache-status").contains("fwd=miss"));
    assert_eq!(provider.stats().await.inputs, 64);
}

#[tokio::test]
async fn everything_in_the_directory_is_for_its_owner_alone() {
    let (directory, provider) = (CacheDir::new(), Simulated::instant());
    let sidecar = Sidecar::with(provider.address, &directory.config(""));
    sidecar
        .client()
        .right(&Ask::of(["private"]).header("authorization", "Bearer canary-key"))
        .await;
    written(&sidecar, 1.0).await;
    ended(sidecar).await;
    let mode = |path: &PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&directory.0), mode(&directory.0.join("v1"))), (0o700, 0o700));
    let mut names = Vec::new();
    for entry in fs::read_dir(directory.0.join("v1")).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{path:?}");
        let bytes = fs::read(&path).unwrap();
        let has = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
        assert!(!has(b"canary-key") && !has(b"private"), "{path:?}");
        names.push(path.file_name().unwrap().to_str().unwrap().to_owned());
    }
    assert!(names.contains(&"secret".to_owned()), "{names:?}");
}

#[tokio::test]
async fn a_time_to_live_and_a_purge_outlive_the_process() {
    let (directory, provider) = (CacheDir::new(), Simulated::instant());
    let first = Sidecar::with(provider.address, &directory.config(""));
    let (short, long) = (Ask::of(["short"]), Ask::of(["long"]));
    let large = Ask { model: "text-embedding-3-large".to_owned(), ..Ask::of(["large"]) };
    first.client().right(&short.clone().header("x-larder-ttl", "2")).await;
    first.client().right(&long).await;
    first.client().right(&large).await;
    written(&first, 3.0).await;
    let filter = "/api/entries?model=text-embedding-3-large";
    assert_eq!(first.admin().send(http::Method::DELETE, filter, &[], "").await.status, 200);
    first.signal("KILL");
    drop(first);
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let second = Sidecar::with(provider.address, &directory.config(""));
    for (ask, status) in [
        (&long, "larder; hit; detail=disk"),
        (&large, "larder; fwd=miss; stored"),
        (&short, "larder; fwd=miss; stored"),
    ] {
        assert_eq!(second.client().right(ask).await.header("cache-status"), status, "{ask:?}");
    }
    written(&second, 2.0).await;
    assert_eq!(
        second.admin().send(http::Method::DELETE, "/api/entries", &[], "").await.status,
        200
    );
    until("nothing is left", || async {
        second.metric("larder_cache_entries", "disk").await < 0.5
    })
    .await;
    second.signal("KILL");
    drop(second);
    let third = Sidecar::with(provider.address, &directory.config(""));
    assert!(third.client().right(&long).await.header("cache-status").contains("fwd=miss"));
}

#[tokio::test]
async fn a_second_process_runs_without_until_the_first_ends() {
    let (directory, provider) = (CacheDir::new(), Simulated::instant());
    let first = Sidecar::with(provider.address, &directory.config(""));
    let ask = Ask::of(["of the first"]);
    first.client().right(&ask).await;
    written(&first, 1.0).await;
    let second = Sidecar::with(provider.address, &directory.config(""));
    until("it says so", || async { second.log().contains("in use by another process") }).await;
    second.client().right(&Ask::of(["of the second"])).await;
    assert!(second.client().right(&ask).await.header("cache-status").contains("fwd=miss"));
    ended(first).await;
    until("the second has it", || async {
        second.metric("larder_cache_breaker_state", "disk").await < 0.5
    })
    .await;
    second.client().right(&Ask::of(["later"])).await;
    written(&second, 1.0).await;
}

#[test]
fn a_directory_that_cannot_be_used_is_told_at_once() {
    let (code, said) = check_of(&path("no-directory"), |path| fs::write(path, "").unwrap());
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("disk.dir: cannot create"), "{said}");
    let linked = path("linked");
    fs::create_dir_all(&linked).unwrap();
    let (code, said) = check_of(&linked, |path| {
        symlink(env::temp_dir(), path.join("v1")).unwrap();
    });
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("not a directory"), "{said}");
}

fn check_of(directory: &PathBuf, prepare: impl Fn(&PathBuf)) -> (Option<i32>, String) {
    prepare(directory);
    let output = crate::harness::larder(&["check", "--cache-dir", directory.to_str().unwrap()])
        .output()
        .unwrap();
    drop(fs::remove_dir_all(directory));
    drop(fs::remove_file(directory));
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test]
async fn what_a_provider_that_is_not_called_saves_is_counted_in_sight() {
    let (directory, provider) = (CacheDir::new(), Simulated::instant());
    let base = format!("[providers.other]\nbase_url = \"http://{}/v1\"\n", provider.address);
    let config = directory.config(&base);
    let ask = Ask::of(["spared"]).path("/other/v1/embeddings");
    let first = Sidecar::with(provider.address, &config);
    first.client().right(&ask).await;
    ended(first).await;
    let second = Sidecar::with(provider.address, &config);
    let metrics = async || second.admin().get("/metrics").await.text();
    assert!(!metrics().await.contains("upstream=\"other\""));
    second.client().right(&ask).await;
    assert!(metrics().await.contains("upstream=\"other\""));
    assert_eq!(provider.stats().await.embedding_requests, 1);
}
