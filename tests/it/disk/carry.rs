//! Entries that are moved from one cache directory to another.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use super::{CacheDir, ended, written};
use crate::harness::{Ask, Sidecar, Simulated, larder, path, texts};

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = larder(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

fn name(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn what_is_exported_is_imported_elsewhere_with_its_age_and_end() {
    let (from, to, provider) = (CacheDir::new(), CacheDir::new(), Simulated::instant());
    let secret = "[cache]\nsecret = \"the same\"\n";
    let ask = Ask::of(texts("moved", 20));
    let one = Sidecar::with(provider.address, &from.config(secret));
    one.client().right(&ask).await;
    one.client().right(&Ask::of(["short"]).header("x-larder-ttl", "1")).await;
    one.client().right(&Ask::of(["an hour"]).header("x-larder-ttl", "3600")).await;
    written(&one, 22.0).await;
    tokio::time::sleep(std::time::Duration::from_millis(2_100)).await;
    // The sidecar runs on meanwhile.
    let file = path("export.jsonl");
    let common = ["--secret", "the same", "--cache-dir"];
    let exported =
        run(&[&["export"], &common[..], &[name(&from.0), "--output", name(&file)]].concat());
    assert_eq!(exported.0, Some(0), "{}", exported.2);
    assert!(exported.2.contains("21 entries exported, 1 skipped (expired"), "{}", exported.2);
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(text.lines().count(), 22);
    let entry: Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
    assert_eq!(entry["provider"], "openai");
    assert_eq!(entry["model"], "text-embedding-3-small");
    assert!(!text.contains("moved") && !text.contains("the same"));
    let import = [&["import"], &common[..], &[name(&to.0), name(&file)]].concat();
    let imported = run(&import);
    assert_eq!(imported.0, Some(0), "{}", imported.2);
    assert!(imported.2.contains("21 entries imported, 0 skipped"), "{}", imported.2);
    let other = Sidecar::with(provider.address, &to.config(secret));
    let answer = other.client().right(&ask).await;
    assert_eq!(answer.header("cache-status"), "larder; hit; detail=disk");
    let age = answer.header("age").parse::<u64>().unwrap();
    assert!((2..60).contains(&age), "{age}");
    let hour = other.client().right(&Ask::of(["an hour"])).await;
    let ttl = hour.header("cache-status").split("ttl=").nth(1).unwrap().to_owned();
    let ttl = ttl.split(';').next().unwrap().parse::<u64>().unwrap();
    assert!((3_500..3_599).contains(&ttl), "{ttl}");
    // Somebody uses the directory now.
    let refused = run(&import);
    assert_eq!(refused.0, Some(1));
    assert!(refused.2.contains("in use by another process"), "{}", refused.2);
    ended(other).await;
    drop(fs::remove_file(file));
}

/// The error named no command, and the directory that it left had a secret of its own.
#[tokio::test]
async fn a_fresh_directory_takes_an_export_after_the_command_that_the_error_names() {
    let (from, to, provider) = (CacheDir::new(), CacheDir::new(), Simulated::instant());
    let ask = Ask::of(["moved"]);
    let one = Sidecar::with(provider.address, &from.config(""));
    one.client().right(&ask).await;
    written(&one, 1.0).await;
    ended(one).await;
    let file = path("fresh.jsonl");
    let export = ["export", "--cache-dir", name(&from.0), "--output", name(&file)];
    assert_eq!(run(&export).0, Some(0));
    let import = ["import", "--cache-dir", name(&to.0), name(&file)];
    let (code, _, said) = run(&import);
    assert_eq!(code, Some(1));
    let command = said.split('`').nth(1).unwrap().replace("EXPORTED", name(&from.0));
    assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success(), "{command}");
    let (code, _, said) = run(&import);
    assert_eq!(code, Some(0), "{said}");
    let other = Sidecar::with(provider.address, &to.config(""));
    assert_eq!(other.client().right(&ask).await.header("cache-status"), "larder; hit; detail=disk");
}

#[test]
fn what_is_no_export_or_of_another_secret_is_refused_with_its_line() {
    let directory = CacheDir::new();
    fs::create_dir_all(directory.file("")).unwrap();
    let file = path("import.jsonl");
    let export = |secret: &str| {
        let from = ["export", "--secret", secret, "--cache-dir", name(&directory.0)];
        run(&from).1
    };
    let header = export("one");
    for (text, complaint) in [
        (String::new(), Some("not an export")),
        (header.clone(), None),
        ("nonsense\n".to_owned(), Some("line 1: not an export")),
        (export("other"), Some("line 1: the entries are of another secret")),
        (format!("{header}{{}}\n"), Some("line 2: missing field")),
        (format!("{header}\u{0}\n"), Some("line 2: ")),
        (
            format!(
                "{header}{}\n",
                r#"{"key":"AA","provider":"p","model":"m","stored":1,"value":""}"#
            ),
            Some("line 2: key: expected 32 bytes"),
        ),
    ] {
        fs::write(&file, &text).unwrap();
        let import = ["import", "--secret", "one", "--cache-dir", name(&directory.0), name(&file)];
        let (code, _, said) = run(&import);
        assert_eq!(code, Some(i32::from(complaint.is_some())), "{text:?}: {said}");
        assert!(said.contains(complaint.unwrap_or("0 entries imported")), "{text:?}: {said}");
    }
    let (code, _, said) = run(&["export"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("--cache-dir"), "{said}");
    drop(fs::remove_file(file));
}

#[test]
fn an_export_of_a_directory_without_a_cache_is_an_error_and_makes_nothing() {
    let directory = CacheDir::new();
    let export = || run(&["export", "--cache-dir", name(&directory.0)]);
    let (code, said, wrong) = export();
    let message =
        format!("error: --cache-dir: disk.dir: {} does not exist\n", directory.0.display());
    assert_eq!((code, said.as_str(), wrong), (Some(2), "", message));
    assert!(!directory.0.exists());
    fs::create_dir(&directory.0).unwrap();
    let (code, _, wrong) = export();
    assert!(code == Some(2) && wrong.contains("has no cache of larder"), "{wrong}");
    assert_eq!(fs::read_dir(&directory.0).unwrap().count(), 0);
}
