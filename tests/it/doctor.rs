//! `larder doctor`: what is wrong with a running sidecar, and what to do.

use serde_json::{Value, json};

use crate::harness::{
    Ask, RedisServer, Scripted, Sidecar, Simulated, answer, config_file, json as reply, larder,
    texts, until,
};

/// The exit code and the report.
async fn doctor(admin: String) -> (Option<i32>, String) {
    let run = move || larder(&["doctor", "--admin-listen", &admin]).output().unwrap();
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code(), text)
}

async fn of(sidecar: &Sidecar) -> (Option<i32>, String) {
    doctor(sidecar.admin.to_string()).await
}

#[tokio::test]
async fn without_a_sidecar_it_says_how_to_start_one() {
    let (code, text) = doctor("127.0.0.1:1".to_owned()).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("1. No sidecar listens at 127.0.0.1:1."), "{text}");
    assert!(text.contains("larder serve") && text.contains("--admin-listen"), "{text}");
}

#[tokio::test]
async fn a_sidecar_without_traffic_is_led_to_and_with_it_nothing_is_wrong() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::before(provider.address);
    let (code, text) = of(&sidecar).await;
    let variable = format!("OPENAI_BASE_URL=http://{}/v1", sidecar.proxy);
    assert!(code == Some(1) && text.contains(&variable), "{text}");
    for _ in 0..2 {
        sidecar.client().right(&Ask::of(["a"])).await;
    }
    let (code, text) = of(&sidecar).await;
    assert_eq!(code, Some(0), "{text}");
    assert!(text.starts_with("Nothing is wrong with the sidecar at "), "{text}");
    for line in
        ["ok  the sidecar is ready", "ok  tiers up: memory", "ok  2 requests", "ok  hit rate: 50 %"]
    {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    let admin = sidecar.admin.to_string();
    let output = larder(&["doctor", "--json", "--admin-listen", &admin]).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report["problems"] == json!([]) && report["ok"].is_array(), "{report}");
}

#[tokio::test]
async fn a_rejected_key_is_named_with_its_provider_until_it_works() {
    let provider = Scripted::start(|asked| async move {
        let good = asked.credential() == "Bearer good";
        Some(if good { reply(200, &answer(&asked)) } else { reply(401, &json!({ "error": {} })) })
    });
    let sidecar = Sidecar::before(provider.address);
    let by = |key: &str| Ask::of(["a"]).header("authorization", &format!("Bearer {key}"));
    assert_eq!(sidecar.client().embed(&by("bad")).await.status, 401);
    let (code, text) = of(&sidecar).await;
    assert!(code == Some(1) && text.contains("1. openai rejects the API key: 1 × 401"), "{text}");
    for number in 0..12 {
        let ask = Ask::of([format!("text {number}")]).header("authorization", "Bearer good");
        sidecar.client().right(&ask).await;
    }
    let (code, text) = of(&sidecar).await;
    assert!(code == Some(0) && text.contains("ok  no provider rejects a key"), "{text}");
}

#[tokio::test]
async fn a_provider_that_cannot_be_reached_is_named_with_the_reason() {
    let sidecar = Sidecar::before("127.0.0.1:1".parse().unwrap());
    for _ in 0..6 {
        sidecar.client().embed(&Ask::of(["a"])).await;
    }
    let (code, text) = of(&sidecar).await;
    assert_eq!(code, Some(1), "{text}");
    let reason = "1. openai fails: cannot reach openai at 127.0.0.1:1: connection refused";
    assert!(text.contains(reason) && !text.contains("os error"), "{text}");
    assert!(!sidecar.log().contains("os error"), "{}", sidecar.log());
    assert!(text.contains("2. The circuit breaker of openai is open"), "{text}");
}

#[tokio::test]
async fn redis_that_is_down_is_a_problem_with_its_kind() {
    let provider = Simulated::instant();
    let mut redis = RedisServer::start().await;
    let config = format!("[redis]\nurl = \"{}\"\n[cache]\nsecret = \"s\"\n", redis.url());
    let sidecar = Sidecar::with(provider.address, &config);
    sidecar.client().right(&Ask::of(["a"])).await;
    until("all is well", || async { of(&sidecar).await.0 == Some(0) }).await;
    let problem =
        format!("1. The redis tier is down: connection refused by 127.0.0.1:{}.", redis.port);
    redis.kill();
    until("the reason is known", || async { of(&sidecar).await.1.contains(&problem) }).await;
    let (code, text) = of(&sidecar).await;
    assert!(code == Some(1) && text.contains("redis.url"), "{text}");
}

#[tokio::test]
async fn a_memory_that_is_too_small_is_told_from_inputs_that_are_new() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::with(provider.address, "[cache]\nmemory = \"1MiB\"\n");
    let client = sidecar.client();
    client.right(&Ask::of(texts("new", 200))).await;
    let (code, text) = of(&sidecar).await;
    assert!(code == Some(1) && text.contains("Most inputs are new"), "{text}");
    for part in texts("many", 20_000).chunks(2_000) {
        client.right(&Ask::of(part.to_vec())).await;
    }
    let (code, text) = of(&sidecar).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("the memory tier is too small"), "{text}");
    assert!(text.contains("Raise cache.memory") && !text.contains("Most inputs"), "{text}");
}

#[tokio::test]
async fn a_file_that_is_broken_since_the_start_is_a_problem_and_no_obstacle() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::before(provider.address);
    sidecar.client().right(&Ask::of(["a"])).await;
    let admin = sidecar.admin.to_string();
    let key = "[server]\nadmin_listen = \"ADMIN\"\n[cache]\nmemroy = \"1GiB\"\n";
    for (text, flags) in [
        // The address is read of a file with a wrong key, and not of one that is not TOML.
        (key.replace("ADMIN", &admin), vec![]),
        ("[providers\n".to_owned(), vec!["--admin-listen", &admin]),
    ] {
        let file = config_file(&text);
        let of = |command| {
            let mut command = larder(&[command, "--config", file.name()]);
            command.args(&flags).output().unwrap()
        };
        let doctor = of("doctor");
        let said = String::from_utf8(doctor.stdout).unwrap();
        assert_eq!(doctor.status.code(), Some(1), "{said}");
        assert!(said.contains("1 problem at") && said.contains(file.name()), "{said}");
        let stats = of("stats");
        let warned = String::from_utf8(stats.stderr).unwrap();
        assert!(stats.status.success() && warned.contains("warning: "), "{warned}");
    }
}
