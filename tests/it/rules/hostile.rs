//! Bodies that are meant to hurt, under rules that look at all of them.

use bytes::Bytes;
use http::Method;

use super::{CHAT, provider, rule};
use crate::harness::{Scripted, Sidecar};

/// Rules that want to know everything, and are for none of these.
fn rules() -> String {
    let when = "when.system_contains = \"canary\"\nwhen.system_pattern = \"(a*)*b(x+x+)+y\"\n";
    [
        rule("system", &format!("{when}then.answer = \"no\"")),
        rule(
            "pattern",
            "when.system_pattern = \"(?i)(a|aa)+b$|(\\\\w+\\\\s?)+!\"\nthen.answer = \"no\"",
        ),
        rule("many", "when.words_at_least = 4000000000\nthen.answer = \"no\""),
        rule("user", "when.words_at_least = 1\nwhen.lacks = [\"zebra\"]\nthen.answer = \"no\""),
    ]
    .concat()
}

async fn goes_through(sidecar: &Sidecar, provider: &Scripted, (name, body): (&str, Vec<u8>)) {
    let (body, before) = (Bytes::from(body), provider.calls().len());
    let client = sidecar.client().patient();
    let json = [("content-type", "application/json")];
    let answer = client.send(Method::POST, CHAT, &json, body.clone()).await;
    assert_eq!((answer.status, answer.header("x-larder-rule")), (200, ""), "{name}");
    let calls = provider.calls_after(before);
    assert!(calls.len() == 1 && calls[0].body == body, "{name}: not as it came");
}

fn said(role: &str, text: &str) -> Vec<u8> {
    format!(r#"{{"model":"m","messages":[{{"role":"{role}","content":"{text}"}}]}}"#).into_bytes()
}

#[tokio::test]
async fn nothing_that_is_said_hurts_and_what_fits_no_rule_goes_through_as_it_came() {
    let provider = provider();
    let sidecar = Sidecar::with(provider.address, &rules());
    let most = (64 << 20) - 200;
    let list = |item: &str, count: usize| {
        let items = vec![item; count].join(",");
        format!(r#"{{"model":"m","messages":[{items}]}}"#).into_bytes()
    };
    let mut no_text = said("system", "a");
    let place = no_text.len() - 5;
    no_text[place] = 0xff;
    let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    for hostile in [
        ("64 MiB of the system", said("system", &"a".repeat(most))),
        ("64 MiB of the user's words", said("user", &("a ".repeat(most / 2 - 4) + "zebra"))),
        ("64 MiB of nothing", said("user", &" ".repeat(most))),
        ("millions of messages", list("{}", 4 << 20)),
        (
            "millions of parts",
            list(&format!(r#"{{"role":"user","content":[{}]}}"#, vec!["{}"; 1 << 20].join(",")), 1),
        ),
        ("no UTF-8", no_text),
        ("half a surrogate", said("system", "\\ud800")),
        ("deep messages", format!(r#"{{"model":"m","messages":{}}}"#, deep(1 << 20)).into_bytes()),
        (
            "deep content",
            format!(r#"{{"messages":[{{"role":"user","content":{}}}]}}"#, deep(1 << 20))
                .into_bytes(),
        ),
        ("no JSON", b"{\"model\":\"m\",".to_vec()),
        ("nothing", Vec::new()),
    ] {
        goes_through(&sidecar, &provider, hostile).await;
    }
    assert!(sidecar.metric("larder_panics_total", "").await < 0.5);
    assert!(sidecar.metric("larder_rules_total", "").await < 0.5);
}
