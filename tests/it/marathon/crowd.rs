//! Many clients of many credentials, as fast as they can.

use std::time::Duration;

use super::{Faulty, Tally, all_is_given_back, question, setting};
use crate::harness::{Chance, Sidecar, all};

const CLIENTS: u64 = 64;
const CREDENTIALS: u64 = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_gets_right_answers_or_errors_that_the_provider_explains() {
    let requests = setting("LARDER_MARATHON_REQUESTS", 6_400);
    let provider = Faulty::start(10, Duration::from_millis(2));
    // Few texts fit, so that most of them come and go.
    let sidecar = Sidecar::with(provider.address(), "[cache]\nmemory = \"1MiB\"\n");
    let client = sidecar.client();
    let mut chance = Chance::new();
    let runners = (0..CLIENTS).map(|_| {
        let (client, mut chance) = (client.clone(), chance.another());
        async move {
            let mut tally = Tally::default();
            for _ in 0..requests / CLIENTS {
                let ask = question(&mut chance, CREDENTIALS, 100);
                tally.take(&ask, &client.embed(&ask).await);
            }
            tally
        }
    });
    let mut tally = Tally::default();
    all(runners).await.into_iter().for_each(|one| tally.add(one));
    println!("{tally:?}\nfaults {:?}, credentials mixed {}", provider.faults(), provider.mixed());
    tally.is_explained();
    let asked = tally.right + tally.wrong();
    assert!(tally.right * 1_000 >= asked * 985, "{tally:?}");
    all_is_given_back(&sidecar, &provider).await;
}
