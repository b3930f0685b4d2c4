//! `larder env`, and what the status page says of the same variables.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::harness::{Sidecar, Simulated, larder};

/// What the command prints, and whether it was content.
fn env(arguments: &[&str]) -> (bool, String) {
    let output = larder(&[&["env"], arguments].concat()).output().unwrap();
    let (out, err) = (output.stdout, output.stderr);
    (output.status.success(), String::from_utf8([out, err].concat()).unwrap())
}

#[tokio::test]
async fn it_leads_to_the_sidecar_that_runs() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::with(provider.address, "[server]\nadmin_token = \"canary\"\n");
    let (proxy, admin) = (sidecar.proxy, sidecar.admin.to_string());
    let at = ["--admin-listen", &admin, "--admin-token", "canary"];
    let (good, said) = env(&at);
    assert!(good && !said.contains("canary"), "{said}");
    for line in [
        format!("export OPENAI_BASE_URL=http://{proxy}/v1"),
        format!("export ANTHROPIC_BASE_URL=http://{proxy}/anthropic"),
        format!("export OLLAMA_HOST=http://{proxy}/ollama"),
    ] {
        assert!(said.lines().any(|said| said == line), "{line} not in\n{said}");
    }
    assert!(!said.contains("AZURE"), "nobody has configured it: {said}");
    let (good, fish) = env(&[&at[..], &["--shell", "fish"]].concat());
    assert!(good && fish.contains(&format!("set -gx OPENAI_BASE_URL http://{proxy}/v1")), "{fish}");
    let (good, said) = env(&at[..2]);
    assert!(!good && said.contains("LARDER_ADMIN_TOKEN"), "{said}");
}

#[test]
fn it_leads_to_the_sidecar_that_is_configured_if_none_runs() {
    let nobody = ["--admin-listen", "127.0.0.1:1"];
    let arguments = [&["env"], &nobody[..], &["--listen", "0.0.0.0:7", "--json"]].concat();
    let output = larder(&arguments).output().unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(said["OPENAI_BASE_URL"], "http://127.0.0.1:7/v1");
    let warned = String::from_utf8(output.stderr).unwrap();
    assert!(warned.contains("warning: no sidecar listens at 127.0.0.1:1"), "{warned}");
    let (good, said) = env(&[&nobody[..], &["--listen", "127.0.0.1:0"]].concat());
    assert!(!good && said.contains("port 0 of server.listen"), "{said}");
}

/// The page has a line for each SDK that most people have; a variable is the same in both.
#[test]
fn the_status_page_says_the_same() {
    let page = include_str!("../../src/gate/page/connect.js");
    let output = larder(&["env", "--admin-listen", "127.0.0.1:1", "--json"]).output().unwrap();
    let said: BTreeMap<String, String> = serde_json::from_slice(&output.stdout).unwrap();
    let lines = page.split("`export ").skip(1).map(|rest| rest.split('`').next().unwrap());
    let mut seen = 0;
    for line in lines {
        let (name, value) = line.split_once('=').unwrap();
        let value = value.replace("${proxy}", "http://127.0.0.1:5273");
        // Vercel's SDK puts no version before its paths, and is told one; larder takes both.
        assert_eq!(value.replace("/anthropic/v1", "/anthropic"), said[name], "{line}");
        seen += 1;
    }
    assert!(seen >= 5, "{seen} lines");
}
