//! The help of every command fits a screen, and the commands that only print end quietly.

use std::process::Stdio;

use crate::harness::larder;

const COMMANDS: [&str; 18] = [
    "serve",
    "run",
    "env",
    "simulate",
    "demo",
    "check",
    "analyze",
    "stats",
    "tail",
    "doctor",
    "warm",
    "purge",
    "export",
    "import",
    "config",
    "completions",
    "man",
    "version",
];

/// Commands whose help has the options of `larder serve` in full.
const WITH_SERVE_OPTIONS: [&str; 2] = ["serve", "run"];

fn help(arguments: &[&str]) -> String {
    let output = larder(&[arguments, &["--help"]].concat()).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_help_fits_a_screen_and_names_the_options_of_serve_once() {
    for command in COMMANDS {
        let text = help(&[command]);
        let lines = text.lines().count();
        if WITH_SERVE_OPTIONS.contains(&command) {
            assert!(lines <= 64 && text.contains("--upstream"), "{command}: {lines}\n{text}");
            continue;
        }
        assert!(lines <= 40 && !text.contains("--upstream"), "{command}: {lines}\n{text}");
        let alone = ["simulate", "demo", "config", "completions", "man", "version"];
        let named = text.contains("Options of `larder serve` also apply");
        assert_eq!(named, !alone.contains(&command), "{command}\n{text}");
    }
    let all = help(&[]);
    assert!(all.lines().count() <= 45 && !all.contains("--upstream"), "{all}");
    for command in COMMANDS {
        assert!(all.contains(&format!("\n  {command} ")), "{command} is not in\n{all}");
    }
}

#[test]
fn the_options_of_serve_work_where_help_does_not_show_them() {
    let stats = larder(&["stats", "--admin-listen", "127.0.0.1:1"]).output().unwrap();
    let text = String::from_utf8(stats.stderr).unwrap();
    assert!(text.contains("no sidecar listens at 127.0.0.1:1"), "{text}");
    let folder = crate::harness::path("man");
    let folder = folder.to_str().unwrap();
    assert!(larder(&["man", "--dir", folder]).output().unwrap().status.success());
    let page = std::fs::read_to_string(format!("{folder}/larder-stats.1")).unwrap();
    std::fs::remove_dir_all(folder).unwrap();
    assert!(page.contains("admin\\-listen") && page.contains("watch"), "{page}");
}

#[test]
fn help_is_plain_english() {
    let words = ["whoever", "nobody", "somebody", "anybody", "of late", "spared", "who asks"];
    let texts = COMMANDS.iter().filter(|command| !WITH_SERVE_OPTIONS.contains(*command));
    for text in texts.map(|command| help(&[*command])).chain([help(&[])]) {
        let lower = text.to_lowercase();
        for word in words {
            assert!(!lower.contains(word), "{word:?} in\n{text}");
        }
    }
}

#[test]
fn the_version_has_the_target() {
    let output = larder(&["version"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert_eq!(lines[0], format!("larder {}", env!("CARGO_PKG_VERSION")));
    assert!(lines[1].starts_with("commit ") && lines[2].starts_with("target "), "{text}");
}

#[test]
fn a_closed_pipe_is_no_failure() {
    for arguments in [
        &["completions", "bash"][..],
        &["config", "--defaults"],
        &["man"],
        &["version"],
        &["--help"],
        &["env", "--admin-listen", "127.0.0.1:1"],
    ] {
        let mut child =
            larder(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{arguments:?}: {text}");
        assert!(!text.contains("panic") && !text.contains("Broken pipe"), "{arguments:?}: {text}");
    }
}

#[test]
fn no_option_has_markdown_in_its_help() {
    for command in COMMANDS {
        let text = help(&[command]);
        let options =
            text.lines().filter(|line| line.starts_with("  ") && !line.contains("larder "));
        let marked: Vec<&str> = options.filter(|line| line.contains('`')).collect();
        assert!(marked.is_empty(), "{command}: {marked:?}");
    }
}

#[test]
fn the_help_of_run_has_the_defaults_of_run() {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (run, serve) = (words(&help(&["run"])), words(&help(&["serve"])));
    for default in ["[default: 127.0.0.1:5273]", "[default: 127.0.0.1:5274]", "[default: info]"] {
        assert!(serve.contains(default) && !run.contains(default), "{default}\n{run}");
    }
    assert_eq!(run.matches("[default: a free loopback port]").count(), 2, "{run}");
    assert!(run.contains("[default: warn]") && !run.contains("--upgrade"), "{run}");
    let refused = larder(&["run", "--upgrade", "--", "true"]).output().unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(refused.status.code() == Some(2) && said.starts_with("error: --upgrade"), "{said}");
}
