//! What an entry really costs, as growth of the process.

use larder::simulate::Settings;

use crate::harness::{Ask, Sidecar, Simulated, all, texts};

const ENTRIES: u64 = 100_000;
const INPUTS: usize = 250;
/// 6,144 bytes of numbers and a tenth more.
const MOST: u64 = 6_758;

#[tokio::test]
async fn an_entry_costs_a_tenth_more_than_its_numbers() {
    let provider = Simulated::start(Settings::instant());
    let sidecar = Sidecar::with(provider.address, "[cache]\nmemory = \"2GiB\"\n");
    let client = sidecar.client();
    let fill = async |name: String, calls: usize| {
        let asking = (0..calls).map(|call| {
            let ask = Ask::of(texts(&format!("{name} {call:04}"), INPUTS)).base64();
            let client = client.clone();
            async move { assert_eq!(client.embed(&ask).await.status, 200) }
        });
        all(asking.collect::<Vec<_>>()).await;
    };
    // Buffers and connections are not the entries'.
    fill("warm".to_owned(), 4).await;
    let before = (sidecar.memory("VmRSS"), sidecar.metric("larder_cache_entries", "").await);
    let rounds = usize::try_from(ENTRIES).unwrap() / INPUTS / 4;
    for round in 0..rounds {
        fill(format!("round {round:04}"), 4).await;
    }
    let after = (sidecar.memory("VmRSS"), sidecar.metric("larder_cache_entries", "").await);
    assert!((after.1 - before.1 - 100_000.0).abs() < 0.5, "{after:?}");
    let grown = (after.0 - before.0) / ENTRIES;
    eprintln!("{grown} bytes of the process for each entry of 1,536 dimensions");
    assert!(grown <= MOST, "{grown} bytes for each entry");
}
