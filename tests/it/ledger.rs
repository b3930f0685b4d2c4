//! The numbers agree: what clients are told, the metrics, the ledger, and what the provider counted itself.

use serde_json::{Value, json};

use crate::harness::{Answer, Ask, Chance, Client, Sidecar, Simulated, all};

/// What clients were told.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Told {
    requests: u64,
    hit: u64,
    collapsed: u64,
    miss: u64,
    tokens: u64,
}

impl Told {
    fn embedded(&mut self, answer: &Answer) {
        for item in answer.header("x-larder-items").split(", ") {
            let (name, count) = item.split_once('=').unwrap();
            let count: u64 = count.parse().unwrap();
            match name {
                "hit" => self.hit += count,
                "collapsed" => self.collapsed += count,
                "miss" => self.miss += count,
                _ => panic!("{item}"),
            }
        }
        self.took(answer, "prompt_tokens");
    }

    fn chatted(&mut self, answer: &Answer) {
        let status = answer.header("cache-status");
        if status.starts_with("larder; hit") {
            self.hit += 1;
        } else if status.ends_with("collapsed") {
            self.collapsed += 1;
        } else {
            self.miss += 1;
        }
        self.took(answer, "total_tokens");
    }

    fn took(&mut self, answer: &Answer, count: &str) {
        self.requests += 1;
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        self.tokens += body["usage"][count].as_u64().unwrap();
    }

    fn and(self, other: Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            hit: self.hit + other.hit,
            collapsed: self.collapsed + other.collapsed,
            miss: self.miss + other.miss,
            tokens: self.tokens + other.tokens,
        }
    }
}

/// One caller's mixed requests: what it was told of embeddings and of chats.
async fn ask(client: Client, mut chance: Chance, requests: usize) -> (Told, Told) {
    let (mut embed, mut chat) = (Told::default(), Told::default());
    for _ in 0..requests {
        if chance.below(10) == 0 {
            let content = format!("question {}", chance.below(60));
            let messages = json!([{ "role": "user", "content": content }]);
            let body = json!({ "model": "gpt-4o", "temperature": 0, "messages": messages });
            chat.chatted(&client.chat(&body).await);
            continue;
        }
        let inputs: Vec<String> =
            (0..=chance.below(6)).map(|_| format!("text {}", chance.below(3_000))).collect();
        let mut ask = Ask::of(inputs);
        if chance.below(2) == 0 {
            ask = ask.base64();
        }
        if chance.below(4) == 0 {
            "text-embedding-3-large".clone_into(&mut ask.model);
        }
        embed.embedded(&client.right(&ask).await);
    }
    (embed, chat)
}

#[tokio::test]
async fn over_twenty_thousand_requests_all_who_count_come_to_the_same() {
    const CALLERS: usize = 32;
    let provider = Simulated::instant();
    let sidecar = Sidecar::before(provider.address);
    let mut chance = Chance::new();
    let callers = (0..CALLERS).map(|_| ask(sidecar.client(), chance.another(), 20_000 / CALLERS));
    let told = all(callers.collect::<Vec<_>>()).await;
    let embed = told.iter().map(|(embed, _)| *embed).fold(Told::default(), Told::and);
    let chat = told.iter().map(|(_, chat)| *chat).fold(Told::default(), Told::and);
    let counted = provider.stats().await;
    assert_eq!(embed.requests + chat.requests, 20_000);
    assert!(embed.hit > 1_000 && embed.collapsed > 10 && chat.hit > 1_000, "{embed:?} {chat:?}");
    assert_eq!((counted.inputs, counted.chat_requests), (embed.miss, chat.miss));

    for (operation, told) in [("embed", embed), ("chat", chat)] {
        let label = format!("operation=\"{operation}\"");
        let requests = sidecar.metric("larder_requests_total", &label).await;
        assert_eq!(whole(requests), told.requests);
        let inputs = inputs(&sidecar, &label).await;
        assert_eq!(inputs, [told.hit, told.collapsed, told.miss], "{operation}");
        let billed = whole(sidecar.metric("larder_tokens_total", &label).await);
        let saved = whole(sidecar.metric("larder_tokens_saved_total", &label).await);
        assert_eq!(billed + saved, told.tokens, "{operation}");
    }
    let billed = whole(sidecar.metric("larder_tokens_total", "").await);
    assert_eq!(billed, counted.tokens);

    let stats: Value =
        serde_json::from_slice(&sidecar.admin().get("/api/stats").await.body).unwrap();
    let (totals, both) = (&stats["totals"], embed.and(chat));
    assert_eq!(totals["requests"], both.requests);
    let counts = json!({ "hit": both.hit, "collapsed": both.collapsed, "miss": both.miss });
    assert_eq!(totals["inputs"], counts);
    assert_eq!(totals["calls"]["made"], counted.requests);
    let calls = whole(sidecar.metric("larder_upstream_requests_total", "").await);
    assert_eq!(calls, counted.requests);
    let saved = whole(sidecar.metric("larder_upstream_calls_saved_total", "").await);
    let by = &totals["calls"]["saved"];
    let sum = ["hit", "collapsed", "batched"].map(|by_what| by[by_what].as_u64().unwrap());
    assert_eq!(sum.iter().sum::<u64>(), saved);
    let models = stats["accounts"].as_array().unwrap();
    assert_eq!(models.len(), 3, "{models:?}");
    let dollars = models.iter().map(|model| model["dollars"]["avoided"].as_f64().unwrap());
    let sum: f64 = dollars.sum();
    assert!((sum - totals["dollars"]["avoided"].as_f64().unwrap()).abs() < 1e-9 && sum > 0.0);
}

async fn inputs(sidecar: &Sidecar, label: &str) -> [u64; 3] {
    let mut inputs = [0; 3];
    for (count, result) in inputs.iter_mut().zip(["hit", "collapsed", "miss"]) {
        // Labels are printed in the order of their names.
        let text = sidecar.admin().get("/metrics").await.text();
        let series = text.lines().filter(|line| {
            line.starts_with("larder_inputs_total{")
                && line.contains(label)
                && line.contains(&format!("result=\"{result}\""))
        });
        let values = series.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap());
        *count = whole(values.sum());
    }
    inputs
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
fn whole(count: f64) -> u64 {
    count.round() as u64
}

#[tokio::test]
async fn ten_thousand_made_up_models_make_no_more_series_than_a_page_can_hold() {
    let provider = Simulated::instant();
    let sidecar = Sidecar::before(provider.address);
    let client = sidecar.client();
    let callers = (0..16).map(|caller| {
        let client = client.clone();
        async move {
            for number in 0..625 {
                let mut ask = Ask::of(["x"]);
                ask.model = format!("gpt-4o-{caller}-{number}");
                client.right(&ask).await;
            }
        }
    });
    all(callers.collect::<Vec<_>>()).await;
    let text = sidecar.admin().get("/metrics").await.text();
    let series = text.lines().filter(|line| !line.starts_with('#')).count();
    eprintln!("{series} series");
    assert!(series < 2_000, "{series}");
    assert!(text.contains("model=\"other\""));
}

#[tokio::test]
async fn what_relayed_answers_used_is_billed_too() {
    let provider = Simulated::instant();
    let anthropic = format!("[providers.anthropic]\nbase_url = \"http://{}\"\n", provider.address);
    let sidecar = Sidecar::with(provider.address, &anthropic);
    let client = sidecar.client();
    let messages = json!([{ "role": "user", "content": "\"prompt_tokens\": 7777" }]);
    for (path, body) in [
        (
            "/v1/chat/completions",
            json!({ "model": "gpt-4o", "temperature": 1, "messages": messages }),
        ),
        ("/v1/responses", json!({ "model": "gpt-4o", "input": "hello" })),
        (
            "/v1/chat/completions",
            json!({ "model": "gpt-4o", "stream": true, "messages": messages, "n": 2,
                    "stream_options": { "include_usage": true } }),
        ),
        (
            "/anthropic/v1/messages",
            json!({ "model": "claude-sonnet-5", "max_tokens": 9, "messages": messages }),
        ),
    ] {
        let headers = [("content-type", "application/json")];
        let answer = client.send(http::Method::POST, path, &headers, body.to_string()).await;
        assert!(answer.header("cache-status").contains("fwd=bypass"), "{path}: {answer:?}");
    }
    let billed = whole(sidecar.metric("larder_tokens_total", "operation=\"chat\"").await);
    assert_eq!(billed, provider.stats().await.tokens);
    assert!(billed > 0);
    assert!(sidecar.metric("larder_cost_dollars_total", "claude-sonnet-5").await > 0.0);
}

#[tokio::test]
async fn calls_and_tokens_have_the_names_of_opentelemetry_where_those_are_asked_for() {
    let provider = Simulated::instant();
    let without = Sidecar::before(provider.address);
    let with = Sidecar::with(provider.address, "[metrics]\ngen_ai = true\n");
    let chat = json!({ "model": "gpt-4o", "messages": [{ "role": "user", "content": "hello" }] });
    for sidecar in [&without, &with] {
        let client = sidecar.client();
        for texts in [["a", "b"], ["a", "b"], ["b", "c"]] {
            client.right(&Ask::of(texts)).await;
        }
        let headers = [("content-type", "application/json")];
        let path = "/v1/chat/completions";
        let answer = client.send(http::Method::POST, path, &headers, chat.to_string()).await;
        assert_eq!(answer.status, 200);
        client.send(http::Method::POST, path, &headers, "{}").await;
    }
    assert!(!without.admin().get("/metrics").await.text().contains("gen_ai_"));
    for (operation, name) in [("embed", "embeddings"), ("chat", "chat")] {
        let ours = format!("operation=\"{operation}\"");
        let theirs = format!("gen_ai_operation_name=\"{name}\",gen_ai_provider_name=\"openai\"");
        let billed = with.metric("larder_tokens_total", &ours).await;
        let used = with.metric("gen_ai_client_token_usage_sum", &theirs).await;
        assert!(billed > 0.0 && whole(billed) == whole(used), "{operation}: {billed} {used}");
        let calls = with.metric("larder_upstream_requests_total", &ours).await;
        let counted = with.metric("gen_ai_client_operation_duration_seconds_count", &theirs).await;
        assert!(counted > 0.0 && whole(calls) == whole(counted), "{operation}: {calls} {counted}");
    }
    let failed = with.metric("gen_ai_client_operation_duration_seconds_count", "caller_request");
    assert!(failed.await > 0.0);
}
