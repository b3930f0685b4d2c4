//! Targets that are not there, refuse, or break off, and a user who has seen enough.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{bench, ran, run, target};
use crate::harness::{Authority, Scripted, Sidecar, Simulated, answer, free_port, json as reply};

#[test]
fn a_target_that_is_not_there_is_named() {
    let provider = Simulated::instant();
    let direct = target("direct", provider.address);
    let nobody = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let ran = run(&format!("compare {direct} {} --workload hit", target("nobody", nobody)));
    ran.ends_with(1);
    assert!(ran.said.contains("nobody: http://127.0.0.1:"), "{}", ran.said);
    assert!(ran.said.contains("connection refused") && ran.table.is_empty(), "{}", ran.said);
}

#[test]
fn errors_are_counted_by_their_kind() {
    let provider = Scripted::start(|asked| async move {
        match asked.number {
            0 => Some(reply(200, &answer(&asked))),
            number if number % 4 == 1 => Some(reply(429, &json!({}))),
            number if number % 4 == 2 => Some(reply(200, &json!({"data": []}))),
            number if number % 4 == 3 => None,
            _ => Some(reply(200, &answer(&asked))),
        }
    });
    let target = target("bad", provider.address);
    let line = format!("compare {target} --workload miss --requests 100 --connections 2");
    let ran = run(&line);
    let expected = json!({"status 429": 25, "malformed answer": 25, "connection cut": 25});
    assert_eq!(ran.ends_with(0).target(0)["errors"], expected);
    assert_eq!((ran.figure(0, "/answered"), ran.figure(0, "/error_rate")), (25.0, 0.75));
    assert!(ran.table.contains("25 × status 429"), "{}", ran.table);
    run(&format!("{line} --max-error-rate 0.1")).ends_with(1);
}

#[test]
fn a_target_behind_tls_is_believed_if_its_authority_is() {
    let (provider, authority) = (Simulated::instant(), Authority::new());
    let sidecar = Sidecar::with(provider.address, &authority.issue("bench").config());
    let port = sidecar.proxy.port();
    let line = format!("compare --target tls=https://localhost:{port}/v1 --workload hit");
    let line = format!("{line} --requests 100 --texts 10 --min-hit-rate 1");
    let arguments: Vec<&str> = line.split_whitespace().collect();
    let run = |roots: &str| {
        let output = bench(&arguments).env("SSL_CERT_FILE", roots).output().unwrap();
        ran(&output, Value::Null, String::new())
    };
    assert!(run(&authority.file()).ends_with(0).table.contains("are right"));
    assert!(run(&Authority::new().file()).ends_with(1).said.contains("tls: https://localhost"));
}

#[test]
fn nobody_is_told_the_key() {
    let provider = Scripted::start(|asked| async move {
        assert_eq!(asked.credential(), "Bearer sk-canary");
        Some(reply(200, &answer(&asked)))
    });
    let target = target("a", provider.address);
    let line = format!("compare {target} --workload miss --requests 10 --api-key-env KEY");
    let arguments: Vec<&str> = line.split_whitespace().collect();
    let output = bench(&arguments).env("KEY", "sk-canary").output().unwrap();
    let ran = ran(&output, Value::Null, String::new());
    ran.ends_with(0);
    assert!(!ran.table.contains("canary") && !ran.said.contains("canary"));
    let output = bench(&arguments).env("KEY", "sk-\ncanary").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("KEY") && !said.contains("canary"), "{said}");
}

const EVENT: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n";
const END: &str = "data: [DONE]\n\n";

/// Streams: the first whole, then by turns cut off, and ended without an end.
fn breaking(stream: &mut TcpStream, calls: &AtomicUsize) {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    while !request.ends_with(b"\"stream\":true}") {
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return,
            Ok(read) => request.extend(&piece[..read]),
        }
    }
    let number = calls.fetch_add(1, Ordering::Relaxed);
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    let rest = match number {
        0 => chunk(END) + "0\r\n\r\n",
        number if number % 2 == 0 => "0\r\n\r\n".to_owned(),
        _ => "ff\r\ndata".to_owned(),
    };
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\
                transfer-encoding: chunked\r\n\r\n";
    drop(stream.write_all(format!("{head}{}{rest}", chunk(EVENT)).as_bytes()));
}

#[test]
fn a_stream_without_its_end_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let calls = AtomicUsize::new(0);
        for mut stream in listener.incoming().map_while(Result::ok) {
            breaking(&mut stream, &calls);
        }
    });
    let target = target("breaking", address);
    let work = "--workload stream --requests 20 --rounds 1 --connections 1";
    let ran = run(&format!("compare {target} {work}"));
    let errors = json!({"connection cut": 10, "stream without its end": 10});
    assert_eq!(ran.ends_with(1).target(0)["errors"], errors);
    assert!(ran.said.contains("breaking: no request was answered well"), "{}", ran.said);
}

#[test]
fn an_interrupt_ends_it_with_what_was_measured() {
    let provider = Simulated::instant();
    let direct = target("direct", provider.address);
    let line = format!("compare {direct} --workload soak --duration 5m --rate 200");
    let arguments: Vec<&str> = line.split_whitespace().collect();
    let started = Instant::now();
    let mut command = bench(&arguments);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    thread::sleep(Duration::from_millis(1_500));
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-s", "INT", &pid]).status().unwrap().success());
    let ran = ran(&child.wait_with_output().unwrap(), Value::Null, String::new());
    ran.ends_with(0);
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert!(ran.table.contains("the run was ended early"), "{}", ran.table);
    assert!(ran.table.contains("are right"), "{}", ran.table);
}

#[test]
fn wrong_usage_is_said_before_anybody_is_asked() {
    let provider = Simulated::instant();
    let direct = target("direct", provider.address);
    for (line, said) in [
        (format!("compare {direct} {direct} --workload hit"), "two of them are called"),
        (format!("compare {direct} --workload none"), "possible values"),
        (format!("compare {direct} --workload hit --rate 0"), "more than 0"),
        (format!("compare {direct} --workload hit --duration 0"), "more than 0"),
        (format!("compare {direct} --workload hit --duration 1s --requests 1"), "cannot be used"),
        ("compare --target a=127.0.0.1:1 --workload hit".to_owned(), "http://"),
        ("compare --target a=http://u:canary@x/ --workload hit".to_owned(), "user name"),
    ] {
        let ran = run(&line);
        assert!(ran.ends_with(2).said.contains(said), "{line}: {}", ran.said);
    }
}
