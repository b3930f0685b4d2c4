//! `larder warm` beside a running sidecar.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::{answered, busy};
use crate::harness::{
    Ask, In, Scripted, Sidecar, Simulated, answer, json as reply, larder, path, texts,
};

const MODEL: &str = "text-embedding-3-small";

/// A file that is removed when it is dropped.
struct Lines(PathBuf);

impl Lines {
    fn of(name: &str, text: impl AsRef<[u8]>) -> Self {
        let file = path(name);
        fs::write(&file, text).unwrap();
        Self(file)
    }

    fn name(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

fn command(sidecar: &Sidecar, arguments: &[&str]) -> Command {
    let admin = sidecar.admin.to_string();
    larder(&[&["warm", "--model", MODEL, "--admin-listen", &admin], arguments].concat())
}

/// The command's exit code, and what it says.
async fn warm(sidecar: &Sidecar, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = command(sidecar, arguments);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code(), said)
}

#[tokio::test]
async fn every_line_is_embedded_once_whatever_the_provider_has_no_time_for() {
    const EVERY: u64 = 3;
    let provider = busy(EVERY);
    let sidecar = Sidecar::before(provider.address);
    let all = texts("line", 5_000);
    // A text may be there twice.
    let file = Lines::of("lines.txt", format!("{}\n\n{}\n", all.join("\n"), all[0]));
    let (code, said) = warm(&sidecar, &[file.name()]).await;
    assert_eq!(code, Some(0), "{said}");
    let times = answered(&provider.calls(), EVERY);
    assert_eq!((times.len(), times.values().sum::<u64>()), (5_000, 5_000));
    for part in all.chunks(1_000) {
        assert_eq!(sidecar.client().right(&Ask::of(part.to_vec())).await.hits(), 1_000);
    }
    let (code, said) = warm(&sidecar, &[file.name()]).await;
    assert!(code == Some(0) && said.contains("0 embedded, 5001 cached already"), "{said}");
}

#[tokio::test]
async fn a_run_that_was_broken_off_goes_on_where_it_was() {
    let provider = Scripted::start(|asked| async move {
        tokio::time::sleep(std::time::Duration::from_millis(30)).await;
        Some(reply(200, &answer(&asked)))
    });
    let sidecar = Sidecar::before(provider.address);
    let all = texts("line", 4_000);
    let file = Lines::of("lines.txt", all.join("\n"));
    let mut first = command(&sidecar, &[file.name()]).stderr(Stdio::null()).spawn().unwrap();
    provider.called(6).await;
    first.kill().unwrap();
    first.wait().unwrap();
    let done = provider.calls().len();
    assert!(done < 32, "{done}: too late");
    let (code, said) = warm(&sidecar, &[file.name()]).await;
    assert_eq!(code, Some(0), "{said}");
    let asked: Vec<In> = provider.calls().iter().flat_map(crate::harness::Asked::inputs).collect();
    // What was under way came to its end.
    assert_eq!(asked.len(), 4_000);
    assert!(!said.contains(" 0 cached already"), "{said}");
}

#[tokio::test]
async fn bad_lines_are_told_with_their_numbers_and_the_others_go_on() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::before(provider.address);
    let lines = Lines::of(
        "lines.jsonl",
        "{\"input\": \"one\", \"model\": \"another\"}\n\nnonsense\n{\"input\": [\"two\", [1, 2]]}\n{\"text\": \"three\"}\n",
    );
    let texts = Lines::of("lines.txt", b"four\n\xff\na __poison__ text\nfive\r\n");
    let (code, said) = warm(&sidecar, &[lines.name(), texts.name()]).await;
    assert_eq!(code, Some(1), "{said}");
    for line in
        ["lines.jsonl:3: ", "lines.jsonl:5: ", "lines.txt:2: it is not UTF-8", "lines.txt:3: 400"]
    {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(said.contains("5 embedded, 0 cached already"), "{said}");
    assert!(said.contains("4 inputs were not embedded"), "{said}");
    let ask = Ask::inputs(vec![
        In::Text("one".to_owned()),
        In::Text("two".to_owned()),
        In::Text("four".to_owned()),
        In::Text("five".to_owned()),
    ]);
    assert_eq!(sidecar.client().right(&ask).await.hits(), 4);
}

#[tokio::test]
async fn it_reads_standard_input_and_asks_as_applications_do() {
    let provider = Scripted::start(|asked| async move { Some(reply(200, &answer(&asked))) });
    let sidecar = Sidecar::before(provider.address);
    let more = ["--dimensions", "4", "--key-env", "APP_KEY", "--header", "x-team: blue", "-"];
    let mut command = command(&sidecar, &more);
    command.env("APP_KEY", "canary-key").stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().unwrap();
    running.stdin.take().unwrap().write_all(b"one\ntwo").unwrap();
    let output = tokio::task::spawn_blocking(move || running.wait_with_output().unwrap());
    let output = output.await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.success() && said.contains("2 embedded") && !said.contains("canary"),
        "{said}"
    );
    let call = provider.calls().pop().unwrap();
    assert_eq!(
        (call.credential(), call.json()["dimensions"].as_u64()),
        ("Bearer canary-key".to_owned(), Some(4))
    );
    let ask = Ask::of(["one", "two"]).dimensions(4).header("x-team", "blue");
    let ask = ask.header("authorization", "Bearer canary-key");
    assert_eq!(sidecar.client().right(&ask).await.hits(), 2);
}

#[tokio::test]
async fn what_cannot_go_on_ends_at_once_with_its_reason() {
    let provider = Scripted::start(|_| async move {
        Some(reply(401, &serde_json::json!({ "error": { "message": "who?" } })))
    });
    let sidecar = Sidecar::before(provider.address);
    let file = Lines::of("lines.txt", texts("n", 1_000).join("\n"));
    for (arguments, code, says) in [
        (&[file.name()][..], 1, "who?"),
        (&["/nowhere/at/all"], 1, "/nowhere/at/all: "),
        (&["--provider", "opnai", file.name()], 2, "did you mean `openai`?"),
        (&["--header", "canary", file.name()], 2, "--header: expected"),
        (&["--key-env", "UNSET", file.name()], 2, "UNSET has no usable key"),
        (&[], 2, "required"),
    ] {
        let (got, said) = warm(&sidecar, arguments).await;
        assert_eq!(got, Some(code), "{arguments:?}: {said}");
        assert!(said.contains(says) && !said.contains("canary"), "{arguments:?}: {said}");
    }
    assert!(provider.calls().len() <= 4);
    let gone = ["warm", "--model", "m", "--admin-listen", "127.0.0.1:1", file.name()];
    let output = larder(&gone).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}
