//! Readers of what is kept and configured: a cache directory, a configuration, the URL of a Redis.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use larder::clock::{Clock, Moment};
use larder::config::{Config, reference};
use larder::key::CacheKey;
use larder::tier::disk::directory::Directory;
use larder::tier::disk::shelf::Shelf;
use larder::tier::purge::{Purges, Reach};
use larder::tier::redis::Redis;
use larder::tier::{Ground, Stored};

use super::{HANG, for_a_while};
use crate::harness::path;

const URLS: [&str; 3] = [
    "redis://user:canary-word@127.0.0.1:6379/1",
    "rediss+cluster://:canary-word@a:1,b:2,[::1]:3",
    "redis+sentinel://:canary-word@a:1,b:2/main",
];

#[test]
fn no_text_makes_the_configuration_panic_or_hang_or_tell_a_secret() {
    let defaults = reference::defaults();
    for_a_while(|chance| {
        let started = Instant::now();
        let url = URLS[chance.below(URLS.len())];
        let spoilt = String::from_utf8_lossy(&chance.spoil(url.as_bytes())).into_owned();
        let text = defaults.replace("url = \"\"", &format!("url = {url:?}"));
        let text = String::from_utf8_lossy(&chance.spoil(text.as_bytes())).into_owned();
        match Config::read("larder.toml", &text, &[]) {
            Ok(mut config) => {
                assert!(!format!("{config:?}").contains("canary-word"));
                Redis::password(&config.redis);
                let section = format!("[redis]\nurl = {spoilt:?}\n");
                if let Ok(other) = Config::read("larder.toml", &section, &[]) {
                    config.redis = other.redis;
                    Redis::password(&config.redis);
                }
            }
            Err(problems) => assert!(!problems.is_empty()),
        }
        assert!(started.elapsed() < HANG, "{text}");
    });
}

fn ground() -> Ground {
    let purges = Arc::new(Purges::new());
    Ground { secret: [7; 32], instance: "fuzz".to_owned(), clock: Clock::start(), purges }
}

/// Twenty entries, of which some were purged.
fn fill(folder: &Path) -> HashMap<[u8; 32], Vec<u8>> {
    let ground = ground();
    let shelf = Shelf::to_write(Directory::open(folder).unwrap(), 1 << 20, ground.clone()).unwrap();
    let mut values = HashMap::new();
    for number in 0..20_u8 {
        let (key, value) = ([number; 32], vec![number; 40 + usize::from(number) * 7]);
        let (stored, expires) = (ground.clock.now(), Moment::NEVER);
        let mark = ground.purges.scope("provider", &format!("model {}", number % 3)).mark();
        let entry = Stored { value: value.clone().into(), stored, expires, mark };
        shelf.put(&CacheKey::from_bytes(key), &entry).unwrap();
        values.insert(key, value);
    }
    shelf.close().unwrap();
    fs::write(folder.join("v1/purged"), "17 provider/model 9\n18 \n").unwrap();
    values
}

#[test]
fn no_bytes_make_a_cache_directory_panic_or_hang_or_give_what_was_not_kept() {
    let (whole, spoilt) = (path("whole"), path("spoilt"));
    let values = fill(&whole);
    let files: Vec<_> = fs::read_dir(whole.join("v1"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .map(|name| (name.clone(), fs::read(whole.join("v1").join(name)).unwrap()))
        .collect();
    for_a_while(|chance| {
        let started = Instant::now();
        drop(fs::remove_dir_all(&spoilt));
        let directory = Directory::open(&spoilt).unwrap();
        let at = chance.below(files.len());
        for (number, (name, bytes)) in files.iter().enumerate() {
            let bytes = if number == at { chance.spoil(bytes) } else { bytes.clone() };
            fs::write(directory.path().join(name), bytes).unwrap();
        }
        let ground = ground();
        ground.purges.purge(&Reach::Upstream("another".to_owned()));
        if let Ok(shelf) = Shelf::to_read(directory, ground) {
            let visited = shelf.each(|key, stored| {
                if let Some(stored) = stored {
                    assert_eq!(values[key.as_bytes()], *stored.value);
                }
                Ok(())
            });
            visited.unwrap();
        }
        assert!(started.elapsed() < HANG + Duration::from_secs(4));
    });
    drop(fs::remove_dir_all(whole));
    drop(fs::remove_dir_all(spoilt));
}
