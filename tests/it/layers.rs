//! The dependency law. The map is the table of floors in `src/lib.rs`; it is read there, so that
//! the map and the law cannot differ.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Foreign crates, and the only rooms that may name them.
const ROOMS: &[(&str, &[&str])] = &[
    ("hyper_util::client", &["upstream/"]),
    ("hyper_rustls", &["upstream/"]),
    ("rustls", &["upstream/", "server/tls.rs"]),
    ("tokio_rustls", &["server/tls.rs"]),
    ("rustls_native_certs", &["upstream/"]),
    ("pingora_pool", &["upstream/pool/idle.rs"]),
    ("quick_cache", &["tier/memory/mod.rs", "tier/recall.rs"]),
    ("prometheus", &["metrics/"]),
    ("redis", &["tier/redis/"]),
    ("blake3", &["key.rs"]),
    ("globset", &["gate/admin/entries/", "tier/purge/pattern.rs"]),
    ("memchr", &["gate/strict/", "usage/", "upstream/pool/line/head.rs"]),
    ("toml", &["config/"]),
    ("regex", &["config/rules/patterns.rs"]),
    ("unicode_segmentation", &["serve/rules/"]),
    ("strsim", &["config/"]),
    ("clap", &["cli/", "simulate/settings.rs", "simulate/faults.rs"]),
    ("clap_complete", &["cli/"]),
    ("clap_mangen", &["cli/"]),
    ("listenfd", &["server/"]),
    ("rustix", &["cli/run/", "metrics/process.rs", "server/"]),
];

/// Stands apart: uses nothing of larder, and only the command line uses it.
const APART: &str = "simulate";
const USERS_OF_APART: &[&str] = &["cli", "main"];

type Floors = BTreeMap<String, u32>;

#[test]
fn every_module_names_only_modules_of_lower_floors() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let floors = floors(&fs::read_to_string(root.join("lib.rs")).unwrap());
    let mut files = Vec::new();
    collect(&root, &mut files);
    assert!(files.len() > 30, "{files:?}");
    let mut wrong = Vec::new();
    for file in files {
        let name = file.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        wrong.extend(violations(&floors, &name, &fs::read_to_string(&file).unwrap()));
    }
    assert!(wrong.is_empty(), "against the map of src/lib.rs:\n{}", wrong.join("\n"));
}

#[test]
fn every_module_has_a_floor() {
    let text = include_str!("../../src/lib.rs");
    let floors = floors(text);
    let declared = text.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let missing: Vec<&str> =
        declared.filter(|module| *module != APART && !floors.contains_key(*module)).collect();
    assert!(missing.is_empty(), "without a floor: {missing:?}");
}

#[test]
fn planted_violations_are_caught() {
    let floors = floors("//! | 2 | [`high`], [`beside`] |\n//! | 1 | `low`: what it is |\n");
    let caught = |file: &str, text: &str| violations(&floors, file, text).len();
    assert_eq!(caught("high/x.rs", "use crate::low::A;\nuse crate::high::B;\n"), 0);
    assert_eq!(caught("low.rs", "use crate::high::B;\n"), 1);
    assert_eq!(caught("low.rs", "fn f() { crate::high::b(); }\n"), 1);
    assert_eq!(caught("low/x.rs", "use crate::{low::A, high::{B, C}};\n"), 1);
    assert_eq!(caught("low/x.rs", "use super::super::high::B;\n"), 1);
    assert_eq!(caught("low.rs", "use super::high::B;\n"), 1);
    assert_eq!(caught("high.rs", "use crate::beside::B;\n"), 1);
    assert_eq!(caught("high.rs", "use crate::simulate::B;\n"), 1);
    assert_eq!(caught("high.rs", "use crate::unheard_of::B;\n"), 1);
    assert_eq!(caught("simulate/x.rs", "use crate::low::B;\n"), 1);
    assert_eq!(caught("simulate/x.rs", "use crate::simulate::B;\n"), 0);
    assert_eq!(caught("low.rs", "/// See [`crate::high`].\n// crate::high::b\n"), 0);
    assert_eq!(caught("low.rs", "#[cfg(test)]\nmod tests {\n    use crate::high::B;\n}\n"), 0);
    assert_eq!(caught("low.rs", "#[cfg(test)]\nmod tests {\n}\nuse crate::high::B;\n"), 1);
    assert_eq!(caught("low.rs", "use hyper_util::client::legacy::Client;\n"), 1);
    assert_eq!(caught("low.rs", "use hyper_util::{client::legacy::Client, rt};\n"), 1);
    assert_eq!(caught("upstream/pool.rs", "use hyper_util::client::legacy::Client;\n"), 0);
    assert_eq!(caught("high.rs", "use rustls::A;\n"), 1);
    assert_eq!(caught("low.rs", "let x = toml::from_str(y);\n"), 1);
    assert_eq!(caught("low.rs", "let automl = my_toml::x();\n"), 0);
}

/// The rows of the table, as module and floor.
fn floors(lib: &str) -> Floors {
    let mut floors = Floors::new();
    for line in lib.lines().filter_map(|line| line.strip_prefix("//! | ")) {
        let Some((floor, modules)) = line.split_once(" | ") else { continue };
        let Ok(floor) = floor.trim().parse() else { continue };
        let names = modules.split('`').skip(1).step_by(2);
        floors.extend(names.map(|name| (name.to_owned(), floor)));
    }
    assert!(!floors.is_empty(), "no table of floors");
    floors
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && !path.ends_with("tests.rs")
            && !path.ends_with("src/lib.rs")
        {
            files.push(path);
        }
    }
}

/// What a file may not name, with its place.
fn violations(floors: &Floors, file: &str, text: &str) -> Vec<String> {
    let own = file.split(['/', '.']).next().unwrap();
    let depth = file.matches('/').count() + usize::from(!file.ends_with("mod.rs"));
    let mut wrong = Vec::new();
    for (at, statement) in statements(text) {
        let paths = paths(&statement);
        let modules: BTreeSet<String> =
            paths.iter().filter_map(|path| top_module(path, depth)).collect();
        for module in modules {
            if let Some(why) = forbidden(floors, own, &module) {
                wrong.push(format!("src/{file}:{at}: {own} names {module}: {why}"));
            }
        }
        for (foreign, rooms) in ROOMS {
            let names =
                |path: &String| path == foreign || path.starts_with(&format!("{foreign}::"));
            let at_home = rooms.iter().any(|room| file.starts_with(room));
            if !at_home && paths.iter().any(names) {
                wrong.push(format!(
                    "src/{file}:{at}: names {foreign}, which is at home in {rooms:?}"
                ));
            }
        }
    }
    wrong
}

fn forbidden(floors: &Floors, own: &str, other: &str) -> Option<String> {
    if own == other {
        return None;
    }
    if own == APART {
        return Some(format!("{APART} stands apart"));
    }
    if other == APART {
        return (!USERS_OF_APART.contains(&own)).then(|| format!("only {USERS_OF_APART:?} may"));
    }
    match (floors.get(own), floors.get(other)) {
        (Some(from), Some(to)) if from > to => None,
        // The binary is the command line and nothing else.
        (Some(_), Some(_)) if own == "main" && other == "cli" => None,
        (from, to) => Some(format!("floors {from:?} and {to:?}")),
    }
}

/// The top module that a path of this crate begins with.
fn top_module(path: &str, depth: usize) -> Option<String> {
    let mut segments = path.split("::");
    let first = segments.next()?;
    let root = if first == "super" {
        let more = path.split("::").skip(1).take_while(|segment| *segment == "super").count();
        segments = path.split("::");
        segments.nth(more);
        more + 1 >= depth
    } else {
        matches!(first, "crate" | "larder")
    };
    let module = segments.next()?;
    let is_module = module.starts_with(|c: char| c.is_ascii_lowercase());
    (root && is_module).then(|| module.to_owned())
}

/// The code without comments and tests: each `use` as one statement, everything else by line.
fn statements(text: &str) -> Vec<(usize, String)> {
    let mut statements: Vec<(usize, String)> = Vec::new();
    let (mut in_use, mut skipped) = (false, None);
    let mut attribute = false;
    for (number, line) in (1..).zip(text.lines()) {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        if let Some(outer) = skipped {
            // rustfmt closes a block at the indent that it was opened at.
            if code == "}" && indent == outer {
                skipped = None;
            }
            continue;
        }
        if attribute && code.starts_with("mod ") && code.ends_with('{') {
            skipped = Some(indent);
        }
        attribute = code == "#[cfg(test)]";
        if code.starts_with("//") || skipped.is_some() {
            continue;
        }
        let code = code.split(" // ").next().unwrap_or_default();
        match statements.last_mut() {
            Some((_, statement)) if in_use => statement.push_str(code),
            _ => statements.push((number, code.to_owned())),
        }
        let starts = code.starts_with("use ") || code.starts_with("pub use ");
        in_use = (in_use || starts || code.starts_with("pub(")) && !code.contains(';') && {
            in_use || code.contains("use ")
        };
    }
    statements
}

/// Every path in a piece of code, groups taken apart.
fn paths(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut prefixes: Vec<String> = Vec::new();
    let mut path = String::new();
    for c in code.chars().chain([' ']) {
        match c {
            '{' if path.ends_with("::") => {
                let whole = prefixes.concat() + &path;
                found.push(whole.trim_end_matches("::").to_owned());
                prefixes.push(std::mem::take(&mut path));
            }
            _ if c.is_alphanumeric() || c == '_' || c == ':' => path.push(c),
            _ => {
                let prefix = prefixes.concat();
                let whole = prefix.clone() + path.trim_matches(':');
                if whole.contains("::") && !path.is_empty() {
                    found.push(whole);
                }
                path.clear();
                if c == '}' {
                    prefixes.pop();
                }
            }
        }
    }
    found
}
