//! The ledger is the invoice: every call is booked with the usage, by kind, that the provider bills.

use std::collections::BTreeMap;
use std::fs;

use http::Method;
use larder::simulate::Settings;
use serde_json::{Value, json};

use crate::harness::{
    Ask, Chance, Client, DIMENSIONS, Scripted, Sidecar, Simulated, all, json as reply, path, until,
};

/// The prices of the simulated provider, which has its own table of them.
const PRICES: &str = r#"
as_of = "2026-11-30"

[openai]
"gpt-5.6-terra" = { input = 2, cache_read = 0.2, cache_write = 2.5, output = 12, flex = { input = 1, cache_read = 0.1, cache_write = 1.25, output = 6 }, priority = { input = 4, cache_read = 0.4, cache_write = 5, output = 24 }, steps = [{ above = 272000, input = 4, cache_read = 0.4, cache_write = 5, output = 18 }] }
"gpt-4o-mini" = { input = 0.15, cache_read = 0.075, output = 0.6, flex = { input = 0.15, cache_read = 0.075, output = 0.6 }, priority = { input = 0.25, cache_read = 0.125, output = 1 } }
"text-embedding-3-small" = { input = 0.02 }

[anthropic]
"claude-sonnet-4-5" = { input = 3, cache_read = 0.3, cache_write = 3.75, cache_write_1h = 6, output = 15 }

[gemini]
"gemini-2.5-flash" = { input = 0.3, cache_read = 0.03, output = 2.5 }

[deepseek]
"deepseek-chat" = { input = 0.28, cache_read = 0.028, output = 0.42 }

[cohere]
"command-a-03-2025" = { input = 2.5, output = 10 }
"embed-v4.0" = { input = 0.12 }
"#;

const KINDS: [&str; 6] =
    ["input", "cache_read", "cache_write", "cache_write_1h", "output", "thinking"];

fn provider() -> Simulated {
    let mut settings = Settings { dimensions: DIMENSIONS, compress: true, ..Settings::instant() };
    settings.faults.chunks = 5;
    Simulated::start(settings)
}

fn before(provider: &Simulated, prices: &str) -> Sidecar {
    let file = path("prices.toml");
    fs::write(&file, prices).unwrap();
    let at = provider.address;
    Sidecar::with(
        at,
        &format!(
            "[prices]\nfile = \"{}\"\n[providers.anthropic]\nbase_url = \"http://{at}/v1\"\n\
             [providers.gemini]\nbase_url = \"http://{at}\"\n[providers.cohere]\nbase_url = \"http://{at}\"\n\
             [providers.deepseek]\nbase_url = \"http://{at}/v1\"\n",
            file.display()
        ),
    )
}

/// The numbers of each model: calls, tokens by kind, and dollars.
type Lines = BTreeMap<String, (u64, [u64; KINDS.len()], f64)>;

fn line(line: &Value, tokens: &Value, calls: &Value) -> (u64, [u64; KINDS.len()], f64) {
    let kinds = KINDS.map(|kind| tokens[kind].as_u64().unwrap_or(0));
    (calls.as_u64().unwrap(), kinds, line.as_f64().unwrap_or(f64::NAN))
}

async fn invoice(provider: &Simulated) -> Lines {
    let body = Client::new(provider.address).get("/__invoice").await.body;
    let lines: BTreeMap<String, Value> = serde_json::from_slice(&body).unwrap();
    lines.into_iter().map(|(model, at)| (model, line(&at["dollars"], &at, &at["calls"]))).collect()
}

async fn stats(sidecar: &Sidecar) -> Value {
    serde_json::from_slice(&sidecar.admin().get("/api/stats").await.body).unwrap()
}

async fn ledger(sidecar: &Sidecar) -> Lines {
    let stats = stats(sidecar).await;
    let accounts = stats["accounts"].as_array().unwrap().iter().map(|account| {
        let model = account["model"].as_str().unwrap().to_owned();
        let (dollars, calls) = (&account["dollars"]["billed"], &account["calls"]["made"]);
        (model, line(dollars, &account["tokens"]["billed"], calls))
    });
    accounts.collect()
}

fn calls(lines: &Lines) -> u64 {
    lines.values().map(|(calls, ..)| calls).sum()
}

/// A prompt of one of a few families, with a beginning that is long enough for a provider's cache or not.
fn prompt(chance: &mut Chance) -> String {
    let family = chance.below(5);
    let length = if family < 2 { 1_400 * 4 } else { 40 };
    let end = chance.below(400);
    format!("{} {end}", format!("family {family} ").repeat(length / 9))
}

/// A chat of any dialect: its path and body.
fn chat(chance: &mut Chance) -> (&'static str, Value) {
    let (text, streamed) = (prompt(chance), chance.below(2) == 0);
    let temperature = chance.below(2);
    let messages = json!([{ "role": "user", "content": text }]);
    let mut body = json!({ "messages": messages, "stream": streamed, "temperature": temperature });
    let with_usage = json!({ "include_usage": true });
    match chance.below(6) {
        which @ (0 | 1) => {
            body["model"] = json!(["gpt-5.6-terra", "gpt-4o-mini"][usize::from(which == 1)]);
            body["stream_options"] = with_usage;
            let (member, value) = [
                ("service_tier", "flex"),
                ("service_tier", "priority"),
                ("reasoning_effort", "high"),
                ("user", "someone"),
            ][chance.index(4)];
            body[member] = json!(value);
            ("/v1/chat/completions", body)
        }
        2 => {
            let input = json!([{ "role": "user", "content": text }]);
            let body = json!({ "model": "gpt-5.6-terra", "input": input, "stream": streamed });
            ("/v1/responses", body)
        }
        3 => anthropic(&text, body, ["5m", "1h"][chance.index(2)]),
        4 => gemini(&text, streamed, temperature),
        _ if chance.below(2) == 0 => {
            body["model"] = json!("deepseek-chat");
            body["stream_options"] = with_usage;
            ("/deepseek/v1/chat/completions", body)
        }
        _ => {
            body["model"] = json!("command-a-03-2025");
            ("/cohere/v2/chat", body)
        }
    }
}

fn anthropic(text: &str, mut body: Value, ttl: &str) -> (&'static str, Value) {
    let marker = json!({ "type": "ephemeral", "ttl": ttl });
    let (head, tail) = text.rsplit_once(' ').unwrap();
    // Each lifetime has prefixes of its own, so that there are writes of both.
    let head = format!("{head} {ttl}");
    body["system"] = json!([{ "type": "text", "text": head, "cache_control": marker }]);
    body["messages"] = json!([{ "role": "user", "content": tail }]);
    body["model"] = json!("claude-sonnet-4-5-20250929");
    body["max_tokens"] = json!(100);
    ("/anthropic/v1/messages", body)
}

fn gemini(text: &str, streamed: bool, temperature: u64) -> (&'static str, Value) {
    let thinking = json!({ "thinkingBudget": 10 });
    let config = json!({ "temperature": temperature, "thinkingConfig": thinking });
    let contents = json!([{ "role": "user", "parts": [{ "text": text }] }]);
    let path = if streamed {
        "/gemini/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
    } else {
        "/gemini/v1beta/models/gemini-2.5-flash:generateContent"
    };
    (path, json!({ "contents": contents, "generationConfig": config }))
}

fn embedding(chance: &mut Chance) -> (&'static str, Value) {
    let texts: Vec<String> =
        (0..=chance.below(4)).map(|_| format!("text {}", chance.below(800))).collect();
    if chance.below(2) == 0 {
        return ("/v1/embeddings", json!({ "model": "text-embedding-3-small", "input": texts }));
    }
    let types = ["float"];
    let body = json!({ "model": "embed-v4.0", "texts": texts, "input_type": "search_document", "embedding_types": types });
    ("/cohere/v2/embed", body)
}

async fn caller(client: Client, mut chance: Chance, requests: usize) {
    for _ in 0..requests {
        let is_chat = chance.below(3) > 0;
        let (path, body) = if is_chat { chat(&mut chance) } else { embedding(&mut chance) };
        let codings = ["identity", "gzip", "br", "zstd"];
        let headers = [
            ("content-type", "application/json"),
            ("accept-encoding", codings[chance.index(codings.len())]),
        ];
        let answer = client.send(Method::POST, path, &headers, body.to_string()).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    }
}

#[tokio::test]
async fn the_ledger_is_the_invoice_over_ten_thousand_requests() {
    const CALLERS: usize = 20;
    let (provider, mut chance) = (provider(), Chance::new());
    let sidecar = before(&provider, PRICES);
    let callers =
        (0..CALLERS).map(|_| caller(sidecar.client(), chance.another(), 10_000 / CALLERS));
    all(callers.collect::<Vec<_>>()).await;
    let invoice = invoice(&provider).await;
    until("every compressed response is booked", || async {
        calls(&ledger(&sidecar).await) == calls(&invoice)
    })
    .await;
    let ledger = ledger(&sidecar).await;
    assert_eq!(ledger.keys().collect::<Vec<_>>(), invoice.keys().collect::<Vec<_>>());
    for (model, (calls, tokens, dollars)) in &invoice {
        let (booked_calls, booked, cost) = &ledger[model];
        assert_eq!((booked_calls, booked), (calls, tokens), "{model}: {KINDS:?}");
        assert!((cost - dollars).abs() < 1e-6, "{model}: {cost} and {dollars}");
    }
    let all_kinds = KINDS
        .iter()
        .enumerate()
        .all(|(kind, _)| invoice.values().any(|(_, tokens, _)| tokens[kind] > 0));
    assert!(all_kinds && calls(&invoice) > 2_000, "{invoice:?}");
    let totals = &stats(&sidecar).await["totals"];
    assert_eq!(totals["calls"]["unpriced"], json!({ "price": 0, "usage": 0 }));
    let by_provider = totals["dollars"]["prompt_cache"]["saved"].as_f64().unwrap();
    let (by_cache, avoided) = (&totals["dollars"]["avoided_by"], &totals["dollars"]["avoided"]);
    assert!(by_provider > 0.0 && by_cache["hit"].as_f64().unwrap() > 0.0, "{totals}");
    assert!(avoided.as_f64().unwrap() >= by_cache["hit"].as_f64().unwrap());
}

#[tokio::test]
async fn a_compressed_response_is_a_call_with_tokens() {
    let provider = provider();
    let sidecar = Sidecar::before(provider.address);
    let message = json!([{ "role": "user", "content": "hello" }]);
    for (nth, coding) in ["gzip", "br", "zstd"].into_iter().enumerate() {
        for streamed in [false, true] {
            let body = json!({
                "model": "gpt-4o-mini", "messages": message, "stream": streamed, "temperature": 1,
                "stream_options": { "include_usage": true },
            });
            let headers = [("content-type", "application/json"), ("accept-encoding", coding)];
            let path = "/v1/chat/completions";
            let answer =
                sidecar.client().send(Method::POST, path, &headers, body.to_string()).await;
            assert_eq!(answer.header("content-encoding"), coding);
        }
        until("both calls are booked", || async {
            calls(&ledger(&sidecar).await) == 2 * (nth as u64 + 1)
        })
        .await;
    }
    assert_eq!(ledger(&sidecar).await["gpt-4o-mini"].1, invoice(&provider).await["gpt-4o-mini"].1);
}

#[tokio::test]
async fn a_model_without_a_price_says_so_and_is_not_guessed() {
    let provider = provider();
    let sidecar = before(&provider, PRICES);
    sidecar.client().right(&Ask { model: "text-embedding-9".into(), ..Ask::of(["a"]) }).await;
    // A stream without its usage.
    let messages = json!([{ "role": "user", "content": "a" }]);
    let body =
        json!({ "model": "gpt-4o-mini", "messages": messages, "stream": true, "temperature": 1 });
    sidecar.client().chat(&body).await;
    let account = |stats: &Value, model: &str| {
        let accounts = stats["accounts"].as_array().unwrap().clone();
        accounts.into_iter().find(|account| account["model"] == model).unwrap()
    };
    let stats = stats(&sidecar).await;
    let unpriced = |model: &str| account(&stats, model)["calls"]["unpriced"].clone();
    assert_eq!(unpriced("text-embedding-9"), json!({ "price": 1, "usage": 0 }));
    assert_eq!(unpriced("gpt-4o-mini"), json!({ "price": 0, "usage": 1 }));
    assert_eq!(account(&stats, "text-embedding-9")["dollars"], Value::Null);
    let metric = |labels: &'static str| sidecar.metric("larder_unpriced_calls_total", labels);
    assert!((metric("reason=\"price\"").await - 1.0).abs() < 1e-9);
    assert!((metric("reason=\"usage\"").await - 1.0).abs() < 1e-9);
}

#[tokio::test]
async fn a_deployment_is_priced_by_the_model_that_its_responses_name() {
    let provider = provider();
    let sidecar = before(&provider, "[openai]\n\"gpt-4o-mini\" = { input = 1, output = 1 }\n");
    let messages = json!([{ "role": "user", "content": "a" }]);
    for model in ["gpt-4o-mini-2024-07-18", "openai/gpt-4o-mini"] {
        let body = json!({ "model": model, "messages": messages, "temperature": 0 });
        sidecar.client().chat(&body).await;
        sidecar.client().chat(&body).await;
    }
    for account in stats(&sidecar).await["accounts"].as_array().unwrap() {
        let dollars = &account["dollars"];
        assert!(dollars["billed"].as_f64().unwrap() > 0.0, "{account}");
        assert_eq!(dollars["billed"], dollars["avoided"], "a hit saves what the call cost");
    }
}

/// Calls whose responses were of no use were not on the ledger, although the provider bills them.
#[tokio::test]
async fn a_response_that_cannot_be_used_is_billed_all_the_same() {
    let usage = json!({ "prompt_tokens": 7, "total_tokens": 7 });
    let body = json!({ "object": "list", "data": [], "model": "m", "usage": usage });
    let provider = Scripted::start(move |_| {
        let body = body.clone();
        async move { Some(reply(200, &body)) }
    });
    let sidecar = Sidecar::before(provider.address);
    sidecar.client().embed(&Ask::of(["a"])).await;
    let billed = sidecar.metric("larder_tokens_total", "type=\"input\"").await;
    let calls = u32::try_from(provider.calls().len()).unwrap();
    assert!((billed - 7.0 * f64::from(calls)).abs() < 1e-9, "{billed} in {calls} calls");
}
