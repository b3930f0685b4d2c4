//! Whether it tells the truth where the truth is bad: wrong vectors, limits, stalls, its own lateness.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{run, target};
use crate::harness::{Asked, Say, Scripted, Simulated, answer, json as reply};

/// An answer whose only vector has another last bit.
fn flipped(asked: &Asked) -> Value {
    let mut said = answer(asked);
    let text = said["data"][0]["embedding"].as_str().unwrap();
    let first = if text.starts_with('A') { "B" } else { "A" };
    said["data"][0]["embedding"] = json!(format!("{first}{}", &text[1..]));
    said
}

#[test]
fn one_wrong_vector_among_many_is_found() {
    let provider = Scripted::start(|asked| async move {
        let wrong = asked.number == 150;
        Some(reply(200, &if wrong { flipped(&asked) } else { answer(&asked) }))
    });
    let liar = target("liar", provider.address);
    let ran = run(&format!("compare {liar} --workload miss --requests 300"));
    ran.ends_with(1);
    assert_eq!((ran.figure(0, "/wrong"), ran.figure(0, "/checked")), (1.0, 300.0));
    assert!(ran.said.contains("liar: 1 of 300 answers are wrong"), "{}", ran.said);
    assert!(ran.table.contains("WRONG"), "{}", ran.table);
    let line = format!("compare {liar} --workload miss --requests 300 --verify off");
    assert_eq!(run(&line).ends_with(0).figure(0, "/checked"), 0.0);
}

/// A provider that nobody can compute, whose answers are never twice the same to the last bit.
fn unsteady(status: &'static str) -> Scripted {
    Scripted::start(move |asked| async move {
        let data = asked.inputs().into_iter().enumerate().map(|(index, _)| {
            let noise = asked.number as f64 * 1e-6;
            json!({"index": index, "embedding": [0.5, 0.25 + noise, -0.5]})
        });
        let mut said = reply(200, &json!({"data": data.collect::<Vec<_>>()}));
        if !status.is_empty() {
            said.headers_mut().insert("cache-status", status.parse().unwrap());
        }
        Some(said)
    })
}

#[test]
fn calls_may_differ_in_their_last_bits_and_hits_may_not() {
    let run = |status| {
        let provider = unsteady(status);
        let target = target("unsteady", provider.address);
        run(&format!("compare {target} --workload hit --requests 100 --texts 5 --connections 1"))
    };
    for status in ["", "other; fwd=miss"] {
        let ran = run(status);
        assert_eq!(ran.json["verify"], "first");
        assert_eq!((ran.ends_with(0).figure(0, "/checked"), ran.figure(0, "/wrong")), (100.0, 0.0));
    }
    let ran = run("other; hit");
    assert_eq!(ran.ends_with(1).figure(0, "/wrong"), 100.0);
}

#[test]
fn a_limit_that_does_not_hold_is_an_exit_code() {
    let provider = Simulated::instant();
    let direct = target("direct", provider.address);
    for (limit, said) in [
        ("--max-p99 1us", "p99 in ms is"),
        ("--max-p50 1us", "p50 in ms is"),
        ("--min-rps 1000000000", "requests a second is"),
        ("--min-hit-rate 0.5", "hit rate is not known"),
        ("--min-ratio 1", "ratio is not known"),
    ] {
        let ran = run(&format!("compare {direct} --workload miss --requests 100 {limit}"));
        assert!(ran.ends_with(1).said.contains(said), "{}", ran.said);
        assert!(ran.json["failures"][0].as_str().unwrap().contains(said));
        assert_eq!(ran.figure(0, "/answered"), 100.0);
    }
    let good = "--max-p99 1m --min-rps 1 --max-error-rate 0";
    run(&format!("compare {direct} --workload miss --requests 100 {good}")).ends_with(0);
}

#[test]
fn an_open_loop_keeps_its_rate() {
    let provider = Simulated::instant();
    let direct = target("direct", provider.address);
    let work = "--workload miss --rate 300 --duration 2s --rounds 2";
    let ran = run(&format!("compare {direct} {work} --seed 3"));
    ran.ends_with(0);
    // Five deviations of a Poisson count.
    assert!((ran.figure(0, "/requests") - 600.0).abs() < 5.0 * 600_f64.sqrt(), "{}", ran.table);
    assert!((ran.figure(0, "/rps") - 300.0).abs() < 70.0, "{}", ran.table);
    assert_eq!(ran.figure(0, "/requests"), ran.figure(0, "/answered"));
}

/// A provider that gives no answer for a while, after so many calls.
fn stalling(after: usize, stall: Duration) -> Scripted {
    let until = std::sync::Arc::new(Mutex::new(None::<Instant>));
    Scripted::start(move |asked| {
        let until = std::sync::Arc::clone(&until);
        async move {
            let end = {
                let mut until = until.lock().unwrap();
                if asked.number >= after && until.is_none() {
                    *until = Some(Instant::now() + stall);
                }
                *until
            };
            if let Some(end) = end {
                tokio::time::sleep_until(end.into()).await;
            }
            Some(reply(200, &answer(&asked))) as Say
        }
    })
}

#[test]
fn a_stall_shows_in_every_request_that_was_due_meanwhile() {
    let stall = Duration::from_millis(500);
    let slowest = |line: &str| {
        let provider = stalling(100, stall);
        let target = target("stalling", provider.address);
        let work = "--workload miss --connections 4 --rounds 1";
        let ran = run(&format!("compare {target} {work} {line}"));
        ran.ends_with(0);
        (ran.figure(0, "/latency/p90"), ran.figure(0, "/latency/p99"))
    };
    // A quarter of the requests are due while nothing is answered; a closed loop sends four of them.
    let (p90, p99) = slowest("--rate 200 --duration 2s");
    assert!(p90 > 0.1 && p99 > 0.4, "p90 {p90}, p99 {p99}");
    let (p90, _) = slowest("--requests 400");
    assert!(p90 < 0.1, "p90 {p90}");
}

#[test]
fn what_is_never_sent_is_an_error() {
    let provider = stalling(10, Duration::from_secs(3));
    let target = target("stalling", provider.address);
    let work = "--workload miss --connections 2 --rounds 1 --rate 100 --duration 1s";
    let ran = run(&format!("compare {target} {work} --timeout 300ms --max-error-rate 0.1"));
    ran.ends_with(1);
    let errors = &ran.target(0)["errors"];
    assert!(errors["timed out"].as_u64().unwrap() >= 2, "{errors}");
    assert!(errors["no free connection in time"].as_u64().unwrap() > 20, "{errors}");
    assert!(ran.figure(0, "/latency/p99") >= 0.3, "{}", ran.table);
    assert!(ran.said.contains("error rate is"), "{}", ran.said);
}
