//! `larder analyze`, on logs of which it is known what was asked for twice.

mod log;

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Output, Stdio};

use async_compression::tokio::bufread::{GzipEncoder, ZstdEncoder};
use serde_json::Value;
use tokio::io::AsyncReadExt;

use crate::harness::{Chance, larder, path};
use log::{CANARY, FORMS, Log};

/// Lines of no form that is known; blank ones are no lines at all.
const GARBAGE: &[&[u8]] = &[
    b"canary, but no JSON",
    b"{}",
    b"[]",
    b"",
    b"  ",
    b"\xff\xfe\"canary\"",
    br#"{"level":"info","input":"canary"}"#,
    br#"{"request":"POST /v1/embeddings HTTP/1.1","status":200}"#,
];
const UNKNOWN: u64 = 6;

/// A file of a log, removed when it is dropped.
struct File(PathBuf);

impl File {
    fn of(name: &str, bytes: &[u8]) -> Self {
        let file = path(name);
        fs::write(&file, bytes).unwrap();
        Self(file)
    }

    fn name(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

/// What it says; no text of a log is ever in it.
fn analyze(arguments: &[&str]) -> Output {
    let output = larder(&[&["analyze"], arguments].concat()).output().unwrap();
    for said in [&output.stdout, &output.stderr] {
        let said = String::from_utf8_lossy(said);
        assert!(!said.contains(CANARY), "{said}");
    }
    output
}

fn report(arguments: &[&str]) -> Value {
    let output = analyze(&[&["--json"], arguments].concat());
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Compares what is said of one kind with what is known of it.
fn is_exact(report: &Value, log: &Log) {
    for (kind, known) in [("embeddings", &log.embeddings), ("chat", &log.words)] {
        let total = &report["totals"][kind];
        let said = |name: &str| total[name].as_u64().unwrap();
        let numbers = [
            "requests",
            "inputs",
            "distinct",
            "duplicates_within_a_request",
            "duplicates_across_requests",
        ];
        assert_eq!(numbers.map(said), known.numbers(), "{kind}: {total}");
        let plenty = total["memory"].as_array().unwrap().last().unwrap();
        assert_eq!(plenty["saved"].as_u64().unwrap(), known.within + known.across, "{plenty}");
    }
}

#[test]
fn each_form_alone_is_counted_exactly() {
    for form in 0..FORMS {
        let mut log = Log::default();
        log.fill(&mut Chance::new(), 200, &|_| form);
        let file = File::of("form.jsonl", &log.bytes);
        let report = report(&[file.name()]);
        is_exact(&report, &log);
        assert_eq!(report["unknown"], 0, "form {form}");
        assert_eq!(report["passed_on"], 0, "form {form}");
    }
}

#[tokio::test]
async fn mixed_forms_and_garbage_in_plain_and_compressed_files_are_counted_as_one_log() {
    let mut log = Log::default();
    let mut files = Vec::new();
    for part in 0..3 {
        log.fill(&mut Chance::new(), 500, &|draw| draw % FORMS);
        for line in GARBAGE {
            log.line(line);
        }
        let bytes = std::mem::take(&mut log.bytes);
        files.push(match part {
            0 => File::of("mixed.jsonl", &bytes),
            1 => File::of("mixed.jsonl.gz", &all(GzipEncoder::new(&bytes[..])).await),
            _ => File::of("mixed.jsonl.zst", &all(ZstdEncoder::new(&bytes[..])).await),
        });
    }
    let names: Vec<&str> = files.iter().map(File::name).collect();
    let report = report(&names);
    is_exact(&report, &log);
    assert_eq!(report["unknown"].as_u64().unwrap(), 3 * UNKNOWN);
    let first = &report["first_unknown"][0];
    assert_eq!((&first["file"], &first["line"]), (&names[0].into(), &501.into()));
    assert_eq!(report["first_unknown"].as_array().unwrap().len(), 5);

    let output = analyze(&names);
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && table.contains("text-embedding-3-small"), "{table}");
    assert!(table.contains(&format!("{}:501", names[0])), "{table}");
}

async fn all(mut reader: impl tokio::io::AsyncRead + Unpin) -> Vec<u8> {
    let mut out = Vec::new();
    reader.read_to_end(&mut out).await.unwrap();
    out
}

#[test]
fn what_makes_a_question_another_is_told_apart_as_the_server_does() {
    let body = |rest: &str| format!("{{\"model\":\"m\",\"input\":[\"a\"]{rest}}}\n");
    let distinct = |lines: &[String]| {
        let file = File::of("identity.jsonl", lines.concat().as_bytes());
        report(&[file.name()])["totals"]["embeddings"]["distinct"].as_u64().unwrap()
    };
    let one = body("");
    // Alters no vector.
    assert_eq!(distinct(&[one.clone(), body(",\"encoding_format\":\"base64\"")]), 1);
    assert_eq!(distinct(&[one.clone(), body(",\"user\":\"u\"")]), 1);
    assert_eq!(distinct(&[one.clone(), "{\"input\":\"\\u0061\",\"model\":\"m\"}\n".into()]), 1);
    // May alter it.
    assert_eq!(distinct(&[one.clone(), body(",\"dimensions\":8")]), 2);
    assert_eq!(distinct(&[one.clone(), body(",\"unheard_of\":8")]), 2);
    assert_eq!(distinct(&[one.clone(), one.replace("\"a\"", "\"a \"")]), 2);
    assert_eq!(distinct(&[one.clone(), one.replace("\"a\"", "[97]")]), 2);
    assert_eq!(distinct(&[one.clone(), one.replace("\"m\"", "\"n\"")]), 2);
    // Another provider's, by its own address.
    let to = |url: &str| format!("{{\"url\":\"{url}\",\"body\":{}}}\n", one.trim());
    let (openai, groq) = ("https://api.openai.com/v1/embeddings", "/groq/v1/embeddings");
    assert_eq!(distinct(&[one.clone(), to(openai), to("/v1/embeddings")]), 1);
    assert_eq!(distinct(&[one.clone(), to("https://api.mistral.ai/v1/embeddings")]), 2);
    assert_eq!(distinct(&[one.clone(), to(groq)]), 2);
}

#[test]
fn a_configuration_says_whose_shapes_bodies_have() {
    let lines = "{\"model\":\"voyage-3\",\"input\":[\"a\",\"b\"],\"input_type\":\"query\"}\n\
                 {\"model\":\"voyage-3\",\"input\":[\"b\"],\"input_type\":\"query\"}\n";
    let file = File::of("voyage.jsonl", lines.as_bytes());
    let distinct = |arguments: &[&str]| {
        let report = report(&[arguments, &[file.name()]].concat());
        report["totals"]["embeddings"]["distinct"].as_u64().unwrap()
    };
    assert_eq!(distinct(&["--dialect", "voyage"]), 2);
    // To `OpenAI` it is a field that nobody knows, so that each request is one whole.
    assert_eq!(distinct(&[]), 3);
}

#[test]
fn a_cache_too_small_for_a_round_has_nothing_of_the_next() {
    let line =
        |n: u32| format!("{{\"model\":\"text-embedding-3-large\",\"input\":\"text {n}\"}}\n");
    let round: String = (0..100).map(line).collect();
    let file = File::of("rounds.jsonl", round.repeat(3).as_bytes());
    // An entry has 3,072 numbers and at most a tenth more.
    let report = report(&["--memory", "1MiB", "--memory", "2MiB", file.name()]);
    let memory = &report["totals"]["embeddings"]["memory"];
    assert_eq!((&memory[0]["saved"], &memory[1]["saved"]), (&0.into(), &200.into()));
    assert_eq!(memory[1]["bytes"], 2 << 20);
}

#[test]
fn what_is_no_request_that_is_kept_is_said() {
    let lines = r#"{"url":"/v1/files","method":"POST","body":{}}
{"url":"/v1/moderations","body":{"model":"m","input":"canary"}}
{"url":"/v1/embeddings","body":{"model":"m","input":{"canary":1}}}
{"url":"/v1/embeddings","body":{"model":"m","input":"canary"},"response":{"status_code":429}}
{"url":"/v1/embeddings","body":null}
{"call_type":"embedding","model":"m","messages":[{"role":"user","content":"redacted-by-litellm"}]}
"#;
    let file = File::of("others.jsonl", lines.as_bytes());
    let report = report(&[file.name()]);
    let said = |name: &str| report[name].as_u64().unwrap();
    assert_eq!(["passed_on", "failed", "withheld"].map(said), [3, 1, 2]);
    assert_eq!(said("requests") + said("unknown"), 0);
    let table = analyze(&[file.name()]);
    assert!(String::from_utf8(table.stdout).unwrap().contains("no embedding or chat request"));
}

#[test]
fn standard_input_is_a_file_too() {
    let mut log = Log::default();
    log.fill(&mut Chance::new(), 50, &|draw| draw % FORMS);
    let mut command = larder(&["analyze", "--json", "-"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&log.bytes).unwrap();
    let output = child.wait_with_output().unwrap();
    is_exact(&serde_json::from_slice(&output.stdout).unwrap(), &log);
}

#[test]
fn a_file_that_cannot_be_read_is_a_failure_and_wrong_usage_another() {
    let broken = File::of("broken.gz", b"canary, and no gzip");
    let good = File::of("good.jsonl", b"{\"model\":\"m\",\"input\":\"canary\"}\n");
    let folder = env!("CARGO_TARGET_TMPDIR");
    for (code, arguments) in [
        (0, vec![good.name()]),
        (1, vec![good.name(), "/nowhere/at/all.jsonl"]),
        (1, vec![broken.name()]),
        (1, vec![folder]),
        (2, vec![]),
        (2, vec!["--memory", "plenty", good.name()]),
        (2, vec!["--dialect", "unheard-of", good.name()]),
    ] {
        let output = analyze(&arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(code != 1 || said.contains(arguments.last().unwrap()), "{said}");
    }
}
