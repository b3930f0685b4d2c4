//! A provider that fails in every way, so often.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use serde_json::{Value, json};

use crate::harness::{Asked, Chance, In, Say, Scripted, answer, json as reply};

/// What may go wrong with a call.
const FAULTS: [&str; 11] = [
    "reset",
    "500",
    "503",
    "429",
    "cut",
    "one too few",
    "one too many",
    "twice",
    "other length",
    "not finite",
    "a page",
];

/// What a faulty provider counts.
#[derive(Debug, Default)]
struct Counts {
    mixed: AtomicU64,
    faults: Mutex<BTreeMap<&'static str, u64>>,
}

/// The provider.
#[derive(Debug)]
pub(super) struct Faulty {
    provider: Scripted,
    counts: Arc<Counts>,
}

impl Faulty {
    /// Of a thousand calls so many go wrong, and each takes up to so long.
    pub(super) fn start(per_mille: u64, slowest: Duration) -> Self {
        let counts = Arc::new(Counts::default());
        let (counting, chance) = (Arc::clone(&counts), Arc::new(Mutex::new(Chance::new())));
        let provider = Scripted::start(move |asked| {
            let (wait, fault, at) = {
                let mut chance = chance.lock().unwrap();
                let wait = chance.below(u64::try_from(slowest.as_micros()).unwrap() + 1);
                let fails = chance.below(1_000) < per_mille;
                let fault = fails.then(|| FAULTS[chance.index(FAULTS.len())]);
                (Duration::from_micros(wait), fault, chance.below(1_000))
            };
            counting.look_at(&asked, fault);
            async move {
                tokio::time::sleep(wait).await;
                let mut said = say(&asked, fault, usize::try_from(at).unwrap());
                if let (Some(said), Some(fault)) = (&mut said, fault) {
                    said.headers_mut().insert("x-fault", fault.parse().unwrap());
                }
                said
            }
        });
        Self { provider, counts }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.provider.address
    }

    /// Inputs that came with a credential that is not theirs.
    pub(super) fn mixed(&self) -> u64 {
        self.counts.mixed.load(Ordering::Relaxed)
    }

    /// How often what went wrong.
    pub(super) fn faults(&self) -> BTreeMap<&'static str, u64> {
        self.counts.faults.lock().unwrap().clone()
    }
}

impl Counts {
    fn look_at(&self, asked: &Asked, fault: Option<&'static str>) {
        let credential = asked.credential();
        let owner = format!("{} ", credential.strip_prefix("Bearer ").unwrap_or_default());
        let is_anothers = |input: &In| !matches!(input, In::Text(text) if text.starts_with(&owner));
        if asked.inputs().iter().any(is_anothers) {
            self.mixed.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(fault) = fault {
            *self.faults.lock().unwrap().entry(fault).or_default() += 1;
        }
    }
}

/// The answer, with its fault; a good one often has its items in another order.
fn say(asked: &Asked, fault: Option<&'static str>, at: usize) -> Say {
    let mut good = answer(asked);
    let data = good["data"].as_array_mut()?;
    let at = at % data.len();
    match fault {
        None => data.rotate_left(at),
        Some("reset") => return None,
        Some("500") => return Some(reply(500, &json!({ "error": { "message": "no" } }))),
        Some("503") => return Some(reply(503, &json!({ "error": { "message": "later" } }))),
        Some("429") => {
            let mut say = reply(429, &json!({ "error": { "message": "slow down" } }));
            say.headers_mut().insert("retry-after-ms", 20.into());
            return Some(say);
        }
        Some("cut") => {
            let whole = good.to_string();
            return Some(raw("application/json", &whole[..whole.len() - 1 - at]));
        }
        Some("one too few") => drop(data.remove(at)),
        Some("one too many") => data.push(data[at].clone()),
        Some("twice") => data[0]["index"] = json!(data.len()),
        Some("other length") => drop(data[at]["embedding"].take()),
        Some("not finite") => {
            let whole =
                good.to_string().replace("\"embedding\":", "\"embedding\":[1e999],\"was\":");
            return Some(raw("application/json", &whole));
        }
        Some(_) => return Some(raw("text/html", "<html>busy</html>")),
    }
    Some(reply(200, &good))
}

fn raw(media_type: &str, body: &str) -> Response<Full<Bytes>> {
    let response = Response::builder().header("content-type", media_type);
    response.body(Full::new(body.to_owned().into())).unwrap()
}

/// What a good answer is, for whoever wants to see that the faults are none.
#[test]
fn every_fault_is_one() {
    let body = json!({ "model": "m", "input": ["k0 a", "k0 b"] }).to_string();
    let asked = Asked {
        method: http::Method::POST,
        path: "/v1/embeddings".to_owned(),
        headers: http::HeaderMap::new(),
        body: body.into(),
        number: 0,
    };
    let good: Value = answer(&asked);
    for fault in FAULTS {
        let said = say(&asked, Some(fault), 1);
        let is_good = said.is_some_and(|said| format!("{said:?}").contains(&good.to_string()));
        assert!(!is_good, "{fault}");
    }
}
