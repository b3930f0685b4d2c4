//! What a hit allocates: `cargo test --test allocations -- --nocapture` prints it, and more than the
//! bounds is a failure.
//!
//! Larder, its simulated provider and the client are on one thread, and an allocator counts what that
//! thread asks it for. The client asks for nothing, so all of it is larder's. A hit of one input and one
//! of nine tell what each input more takes.

#![expect(clippy::print_stdout, reason = "a test tells its figures")]

mod inside;

use std::alloc::System;
use std::fmt;

use alloc_tracker::{Allocator, Session};
use inside::client::Client;
use inside::question::Question;
use inside::{Sidecar, Way, parrot};
use memchr::memmem;
use tokio::runtime::{Builder, Runtime};

#[global_allocator]
static ALLOCATOR: Allocator<System> = Allocator::system();

/// How many hits are counted, after as many that are not.
const HITS: u32 = 256;

/// How many inputs the longer question has more than the shorter one.
const MORE: u32 = 8;

/// In which bytes a question comes.
#[derive(Clone, Copy)]
enum Bytes {
    /// Those that it was asked in before, so that the whole answer is remembered.
    Same,
    /// Others, so that the request is read, and the answer written.
    New,
}

/// Allocations and their bytes.
#[derive(Debug, Clone, Copy)]
struct Taken {
    allocations: f64,
    bytes: f64,
}

impl Taken {
    const fn of(allocations: f64, bytes: f64) -> Self {
        Self { allocations, bytes }
    }
}

// The most is half an allocation, and a few bytes, above what was counted: the date is written anew
// each second, and numbers of milliseconds are not always of one length.

#[test]
fn a_remembered_answer_past_hyper() {
    let most = [Taken::of(5.5, 1_300.0), Taken::of(0.5, 550.0)];
    check("the same head and bytes again, past hyper", (Way::Express, Bytes::Same), most);
}

#[test]
fn a_remembered_answer_through_hyper() {
    let most = [Taken::of(12.5, 11_500.0), Taken::of(0.5, 550.0)];
    check("the same bytes again, through hyper", (Way::Hyper, Bytes::Same), most);
}

#[test]
fn an_answer_that_is_written() {
    let most = [Taken::of(26.0, 25_000.0), Taken::of(1.0, 9_700.0)];
    check("known inputs in new bytes, through hyper", (Way::Hyper, Bytes::New), most);
}

#[test]
fn the_client_allocates_nothing() {
    let taken = runtime().block_on(async {
        let mut question = Question::of(1);
        let mut client = Sidecar::start().await.connect(Way::Hyper);
        client.ask(question.again()).await;
        let mut client = parrot(client.ask(question.again()).await);
        hits(&mut client, &mut question, Bytes::New).await
    });
    assert!(taken.bytes < 1.0, "{taken}");
}

/// Holds what a hit of one input takes, and what each input more does, against the most that they may.
fn check(name: &str, how: (Way, Bytes), most: [Taken; 2]) {
    let (one, more) = (of_inputs(1, how), of_inputs(1 + MORE, how));
    let each = |one: f64, more: f64| (more - one) / f64::from(MORE);
    let each = Taken::of(each(one.allocations, more.allocations), each(one.bytes, more.bytes));
    println!("{name}: {one}; each input more: {each}");
    for (taken, most) in [one, each].into_iter().zip(most) {
        let is_within = taken.allocations <= most.allocations && taken.bytes <= most.bytes;
        assert!(is_within, "{name}: {taken}, and the most is {most}");
    }
}

fn of_inputs(inputs: u32, (way, bytes): (Way, Bytes)) -> Taken {
    runtime().block_on(async {
        let sidecar = Sidecar::start().await;
        let mut question = Question::of(inputs);
        let mut client = sidecar.connect(way);
        // The first is a miss, the second a hit, and from the third on all are alike.
        client.ask(question.again()).await;
        hits(&mut client, &mut question, bytes).await
    })
}

/// What a hit takes, in the middle of many.
async fn hits(client: &mut Client, question: &mut Question, bytes: Bytes) -> Taken {
    for _ in 0..HITS {
        hit(client, question, bytes).await;
    }
    let session = Session::new().no_stdout().no_file();
    let operation = session.operation("hits");
    let span = operation.measure_thread().iterations(u64::from(HITS));
    for _ in 0..HITS {
        hit(client, question, bytes).await;
    }
    drop(span);
    let report = session.to_report();
    let (_, counted) = report.operations().next().expect("it was measured");
    let per_hit = |mean: Option<f64>| mean.expect("there were hits");
    Taken::of(per_hit(counted.allocations()), per_hit(counted.bytes()))
}

async fn hit(client: &mut Client, question: &mut Question, bytes: Bytes) {
    let answer = match bytes {
        Bytes::Same => client.ask(question.again()).await,
        Bytes::New => client.ask(question.anew()).await,
    };
    assert!(memmem::find(answer, b"larder; hit").is_some(), "no hit");
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} allocations, {:.0} bytes", self.allocations, self.bytes)
    }
}
