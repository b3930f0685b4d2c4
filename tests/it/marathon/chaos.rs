//! Two hundred requests a second, whatever becomes of provider and Redis meanwhile.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::{Faulty, Tally, all_is_given_back, question, setting};
use crate::harness::{Aside, Chance, RedisServer, Sidecar};

const RATE: u64 = 200;

/// Kills, stops and empties a Redis, over and over.
async fn torment(mut redis: RedisServer) {
    loop {
        sleep(Duration::from_millis(1_500)).await;
        redis.signal("STOP");
        sleep(Duration::from_secs(1)).await;
        redis.signal("CONT");
        sleep(Duration::from_millis(1_500)).await;
        redis.kill();
        sleep(Duration::from_millis(500)).await;
        redis.up().await;
        sleep(Duration::from_millis(1_500)).await;
        redis.cli(&["FLUSHALL"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chaos_brings_no_wrong_answer_and_everything_back() {
    let seconds = setting("LARDER_CHAOS_SECONDS", 12);
    let provider = Faulty::start(100, Duration::from_millis(60));
    let redis = RedisServer::start().await;
    let settings = format!("[cache]\nmemory = \"1MiB\"\n[redis]\nurl = {:?}\n", redis.url());
    let sidecar = Sidecar::with(provider.address(), &settings);
    let tormented = Aside::start(torment(redis));
    let (client, mut chance) = (sidecar.client(), Chance::new());
    let (tally, mut asking) = (Arc::new(Mutex::new(Tally::default())), JoinSet::new());
    let mut tick = interval(Duration::from_micros(1_000_000 / RATE));
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (started, mut memory) = (Instant::now(), Vec::new());
    for number in 0..seconds * RATE {
        tick.tick().await;
        let (ask, client) = (question(&mut chance, 20, 400), client.clone());
        let tally = Arc::clone(&tally);
        asking.spawn(async move {
            // No answer within the client's patience is a hang, and ends the test.
            let answer = client.embed(&ask).await;
            tally.lock().await.take(&ask, &answer);
        });
        while let Some(done) = asking.try_join_next() {
            done.unwrap();
        }
        if number % (RATE * 5) == 0 {
            memory.push(sidecar.memory("VmRSS") >> 10);
        }
    }
    while let Some(done) = asking.join_next().await {
        done.unwrap();
    }
    drop(tormented);
    let tally = tally.lock().await;
    println!("{tally:?} in {:?}\nfaults {:?}", started.elapsed(), provider.faults());
    println!("resident KiB, each 5 s: {memory:?}");
    tally.is_explained();
    assert_eq!(tally.right + tally.wrong(), seconds * RATE);
    all_is_given_back(&sidecar, &provider).await;
    // Flat: the second half brings no more than a tenth.
    let (half, last) = (memory[memory.len() / 2], memory[memory.len() - 1]);
    assert!(last <= half + half / 10 + 4_096, "{memory:?}");
}
