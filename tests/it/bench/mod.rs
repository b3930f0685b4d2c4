//! `larder-bench`, against providers that count, stall, lie and break off.

#![expect(
    clippy::float_cmp,
    clippy::cast_precision_loss,
    reason = "counts are exact, as integers and as floats"
)]

mod honest;
mod trouble;

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use larder::simulate::Settings;
use serde_json::Value;

use crate::harness::{DIMENSIONS, Sidecar, Simulated, path};

/// What a run said, and how it ended.
struct Ran {
    code: i32,
    table: String,
    said: String,
    json: Value,
    page: String,
}

/// The built harness, without anything of this process's environment.
fn bench(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_larder-bench"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    command
}

/// Runs a command line of words, and reads what it wrote.
fn run(line: &str) -> Ran {
    let (json, page) = (path("bench.json"), path("bench.html"));
    let mut command = bench(&line.split_whitespace().collect::<Vec<_>>());
    command.arg("--json").arg(&json).arg("--html").arg(&page);
    let output = command.output().unwrap();
    let take = |file: PathBuf| {
        let text = fs::read_to_string(&file).unwrap_or_default();
        drop(fs::remove_file(file));
        text
    };
    let json = serde_json::from_str(&take(json)).unwrap_or_default();
    ran(&output, json, take(page))
}

fn ran(output: &Output, json: Value, page: String) -> Ran {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (table, said) = (text(&output.stdout), text(&output.stderr));
    Ran { code: output.status.code().unwrap(), table, said, json, page }
}

impl Ran {
    /// What is said of a target.
    fn target(&self, number: usize) -> &Value {
        let target = &self.json["targets"][number];
        assert!(target.is_object(), "{}\n{}", self.table, self.said);
        target
    }

    /// A number that is said of a target.
    fn figure(&self, number: usize, pointer: &str) -> f64 {
        let found = self.target(number).pointer(pointer).and_then(Value::as_f64);
        found.unwrap_or_else(|| panic!("no {pointer}: {}", self.target(number)))
    }

    fn ends_with(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "{}\n{}", self.table, self.said);
        self
    }
}

fn target(name: &str, address: SocketAddr) -> String {
    format!("--target {name}=http://{address}/v1")
}

/// A provider that takes so long for a call.
fn slow(latency: Duration) -> Simulated {
    let mut settings = Settings { dimensions: DIMENSIONS, ..Settings::instant() };
    settings.faults.latency = latency;
    Simulated::start(settings)
}

#[tokio::test]
async fn it_counts_what_the_provider_counts() {
    let provider = Simulated::instant();
    let direct = target("direct", provider.address);
    let stats = format!("--upstream-stats http://{}/__stats", provider.address);
    let ran = run(&format!("compare {direct} {stats} --workload mixed --requests 400 --texts 64"));
    ran.ends_with(0);
    let figure = |pointer| ran.figure(0, pointer);
    assert_eq!((figure("/requests"), figure("/answered"), figure("/wrong")), (400.0, 400.0, 0.0));
    assert_eq!(figure("/upstream_calls"), 400.0);
    assert_eq!(figure("/checked"), figure("/upstream_inputs") + 64.0);
    let counted = provider.stats().await;
    // Those before the clock started: one to see who is there, and the catalogue in two lists.
    assert_eq!(counted.requests, 400 + 1 + 2);
    assert!(ran.target(0)["hit_rate"].is_null() && ran.table.contains("n/a"), "{}", ran.table);
    assert_eq!((&ran.json["version"], &ran.json["verify"]), (&1.into(), &"oracle".into()));
    assert_eq!(ran.target(0)["rounds"].as_array().unwrap().len(), 4);
    for part in ["<svg", "prefers-color-scheme: dark", "Latency in ms", "<td>direct</td>"] {
        assert!(ran.page.contains(part), "{part}");
    }
    for part in ["<script", "<link", "src=", "NaN"] {
        assert!(!ran.page.contains(part), "{part}");
    }
}

#[test]
fn larder_is_faster_than_a_provider_that_takes_its_time() {
    let provider = slow(Duration::from_millis(5));
    let sidecar = Sidecar::before(provider.address);
    let (direct, via) = (target("direct", provider.address), target("larder", sidecar.proxy));
    let limits = "--min-ratio 1.5 --min-hit-rate 0.99 --max-error-rate 0 --max-p50 5s --min-rps 1";
    let pid = sidecar.pid();
    let work = "--workload hit --requests 800 --texts 50 --connections 4";
    let ran = run(&format!("compare {direct} {via},pid={pid} {work} {limits}"));
    ran.ends_with(0);
    assert!(ran.figure(1, "/ratio/least") > 1.0, "{}", ran.table);
    assert!(ran.figure(1, "/ratio/median") <= ran.figure(1, "/ratio/most"));
    assert_eq!(ran.figure(1, "/hit_rate"), 1.0);
    assert!(ran.figure(1, "/peak_memory_bytes") > 1e6);
    assert!(ran.figure(1, "/cpu_seconds_per_1000") >= 0.0);
    assert!(ran.target(0)["ratio"].is_null() && ran.target(0)["peak_memory_bytes"].is_null());
    assert!(ran.json["verdict"].as_str().unwrap().contains("times as many good answers a second"));
}

#[tokio::test]
async fn the_hit_rate_of_a_zipf_load_is_the_expected_one() {
    let provider = slow(Duration::from_millis(2));
    let sidecar = Sidecar::before(provider.address);
    let via = target("larder", sidecar.proxy);
    let ran = run(&format!("compare {via} --workload zipf --requests 4000 --texts 500 --seed 7"));
    ran.ends_with(0);
    let expected = ran.figure(0, "/expected_rate");
    let found = ran.figure(0, "/hit_rate") + ran.figure(0, "/joined_rate");
    assert!((found - expected).abs() < 0.01, "{found}, {expected}");
    assert!((ran.figure(0, "/hit_rate") - expected).abs() < 0.02);
    assert!(expected > 0.8 && expected < 0.99, "{expected}");
    assert!(ran.table.contains("larder: hit rate by round: 0."), "{}", ran.table);
    // All but the one that was asked for to see who is there.
    let distinct = provider.stats().await.distinct_inputs as f64 - 1.0;
    assert!((4000.0 * (1.0 - expected) - distinct).abs() < 0.5, "{expected}, {distinct}");
    assert_eq!(ran.json["seed"], 7);
}

#[test]
fn a_catalogue_s_texts_are_what_is_asked() {
    let provider = Simulated::instant();
    let direct = target("direct", provider.address);
    let file = path("texts");
    fs::write(&file, "first \"text\"\n\nsecond\u{2028}text\r\nthird\n").unwrap();
    let line = format!("zipf --catalogue {} {direct} --requests 300", file.display());
    let ran = run(&line);
    ran.ends_with(0);
    assert_eq!((ran.figure(0, "/checked"), &ran.json["workload"]["texts"]), (300.0, &3.into()));
    assert!((ran.figure(0, "/expected_rate") - 0.99).abs() < 1e-9);
    for (bytes, said) in
        [(&b""[..], "no text"), (b" \n\n", "no text"), (b"a\nb\n\xff\n", "line 3 is not UTF-8")]
    {
        fs::write(&file, bytes).unwrap();
        let ran = run(&line);
        assert!(ran.ends_with(2).said.contains(said), "{}", ran.said);
        assert!(ran.said.contains(file.to_str().unwrap()), "{}", ran.said);
    }
    fs::remove_file(&file).unwrap();
    assert!(run(&line).ends_with(2).said.contains("No such file"));
}

#[test]
fn a_burst_is_one_call_where_callers_join() {
    let provider = slow(Duration::from_millis(100));
    let sidecar = Sidecar::before(provider.address);
    let via = target("larder", sidecar.proxy);
    let stats = format!("--upstream-stats http://{}/__stats", provider.address);
    let work = "--workload burst --connections 20 --requests 80 --rounds 1";
    let ran = run(&format!("compare {via} {stats} {work}"));
    ran.ends_with(0);
    assert_eq!((ran.figure(0, "/answered"), ran.figure(0, "/upstream_calls")), (80.0, 4.0));
    assert!((ran.figure(0, "/joined_rate") - 0.95).abs() < 1e-9, "{}", ran.table);
    assert!((ran.figure(0, "/expected_rate") - 0.95).abs() < 1e-9, "{}", ran.table);
}

#[test]
fn streams_are_whole_directly_and_through_larder() {
    let mut settings = Settings::instant();
    settings.faults.chunks = 8;
    settings.faults.chunk_delay = Duration::from_millis(2);
    let provider = Simulated::start(settings);
    let sidecar = Sidecar::before(provider.address);
    let (direct, via) = (target("direct", provider.address), target("larder", sidecar.proxy));
    let work = "--workload stream --requests 80 --connections 4 --rounds 2";
    let ran = run(&format!("compare {direct} {via} {work}"));
    ran.ends_with(0);
    for number in [0, 1] {
        let figure = |pointer| ran.figure(number, pointer);
        assert_eq!((figure("/answered"), figure("/checked"), figure("/wrong")), (80.0, 80.0, 0.0));
        assert!(figure("/stream/first_event/p50") < figure("/latency/p50"));
        assert!(figure("/stream/gap/p50") >= 1e-3, "{}", ran.table);
        // Who speaks, eight pieces, the end of the text and the end of the stream.
        let events = figure("/stream/events_per_second") / figure("/rps");
        assert!((events - 11.0).abs() < 0.01, "{events}");
    }
}
