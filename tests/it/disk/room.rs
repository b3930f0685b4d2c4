//! A disk that is full, or that nobody can write to, costs no request.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::{CacheDir, ended, written};
use crate::harness::{Ask, Load, Sidecar, Simulated, texts, until};

/// A small file system of its own for a cache directory, where this process may mount one.
struct Mounted(CacheDir);

impl Mounted {
    fn new() -> Option<Self> {
        let directory = CacheDir::new();
        fs::create_dir_all(&directory.0).unwrap();
        let mounted = Self(directory);
        if mounted.mount("size=4m,mode=700") {
            return Some(mounted);
        }
        eprintln!("skipped: mounting a tmpfs is not permitted");
        None
    }

    fn mount(&self, options: &str) -> bool {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&self.0.0).stderr(Stdio::null());
        mount.status().is_ok_and(|status| status.success())
    }

    /// A file that takes room.
    fn filler(&self) -> PathBuf {
        self.0.0.join("filler")
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        // One byte more than fits, as often as something fits.
        for size in [1 << 20, 64 << 10, 4 << 10] {
            for number in 0..4_096 {
                let name = format!("filler-{size}-{number}");
                if fs::write(self.0.0.join(name), vec![1; size]).is_err() {
                    break;
                }
            }
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily: what fails the test may still run in it.
        drop(Command::new("umount").arg("-l").arg(&self.0.0).status());
    }
}

/// Vectors of 4 KiB.
fn ask(number: u64) -> Ask {
    let texts = [format!("large {number:06}"), format!("large {:06}", number / 3)];
    Ask::of(texts).base64().dimensions(1_024)
}

async fn failures(sidecar: &Sidecar) -> f64 {
    let failed = "reason=\"failed\",tier=\"disk\"";
    sidecar.metric("larder_cache_rejected_total", failed).await
}

async fn insertions(sidecar: &Sidecar) -> f64 {
    sidecar.metric("larder_cache_insertions_total", "tier=\"disk\"").await
}

#[tokio::test]
async fn a_full_disk_costs_no_request_and_is_used_again_when_there_is_room() {
    let Some(mounted) = Mounted::new() else { return };
    let provider = Simulated::instant();
    fs::write(mounted.filler(), vec![1; 3 << 20]).unwrap();
    let sidecar = Sidecar::with(provider.address, &mounted.0.config(""));
    let load = Load::of(&sidecar.client(), ask);
    until("writes fail", || async { failures(&sidecar).await > 10.0 }).await;
    load.goes_on(50).await;
    assert!(sidecar.metric("larder_cache_errors_total", "kind=\"io\",tier=\"disk\"").await > 10.0);
    let had = insertions(&sidecar).await;
    fs::remove_file(mounted.filler()).unwrap();
    written(&sidecar, had + 100.0).await;
    load.goes_on(50).await;
    load.ends().await;
    let log = sidecar.log();
    assert_eq!(log.matches("cannot write to the cache directory").count(), 1, "{log}");
    assert!(log.lines().filter(|line| line.contains("WARN")).count() <= 2, "{log}");
    // And it ends in order, full as it may be.
    ended(sidecar).await;
}

#[tokio::test]
async fn a_disk_that_is_full_at_the_start_serves_what_it_has() {
    let Some(mounted) = Mounted::new() else { return };
    let provider = Simulated::instant();
    let first = Sidecar::with(provider.address, &mounted.0.config(""));
    first.client().right(&ask(0)).await;
    written(&first, 1.0).await;
    ended(first).await;
    mounted.fill();
    let second = Sidecar::with(provider.address, &mounted.0.config(""));
    let answer = second.client().right(&ask(0)).await;
    assert_eq!(answer.header("cache-status"), "larder; hit; detail=disk", "{}", second.log());
    second.client().right(&ask(1)).await;
    until("the write fails", || async { failures(&second).await > 0.5 }).await;
    for entry in fs::read_dir(&mounted.0.0).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::remove_file(path).unwrap();
        }
    }
    second.client().right(&ask(2)).await;
    written(&second, 1.0).await;
}

#[tokio::test]
async fn a_directory_without_room_from_the_beginning_is_done_without() {
    let Some(mounted) = Mounted::new() else { return };
    let provider = Simulated::instant();
    mounted.fill();
    let sidecar = Sidecar::with(provider.address, &mounted.0.config(""));
    let load = Load::of(&sidecar.client(), ask);
    load.goes_on(50).await;
    load.ends().await;
    assert!(sidecar.log().contains("of the cache directory is not to be had"), "{}", sidecar.log());
}

#[tokio::test]
async fn a_directory_that_nobody_can_write_to_is_read() {
    let Some(mounted) = Mounted::new() else { return };
    let provider = Simulated::instant();
    let first = Sidecar::with(provider.address, &mounted.0.config(""));
    let kept: Vec<Ask> = texts("kept", 20).into_iter().map(|text| Ask::of([text])).collect();
    for ask in &kept {
        first.client().right(ask).await;
    }
    written(&first, 20.0).await;
    ended(first).await;
    assert!(mounted.mount("remount,ro"));
    let second = Sidecar::with(provider.address, &mounted.0.config(""));
    let client = second.client();
    for ask in &kept {
        let answer = client.right(ask).await;
        assert_eq!(answer.header("cache-status"), "larder; hit; detail=disk");
    }
    let load = Load::of(&client, ask);
    load.goes_on(50).await;
    load.ends().await;
    let unavailable = "reason=\"unavailable\",tier=\"disk\"";
    assert!(second.metric("larder_cache_rejected_total", unavailable).await > 40.0);
    assert!(insertions(&second).await < 0.5);
    assert!(second.metric("larder_cache_errors_total", "tier=\"disk\"").await < 0.5);
    assert_eq!(second.log().matches("is read-only").count(), 1, "{}", second.log());
    ended(second).await;
}

#[tokio::test]
async fn a_purge_on_a_full_disk_outlives_the_process() {
    let Some(mounted) = Mounted::new() else { return };
    let provider = Simulated::instant();
    let first = Sidecar::with(provider.address, &mounted.0.config(""));
    first.client().right(&ask(0)).await;
    written(&first, 1.0).await;
    mounted.fill();
    let filter = "/api/entries?model=text-embedding-3-small";
    let purged = first.admin().send(http::Method::DELETE, filter, &[], "").await;
    assert_eq!(purged.status, 200);
    for entry in fs::read_dir(&mounted.0.0).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::remove_file(path).unwrap();
        }
    }
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    ended(first).await;
    let second = Sidecar::with(provider.address, &mounted.0.config(""));
    let answer = second.client().right(&ask(0)).await;
    assert!(answer.header("cache-status").contains("fwd=miss"), "{:?}", answer.headers);
}
