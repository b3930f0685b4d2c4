//! The shared tier's own thread: it connects, listens to the server's clock and to what was purged
//! elsewhere, writes what is queued, and keeps leases alive.

use std::future::pending;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{sleep, timeout};

use super::address::Link;
use super::diagnose::{Fault, kind_of};
use super::{PATIENCE, Shared};
use crate::key::CacheKey;
use crate::tier::Stored;

/// How often the server is listened to: so long a purge takes to reach the other replicas.
const BEAT: Duration = Duration::from_millis(500);

/// How long it waits before it connects again: at first, and at the most.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(4));

/// Entries that are written at once.
const ROUND: usize = 64;

/// Something to do when it suits.
pub(super) enum Job {
    /// Writes an entry.
    Write(CacheKey, Stored),
    /// Deletes what is no entry.
    Delete(String),
    /// Removes entries, and says how many there were; an error says why not.
    Remove(Vec<CacheKey>, oneshot::Sender<Result<u64, &'static str>>),
    /// Gives leases back, after what was queued before.
    Release(Vec<String>),
    /// Ends the thread, and says so.
    Close(oneshot::Sender<()>),
}

/// Starts the thread. It ends when it is told to, or when nobody is left to tell it anything.
pub(super) fn start(shared: Arc<Shared>, jobs: mpsc::Receiver<Job>) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let work = move || {
        runtime.block_on(async {
            tokio::select! {
                () = keep_connected(&shared) => {}
                () = keep_leases(&shared) => {}
                () = work_off(&shared, jobs) => {}
            }
        });
    };
    thread::Builder::new().name("larder redis".to_owned()).spawn(work).map(drop)
}

async fn keep_connected(shared: &Shared) {
    let mut changes = shared.ground.purges.changes();
    let mut back_off = BACK_OFF.0;
    let mut told = false;
    loop {
        match connect(shared).await {
            Ok(link) => {
                back_off = BACK_OFF.0;
                stay_connected(shared, &link, &mut changes).await;
                shared.set_link(None);
            }
            Err(Fault { kind, reason }) => {
                shared.metrics.failed(kind);
                if !told {
                    tracing::warn!(
                        "redis tier down: cannot connect: {reason}; retrying in the background"
                    );
                }
                shared.breaker.stay_open(&reason);
            }
        }
        told = true;
        sleep(back_off).await;
        back_off = (back_off * 2).min(BACK_OFF.1);
    }
}

async fn connect(shared: &Shared) -> Result<Link, Fault> {
    shared.breaker.try_out();
    let connecting = timeout(2 * PATIENCE, shared.address.connect()).await;
    let connected = connecting.map_err(|_| Fault::late(shared, 2 * PATIENCE))?;
    let link = match connected {
        Ok(link) => link,
        Err(error) => return Err(Fault::of_connecting(&shared.address, &error).await),
    };
    beat(shared, &link, PATIENCE).await?;
    shared.set_link(Some(link.clone()));
    shared.breaker.close();
    Ok(link)
}

/// Listens to the server until that fails.
async fn stay_connected(shared: &Shared, link: &Link, changes: &mut watch::Receiver<()>) {
    loop {
        tokio::select! {
            () = sleep(BEAT) => {}
            _ = changes.changed() => {}
        }
        // Whoever is too slow for requests must be quick again before it is asked again.
        let time = if shared.breaker.is_closed() { PATIENCE } else { shared.settings.timeout };
        shared.breaker.try_out();
        match beat(shared, link, time).await {
            Ok(()) => shared.breaker.close(),
            Err(Fault { kind, reason }) => {
                shared.metrics.failed(kind);
                return shared.breaker.stay_open(&reason);
            }
        }
    }
}

/// Learns the server's time and what was purged elsewhere, and tells it what was purged here.
async fn beat(shared: &Shared, link: &Link, time: Duration) -> Result<(), Fault> {
    let (name, purged) = (shared.names.purged(), shared.ground.purges.generations());
    let beat = timeout(time, link.beat(&name, &purged)).await;
    let beat = beat.map_err(|_| Fault::late(shared, time))?;
    let beat = beat.map_err(|error| Fault::of(shared, &error))?;
    shared.records.line.set(shared.ground.clock.now(), beat.seconds);
    shared.ground.purges.merge(&beat.purged);
    shared.observe(beat.size);
    share_writes(shared, link, time).await
}

/// Tells the other replicas what was written to here, and hears what they wrote to.
async fn share_writes(shared: &Shared, link: &Link, time: Duration) -> Result<(), Fault> {
    let stores = shared.ground.purges.stores();
    if stores.is_empty() {
        return Ok(());
    }
    let told = || shared.told.lock().unwrap_or_else(PoisonError::into_inner);
    let (name, words) = (shared.names.written(), told().words(&stores));
    let heard = timeout(time, link.writes(&name, &words)).await;
    let heard = heard.map_err(|_| Fault::late(shared, time))?;
    told().hear(&stores, words, heard.map_err(|error| Fault::of(shared, &error))?);
    Ok(())
}

impl Shared {
    /// Sets the gauges of what the server holds.
    fn observe(&self, (entries, bytes, limit, evicted): (i64, i64, i64, i64)) {
        let tier = &self.metrics.tier;
        for (gauge, value) in
            [(&tier.entries, entries), (&tier.bytes, bytes), (&tier.limit_bytes, limit)]
        {
            gauge.set(value.max(0));
        }
        let before = self.evicted.swap(evicted, Ordering::Relaxed);
        // At first there is no before, and a server that was started anew counts anew.
        if before >= 0 {
            tier.evicted.inc_by(u64::try_from(evicted.saturating_sub(before)).unwrap_or(0));
        }
    }
}

/// Says of every lease that its holder lives, three times before it would end.
async fn keep_leases(shared: &Shared) {
    if shared.settings.lease.is_zero() {
        return pending().await;
    }
    let lease = shared.settings.lease.max(Duration::from_millis(100));
    loop {
        sleep(lease / 3).await;
        let Some(link) = shared.link() else { continue };
        let names = shared.names_of_held();
        let renew = |name: String| {
            let link = link.clone();
            async move { link.renew(&name, &shared.token, shared.lease_milliseconds()).await }
        };
        // A lease that is lost costs a call of somebody else's, and the beat tells of the reason.
        drop(timeout(PATIENCE, join_all(names.into_iter().map(renew))).await);
    }
}

async fn work_off(shared: &Shared, mut jobs: mpsc::Receiver<Job>) {
    let mut round = Vec::with_capacity(ROUND);
    while jobs.recv_many(&mut round, ROUND).await > 0 {
        let (mut writes, mut released, mut closing) = (Vec::new(), Vec::new(), Vec::new());
        let mut removals = Vec::new();
        for job in round.drain(..) {
            match job {
                Job::Release(names) => released.extend(names),
                Job::Close(done) => closing.push(done),
                Job::Remove(keys, done) => removals.push((keys, done)),
                write => writes.push(write),
            }
        }
        write(shared, writes).await;
        // After the values, so that whoever sees the lease gone finds what it was for.
        release(shared, &released).await;
        for (keys, done) in removals {
            // Whoever asked may have left.
            done.send(remove(shared, &keys).await).ok();
        }
        if !closing.is_empty() {
            if let Some(link) = shared.link() {
                // What is not told now, nobody will tell.
                share_writes(shared, &link, PATIENCE).await.ok();
            }
            // Whoever waited is told by its end, too.
            return drop(closing);
        }
    }
}

async fn write(shared: &Shared, jobs: Vec<Job>) {
    if jobs.is_empty() {
        return;
    }
    let _timer = shared.metrics.puts.start_timer();
    let link = shared.link();
    let all = join_all(jobs.iter().map(|job| write_one(shared, link.as_ref(), job)));
    if timeout(PATIENCE, all).await.is_err() {
        shared.late(PATIENCE);
    }
    for job in &jobs {
        if let Job::Write(_, stored) = job {
            shared.queue.give(stored);
        }
    }
}

async fn write_one(shared: &Shared, link: Option<&Link>, job: &Job) {
    let Some(link) = link else { return shared.metrics.rejected("unavailable") };
    let written = match job {
        Job::Write(key, stored) => {
            let name = shared.names.entry(key);
            let record = shared.records.write(key, stored);
            link.set(&name, &record, time_left(shared, stored)).await
        }
        Job::Delete(name) => link.delete(name).await.map(drop),
        Job::Remove(..) | Job::Release(_) | Job::Close(_) => return,
    };
    match (written, job) {
        (Ok(()), Job::Write(..)) => shared.metrics.tier.insertions.inc(),
        (Ok(()), _) => {}
        (Err(error), _) => {
            if matches!(job, Job::Write(..)) {
                shared.metrics.rejected("failed");
            }
            shared.failed(&error);
        }
    }
}

async fn remove(shared: &Shared, keys: &[CacheKey]) -> Result<u64, &'static str> {
    let mut removed = 0;
    for keys in keys.chunks(ROUND) {
        let link = shared.link().ok_or("tier down")?;
        let names: Vec<String> = keys.iter().map(|key| shared.names.entry(key)).collect();
        let all = try_join_all(names.iter().map(|name| link.delete(name)));
        let deleted = timeout(PATIENCE, all).await.map_err(|_| "no response in time")?;
        let deleted: u64 = deleted.map_err(|error| kind_of(&error))?.into_iter().sum();
        shared.metrics.tier.purged.inc_by(deleted);
        removed += deleted;
    }
    Ok(removed)
}

/// How many milliseconds an entry stays, at least one; `None` is until it is evicted.
fn time_left(shared: &Shared, stored: &Stored) -> Option<u64> {
    let now = shared.ground.clock.now();
    let most = shared.settings.ttl;
    let most = (!most.is_zero()).then(|| u64::try_from(most.as_millis()).unwrap_or(u64::MAX));
    let ends = stored.expires.as_seconds() != i64::MAX;
    let left = ends.then(|| stored.expires.since(now).saturating_mul(1_000).max(1));
    most.into_iter().chain(left).min()
}

async fn release(shared: &Shared, names: &[String]) {
    let Some(link) = shared.link() else { return };
    let all = join_all(names.iter().map(|name| link.release(name, &shared.token)));
    // What is not released ends by itself.
    drop(timeout(PATIENCE, all).await);
}
