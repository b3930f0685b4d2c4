//! Half of what it can take, for as long as one likes, with all tiers: its memory stays what it is.
//! `LARDER_SOAK_SECONDS=1800 cargo nextest run --run-ignored only soak --no-capture`

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::{Faulty, all_is_given_back, question, setting};
use crate::harness::{Chance, Client, RedisServer, Sidecar, all, path};

/// As many requests a second as so many clients get answered.
async fn saturation(client: &Client) -> u64 {
    let until = Instant::now() + Duration::from_secs(10);
    let answered = Arc::new(AtomicU64::new(0));
    let mut chance = Chance::new();
    let runners = (0..16).map(|_| {
        let (client, answered) = (client.clone(), Arc::clone(&answered));
        let mut chance = chance.another();
        async move {
            while Instant::now() < until {
                ask(&client, &mut chance).await;
                answered.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    all(runners).await;
    answered.load(Ordering::Relaxed) / 10
}

async fn ask(client: &Client, chance: &mut Chance) {
    let ask = question(chance, 20, 2_000);
    let answer = client.embed(&ask).await;
    if answer.status == 200 && answer.header("x-fault").is_empty() {
        ask.check(&answer);
    }
}

/// How fast something grows, in its units a minute: the least squares' line through one value each ten
/// seconds.
fn slope(values: &[f64]) -> f64 {
    let count = f64::from(u32::try_from(values.len()).unwrap());
    let places: Vec<f64> =
        (0..values.len()).map(|at| f64::from(u32::try_from(at).unwrap())).collect();
    let (mean, middle) = (values.iter().sum::<f64>() / count, (count - 1.0) / 2.0);
    let above: f64 = places.iter().zip(values).map(|(x, y)| (x - middle) * (y - mean)).sum();
    let below: f64 = places.iter().map(|x| (x - middle).powi(2)).sum();
    above / below * 6.0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "by hand: as long as LARDER_SOAK_SECONDS"]
async fn memory_stays_what_it_is() {
    let seconds = setting("LARDER_SOAK_SECONDS", 60);
    let provider = Faulty::start(1, Duration::from_millis(5));
    let redis =
        RedisServer::with(&["--maxmemory", "32mb", "--maxmemory-policy", "allkeys-lru"]).await;
    let settings = format!(
        "[cache]\nmemory = \"4MiB\"\n[disk]\ndir = {:?}\nsize = \"64MiB\"\n[redis]\nurl = {:?}\n",
        path("soak").to_str().unwrap(),
        redis.url()
    );
    let sidecar = Sidecar::with(provider.address(), &settings);
    let client = sidecar.client();
    let rate = (saturation(&client).await / 2).max(1);
    println!("half of the saturation rate: {rate} requests a second");
    let mut tick = interval(Duration::from_secs(1) / u32::try_from(rate).unwrap());
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut chance, mut asking, mut resident) = (Chance::new(), JoinSet::new(), Vec::new());
    let (started, mut asked) = (Instant::now(), 0_u64);
    while started.elapsed() < Duration::from_secs(seconds) {
        tick.tick().await;
        let (client, mut chance) = (client.clone(), chance.another());
        asking.spawn(async move { ask(&client, &mut chance).await });
        asked += 1;
        while let Some(done) = asking.try_join_next() {
            done.unwrap();
        }
        if started.elapsed() >= Duration::from_secs(10) * u32::try_from(resident.len()).unwrap() {
            let kibibytes = u32::try_from(sidecar.memory("VmRSS") >> 10).unwrap();
            resident.push(f64::from(kibibytes) / 1_024.0);
        }
    }
    while let Some(done) = asking.join_next().await {
        done.unwrap();
    }
    let warm = &resident[resident.len() / 5..];
    println!("{asked} requests; resident MiB {:.1} to {:.1}", warm[0], warm[warm.len() - 1]);
    println!("slope after the first fifth: {:.3} MiB a minute", slope(warm));
    all_is_given_back(&sidecar, &provider).await;
    assert!(slope(warm) < 1.0, "{resident:?}");
}
