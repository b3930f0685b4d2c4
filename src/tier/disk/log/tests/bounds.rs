//! What the log does at its limit, and with no room.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::thread;

use super::*;
use crate::tier::disk::directory::{Directory, Lock};

const LIMIT: u64 = 64 << 10;

#[test]
fn the_limit_holds_at_all_times() {
    let scratch = Scratch::new();
    let log = scratch.open(LIMIT);
    for n in 0..2_000 {
        log.put(&key(n), &record(n, usize::try_from(n * 37 % 3_000).expect("small"))).expect("put");
        // Some are read, so that they move when their time has come.
        log.get(&key(n - n % 3)).expect("read");
        assert!(scratch.bytes() <= LIMIT + SEGMENT, "{}", scratch.bytes());
        assert_eq!(scratch.bytes(), log.bytes());
    }
    assert!(log.bytes() > LIMIT / 2);
    assert_eq!(log.evicted() + log.entries(), 2_000);
    assert_eq!(log.clear().expect("cleared"), 2_000 - log.evicted());
}

#[test]
fn what_was_read_outlives_what_was_not_but_not_for_ever() {
    let scratch = Scratch::new();
    let log = scratch.open(LIMIT);
    fill(&log, 0..50);
    for n in (0..50).step_by(5) {
        log.get(&key(n)).expect("read").expect("there");
    }
    // More than fits: all of the first segments go, but for what was read.
    fill(&log, 50..160);
    let places: Vec<_> = (0..50).filter(|n| log.entry_is_there(*n)).collect();
    assert_eq!(places, (0..50).step_by(5).collect::<Vec<_>>());
    // Nobody has read them since: the second time they go.
    fill(&log, 160..400);
    assert!((0..50).all(|n| !log.entry_is_there(n)));
}

#[test]
fn a_record_up_to_a_quarter_of_the_limit_has_room() {
    let scratch = Scratch::new();
    let log = scratch.open(LIMIT);
    fill(&log, 0..10);
    let large = vec![7; usize::try_from(LIMIT).expect("small") / 4 - frame::HEAD];
    for n in 100..110 {
        log.put(&key(n), &large).expect("put");
        log.get(&key(n)).expect("read").expect("there");
        log.put(&key(n + 100), b"small").expect("put");
        assert!(scratch.bytes() <= LIMIT + SEGMENT);
    }
    assert_eq!(log.get(&key(109)).expect("read"), Some(large.clone()));
    let error = log.put(&key(1), &[large, vec![0]].concat()).expect_err("too large");
    assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    assert_eq!(log.get(&key(1)).expect("read"), None);
}

#[test]
fn a_lower_limit_holds_from_the_start() {
    let scratch = Scratch::new();
    fill(&scratch.open(LIMIT), 0..100);
    let log = scratch.open(LIMIT / 4);
    assert!(scratch.bytes() <= LIMIT / 4);
    let kept = found(&log, 0..100);
    assert!(kept > 10 && kept == found(&log, 100 - kept..100), "the youngest are kept: {kept}");
}

#[test]
fn a_log_without_room_takes_nothing_and_harms_nobody() {
    let scratch = Scratch::new();
    let log = Log::open(scratch.path(), 0).expect("opened");
    assert!(log.put(&key(1), b"").is_err());
    assert_eq!(log.get(&key(1)).expect("read"), None);
    let log = Log::open(scratch.path(), 1 << 20).expect("opened");
    log.put(&key(1), &vec![1; 200 << 10]).expect("put");
    assert_eq!(Limits::new(1 << 20).segment, 256 << 10);
    assert_eq!(Limits::new(10 << 30).segment, 40 << 20);
}

#[test]
fn a_full_disk_is_an_error_and_no_more() {
    on_a_small_disk(fill_the_disk);
}

#[test]
fn a_disk_that_nobody_can_write_to_is_read() {
    on_a_small_disk(|path| {
        let directory = Directory::open(path).expect("made");
        fill(&Log::open(directory.path(), 1 << 20).expect("opened"), 0..20);
        let remounted = Command::new("mount").args(["-o", "remount,ro"]).arg(path).status();
        assert!(remounted.is_ok_and(|status| status.success()));
        let directory = Directory::open(path).expect("found");
        assert!(matches!(directory.lock().expect("asked"), Lock::ReadOnly));
        let log = Log::open_read_only(directory.path()).expect("opened");
        assert_eq!((found(&log, 0..20), log.dropped_files()), (20, 0));
    });
}

/// Runs a test on a file system of its own, where one can be mounted.
fn on_a_small_disk(test: impl FnOnce(&Path)) {
    let scratch = Scratch::new();
    let mount = ["-t", "tmpfs", "-o", "size=64k", "tmpfs"];
    let mounted = Command::new("mount").args(mount).arg(scratch.path()).output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        println!("skipped: a file system of its own cannot be mounted here");
        return;
    }
    let result = catch_unwind(AssertUnwindSafe(|| test(scratch.path())));
    let unmounted = Command::new("umount").arg("-l").arg(scratch.path()).status();
    assert!(unmounted.is_ok_and(|status| status.success()));
    result.expect("as it should be");
}

fn fill_the_disk(path: &Path) {
    let limits = Limits { bytes: 1 << 20, segment: 16 << 10 };
    let log = Log::open_within(path, limits).expect("opened");
    let full = (0..1_000).find(|n| log.put(&key(*n), &record(*n, 500)).is_err()).expect("full");
    assert!(full > 50, "{full}");
    for n in full..full + 5 {
        let error = log.put(&key(n), &record(n, 500)).expect_err("still full");
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
    assert_eq!((found(&log, 0..full + 5), log.entries()), (full, full));
    // Somebody makes room: the segment that was cut off goes on.
    let oldest = log.store.oldest().expect("a segment");
    fs::remove_file(log.store.folder.segment(oldest.number())).expect("removed");
    drop(oldest);
    log.clear().expect("cleared");
    fill(&log, 0..50);
    drop(log);
    let log = Log::open_within(path, limits).expect("opened");
    assert_eq!((found(&log, 0..50), log.dropped_files()), (50, 0));
}

#[test]
fn readers_never_see_a_wrong_record_while_a_writer_evicts() {
    let scratch = Scratch::new();
    let log = scratch.open(LIMIT);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut hits = 0;
                    while !done.load(Ordering::Relaxed) {
                        hits += found(&log, 0..200);
                    }
                    hits
                })
            })
            .collect();
        for round in 0..20_u64 {
            fill(&log, 0..200);
            log.forget(&key(round));
            log.flush().expect("flushed");
        }
        done.store(true, Ordering::Relaxed);
        let hits: u64 = readers.into_iter().map(|reader| reader.join().expect("right")).sum();
        assert!(hits > 0);
    });
    assert_eq!(log.bytes(), scratch.bytes());
    let live: u64 = log.store.all().iter().map(|segment| segment.live()).sum();
    assert_eq!(live, log.entries());
}

impl Log {
    /// Whether there is a record, without reading it.
    fn entry_is_there(&self, n: u64) -> bool {
        let fingerprint = Fingerprint::of(&key(n));
        let all = self.store.all();
        let mut entries = all.iter().flat_map(|s| self.store.index.of_segment(s.number()));
        entries.any(|(found, _)| found == fingerprint)
    }
}
