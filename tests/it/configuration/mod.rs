//! The configuration of the built binary: its file, its variables, its errors, `larder check`, the start.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::{env, fs};

use serde_json::Value;

use crate::harness::{Sidecar, Simulated, complaints, config_file, larder, path, until};

mod places;

/// A directory that is removed when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = path("folder");
        fs::create_dir(&folder).unwrap();
        for (name, text) in files {
            fs::write(folder.join(name), text).unwrap();
        }
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// The exit code, standard output and standard error of a command.
fn finished(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// The same of `larder check` with these variables.
fn check(arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let mut command = larder(&["check"]);
    finished(command.args(arguments).envs(variables.iter().copied()))
}

#[test]
fn every_key_has_a_variable_between_flag_and_file() {
    let file = config_file(
        "[cache]\nmemory = \"1GiB\"\nttl = \"1h\"\n[server]\nlisten = \"127.0.0.1:1\"\n",
    );
    let variables = [
        ("LARDER_CACHE_MEMORY", "2GiB"),
        ("LARDER_SERVER_LISTEN", "127.0.0.1:2"),
        ("LARDER_PROVIDERS_OPENAI_BASE_URL", "http://127.0.0.1:9/v1"),
        ("LARDER_PROVIDERS_MINE_BASE_URL", "http://127.0.0.1:8/v1"),
        ("LARDER_CACHE_SECRET", "canary"),
        ("LARDER_CACHE_HARMLESS_HEADERS", "x-a,x-b"),
        ("LARDER_DISK_SIZE", ""),
    ];
    let arguments = ["--config", file.name(), "--listen", "127.0.0.1:3"];
    let (code, said, wrong) = check(&arguments, &variables);
    assert_eq!((code, wrong.as_str()), (Some(0), ""), "{said}");
    for line in [
        "memory = \"2GiB\" # LARDER_CACHE_MEMORY",
        "ttl = \"1h\"",
        "listen = \"127.0.0.1:3\" # --listen",
        "secret = \"***\" # LARDER_CACHE_SECRET",
        "harmless_headers = [\"x-a\", \"x-b\"] # LARDER_CACHE_HARMLESS_HEADERS",
        "[providers.mine]",
        "base_url = \"http://127.0.0.1:9/v1\" # LARDER_PROVIDERS_OPENAI_BASE_URL",
    ] {
        assert!(said.lines().any(|said| said == line), "{line}\nin {said}");
    }
    assert!(!said.contains("canary"), "{said}");
}

#[test]
fn the_short_variable_is_used_with_a_warning_where_both_differ() {
    let both = [("LARDER_LISTEN", "127.0.0.1:1"), ("LARDER_SERVER_LISTEN", "127.0.0.1:2")];
    let (code, said, warned) = check(&[], &both);
    assert_eq!(code, Some(0), "{warned}");
    assert!(said.contains("listen = \"127.0.0.1:1\" # LARDER_LISTEN\n"), "{said}");
    let warning = "LARDER_SERVER_LISTEN is not used: LARDER_LISTEN sets server.listen too";
    assert!(warned.contains(warning), "{warned}");
    let (_, _, warned) = check(&[], &[both[0], ("LARDER_SERVER_LISTEN", "127.0.0.1:1")]);
    assert_eq!(warned, "");
    // A flag is no surprise.
    assert_eq!(check(&["--listen", "127.0.0.1:3"], &both[1..]).2, "");
}

#[tokio::test]
async fn an_unknown_variable_is_a_warning_with_the_nearest_name() {
    let variables = [
        ("LARDER_CACHE_MEMROY", "canary"),
        ("LARDER_SERVICE_HOST", "10.0.0.1"),
        ("LARDER_PORT_5273_TCP", "tcp://10.0.0.1:5273"),
    ];
    let warning = "LARDER_CACHE_MEMROY: unknown variable; did you mean LARDER_CACHE_MEMORY?";
    let (code, _, warned) = check(&[], &variables);
    assert_eq!((code, warned.as_str()), (Some(0), &*format!("warning: {warning}\n")));
    let provider = Simulated::instant();
    let sidecar = Sidecar::within(provider.address, "", &variables);
    let log = sidecar.log();
    assert!(log.contains(warning) && !log.contains("canary"), "{log}");
    assert!(!log.contains("SERVICE_HOST") && !log.contains("5273_TCP"), "{log}");
}

#[test]
fn a_file_in_the_working_directory_is_found_unless_another_is_named() {
    let folder = Folder::new(&[
        ("larder.toml", "[cache]\nttl = \"1h\"\n"),
        ("other.toml", "[cache]\nttl = \"2h\"\n"),
    ]);
    let said = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = larder(&["check"]);
        command.args(arguments).envs(variables.iter().copied()).current_dir(&folder.0);
        finished(&mut command).1
    };
    let found = said(&[], &[]);
    assert!(found.starts_with("larder.toml: valid\n") && found.contains("ttl = \"1h\""), "{found}");
    let named = said(&[], &[("LARDER_CONFIG", "other.toml")]);
    assert!(named.starts_with("other.toml: valid\n") && named.contains("ttl = \"2h\""), "{named}");
    let flag = said(&["--config", "larder.toml"], &[("LARDER_CONFIG", "other.toml")]);
    assert!(flag.starts_with("larder.toml: valid\n"), "{flag}");
    let elsewhere = larder(&["check"]).current_dir(env::temp_dir()).output().unwrap();
    assert!(elsewhere.stdout.starts_with(b"no file: "), "{elsewhere:?}");
}

#[test]
fn the_demonstration_reads_no_file_and_no_variable() {
    let folder = Folder::new(&[("larder.toml", "[cache]\nmemory = \"nonsense\"\n")]);
    let mut demo = larder(&["demo", "--once"]);
    demo.current_dir(&folder.0).env("LARDER_CACHE_TTL", "nonsense");
    let (code, said, wrong) = finished(&mut demo);
    assert_eq!(code, Some(0), "{said}{wrong}");
}

#[test]
fn the_verdict_comes_first() {
    let wrong = config_file("[server]\nlisen = 1\ndrain = 30\n");
    let (code, said, errors) = check(&["--config", wrong.name()], &[]);
    assert_eq!(code, Some(2));
    assert_eq!(said, format!("{}: 2 errors\n", wrong.name()));
    assert_eq!(errors.lines().count(), 2, "{errors}");
    let (code, said, _) = check(&["--config", "/nonexistent/larder.toml"], &[]);
    assert_eq!((code, said.as_str()), (Some(2), "/nonexistent/larder.toml: 1 error\n"));
    let right = "[server]\nlisten = \"127.0.0.1:7\"\n[[rules]]\nname = \"a\"\nwhen.model = \"m*\"\n\
                 then.answer = \"no\"\n[providers.\"a.b\"]\nbase_url = \"http://127.0.0.1:1\"\n";
    let right = config_file(right);
    let (code, said, _) = check(&["--config", right.name()], &[]);
    let (verdict, toml) = said.split_once('\n').unwrap();
    assert_eq!((code, verdict), (Some(0), &*format!("{}: valid", right.name())));
    let again = config_file(toml);
    let (code, said, _) = check(&["--config", again.name()], &[]);
    assert_eq!((code, said.split_once('\n').unwrap().1), (Some(0), toml));
}

#[tokio::test]
async fn a_directory_that_a_running_larder_holds_is_no_failure() {
    let (provider, folder) = (Simulated::instant(), Folder::new(&[]));
    let text = format!("[disk]\ndir = {:?}\n", folder.0);
    let sidecar = Sidecar::with(provider.address, &text);
    let file = config_file(&text);
    let url = format!("http://{}/v1", provider.address);
    let holder = format!("in use by the running larder (pid {})", sidecar.pid());
    let probe = move || check(&["--config", file.name(), "--probe", "--upstream", &url], &[]);
    let (code, said, wrong) = tokio::task::spawn_blocking(probe).await.unwrap();
    assert_eq!(code, Some(0), "{said}{wrong}");
    let row = said.lines().find(|line| line.starts_with("disk ")).unwrap();
    assert!(row.ends_with(&holder), "{row}");
    assert!(
        said.lines().any(|line| line.starts_with("openai ") && line.contains("dimensions")),
        "{said}"
    );
}

#[tokio::test]
async fn the_start_says_what_is_served() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::with(provider.address, "[cache]\nmemory = \"64MiB\"\n");
    until("the start is logged", || async { sidecar.log().contains("ready") }).await;
    let log = sidecar.log();
    for part in [
        "larder.toml",
        &*format!("version=\"{}", env!("CARGO_PKG_VERSION")),
        &format!("proxy=http://{}/v1", sidecar.proxy),
        &format!("status_page=http://{}/", sidecar.admin),
        &format!("upstream=\"openai (http://{}/v1)\"", provider.address),
        "tiers=\"memory 64MiB\"",
    ] {
        assert!(log.contains(part), "{part}\nin {log}");
    }
}

#[tokio::test]
async fn the_line_of_the_addresses_is_json_where_the_log_is() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::with(provider.address, "[log]\nformat = \"json\"\nlevel = \"warn\"\n");
    // The harness sees the line before it stores it.
    until("the line is there", || async { sidecar.log().contains("listening") }).await;
    let log = sidecar.log();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["message"], "listening");
    assert_eq!(lines[0]["proxy"], sidecar.proxy.to_string());
    assert_eq!(lines[0]["admin"], sidecar.admin.to_string());
}

#[test]
fn an_open_listener_is_a_warning() {
    let (code, _, warned) = check(&["--listen", "0.0.0.0:1"], &[]);
    assert_eq!(code, Some(0));
    assert!(warned.starts_with("warning: server.listen (0.0.0.0:1)"), "{warned}");
    assert!(warned.contains("access.auth"), "{warned}");
    assert_eq!(check(&["--listen", "0.0.0.0:1", "--auth", "verify"], &[]).2, "");
}

#[test]
fn the_schema_is_one_of_json() {
    let (code, said, _) = finished(&mut larder(&["config", "--schema"]));
    let schema: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &schema["additionalProperties"]), (Some(0), &Value::Bool(false)));
    let (code, _, help) = finished(&mut larder(&["config"]));
    assert!(code == Some(2) && help.contains("--schema"), "{help}");
}

#[test]
fn a_list_where_one_value_is_wanted_was_told_to_be_a_list() {
    for (setting, says) in [
        ("[cache]\nttl = [1]", "cache.ttl: expected a time, got a list: write one value"),
        ("[cache]\nttl = [\"1h\"]", "cache.ttl: expected a time, got a list: write one value"),
        ("[cache]\nmemory = {}", "cache.memory: expected a size, got a table: write one value"),
        ("[cache]\nttl = 1979-05-27", "cache.ttl: expected a time, got a date"),
        ("[server]\nlisten = []", "server.listen: expected an address, got a list"),
        ("[server]\nmax_connections = 0xff", "expected a number, got a number that is not decimal"),
        ("[log]\nrequests = [true]", "log.requests: expected true or false, got a list"),
        ("[log]\nlevel = [\"info\"]", "log.level: expected one of"),
        (
            "[server]\nallowed_origins = [7]",
            "expected a list of origins in quotes, got an item that is a number",
        ),
    ] {
        let complaints = complaints(&format!("{setting}\n"));
        assert!(complaints.iter().any(|one| one.contains(says)), "{setting}: {complaints:?}");
    }
}
