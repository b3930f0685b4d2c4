//! Whatever a client sends is refused, or made harmless, and never reaches a provider malformed.

mod cases;
mod h2;
mod record;

use std::fmt::Write;
use std::time::Duration;

use http::Method;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::harness::{Ask, Raw, Sidecar, Simulated};
use cases::{Case, Outcome, cases};
use record::Recorder;

/// Every body is to come to the provider as often as it is sent.
const CONFIG: &str = "[server]\nmax_body = \"64KiB\"\n[cache]\nnegative_ttl = \"0\"\n";

/// How soon a connection is to be closed on which something was refused.
const CLOSING: Duration = Duration::from_secs(5);

/// How a case is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// In one piece.
    Whole,
    /// Byte by byte.
    Bytes,
    /// Behind a good request, in one piece with it.
    Behind,
}

/// A provider whose bytes are written down, and a sidecar before it.
pub(super) struct Stage {
    recorder: Recorder,
    sidecar: Sidecar,
    kept: Ask,
    number: usize,
}

impl Stage {
    async fn set() -> Self {
        let provider = Simulated::instant();
        let recorder = Recorder::before(provider).await;
        let sidecar = Sidecar::with(recorder.address, CONFIG);
        let kept = Ask::scalar("kept");
        sidecar.client().right(&kept).await;
        Self { recorder, sidecar, kept, number: 0 }
    }

    /// Whether larder does with a case what it should.
    async fn play(&mut self, case: &Case, way: Way) -> Result<(), String> {
        self.number += 1;
        let ask = Ask::scalar(&format!("case {:04}", self.number));
        let bytes = case.bytes(&ask);
        let mark = self.recorder.mark();
        let mut raw = Raw::connect(self.sidecar.proxy).await;
        match way {
            Way::Whole => raw.try_send(&bytes).await,
            Way::Bytes => {
                for byte in &bytes {
                    raw.try_send(&[*byte]).await;
                }
            }
            Way::Behind => {
                raw.try_send(&[Raw::embed(&self.kept), bytes.clone()].concat()).await;
                self.kept.check(&raw.answer().await);
            }
        }
        match &case.outcome {
            Outcome::Refused(status) => self.refused(raw, status.as_deref(), mark).await,
            Outcome::Accepted => {
                let mut answer = raw.answer().await;
                if answer.status == 100 {
                    answer = raw.answer().await;
                }
                ask.judge(&answer)?;
                self.recorder.requests(mark).map(drop)
            }
            Outcome::Neutral { with, without } => {
                let answer = raw.answer().await;
                if answer.status >= 500 || !answer.header("x-larder-error").is_empty() {
                    return Err(format!("{answer:?}"));
                }
                let with = with.iter().map(|part| Case::expand(part, &ask)).collect::<Vec<_>>();
                self.harmless(&with, without, mark)
            }
            Outcome::Exact(times) => self.exact(&bytes, *times, mark).await,
        }
    }

    /// Nothing at the provider, a status of larder's own, and the end of the connection. Whoever speaks
    /// another protocol may be told nothing.
    async fn refused(&self, raw: Raw, status: Option<&str>, mark: usize) -> Result<(), String> {
        let said = timeout(CLOSING, raw.rest()).await;
        let said = said.map_err(|_| "the connection stays open".to_owned())?;
        let told = said.strip_prefix("HTTP/1.1 ").and_then(|said| said.get(..3));
        let is_right = match (status, told) {
            (Some(_), _) => told == status,
            (None, Some(told)) => told >= "400",
            (None, None) => !said.starts_with("HTTP/1"),
        };
        let reached = self.recorder.since(mark);
        if is_right && reached.is_empty() {
            return Ok(());
        }
        let reached = String::from_utf8_lossy(&reached).into_owned();
        Err(format!("said {said:?}, and the provider got {reached:?}"))
    }

    /// One well-formed request at the provider, with these parts and without those.
    fn harmless(&self, with: &[String], without: &[String], mark: usize) -> Result<(), String> {
        let requests = self.recorder.requests(mark)?;
        let text = String::from_utf8_lossy(&self.recorder.since(mark)).into_owned();
        let has_all = with.iter().all(|part| text.contains(part));
        let has_none = without.iter().all(|part| !text.contains(part));
        let right = requests.len() == 1 && has_all && has_none;
        right.then_some(()).ok_or_else(|| format!("the provider got {text:?}"))
    }

    /// A body comes to the provider as it is, this often where it is sent twice.
    async fn exact(&self, body: &[u8], times: usize, mark: usize) -> Result<(), String> {
        for _ in 0..2 {
            let headers = [("content-type", "application/json")];
            let client = self.sidecar.client();
            client.send(Method::POST, "/v1/embeddings", &headers, body.to_vec()).await;
        }
        let bodies = self.recorder.requests(mark)?;
        let right = bodies.len() == times && bodies.iter().all(|came| came == body);
        right.then_some(()).ok_or_else(|| format!("the provider got {} bodies", bodies.len()))
    }
}

/// Plays all cases in one way, with a good request after each, and tells what went wrong.
async fn play(way: Way) {
    let mut stage = Stage::set().await;
    let mut wrong = String::new();
    let mut count = 0;
    for case in cases().iter().filter(|case| case.can_go(way)) {
        count += 1;
        if let Err(what) = stage.play(case, way).await {
            writeln!(wrong, "{} {}: {what}", case.family, case.name).unwrap();
        }
        let ask = Ask::scalar(&format!("after {:04}", stage.number));
        ask.check(&stage.sidecar.client().embed(&ask).await);
    }
    eprintln!("{count} cases {way:?}");
    assert!(wrong.is_empty(), "{way:?}:\n{wrong}");
    assert!(!stage.sidecar.log().contains("panicked"), "{}", stage.sidecar.log());
}

#[tokio::test]
async fn malformed_requests_are_refused_or_made_harmless() {
    let all = cases();
    let refused = all.iter().filter(|case| matches!(case.outcome, Outcome::Refused(_))).count();
    eprintln!("{} cases, {refused} of them to be refused", all.len());
    assert!(refused >= 110 && all.len() - refused >= 19);
    play(Way::Whole).await;
}

#[tokio::test]
async fn so_are_they_when_they_come_byte_by_byte() {
    play(Way::Bytes).await;
}

#[tokio::test]
async fn so_are_they_behind_a_good_request() {
    play(Way::Behind).await;
}

/// Sends what the other side may not want.
impl Raw {
    pub(super) async fn try_send(&mut self, bytes: &[u8]) {
        // A refusal may come before the end of what is refused.
        drop(self.stream.write_all(bytes).await);
    }
}
