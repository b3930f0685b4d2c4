//! Whatever requests meet, in whatever order, with whatever faults: who is answered gets exactly
//! what it alone would have got, and every error has its reason.

use std::collections::{BTreeMap, HashSet};
use std::env;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json as value;
use tokio::runtime::Runtime;
use tokio::time::{sleep, timeout};

use crate::harness::{Answer, Ask, Asked, Client, In, Say, Scripted, Sidecar, all, answer, json};

const CALLERS: usize = 40;
const CASES: u32 = 240;

/// What the provider does wrong, in percent of its calls.
#[derive(Debug, Clone, Copy, Default)]
struct Faults {
    errors: u64,
    cuts: u64,
}

#[derive(Debug, Clone)]
struct Caller {
    inputs: Vec<u8>,
    tokens: bool,
    base64: bool,
    credential: u8,
    dimensions: Option<usize>,
    directive: Option<&'static str>,
    starts_after: u64,
    leaves_after: Option<u64>,
}

fn caller() -> impl Strategy<Value = Caller> {
    let directive = prop_oneof![
        12 => Just(None),
        1 => Just(Some("no-cache")),
        1 => Just(Some("no-store")),
        1 => Just(Some("only-if-cached")),
        1 => Just(Some("max-age=0")),
    ];
    (
        // 0 is blank, 1 is poison, and both are rare.
        prop::collection::vec(prop_oneof![1 => 0u8..2, 30 => 2u8..14], 1..6),
        prop::bool::weighted(0.2),
        any::<bool>(),
        0u8..2,
        prop_oneof![Just(None), Just(Some(4)), Just(Some(8))],
        directive,
        0u64..12,
        prop::option::weighted(0.15, 0u64..8),
    )
        .prop_map(
            |(inputs, tokens, base64, credential, dimensions, directive, start, leave)| Caller {
                inputs,
                tokens,
                base64,
                credential,
                dimensions,
                directive,
                starts_after: start,
                leaves_after: leave,
            },
        )
}

fn faults() -> impl Strategy<Value = Faults> {
    prop_oneof![
        3 => Just(Faults::default()),
        1 => Just(Faults { errors: 20, cuts: 0 }),
        1 => Just(Faults { errors: 0, cuts: 20 }),
        1 => Just(Faults { errors: 30, cuts: 30 }),
    ]
}

impl Caller {
    /// Texts are all of one length, so that a count of tokens is shared out exactly. The even ones
    /// belong to one credential; the odd ones are asked for by both.
    fn input(&self, letter: u8) -> In {
        match letter {
            0 => In::Text(" ".to_owned()),
            1 => In::Text("__poison__..".to_owned()),
            _ if self.tokens => {
                In::Tokens((0..=u64::from(letter) % 3).map(|n| n + u64::from(letter)).collect())
            }
            even if even % 2 == 0 => In::Text(format!("key-{} {even:06}", self.credential)),
            odd => In::Text(format!("anyone {odd:05}")),
        }
    }

    fn ask(&self, model: &str) -> Ask {
        let letters = self.inputs.iter().filter(|letter| !self.tokens || **letter > 1);
        let mut inputs: Vec<In> = letters.map(|letter| self.input(*letter)).collect();
        if inputs.is_empty() {
            inputs.push(self.input(2));
        }
        let mut ask = Ask { model: model.to_owned(), base64: self.base64, ..Ask::inputs(inputs) };
        ask.dimensions = self.dimensions;
        let ask = ask.header("authorization", &format!("Bearer key-{}", self.credential));
        match self.directive {
            Some(directive) => ask.header("cache-control", directive),
            None => ask,
        }
    }

    async fn run(self, client: Client, model: String) -> (Ask, Option<Answer>) {
        let ask = self.ask(&model);
        sleep(Duration::from_millis(self.starts_after)).await;
        let answer = match self.leaves_after {
            Some(time) => timeout(Duration::from_millis(time), client.embed(&ask)).await.ok(),
            None => Some(client.embed(&ask).await),
        };
        (ask, answer)
    }
}

/// What a provider says to one call: a pure function of its number and the faults.
fn say(asked: &Asked, faults: Faults) -> Say {
    if asked.holds("__poison__") {
        return Some(json(400, &value!({ "error": { "message": "poison", "code": null } })));
    }
    let draw = (asked.number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    if draw % 100 < faults.errors {
        return Some(json(500, &value!({ "error": { "message": "fault", "code": null } })));
    }
    if draw / 100 % 100 < faults.cuts {
        return None;
    }
    Some(json(200, &answer(asked)))
}

/// Inputs that the provider was asked for, with the credential and the dimensions.
type Seen = HashSet<(String, Option<usize>, In)>;

/// One sidecar before one provider, for all cases.
struct World {
    runtime: Runtime,
    sidecar: Sidecar,
    provider: Scripted,
    faults: Arc<Mutex<Faults>>,
    /// How callers fared, to see that the cases are worth something.
    fates: Mutex<BTreeMap<String, u32>>,
    judged: Mutex<usize>,
    case: Mutex<u32>,
}

impl World {
    fn new() -> Self {
        let faults = Arc::new(Mutex::new(Faults::default()));
        let now = Arc::clone(&faults);
        let provider = Scripted::start(move |asked| {
            let faults = *now.lock().unwrap();
            async move {
                sleep(Duration::from_millis(asked.number as u64 % 4)).await;
                say(&asked, faults)
            }
        });
        let config = "[providers.openai]\nmax_connections = 4\nbatch_gap = \"2ms\"\n";
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self {
            sidecar: Sidecar::with(provider.address, config),
            runtime,
            provider,
            faults,
            fates: Mutex::default(),
            judged: Mutex::new(0),
            case: Mutex::new(0),
        }
    }

    fn run(&self, callers: Vec<Caller>, faults: Faults) -> Result<(), TestCaseError> {
        *self.faults.lock().unwrap() = faults;
        let case = {
            let mut case = self.case.lock().unwrap();
            *case += 1;
            *case
        };
        let model = format!("model-{case}");
        let client = self.sidecar.client();
        let done = self.runtime.block_on(async {
            let work = callers.into_iter().map(|c| c.run(client.clone(), model.clone()));
            let done = all(work.collect::<Vec<_>>()).await;
            self.sidecar.until("larder_flights", 0.0).await;
            done
        });
        let seen = self.seen()?;
        for (ask, answer) in done {
            let Some(answer) = answer else {
                self.note("left");
                continue;
            };
            self.note(&format!("{} {}", answer.status, answer.header("x-larder-error")));
            judge(&ask, &answer, faults).map_err(|wrong| {
                TestCaseError::fail(format!("{wrong}\nasked: {ask:?}\ngot: {answer:?}"))
            })?;
            if answer.status == 200 {
                for input in &ask.inputs {
                    let key = (ask.headers[0].1.clone(), ask.dimensions, input.clone());
                    prop_assert!(seen.contains(&key), "asked for under another key: {key:?}");
                }
            }
        }
        Ok(())
    }

    /// What was asked for in this case, and that no call has what belongs to another credential.
    fn seen(&self) -> Result<Seen, TestCaseError> {
        let mut judged = self.judged.lock().unwrap();
        let calls = self.provider.calls_after(*judged);
        let mut seen = Seen::new();
        for call in &calls {
            let key = call.credential();
            let dimensions = call.json()["dimensions"].as_u64();
            let dimensions = dimensions.map(|n| usize::try_from(n).unwrap());
            for input in call.inputs() {
                if let In::Text(text) = &input
                    && text.starts_with("key-")
                {
                    prop_assert!(key == format!("Bearer {}", &text[..5]), "{text} with {key}");
                }
                seen.insert((key.clone(), dimensions, input));
            }
        }
        *judged += calls.len();
        Ok(seen)
    }

    fn note(&self, fate: &str) {
        *self.fates.lock().unwrap().entry(fate.trim().to_owned()).or_default() += 1;
    }
}

fn judge(ask: &Ask, answer: &Answer, faults: Faults) -> Result<(), String> {
    let poisoned = ask.inputs.contains(&In::Text("__poison__..".to_owned()));
    let directive = ask.headers.get(1).map_or("", |(_, value)| value.as_str());
    let own = |status, code| answer.is_own_error(status, code);
    let explained = match answer.status {
        200 if poisoned => false,
        200 => return ask.judge(answer),
        400 => poisoned && answer.text().contains("poison"),
        500 => faults.errors > 0 && answer.text().contains("fault"),
        502 => {
            faults.errors + faults.cuts > 0
                && (own(502, "upstream_unreachable") || own(502, "upstream_invalid"))
        }
        504 => directive == "only-if-cached" && own(504, "not_cached"),
        _ => false,
    };
    if explained { Ok(()) } else { Err(format!("no reason for {}", answer.status)) }
}

#[test]
fn everybody_gets_what_it_alone_would_have_got() {
    let cases = env::var("LARDER_PROPERTY_CASES").ok().and_then(|n| n.parse().ok());
    let config = Config {
        cases: cases.unwrap_or(CASES),
        // What is found depends on timing, and a smaller schedule is another one.
        max_shrink_iters: 50,
        failure_persistence: None,
        ..Config::default()
    };
    let world = World::new();
    let schedule = (prop::collection::vec(caller(), CALLERS), faults());
    let mut runner = TestRunner::new(config);
    let result = runner.run(&schedule, |(callers, faults)| world.run(callers, faults));
    let fates = world.fates.lock().unwrap();
    eprintln!("{} calls for {fates:?}", world.provider.calls().len());
    if let Err(error) = result {
        panic!("{error}\n{}", world.sidecar.log());
    }
    assert!(fates["200"] > fates.values().sum::<u32>() / 2, "{fates:?}");
}
