//! The command line for a new user: messages, empty variables, and what a command refuses.

use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use std::{env, fs, thread};

use serde_json::json;

use crate::harness::{
    RedisServer, Scripted, Sidecar, Simulated, config_file, json as reply, larder, path,
};

/// The exit code, standard output and standard error.
fn ended(mut command: Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

async fn aside(command: Command) -> (Option<i32>, String, String) {
    tokio::task::spawn_blocking(move || ended(command)).await.unwrap()
}

#[test]
fn every_error_begins_alike_and_has_no_number_of_the_system() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (arguments, code, message) in [
        (&["check", "--config", "/no/such"][..], 2, "/no/such: no such file or directory"),
        (&["stats", "--admin-listen", "127.0.0.1:1"], 1, "no sidecar listens at 127.0.0.1:1"),
        (&["purge"], 2, "say which entries"),
        (&["simulate", "--listen", &taken], 1, "cannot listen on "),
        (&["serve", "--listen", &taken, "--admin-listen", "127.0.0.1:0"], 1, "cannot listen on "),
        (&["run", "--", "/no/such/command"], 127, "/no/such/command: No such file or directory"),
        (&["check", "--nonsense"], 2, "unexpected argument '--nonsense'"),
        (&["check", "--config", ""], 2, "--config: expected the name of a file"),
    ] {
        let (got, _, said) = ended(larder(arguments));
        assert_eq!(got, Some(code), "{arguments:?}: {said}");
        assert!(said.contains(&format!("error: {message}")), "{arguments:?}: {said}");
        assert!(!said.contains("os error"), "{arguments:?}: {said}");
    }
}

#[test]
fn the_errors_of_a_file_are_in_the_order_of_its_lines() {
    let file = config_file(
        "[providers.mine]\n[server]\nmode = \"record\"\n[cache]\nttl = 5\n[log]\nlevl = \"info\"\n",
    );
    let (code, _, said) = ended(larder(&["check", "--config", file.name()]));
    assert_eq!(code, Some(2), "{said}");
    let prefix = format!("error: {}:", file.name());
    let lines = said.lines().map(|line| line.strip_prefix(&prefix).unwrap());
    let numbers: Vec<&str> = lines.map(|line| line.split_once(':').unwrap().0).collect();
    assert_eq!(numbers, ["1", "2", "5", "7"], "{said}");
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    for name in ["LARDER_CONFIG", "LARDER_UPGRADE", "LARDER_LISTEN", "LARDER_CACHE_MEMORY"] {
        let mut command = larder(&["check"]);
        command.env(name, "").current_dir(env::temp_dir());
        let (code, said, wrong) = ended(command);
        assert_eq!((code, wrong.as_str()), (Some(0), ""), "{name}: {said}");
    }
}

#[test]
fn a_variable_that_is_near_no_other_gets_no_suggestion() {
    for (name, suggestion) in [
        ("LARDER_PROVIDERS_MINE_BASE_ULR", Some("LARDER_PROVIDERS_MINE_BASE_URL")),
        ("LARDER_FOO", None),
    ] {
        let mut command = larder(&["check"]);
        command.env(name, "1");
        let (code, _, warned) = ended(command);
        let rest = match suggestion {
            Some(near) => format!("did you mean {near}?"),
            None => "`larder config --reference` lists all".to_owned(),
        };
        let warning = format!("warning: {name}: unknown variable; {rest}\n");
        assert_eq!((code, warned), (Some(0), warning));
    }
}

#[test]
fn a_check_refuses_recordings_that_are_not_there_as_the_start_does() {
    let replay = ["--mode", "replay", "--recordings", "/no/such/recordings"];
    let of = |command: &str| ended(larder(&[&[command], &replay[..]].concat()));
    let (checked, verdict, said) = of("check");
    let (served, _, log) = of("serve");
    assert_eq!((checked, served), (Some(2), Some(2)), "{said}{log}");
    assert!(verdict.contains("1 error"), "{verdict}");
    let message = "error: --recordings: server.recordings: /no/such/recordings: ";
    assert!(said.contains(message) && log.contains(message), "{said}{log}");
}

#[tokio::test]
async fn a_probe_names_hosts_and_reasons_and_the_remedy() {
    let mut redis = RedisServer::start().await;
    assert_eq!(redis.cli(&["CONFIG", "SET", "requirepass", "right"]), "OK");
    let provider =
        Scripted::start(|_| async { Some(reply(401, &json!({ "error": { "message": "no" } }))) });
    let (at, port) = (provider.address, redis.port);
    let probe = async |upstream: &str, redis: String| {
        aside(larder(&["check", "--probe", "--upstream", upstream, "--redis", &redis])).await
    };
    let upstream = format!("http://{at}/v1");
    let (code, table, said) = probe(&upstream, format!("redis://:wrong@127.0.0.1:{port}")).await;
    let redis_row = format!("failed: 127.0.0.1:{port} refuses the user or the password");
    assert!(code == Some(1) && table.contains(&redis_row), "{table}{said}");
    let refused =
        "failed: the provider responds with 401 (invalid API key): no; set OPENAI_API_KEY";
    assert!(table.contains(refused), "{table}");
    redis.kill();
    let (_, table, _) = probe("http://127.0.0.1:1/v1", format!("redis://127.0.0.1:{port}")).await;
    let redis_row = format!("failed: connection refused by 127.0.0.1:{port}");
    assert!(table.contains(&redis_row), "{table}");
    let reason = "failed: cannot reach openai at 127.0.0.1:1: connection refused";
    assert!(table.contains(reason) && !table.contains("os error"), "{table}");
}

#[tokio::test]
async fn a_missing_or_wrong_admin_token_says_where_to_set_it() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::with(provider.address, "[server]\nadmin_token = \"canary\"\n");
    let admin = sidecar.admin.to_string();
    for (variables, flags, remedy) in [
        (&[][..], &[][..], "needs its admin token: set LARDER_ADMIN_TOKEN, pass --admin-token"),
        (&[], &["--admin-token", "other"], "has another admin token than the one of --admin-token"),
        (&[("LARDER_ADMIN_TOKEN", "other")], &[], "than the one of LARDER_ADMIN_TOKEN"),
    ] {
        for command in ["stats", "doctor", "tail"] {
            let mut asking = larder(&[&[command, "--admin-listen", &admin], flags].concat());
            asking.envs(variables.iter().copied());
            let (code, _, said) = aside(asking).await;
            let message = format!("error: the sidecar at {admin} ");
            assert!(code == Some(1) && said.starts_with(&message), "{command}: {said}");
            assert!(said.contains(remedy) && !said.contains("canary"), "{command}: {said}");
        }
    }
}

#[tokio::test]
async fn warm_without_a_key_says_so() {
    let provider = Scripted::start(|_| async { Some(reply(401, &json!({ "error": {} }))) });
    let sidecar = Sidecar::before(provider.address);
    let (admin, file) = (sidecar.admin.to_string(), path("lines.txt"));
    fs::write(&file, "one\ntwo\n").unwrap();
    let warm = ["warm", "--model", "m", "--admin-listen", &admin, file.to_str().unwrap()];
    let (code, _, said) = aside(larder(&warm)).await;
    assert!(code == Some(1) && said.starts_with("warning: no key is given"), "{said}");
    assert!(said.contains("no key was sent; pass --key-env OPENAI_API_KEY"), "{said}");
    let mut with_key = larder(&[&warm[..], &["--key-env", "KEY"]].concat());
    with_key.env("KEY", "k");
    let (_, _, said) = aside(with_key).await;
    assert!(!said.contains("no key"), "{said}");
    fs::remove_file(file).unwrap();
}

/// A pipe has its text once.
#[test]
fn run_reads_its_configuration_once() {
    let pipe = path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut run = larder(&["run", "--config", pipe.to_str().unwrap(), "--", "/bin/echo", "done"]);
    let run = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    fs::write(&pipe, "[cache]\nttl = \"1h\"\n").unwrap();
    let (sent, ended) = mpsc::channel();
    thread::spawn(move || sent.send(run.wait_with_output().unwrap()));
    let output = ended.recv_timeout(Duration::from_secs(20)).expect("it waits for another text");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(output.stdout, b"done\n");
    fs::remove_file(pipe).unwrap();
}
