//! Odd answers: what cannot be trusted is passed to whoever asked for just that, never stored, and
//! never wrong for anybody else.

use base64_simd::STANDARD;
use serde_json::{Value, json as value};

use crate::harness::{Ask, Asked, Say, Scripted, Sidecar, answer, json, texts};
use crate::isolate::{Merged, raw};

type Odd = fn(&Asked) -> Say;

/// Answers that are not what was asked for.
const INVALID: &[(&str, Odd)] = &[
    ("fewer vectors", |asked| changed(asked, |body| drop(list(body).pop()))),
    ("more vectors", |asked| {
        changed(asked, |body| {
            let last = list(body)[0].clone();
            list(body).push(last);
        })
    }),
    ("an index twice", |asked| changed(asked, |body| body["data"][1]["index"] = value!(0))),
    ("an index beyond", |asked| changed(asked, |body| body["data"][1]["index"] = value!(99))),
    ("a null", |asked| changed(asked, |body| body["data"][0]["embedding"][0] = Value::Null)),
    ("no vector", |asked| changed(asked, |body| body["data"][0]["embedding"] = Value::Null)),
    ("beyond 32 bits", |asked| {
        changed(asked, |body| body["data"][0]["embedding"][0] = value!(1e39))
    }),
    ("bad base64", |asked| changed(asked, |body| body["data"][0]["embedding"] = value!("AAA="))),
    ("another length", |asked| {
        changed(asked, |body| body["data"][1]["embedding"] = value!([0.5, 0.25]))
    }),
    ("other dimensions than asked for", |asked| {
        changed(asked, |body| list(body).iter_mut().for_each(|i| i["embedding"] = value!([0.5])))
    }),
    ("not a number", |_| raw("application/json", "{\"data\":[{\"index\":0,\"embedding\":[NaN]}]}")),
    ("a page", |_| raw("text/html", "<html><body>502 Bad Gateway</body></html>")),
    ("nothing", |_| raw("application/json", "")),
    ("an error with 200", |_| raw("application/json", "{\"error\":{\"message\":\"oops\"}}")),
];

fn changed(asked: &Asked, change: impl Fn(&mut Value)) -> Say {
    let mut body = answer(asked);
    change(&mut body);
    Some(json(200, &body))
}

fn list(body: &mut Value) -> &mut Vec<Value> {
    body["data"].as_array_mut().unwrap()
}

/// Numbers, with dimensions asked for: every odd answer above is odd for this.
fn ask(name: &str) -> Ask {
    Ask::of(texts(name, 3)).dimensions(8)
}

#[tokio::test]
async fn a_lone_asker_gets_an_odd_answer_as_it_is_and_nobody_gets_it_again() {
    for (name, odd) in INVALID {
        let provider = Scripted::start(move |asked| async move { odd(&asked) });
        let sidecar = Sidecar::before(provider.address);
        let (client, direct) = (sidecar.client(), provider.client());
        let right = direct.embed(&ask("lone")).await;
        for call in 2..4 {
            let got = client.embed(&ask("lone")).await;
            assert_eq!((got.status, &got.body), (200, &right.body), "{name}");
            assert_eq!(got.header("content-type"), right.header("content-type"), "{name}");
            assert_eq!(provider.calls().len(), call, "{name}: it was stored");
        }
        assert!((sidecar.metric("larder_cache_entries", "").await).abs() < 0.5, "{name}");
    }
}

#[tokio::test]
async fn an_odd_answer_to_a_merged_call_is_wrong_for_nobody() {
    for (name, odd) in INVALID {
        let merged = Merged::answered(move |asked| {
            if asked.inputs().len() > 3 { odd(asked) } else { Some(json(200, &answer(asked))) }
        });
        let asks: Vec<Ask> = (0..4).map(|n| ask(&format!("{name} {n}"))).collect();
        let answers = merged.ask(&asks).await;
        assert_eq!(merged.provider.calls()[1].inputs().len(), 12, "{name}: one call for all");
        for (ask, answer) in asks.iter().zip(&answers) {
            ask.check(answer);
        }
    }
}

#[tokio::test]
async fn an_odd_answer_to_one_of_several_is_only_that_one_s() {
    for (name, odd) in INVALID {
        let merged = Merged::answered(move |asked| {
            if asked.holds("odd") { odd(asked) } else { Some(json(200, &answer(asked))) }
        });
        let asks = [ask("even 1"), ask("odd 1"), ask("even 2"), ask("odd 2")];
        let answers = merged.ask(&asks).await;
        for (n, (ask, answer)) in asks.iter().zip(&answers).enumerate() {
            if n % 2 == 0 {
                ask.check(answer);
            } else {
                assert_eq!(answer.status, 200, "{name}");
                merged.is_direct(ask, answer).await;
            }
        }
    }
}

#[tokio::test]
async fn vectors_go_by_their_index_in_whatever_order_they_come() {
    let provider =
        Scripted::start(|asked| async move { changed(&asked, |body| list(body).reverse()) });
    let sidecar = Sidecar::before(provider.address);
    let ask = ask("back to front");
    sidecar.client().right(&ask).await;
    sidecar.client().right(&ask).await;
    assert_eq!(provider.calls().len(), 1);
}

#[tokio::test]
async fn a_request_that_is_a_call_of_its_own_gets_the_provider_s_own_bytes() {
    let provider = Scripted::start(|asked| async move {
        let pretty = serde_json::to_vec_pretty(&answer(&asked)).unwrap();
        Some(json(200, &Value::Null).map(|_| pretty.into()))
    });
    let sidecar = Sidecar::before(provider.address);
    let (client, direct) = (sidecar.client(), provider.client());
    for ask in [ask("own"), Ask::scalar("one"), ask("text").base64()] {
        let own = client.right(&ask).await;
        assert_eq!(own.body, direct.embed(&ask).await.body);
        let kept = client.right(&ask).await;
        assert_eq!(kept.header("cache-status"), "larder; hit; detail=memory");
    }
    // Of these the provider was asked for other inputs than the request has.
    client.right(&Ask::of(["one", "two"])).await;
    client.right(&Ask::of(["three", "three"])).await;
}

#[tokio::test]
async fn what_was_asked_for_as_base64_and_came_as_numbers_is_given_as_base64() {
    let provider = Scripted::start(|asked| async move {
        changed(&asked, |body| {
            for item in list(body) {
                let bytes = STANDARD.decode_to_vec(item["embedding"].as_str().unwrap()).unwrap();
                let floats =
                    bytes.chunks(4).map(|four| f32::from_le_bytes(four.try_into().unwrap()));
                item["embedding"] = value!(floats.collect::<Vec<_>>());
            }
        })
    });
    let sidecar = Sidecar::before(provider.address);
    let ask = ask("text").base64();
    sidecar.client().right(&ask).await;
    sidecar.client().right(&ask).await;
    assert_eq!(provider.calls().len(), 1);
}

#[tokio::test]
async fn fields_that_nobody_knows_stay_in_every_answer() {
    let provider = Scripted::start(|asked| async move {
        changed(&asked, |body| {
            body["system_fingerprint"] = value!("fp-1");
            for item in list(body) {
                item["flavour"] = value!({ "a": [1, "x"] });
            }
        })
    });
    let sidecar = Sidecar::before(provider.address);
    for _ in 0..2 {
        let got = sidecar.client().right(&ask("more")).await;
        let body: Value = serde_json::from_slice(&got.body).unwrap();
        assert_eq!(body["system_fingerprint"], "fp-1");
        assert_eq!(body["data"][2]["flavour"], value!({ "a": [1, "x"] }));
    }
    assert_eq!(provider.calls().len(), 1);
}

#[tokio::test]
async fn an_answer_without_usage_stays_without() {
    let provider = Scripted::start(|asked| async move {
        changed(&asked, |body| drop(body.as_object_mut().unwrap().remove("usage")))
    });
    let sidecar = Sidecar::before(provider.address);
    let right = provider.client().embed(&ask("free")).await;
    let right: Value = serde_json::from_slice(&right.body).unwrap();
    for _ in 0..2 {
        let got = sidecar.client().embed(&ask("free")).await;
        assert_eq!(serde_json::from_slice::<Value>(&got.body).unwrap(), right);
    }
    assert_eq!(provider.calls().len(), 2);
}

#[tokio::test]
async fn an_answer_that_is_cut_short_is_an_error_and_not_stored() {
    let provider = Scripted::start(|asked| async move {
        if asked.number > 0 {
            return Some(json(200, &answer(&asked)));
        }
        let mut short = json(200, &answer(&asked));
        short.headers_mut().insert("content-length", 1_000_000.into());
        Some(short)
    });
    let sidecar = Sidecar::with(provider.address, "[providers.openai]\nretry_percent = 0\n");
    let got = sidecar.client().embed(&ask("short")).await;
    assert_eq!(got.status, 502, "{got:?}");
    sidecar.client().right(&ask("short")).await;
}

#[tokio::test]
async fn a_provider_that_prints_doubles_is_repeated_to_the_last_bit() {
    const NUMBERS: [f64; 3] = [0.123_456_789_012_345_67, -1e-7, 0.333_333_333_333_333_3];
    let provider = Scripted::start(|asked| async move {
        changed(&asked, |body| list(body).iter_mut().for_each(|i| i["embedding"] = value!(NUMBERS)))
    });
    let sidecar = Sidecar::before(provider.address);
    let ask = Ask::of(["double"]);
    for _ in 0..2 {
        let got = sidecar.client().embed(&ask).await;
        let body: Value = serde_json::from_slice(&got.body).unwrap();
        let got: Vec<f64> = serde_json::from_value(body["data"][0]["embedding"].clone()).unwrap();
        assert_eq!(got.map_bits(), NUMBERS.map(f64::to_bits));
    }
    assert_eq!(provider.calls().len(), 1);
}

trait Bits {
    fn map_bits(&self) -> Vec<u64>;
}

impl Bits for Vec<f64> {
    fn map_bits(&self) -> Vec<u64> {
        self.iter().map(|number| number.to_bits()).collect()
    }
}
