//! Plain English in everything that larder says: documents, help, messages, and less of the old style in
//! comments with each change.
//!
//! A sentence names its subject. It begins with none of [`OPENINGS`], and no pronoun of [`PRONOUNS`]
//! stands for a client, a request or a provider.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::rust_source::{Kind, Piece, pieces, test_modules, without_tests};

/// Pronouns that no text may have.
const PRONOUNS: &[&str] = &["whoever", "nobody", "somebody", "anybody", "everybody"];

/// Words that no sentence begins with.
const OPENINGS: &[&str] = &["What", "Who", "Whoever", "Whose", "Which", "How", "Where"];

/// Comment lines in `src` that begin with one of [`OPENINGS`]. Lower it with each change, to 0.
const OPENINGS_LEFT: usize = 1_027;

/// Comment lines in `src` that have one of [`PRONOUNS`], or `who`. Lower it with each change, to 0.
const PRONOUNS_LEFT: usize = 381;

/// Members of a dashboard that Grafana shows.
const SHOWN: &[&str] =
    &["title", "description", "legendFormat", "displayName", "label", "text", "tooltip"];

#[test]
fn every_document_is_in_plain_english() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![root.join("README.md")];
    for folder in ["config", "docs", "dashboards"] {
        collect(&root.join(folder), &["md", "toml", "yaml", "yml", "json"], &mut files);
    }
    collect(&root.join("src"), &["html"], &mut files);
    assert!(files.len() > 20, "{files:?}");
    let faults = files.iter().filter_map(|file| {
        let name = file.strip_prefix(root).unwrap().display().to_string();
        let is_history =
            ["CHANGELOG", "LICENSE", "package-lock"].iter().any(|it| name.contains(it));
        (!is_history).then(|| report(&name, &of_document(file)))?
    });
    let faults: Vec<String> = faults.collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn every_help_text_is_in_plain_english() {
    let mut faults = Vec::new();
    let mut commands = vec![Vec::new()];
    while let Some(command) = commands.pop() {
        let mut arguments: Vec<&str> = command.iter().map(String::as_str).collect();
        arguments.push("--help");
        let text = output(&arguments);
        faults.extend(report(&format!("larder {}", arguments.join(" ")), &of_help(&text)));
        for name in commands_in(&text) {
            commands.push([command.as_slice(), &[name]].concat());
        }
    }
    for generated in ["--defaults", "--reference"] {
        let text = output(&["config", generated]);
        let found = if generated == "--defaults" { of_comments(&text) } else { of_markdown(&text) };
        faults.extend(report(&format!("larder config {generated}"), &found));
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn every_message_is_in_plain_english() {
    let faults = sources().into_iter().filter_map(|(name, source)| {
        let literals = pieces(without_tests(&source)).into_iter();
        let literals = literals.filter(|piece| piece.kind == Kind::Literal);
        report(
            &name,
            &literals.flat_map(|piece| of_lines(piece.line, &piece.text)).collect::<Vec<_>>(),
        )
    });
    let faults: Vec<String> = faults.collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn comments_in_the_old_style_only_become_fewer() {
    let all = sources();
    let comments = all.iter().flat_map(|(_, source)| pieces(source));
    let comments: Vec<Piece> =
        comments.filter(|piece| matches!(piece.kind, Kind::Comment)).collect();
    assert!(comments.len() > 1_000, "{}", comments.len());
    let openings = comments.iter().filter(|comment| begins_badly(&comment.text)).count();
    let has_pronoun = |text: &str| words(text).any(|word| word == "who") || has_pronoun(text);
    let pronouns = comments.iter().filter(|comment| has_pronoun(&comment.text)).count();
    assert!(openings <= OPENINGS_LEFT, "{openings} comments begin with one of {OPENINGS:?}");
    assert!(pronouns <= PRONOUNS_LEFT, "{pronouns} comments have \"who\" or one of {PRONOUNS:?}");
}

#[test]
fn planted_sentences_are_caught_and_good_ones_are_not() {
    let caught = |text: &str| of_lines(1, text).len();
    for bad in [
        "What a request costs.",
        "- Where it is stored",
        "## Who it is for",
        "| key | How long it lasts |",
        "The cache. Which entry is evicted?",
        "1. Whose key it is",
        "an entry for whoever asks",
        "Nobody waits for it.",
        "  How's that",
    ] {
        assert_eq!(caught(bad), 1, "{bad}");
    }
    for good in [
        "The cost of a request.",
        "However, the entry is stored. Whether it expires is configured.",
        "a request whose key is unknown, and what it costs",
        "Whatever the provider returns, a How-to, WHERE id = 1",
        "the who of the clients",
    ] {
        assert_eq!(caught(good), 0, "{good}");
    }
    let markdown = "Good.\n```python\nprint('What is it?')\n# How it works\n```\nWhat then?\n";
    assert_eq!(of_markdown(markdown).len(), 2);
    assert_eq!(of_comments("text = \"What is it?\"\n# Who asks\n").len(), 1);
    assert_eq!(of_yaml("a:\n  summary: \"What fails\"\n  # How\n  expr: Where\n").len(), 3);
    assert_eq!(of_json("{\"a\": [{\"title\": \"Who\"}, {\"expr\": \"Who\"}]}").len(), 1);
    assert_eq!(of_help("  -v, --verbose  How much is logged\n      What is logged\n").len(), 2);
    assert_eq!(commands_in("Commands:\n  run   Runs\n  help  Prints\n\nOptions:\n  -h\n"), ["run"]);
}

/// The files below a folder with one of these extensions.
fn collect(folder: &Path, extensions: &[&str], files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
        if path.is_dir() && !path.ends_with("node_modules") {
            collect(&path, extensions, files);
        } else if extensions.contains(&extension) {
            files.push(path);
        }
    }
}

/// Every source file without the modules that are tests, as name and text.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(&root.join("src"), &["rs"], &mut files);
    assert!(files.len() > 100, "{files:?}");
    let name = |file: &Path| file.strip_prefix(root).unwrap().display().to_string();
    let sources = files.iter().map(|file| (name(file), fs::read_to_string(file).unwrap()));
    let sources: Vec<(String, String)> = sources.collect();
    let excluded: Vec<String> =
        sources.iter().flat_map(|(name, text)| test_modules(name, text)).collect();
    sources.into_iter().filter(|(name, _)| !excluded.contains(name)).collect()
}

/// The standard output of larder with these arguments.
fn output(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_larder"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The subcommands that a help text lists.
fn commands_in(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let listed = lines.take_while(|line| line.starts_with("  "));
    let rows = listed.filter(|line| !line.starts_with("   "));
    let names = rows.filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

/// One line on a document with faults: their number, and the first three.
fn report(name: &str, faults: &[String]) -> Option<String> {
    let first: Vec<&str> = faults.iter().take(3).map(String::as_str).collect();
    (!faults.is_empty()).then(|| format!("{name}: {}: {}", faults.len(), first.join(" / ")))
}

fn of_document(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap();
    match file.extension().and_then(OsStr::to_str) {
        Some("md") => of_markdown(&text),
        Some("json") => of_json(&text),
        Some("toml") => of_comments(&text),
        _ => of_yaml(&text),
    }
}

/// Prose line by line; of code only comments.
fn of_markdown(text: &str) -> Vec<String> {
    let mut in_code = false;
    let lines = (1..).zip(text.lines()).filter(|(_, line)| {
        let code = line.trim_start();
        let is_fence = code.starts_with("```");
        in_code ^= is_fence;
        !in_code || is_fence || code.starts_with('#') || code.starts_with("//")
    });
    lines.flat_map(|(number, line)| of_lines(number, line)).collect()
}

fn of_comments(text: &str) -> Vec<String> {
    let comments =
        (1..).zip(text.lines()).filter_map(|(at, line)| Some((at, line.split_once('#')?.1)));
    comments.flat_map(|(number, comment)| of_lines(number, comment)).collect()
}

/// Comments, values and blocks of text alike.
fn of_yaml(text: &str) -> Vec<String> {
    let lines = (1..).zip(text.lines());
    let values =
        lines.map(|(at, line)| (at, line.split_once(": ").map_or(line, |(_, value)| value)));
    values.flat_map(|(number, value)| of_lines(number, value.trim_matches('"'))).collect()
}

fn of_json(text: &str) -> Vec<String> {
    fn shown(value: &serde_json::Value, is_shown: bool, faults: &mut Vec<String>) {
        match value {
            serde_json::Value::String(text) if is_shown => faults.extend(of_lines(0, text)),
            serde_json::Value::Array(items) => {
                for item in items {
                    shown(item, is_shown, faults);
                }
            }
            serde_json::Value::Object(members) => {
                for (name, value) in members {
                    shown(value, SHOWN.contains(&name.as_str()), faults);
                }
            }
            _ => {}
        }
    }
    let mut faults = Vec::new();
    shown(&serde_json::from_str(text).unwrap(), false, &mut faults);
    faults
}

/// A help text puts an option and its description in one line, with spaces between.
fn of_help(text: &str) -> Vec<String> {
    let columns = |line: &str| line.trim_start().rsplit("  ").next().unwrap_or_default().to_owned();
    let lines = (1..).zip(text.lines().map(columns));
    lines.flat_map(|(number, line)| of_lines(number, &line)).collect()
}

/// The lines of a text that are not in plain English; the first has this number, or 0 for none.
fn of_lines(first: usize, text: &str) -> Vec<String> {
    let lines = (first..).zip(text.lines());
    let wrong = lines.filter(|(_, line)| begins_badly(line) || has_pronoun(line));
    wrong.map(|(number, line)| format!("{number} {:.90}", line.trim())).collect()
}

/// Whether a sentence of a line begins with one of [`OPENINGS`].
fn begins_badly(line: &str) -> bool {
    let cells = line.split('|');
    let sentences = cells.flat_map(|cell| cell.split(". ").flat_map(|part| part.split(['?', '!'])));
    sentences.into_iter().any(|sentence| {
        let plain =
            sentence.trim_start_matches(|c: char| c.is_whitespace() || "#-*>_[(+".contains(c));
        let word: String = plain.chars().take_while(|c| c.is_alphabetic()).collect();
        OPENINGS.contains(&word.as_str())
            && !plain.get(word.len()..).is_some_and(|rest| rest.starts_with('-'))
    })
}

fn has_pronoun(line: &str) -> bool {
    words(line).any(|word| PRONOUNS.contains(&word.as_str()))
}

fn words(line: &str) -> impl Iterator<Item = String> {
    line.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase)
}
