//! One target for a while: threads, connections, and what they counted.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use http::{HeaderValue, Uri};
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::asker::Asker;
use super::connection::Connection;
use super::connector::Connector;
use super::progress::Progress;
use super::seen::Seen;
use super::tally::Tally;
use super::truth::Truth;
use super::turns::Turns;
use super::workload::{Part, Workload};

/// How long requests under way may still take after the run was ended early.
const GRACE: Duration = Duration::from_secs(1);
const GLANCE: Duration = Duration::from_millis(50);

/// Set when the run is to end early.
pub(crate) static STOPPED: AtomicBool = AtomicBool::new(false);

/// What all askers of a block share.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) part: Part,
    pub(crate) base: Uri,
    /// Where requests go.
    pub(crate) path: Uri,
    pub(crate) credential: HeaderValue,
    pub(crate) work: Arc<Workload>,
    pub(crate) truth: Arc<Truth>,
    pub(crate) seen: Arc<Seen>,
    pub(crate) turns: Turns,
    pub(crate) timeout: Duration,
    pub(crate) progress: Arc<Progress>,
}

/// What a block gave.
#[derive(Debug, Clone, Default)]
pub(crate) struct Measured {
    pub(crate) tally: Tally,
    /// From the start to the last answer.
    pub(crate) elapsed: Duration,
}

impl Block {
    /// Runs it over so many connections on so many threads.
    pub(crate) fn run(
        self: &Arc<Self>,
        connector: &Connector,
        (connections, threads): (usize, usize),
    ) -> Measured {
        let (ready, go) = (Barrier::new(threads + 1), Barrier::new(threads + 1));
        let tallies = thread::scope(|scope| {
            let shares = (0..threads).map(|n| (connections + n) / threads);
            let work = |share| {
                let (ready, go) = (&ready, &go);
                move || {
                    let worker = Worker { block: self, share, ready, go };
                    worker.run(connector)
                }
            };
            let workers: Vec<_> = shares.map(|share| scope.spawn(work(share))).collect();
            ready.wait();
            self.turns.start();
            go.wait();
            scope.spawn(|| self.turns.pace());
            while workers.iter().any(|worker| !worker.is_finished()) {
                self.progress.show();
                thread::sleep(GLANCE);
            }
            workers.into_iter().map(|worker| worker.join().expect("no worker panics")).collect()
        });
        let mut measured = Measured::default();
        let tallies: Vec<(Tally, Instant)> = tallies;
        for (tally, end) in tallies {
            measured.tally.merge(&tally);
            measured.elapsed = measured.elapsed.max(end - self.turns.start());
        }
        measured
    }
}

/// One thread's part.
struct Worker<'a> {
    block: &'a Arc<Block>,
    /// Connections.
    share: usize,
    ready: &'a Barrier,
    go: &'a Barrier,
}

impl Worker<'_> {
    /// Asks over its connections; gives what was counted, and when the last answer came.
    fn run(&self, connector: &Connector) -> (Tally, Instant) {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime needs little more than the thread that there is");
        let tally = Arc::new(Mutex::new(Tally::default()));
        let end = runtime.block_on(async {
            let connections = self.connect(connector).await;
            self.ready.wait();
            self.go.wait();
            let mut askers = JoinSet::new();
            for connection in connections {
                let (block, tally) = (Arc::clone(self.block), Arc::clone(&tally));
                askers.spawn(Asker { block, connection, tally }.run());
            }
            tokio::select! {
                () = async { while askers.join_next().await.is_some() {} } => {}
                () = self.stopped() => {}
            }
            Instant::now()
        });
        let tally = tally.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (tally, end)
    }

    /// Opens all connections before the clock starts. One that cannot be opened is trouble of the first
    /// request on it.
    async fn connect(&self, connector: &Connector) -> Vec<Connection> {
        let Block { base, credential, timeout: patience, .. } = &**self.block;
        let mut opening = JoinSet::new();
        for _ in 0..self.share {
            let mut connection = Connection::new(connector, base, credential);
            let patience = *patience;
            opening.spawn(async move {
                drop(timeout(patience, connection.open()).await);
                connection
            });
        }
        opening.join_all().await
    }

    async fn stopped(&self) {
        while !self.block.turns.is_stopped() {
            sleep(GLANCE).await;
        }
        sleep(GRACE).await;
    }
}
