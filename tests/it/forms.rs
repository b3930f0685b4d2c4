//! Numbers and base64 of one model: each client gets what the provider gives in its form, to the last bit, also
//! where the two forms are not of the same numbers.

use base64_simd::STANDARD;
use serde_json::{Value, json};

use crate::harness::{
    Answer, Aside, Ask, Asked, DIMENSIONS, Gate, In, Say, Scripted, Sidecar, all, json as reply,
    path, texts,
};

/// The way in which a provider gives the numbers of a vector.
#[derive(Clone, Copy)]
struct Form {
    numbers: fn(f64) -> f64,
    base64: fn(&[f64]) -> Vec<u8>,
}

#[expect(clippy::cast_possible_truncation, reason = "a 32-bit float is wanted")]
fn narrow(number: f64) -> f32 {
    number as f32
}

fn f32s(numbers: &[f64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| narrow(*number).to_le_bytes()).collect()
}

fn f64s(numbers: &[f64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// A provider that prints 17 digits of its 32-bit floats.
const WIDENED: Form = Form { numbers: |number| f64::from(narrow(number)), base64: f32s };

/// A provider whose numbers are 64-bit floats.
const DOUBLES: Form = Form { numbers: |number| number, base64: f32s };

/// A provider whose base64 is of 64-bit floats, and whose numbers are right.
const WIDE_BASE64: Form = Form {
    numbers: |number| narrow(number).to_string().parse().unwrap(),
    base64: |numbers| f64s(&numbers.iter().map(|n| f64::from(narrow(*n))).collect::<Vec<_>>()),
};

/// A provider whose base64 is of the numbers times 1.01.
const SCALED: Form = Form {
    numbers: |number| narrow(number).to_string().parse().unwrap(),
    base64: |numbers| f32s(&numbers.iter().map(|number| number * 1.01).collect::<Vec<_>>()),
};

/// A provider that rounds its numbers to six decimals for printing.
const ROUNDED: Form =
    Form { numbers: |number| format!("{number:.6}").parse().unwrap(), base64: f32s };

/// The provider's own 64-bit numbers for a text.
fn exact(input: &In) -> Vec<f64> {
    let seed = input
        .json()
        .to_string()
        .bytes()
        .fold(7_u64, |seed, byte| (seed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let number = |at: usize| {
        let bits = seed.wrapping_mul(2 * at as u64 + 1).rotate_left(31);
        f64::from(u32::try_from(bits >> 33).unwrap()) / 2_147_483_648.0 + 1e-11
    };
    (0..DIMENSIONS).map(number).collect()
}

impl Form {
    fn embedding(self, input: &In, is_base64: bool) -> Value {
        let exact = exact(input);
        if is_base64 {
            return json!(STANDARD.encode_to_string((self.base64)(&exact)));
        }
        exact.into_iter().map(self.numbers).collect()
    }

    fn respond(self, asked: &Asked) -> Say {
        let is_base64 = asked.json()["encoding_format"] == "base64";
        let inputs = asked.inputs();
        let item = |(index, input): (usize, &In)| {
            let embedding = self.embedding(input, is_base64);
            json!({ "object": "embedding", "index": index, "embedding": embedding })
        };
        let data: Vec<Value> = inputs.iter().enumerate().map(item).collect();
        let usage = json!({ "prompt_tokens": inputs.len(), "total_tokens": inputs.len() });
        let model = asked.json()["model"].clone();
        let body = json!({ "object": "list", "data": data, "model": model, "usage": usage });
        Some(reply(200, &body))
    }

    fn provider(self) -> Scripted {
        Scripted::start(move |asked| async move {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            self.respond(&asked)
        })
    }

    /// Compares a response with the provider's, bit for bit.
    fn is_right(self, ask: &Ask, answer: &Answer) {
        assert_eq!(answer.status, 200, "{answer:?}");
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        for (at, input) in ask.inputs.iter().enumerate() {
            let (got, right) = (&body["data"][at]["embedding"], self.embedding(input, ask.base64));
            assert!(same(got, &right), "{ask:?}: {got} where {right} is right");
        }
    }
}

fn same(got: &Value, right: &Value) -> bool {
    match (got.as_array(), right.as_array()) {
        (Some(got), Some(right)) => {
            let bits = |number: &Value| number.as_f64().map(f64::to_bits);
            got.iter().map(bits).eq(right.iter().map(bits))
        }
        _ => got == right,
    }
}

async fn right(form: Form, sidecar: &Sidecar, ask: Ask) -> Answer {
    let answer = sidecar.client().embed(&ask).await;
    form.is_right(&ask, &answer);
    answer
}

#[tokio::test]
async fn the_first_numbers_after_base64_are_the_providers_to_the_last_bit() {
    for form in [WIDENED, DOUBLES] {
        let provider = form.provider();
        let sidecar = Sidecar::before(provider.address);
        let ask = Ask::of(texts("both", 3));
        right(form, &sidecar, ask.clone().base64()).await;
        right(form, &sidecar, ask.clone()).await;
        right(form, &sidecar, ask.clone()).await;
        right(form, &sidecar, ask.clone().base64()).await;
        assert_eq!(provider.calls().len(), 2, "one call for each form");
        // With the printing known.
        let later = Ask::of(texts("late", 3));
        right(form, &sidecar, later.clone().base64()).await;
        right(form, &sidecar, later.clone()).await;
        right(form, &sidecar, Ask::of(texts("late", 4))).await;
    }
}

#[tokio::test]
async fn a_vector_that_another_request_gets_as_base64_is_not_printed_by_guess() {
    for form in [WIDENED, DOUBLES] {
        let provider = form.provider();
        let sidecar = Sidecar::before(provider.address);
        let asking = (0..20).map(|n| {
            let client = sidecar.client();
            let ask = Ask::of(["the same text"]);
            let ask = if n % 2 == 0 { ask.base64() } else { ask };
            async move { (ask.clone(), client.embed(&ask).await) }
        });
        for (ask, answer) in all(asking.collect::<Vec<_>>()).await {
            form.is_right(&ask, &answer);
        }
    }
}

#[tokio::test]
async fn base64_of_64_bit_floats_is_given_to_no_client_that_wants_numbers() {
    let form = WIDE_BASE64;
    let provider = form.provider();
    let cache = path("forms");
    let config = format!("[disk]\ndir = {cache:?}\n[providers.openai]\nmax_inputs = 4\n");
    let mut sidecar = Sidecar::with(provider.address, &config);
    let ask = Ask::of(texts("a", 3));
    right(form, &sidecar, ask.clone().base64()).await;
    for _ in 0..2 {
        right(form, &sidecar, ask.clone()).await;
        right(form, &sidecar, Ask::of(texts("b", 3))).await;
        right(form, &sidecar, Ask::of(texts("b", 3)).base64()).await;
        right(form, &sidecar, Ask::of(texts("c", 10)).base64()).await;
        right(form, &sidecar, Ask::of(texts("c", 11))).await;
    }
    let said = "base64 of this model is not of the 32-bit floats";
    assert_eq!(sidecar.log().matches(said).count(), 1, "{}", sidecar.log());
    sidecar.signal("TERM");
    sidecar.ended().await;
    let sidecar = Sidecar::with(provider.address, &config);
    right(form, &sidecar, Ask::of(texts("c", 10))).await;
    right(form, &sidecar, ask).await;
    drop(std::fs::remove_dir_all(cache));
}

#[tokio::test]
async fn larder_asks_for_no_base64_of_its_own_before_a_vector_came_both_ways() {
    for form in [WIDE_BASE64, WIDENED] {
        let provider = form.provider();
        let config = "[providers.openai]\nmax_inputs = 4\n";
        let sidecar = Sidecar::with(provider.address, config);
        for name in ["first", "second", "third"] {
            right(form, &sidecar, Ask::of(texts(name, 10))).await;
        }
        let asked_base64 = |call: &Asked| call.json()["encoding_format"] == "base64";
        assert!(!provider.calls().iter().any(asked_base64));
        // The same text both ways.
        let both = Ask::of(["both"]).header("cache-control", "no-cache");
        right(form, &sidecar, both.clone().base64()).await;
        right(form, &sidecar, both).await;
        let before = provider.calls().len();
        right(form, &sidecar, Ask::of(texts("fourth", 10))).await;
        let is_used = provider.calls_after(before).iter().all(asked_base64);
        let is_f32 = std::ptr::fn_addr_eq(form.base64, WIDENED.base64);
        assert_eq!(is_used, is_f32, "base64 is asked for where it was proven");
    }
}

#[tokio::test]
async fn base64_where_numbers_were_requested_costs_one_call() {
    let provider = Scripted::start(|asked| async move {
        let mut body = asked.json();
        body["encoding_format"] = json!("base64");
        let asked = Asked { body: body.to_string().into(), ..asked };
        WIDE_BASE64.respond(&asked)
    });
    let sidecar = Sidecar::before(provider.address);
    for _ in 0..2 {
        let answer = sidecar.client().embed(&Ask::of(["numbers, please"])).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert_eq!(provider.calls().len(), 1);
}

#[tokio::test]
async fn base64_that_is_near_the_numbers_was_taken_for_them() {
    for (name, form) in [("scaled", SCALED), ("rounded", ROUNDED)] {
        let provider = form.provider();
        let sidecar = Sidecar::before(provider.address);
        right(form, &sidecar, Ask::of(["numbers first"])).await;
        // A vector that comes both ways: nearly the same.
        right(form, &sidecar, Ask::of(["both"]).base64()).await;
        right(form, &sidecar, Ask::of(["both"])).await;
        for round in 0..3 {
            let asks =
                texts(&format!("{name} {round}"), 16).into_iter().map(|text| Ask::of([text]));
            for (ask, answer) in side_by_side(&sidecar, asks).await {
                form.is_right(&ask, &answer);
            }
        }
    }
}

#[tokio::test]
async fn base64_clients_got_32_bit_floats_before_a_vector_came_both_ways() {
    for form in [WIDE_BASE64, SCALED, WIDENED] {
        let provider = form.provider();
        let config = "[providers.openai]\nmax_connections = 1\n";
        let sidecar = Sidecar::with(provider.address, config);
        // Some of each form in every call that is merged.
        for round in 0..3 {
            for (ask, answer) in side_by_side(&sidecar, of_both_forms(round)).await {
                form.is_right(&ask, &answer);
            }
        }
        let both = Ask::of(["both"]);
        for ask in [both.clone(), both.clone().base64(), both.clone(), both.base64()] {
            right(form, &sidecar, ask).await;
        }
    }
}

#[tokio::test]
async fn one_call_for_base64_proves_the_entries_that_came_as_numbers() {
    let provider = WIDENED.provider();
    let sidecar = Sidecar::before(provider.address);
    for n in 0..5 {
        right(WIDENED, &sidecar, Ask::of(texts("few", n + 1))).await;
    }
    let before = provider.calls().len();
    for n in 0..5 {
        right(WIDENED, &sidecar, Ask::of(texts("few", n + 1)).base64()).await;
    }
    assert_eq!(provider.calls_after(before).len(), 1);
}

#[tokio::test]
async fn a_proof_outlives_a_restart_in_the_entries_that_were_stored_after_it() {
    let provider = WIDENED.provider();
    let cache = path("proof");
    let config = format!("[disk]\ndir = {cache:?}\n");
    let mut sidecar = Sidecar::with(provider.address, &config);
    let both = Ask::of(["both"]);
    right(WIDENED, &sidecar, both.clone()).await;
    right(WIDENED, &sidecar, both.base64()).await;
    let (numbers, base64) = (Ask::of(texts("numbers", 3)), Ask::of(texts("base64", 3)).base64());
    right(WIDENED, &sidecar, numbers.clone()).await;
    right(WIDENED, &sidecar, base64.clone()).await;
    sidecar.signal("TERM");
    sidecar.ended().await;
    let sidecar = Sidecar::with(provider.address, &config);
    let before = provider.calls().len();
    right(WIDENED, &sidecar, numbers.base64()).await;
    right(WIDENED, &sidecar, base64).await;
    assert_eq!(provider.calls_after(before).len(), 0);
    drop(std::fs::remove_dir_all(cache));
}

#[tokio::test]
async fn a_provider_without_base64_is_asked_for_it_once() {
    let provider = Scripted::start(|asked| async move {
        let mut body = asked.json();
        body["encoding_format"] = json!("float");
        let asked = Asked { body: body.to_string().into(), ..asked };
        WIDENED.respond(&asked)
    });
    let sidecar = Sidecar::before(provider.address);
    let client = sidecar.client();
    client.embed(&Ask::of(["numbers"])).await;
    for _ in 0..3 {
        for text in ["numbers", "base64"] {
            let answer = client.embed(&Ask::of([text]).base64()).await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }
    assert_eq!(provider.calls().len(), 3, "one for each text, and one for base64");
}

/// Requests of one input each, half of them for base64.
fn of_both_forms(round: usize) -> impl Iterator<Item = Ask> {
    texts(&format!("round {round}"), 16).into_iter().enumerate().map(|(n, text)| {
        let ask = Ask::of([text]);
        if n % 2 == 0 { ask.base64() } else { ask }
    })
}

async fn side_by_side(sidecar: &Sidecar, asks: impl Iterator<Item = Ask>) -> Vec<(Ask, Answer)> {
    let asking = asks.map(|ask| {
        let client = sidecar.client();
        async move { (ask.clone(), client.embed(&ask).await) }
    });
    all(asking.collect::<Vec<_>>()).await
}

#[tokio::test]
async fn an_input_that_is_asked_for_after_all_counts_as_a_miss() {
    let gate = Gate::closed();
    let provider = Scripted::behind(&gate);
    let sidecar = Sidecar::before(provider.address);
    let ask = Ask::of(["joined"]);
    let first = Aside::start({
        let (client, ask) = (sidecar.client(), ask.clone().base64());
        async move { client.right(&ask).await }
    });
    provider.called(1).await;
    let second = Aside::start({
        let (client, ask) = (sidecar.client(), ask.clone());
        async move { client.right(&ask).await }
    });
    sidecar.until("larder_cache_lookups_total", 2.0).await;
    gate.open();
    first.done().await;
    // Base64 of a model without a proof serves no client that wants numbers.
    assert_eq!(second.done().await.header("x-larder-items"), "hit=0, collapsed=0, miss=1");
    assert_eq!(provider.calls().len(), 2);
}
