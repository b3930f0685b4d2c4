//! A run: probe, warm, then blocks in rounds, each second round in the other order (A B B A), so that what
//! changes on the machine meanwhile meets all targets alike.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::signal::ctrl_c;

use super::block::{Block, Measured, STOPPED};
use super::connector::Connector;
use super::memory::Samples;
use super::plan::Plan;
use super::probe;
use super::process;
use super::progress::Progress;
use super::provider::Asked;
use super::report;
use super::seen::Seen;
use super::truth::{Truth, Verify};
use super::turns::Turns;
use super::workload::{Kind, Part, WARMING};
use super::{Failure, say};

/// How often the memory of a target is looked at in a soak.
const LOOK: Duration = Duration::from_secs(1);

/// What was measured.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) outcomes: Vec<Outcome>,
    /// What answers were held against.
    pub(crate) verify: Verify,
    /// Whether it was ended early.
    pub(crate) stopped: bool,
}

/// What was measured of a target.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Before the clock started.
    pub(crate) warming: Option<Measured>,
    pub(crate) rounds: Vec<Round>,
    /// The most memory that its process ever had.
    pub(crate) peak: Option<u64>,
    pub(crate) memory: Arc<Mutex<Samples>>,
    seen: Arc<Seen>,
}

/// What was measured of a target in a round.
#[derive(Debug, Clone)]
pub(crate) struct Round {
    pub(crate) number: u32,
    pub(crate) measured: Measured,
    /// What the provider was asked.
    pub(crate) asked: Option<Asked>,
    /// What the target's process used.
    pub(crate) processor: Option<Duration>,
    /// What this process used.
    pub(crate) own: Option<Duration>,
}

/// Runs what is planned, and reports.
pub(crate) fn run(plan: &Plan) -> Result<(), Failure> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Running(error.to_string()))?;
    let connector = Connector::new().map_err(Failure::Running)?;
    heed_interrupt();
    let truth = runtime.block_on(probe::all(plan, &connector))?;
    let seed = plan.size.seed;
    let verify = truth.verify().name();
    say(&format_args!("seed {seed}; answers are verified: {verify}"));
    let stage = Stage { plan, runtime, connector, truth: Arc::new(truth) };
    let ran = stage.play()?;
    report::write(plan, &ran)
}

/// An interrupt ends the run early; what was measured until then is reported.
fn heed_interrupt() {
    thread::spawn(|| {
        let Ok(runtime) = Builder::new_current_thread().enable_all().build() else { return };
        if runtime.block_on(ctrl_c()).is_ok() {
            STOPPED.store(true, Ordering::Relaxed);
        }
    });
}

struct Stage<'a> {
    plan: &'a Plan,
    runtime: Runtime,
    connector: Connector,
    truth: Arc<Truth>,
}

impl Stage<'_> {
    fn play(&self) -> Result<Ran, Failure> {
        let plan = self.plan;
        let mut outcomes: Vec<Outcome> = plan.targets.iter().map(|_| self.outcome()).collect();
        if plan.work.kind == Kind::Soak {
            self.look_at_memory(&outcomes);
        }
        if plan.work.kind.is_warm() {
            for (target, outcome) in outcomes.iter_mut().enumerate() {
                outcome.warming = Some(self.warm(target, outcome)?);
            }
        }
        for round in 1..=plan.rounds {
            let mut order: Vec<usize> = (0..plan.targets.len()).collect();
            if round % 2 == 0 {
                order.reverse();
            }
            for target in order {
                let Some(outcome) = outcomes.get_mut(target).filter(|_| !is_stopped()) else {
                    break;
                };
                let measured = self.round(Part { target, round }, outcome)?;
                outcome.rounds.push(measured);
            }
        }
        for (target, outcome) in plan.targets.iter().zip(&mut outcomes) {
            outcome.peak = target.pid.and_then(|pid| process::memory(pid, "VmHWM"));
        }
        Ok(Ran { outcomes, verify: self.truth.verify(), stopped: is_stopped() })
    }

    fn outcome(&self) -> Outcome {
        let seen = Arc::new(Seen::none_of(self.plan.work.catalogue.len()));
        let memory = Arc::new(Mutex::new(Samples::every(LOOK)));
        Outcome { warming: None, rounds: Vec::new(), peak: None, memory, seen }
    }

    /// Asks a target for the whole catalogue.
    fn warm(&self, target: usize, outcome: &Outcome) -> Result<Measured, Failure> {
        let requests = self.plan.work.warmings();
        let bounds = (requests, Duration::MAX);
        let turns = Turns::closed(bounds, self.plan.connections, &STOPPED);
        let part = Part { target, round: WARMING };
        let progress = ("warming", None, requests);
        let measured = self.block(part, outcome, (turns, progress));
        if measured.tally.failed() > 0 && !is_stopped() {
            let name = self.plan.targets.get(target).map_or("", |target| target.name.as_str());
            let troubles = report::troubles(&measured.tally);
            return Err(Failure::Running(format!("{name}: before the clock started: {troubles}")));
        }
        Ok(measured)
    }

    fn round(&self, part: Part, outcome: &Outcome) -> Result<Round, Failure> {
        let plan = self.plan;
        let bounds = (plan.requests, plan.time.unwrap_or(Duration::MAX));
        let turns = match plan.arrivals(part.round) {
            Some(arrivals) => Turns::open(arrivals, plan.connections, &STOPPED),
            None => Turns::closed(bounds, plan.connections, &STOPPED),
        };
        let title = format!("round {} of {}", part.round, plan.rounds);
        let pid = plan.targets.get(part.target).and_then(|target| target.pid);
        let used = || pid.and_then(|pid| process::processor(&pid.to_string()));
        let (asked, before, own) = (self.asked()?, used(), process::processor("self"));
        let measured = self.block(part, outcome, (turns, (&title, plan.time, plan.requests)));
        let since = |now: Option<Duration>, before: Option<Duration>| {
            now.zip(before).map(|(now, before)| now.saturating_sub(before))
        };
        Ok(Round {
            number: part.round,
            own: since(process::processor("self"), own),
            processor: since(used(), before),
            asked: self.asked()?.zip(asked).map(|(now, before)| now.since(before)),
            measured,
        })
    }

    fn block(
        &self,
        part: Part,
        outcome: &Outcome,
        (turns, (title, time, requests)): (Turns, (&str, Option<Duration>, u64)),
    ) -> Measured {
        let plan = self.plan;
        let target = plan.targets.get(part.target).expect("a part is of one of the targets");
        let block = Block {
            part,
            base: target.base.clone(),
            path: probe::path(plan, target),
            credential: plan.credential.clone(),
            work: Arc::clone(&plan.work),
            truth: Arc::clone(&self.truth),
            seen: Arc::clone(&outcome.seen),
            turns,
            timeout: plan.timeout,
            progress: Arc::new(Progress::new(&format!("{title}: {}", target.name), time, requests)),
        };
        Arc::new(block).run(&self.connector, (plan.connections, plan.threads))
    }

    /// What the provider was asked so far, if it tells.
    fn asked(&self) -> Result<Option<Asked>, Failure> {
        let Some(url) = &self.plan.upstream_stats else { return Ok(None) };
        let asked = self.runtime.block_on(Asked::read(&self.connector, url));
        asked.map(Some).map_err(Failure::Running)
    }

    /// Looks at the memory of all targets from now on, until this process ends.
    fn look_at_memory(&self, outcomes: &[Outcome]) {
        let pairs = self.plan.targets.iter().zip(outcomes);
        let looked_at = pairs.filter_map(|(target, outcome)| {
            let memory = Arc::clone(&outcome.memory);
            target.pid.map(|pid| (pid, memory))
        });
        let looked_at: Vec<_> = looked_at.collect();
        let start = Instant::now();
        let look = move || {
            for (pid, samples) in &looked_at {
                let mut samples = samples.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(bytes) = process::memory(*pid, "VmRSS") {
                    samples.add(start.elapsed(), bytes);
                }
            }
        };
        thread::spawn(move || {
            loop {
                look();
                thread::sleep(LOOK);
            }
        });
    }
}

fn is_stopped() -> bool {
    STOPPED.load(Ordering::Relaxed)
}
