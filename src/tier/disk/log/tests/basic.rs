//! Putting, getting and opening again.

use super::*;

const LIMIT: u64 = 1 << 20;

#[test]
fn the_last_record_under_a_key_is_given() {
    let scratch = Scratch::new();
    let log = scratch.open(LIMIT);
    assert_eq!(log.get(&key(1)).expect("read"), None);
    for record in [b"one".as_slice(), b"2", b"three"] {
        log.put(&key(1), record).expect("put");
        assert_eq!(log.get(&key(1)).expect("read").as_deref(), Some(record));
    }
    log.put(&key(1), b"").expect_err("nothing is no record");
    log.put(&key(2), b"two").expect("put");
    assert_eq!(log.entries(), 2);
    log.forget(&key(1));
    assert_eq!(log.get(&key(1)).expect("read"), None);
    assert_eq!(log.get(&key(2)).expect("read").as_deref(), Some(b"two".as_slice()));
    assert_eq!(log.entries(), 1);
}

#[test]
fn two_keys_with_one_fingerprint_never_get_each_others_record() {
    let scratch = Scratch::new();
    let log = scratch.open(LIMIT);
    let (one, mut other) = (key(1), key(1));
    other[31] ^= 1;
    log.put(&one, b"one").expect("put");
    assert_eq!(log.get(&other).expect("a miss"), None);
    log.put(&other, b"other").expect("put");
    assert_eq!(log.get(&one).expect("a miss"), None);
    assert_eq!(log.get(&other).expect("read").as_deref(), Some(b"other".as_slice()));
}

#[test]
fn what_was_written_is_there_after_opening_again() {
    for clean in [true, false] {
        let scratch = Scratch::new();
        let log = scratch.open(LIMIT);
        fill(&log, 0..100);
        log.put(&key(1), b"again").expect("put");
        if clean {
            log.flush().expect("flushed");
            // A hint speaks for what was there when it was written; what came later is found too.
            fill(&log, 100..102);
        }
        drop(log);
        let log = scratch.open(LIMIT);
        assert_eq!(log.get(&key(1)).expect("read").as_deref(), Some(b"again".as_slice()));
        log.forget(&key(1));
        assert_eq!(found(&log, 0..102), if clean { 101 } else { 99 });
        assert_eq!(log.dropped_files(), 0);
        assert_eq!(log.bytes(), scratch.bytes());
    }
}

#[test]
fn opening_writes_the_hints_that_are_missing_and_leaves_no_empty_files() {
    let scratch = Scratch::new();
    fill(&scratch.open(LIMIT), 0..100);
    for hint in scratch.files(".hint") {
        fs::remove_file(hint).expect("removed");
    }
    for _ in 0..3 {
        assert_eq!(found(&scratch.open(LIMIT), 0..100), 100);
    }
    assert_eq!(scratch.files(".log").len(), scratch.files(".hint").len());
    let before = scratch.files("");
    let log = scratch.open(LIMIT);
    log.flush().expect("flushed");
    drop(log);
    assert_eq!(scratch.files(""), before);
}

#[test]
fn files_are_for_us_alone() {
    use std::os::unix::fs::MetadataExt;
    let scratch = Scratch::new();
    let log = scratch.open(LIMIT);
    fill(&log, 0..20);
    log.flush().expect("flushed");
    for file in scratch.files("") {
        assert_eq!(fs::metadata(&file).expect("it is there").mode() & 0o777, 0o600, "{file:?}");
    }
}

#[test]
fn clearing_deletes_everything_for_good() {
    let scratch = Scratch::new();
    let log = scratch.open(LIMIT);
    fill(&log, 0..50);
    assert_eq!(log.clear().expect("cleared"), 50);
    assert_eq!((log.entries(), log.bytes(), scratch.files("").len()), (0, 0, 0));
    assert_eq!(found(&log, 0..50), 0);
    fill(&log, 50..60);
    drop(log);
    let log = scratch.open(LIMIT);
    assert_eq!((found(&log, 0..60), log.entries()), (10, 10));
}

#[test]
fn each_record_is_visited_once_and_an_error_stops() {
    let scratch = Scratch::new();
    let log = scratch.open(LIMIT);
    fill(&log, 0..50);
    fill(&log, 10..20);
    log.forget(&key(5));
    let mut seen = Vec::new();
    log.each(|key, record| {
        seen.push((*key, record));
        Ok(())
    })
    .expect("visited");
    assert_eq!(seen.len(), 49);
    assert!(seen.iter().all(|(key, record)| log.get(key).expect("read").as_ref() == Some(record)));
    assert_eq!(seen[0].0, key(0));
    assert_eq!(seen[48].0, key(19));
    let mut visits = 0;
    let stopped = log.each(|_, _| {
        visits += 1;
        Err(io::ErrorKind::BrokenPipe.into())
    });
    assert_eq!((visits, stopped.expect_err("stopped").kind()), (1, io::ErrorKind::BrokenPipe));
}

#[test]
fn a_log_open_for_reading_changes_nothing() {
    let scratch = Scratch::new();
    fill(&scratch.open(LIMIT), 0..50);
    let last = scratch.files(".log").pop().expect("a segment");
    let length = fs::metadata(&last).expect("it is there").len();
    fs::File::options().append(true).open(&last).expect("opened").set_len(length - 1).expect("cut");
    fs::write(scratch.path().join("0000000099.hint"), "foreign").expect("written");
    fs::write(scratch.path().join("0000000098.log"), "").expect("written");
    let before: Vec<_> =
        scratch.files("").into_iter().map(|path| (fs::read(&path).expect("read"), path)).collect();
    let log = Log::open_read_only(scratch.path()).expect("opened");
    assert_eq!(found(&log, 0..50) + log.dropped_files(), 51);
    log.flush().expect("nothing to do");
    for refused in [log.put(&key(1), b"1"), log.remove(&[key(1)]).map(drop), log.clear().map(drop)]
    {
        assert_eq!(refused.expect_err("refused").kind(), io::ErrorKind::ReadOnlyFilesystem);
    }
    for (bytes, path) in before {
        assert!(fs::read(&path).expect("read") == bytes, "{path:?}");
    }
}

#[test]
fn the_age_is_that_of_the_segments() {
    let scratch = Scratch::new();
    let log = scratch.open(LIMIT);
    let later = SystemTime::now() + Duration::from_secs(1_000);
    assert_eq!(log.average_age(later), Duration::ZERO);
    fill(&log, 0..50);
    for _ in 0..2 {
        let age = log.average_age(later).as_secs();
        assert!((990..=1_000).contains(&age), "{age}");
        fill(&log, 0..50);
    }
    assert_eq!(log.average_age(UNIX_EPOCH), Duration::ZERO);
    for n in 0..50 {
        log.forget(&key(n));
    }
    assert_eq!(log.average_age(later), Duration::ZERO);
}
