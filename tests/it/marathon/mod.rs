//! Long runs before a provider that fails in every way at once: no wrong vector, nobody's credential
//! with another's input, no error that the provider's faults do not explain, and everything given back
//! at the end. Short here; `LARDER_MARATHON_REQUESTS` and `LARDER_CHAOS_SECONDS` make them long.

mod chaos;
mod crowd;
mod faulty;
mod soak;

use std::collections::BTreeMap;
use std::env;

use crate::harness::{Answer, Ask, Chance, Sidecar};
use faulty::Faulty;

/// A number that the environment may set.
fn setting(name: &str, usual: u64) -> u64 {
    env::var(name).map_or(usual, |text| text.parse().unwrap())
}

/// A question of one of so many credentials, a third of them asked before.
fn question(chance: &mut Chance, credentials: u64, texts: u64) -> Ask {
    let credential = format!("k{}", chance.below(credentials));
    let text = |chance: &mut Chance| format!("{credential} {:06}", chance.below(texts));
    let count = 1 + chance.below(6);
    let ask = Ask::of((0..count).map(|_| text(chance)).collect::<Vec<_>>());
    let ask = ask.header("authorization", &format!("Bearer {credential}"));
    let ask = ask.header("x-stainless-read-timeout", "20");
    if chance.below(2) == 0 { ask.base64() } else { ask }
}

/// What came of many questions.
#[derive(Debug, Default)]
struct Tally {
    right: u64,
    /// Errors by status and by larder's own word.
    errors: BTreeMap<(u16, String), u64>,
}

impl Tally {
    /// Holds an answer against the right one. A wrong vector ends the test.
    fn take(&mut self, ask: &Ask, answer: &Answer) {
        // A request that went alone gets what it would have got without larder, and nothing is kept of it.
        let is_passed_on = !answer.header("x-fault").is_empty();
        if is_passed_on {
            assert!(!answer.header("cache-status").contains("stored"), "{answer:?}");
        } else if answer.status == 200 {
            ask.check(answer);
            self.right += 1;
            return;
        }
        let word = answer.header("x-larder-error").to_owned();
        let told = serde_json::from_slice::<serde_json::Value>(&answer.body).is_ok();
        assert!(told || is_passed_on, "an error that nobody can read: {answer:?}");
        *self.errors.entry((answer.status, word)).or_default() += 1;
    }

    fn add(&mut self, other: Self) {
        self.right += other.right;
        for (error, count) in other.errors {
            *self.errors.entry(error).or_default() += count;
        }
    }

    fn wrong(&self) -> u64 {
        self.errors.values().sum()
    }

    /// Every error is one that a fault of this provider explains.
    fn is_explained(&self) {
        const OWN: [&str; 6] = [
            "upstream_unreachable",
            "upstream_invalid",
            "upstream_timeout",
            "circuit_open",
            "rate_limited",
            "overloaded",
        ];
        let explained = |(status, word): &(u16, String)| {
            // Without a word of larder's they are the provider's own.
            OWN.contains(&word.as_str())
                || word.is_empty() && matches!(status, 200 | 429 | 500 | 503)
        };
        let odd: Vec<_> = self.errors.keys().filter(|error| !explained(error)).collect();
        assert!(odd.is_empty(), "{odd:?} in {self:?}");
    }
}

/// Everything that was taken is given back.
async fn all_is_given_back(sidecar: &Sidecar, provider: &Faulty) {
    for name in [
        "larder_flights",
        "larder_requests_in_flight",
        "larder_upstream_waiting_calls",
        "larder_batch_queued_inputs",
        "larder_chat_streams",
    ] {
        sidecar.until(name, 0.0).await;
    }
    crate::harness::until("no call is under way", || async {
        sidecar.metric("larder_upstream_connections", "state=\"active\"").await < 0.5
    })
    .await;
    assert_eq!(provider.mixed(), 0, "credentials mixed in one call");
    assert!(sidecar.metric("larder_panics_total", "").await < 0.5);
}
