//! What is generated from the types is what the repository holds.

use std::path::{Path, PathBuf};
use std::{fs, str};

use crate::harness::{larder, path};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn is_generated(file: &str, flag: &str) {
    let output = larder(&["config", flag]).output().unwrap();
    assert!(output.status.success());
    let kept = fs::read_to_string(root().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
    let said = str::from_utf8(&output.stdout).unwrap();
    assert!(kept == said, "{file} is not what `larder config {flag}` prints; write it anew");
}

#[test]
fn the_default_configuration_is_as_printed() {
    is_generated("config/larder.toml", "--defaults");
}

#[test]
fn the_reference_is_as_printed() {
    is_generated("docs/REFERENCE.md", "--reference");
}

#[test]
fn the_configuration_knows_every_dialect() {
    let names: Vec<&str> = larder::dialect::ALL.iter().map(|dialect| dialect.name()).collect();
    assert_eq!(names, larder::config::DIALECTS);
    for built_in in larder::config::BUILT_IN {
        assert!(names.contains(&built_in.dialect), "{built_in:?}");
    }
}

#[test]
fn every_example_is_valid() {
    let folder = root().join("config/examples");
    let files = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let paths = files.map(|file| file.unwrap().path());
    let examples: Vec<PathBuf> = paths.filter(|path| is_toml(path)).collect();
    assert!(!examples.is_empty(), "no example in {}", folder.display());
    // The directory of the recordings that an example replays.
    let project = path("project");
    fs::create_dir_all(project.join("tests/recordings")).unwrap();
    for example in examples {
        let mut check = larder(&["check", "--config"]);
        let output = check.arg(&example).current_dir(&project).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}", example.display());
    }
    fs::remove_dir_all(project).unwrap();
}

fn is_toml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "toml")
}
