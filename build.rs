//! Says which commit a release is built from: `LARDER_REVISION` where it is set, for builds outside of the
//! repository, and otherwise git's word. Builds for development do not ask, so that a commit does not build
//! everything anew.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=LARDER_REVISION");
    let given = env::var("LARDER_REVISION").ok().filter(|given| !given.is_empty());
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let revision = given.or_else(|| if is_release { committed() } else { None });
    println!("cargo::rustc-env=LARDER_REVISION={}", revision.as_deref().unwrap_or("unknown"));
    let target = env::var("TARGET").unwrap_or_default();
    println!("cargo::rustc-env=LARDER_TARGET={target}");
}

/// The commit that is checked out; `None` where there is no git, or no repository.
fn committed() -> Option<String> {
    // An archive that was unpacked within another repository is not a commit of that one.
    if !Path::new(".git").exists() {
        return None;
    }
    // This file is written to whenever the commit is another one.
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    println!("cargo::rerun-if-changed={log}");
    git(&["rev-parse", "--short=12", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}
