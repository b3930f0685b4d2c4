//! What comes of damaged files.

use proptest::prelude::*;

use super::*;

const LIMIT: u64 = 1 << 20;

/// A log of a hundred records in some fifteen segments.
fn written(clean: bool) -> Scratch {
    let scratch = Scratch::new();
    let log = scratch.open(LIMIT);
    fill(&log, 0..100);
    if clean {
        log.flush().expect("flushed");
    }
    scratch
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).expect("read");
    change(&mut bytes);
    fs::write(path, bytes).expect("written");
}

#[test]
fn a_torn_tail_is_cut_off_and_the_rest_is_there() {
    for lost in 1..560 {
        let scratch = written(false);
        let last = scratch.files(".log").pop().expect("a segment");
        change(&last, |bytes| bytes.truncate(bytes.len() - lost));
        let log = scratch.open(LIMIT);
        assert_eq!(found(&log, 0..100), if lost > 552 { 98 } else { 99 }, "{lost}");
        assert_eq!((log.bytes(), log.dropped_files()), (scratch.bytes(), 0));
        fill(&log, 98..100);
        drop(log);
        assert_eq!(found(&scratch.open(LIMIT), 0..100), 100);
    }
}

#[test]
fn a_foreign_file_is_dropped_and_the_rest_is_used() {
    let scratch = written(true);
    let logs = scratch.files(".log");
    change(&logs[0], |bytes| bytes[0] ^= 1);
    change(&logs[1], |bytes| bytes[7] = 2);
    change(&logs[2], Vec::clear);
    for name in ["4294967295.log", "9999999999.log", "0000000000.hint", "0000000007.hint.tmp"] {
        fs::write(scratch.path().join(name), "foreign").expect("written");
    }
    fs::create_dir(scratch.path().join("0000000009.hint.tmp")).expect("made");
    fs::write(scratch.path().join("secret"), "not the log's").expect("written");
    let log = scratch.open(LIMIT);
    assert_eq!(log.dropped_files(), 7);
    assert_eq!(found(&log, 0..100), log.entries());
    assert!((70..90).contains(&log.entries()), "{}", log.entries());
    assert!(!logs[0].exists() && scratch.path().join("secret").exists());
    fill(&log, 0..100);
    assert_eq!(found(&log, 0..100), 100);
    drop(log);
    fs::remove_dir(scratch.path().join("0000000009.hint.tmp")).expect("removed");
    assert_eq!(scratch.open(LIMIT).dropped_files(), 0);
}

#[test]
fn a_damaged_record_is_an_error_once_and_then_a_miss() {
    let scratch = written(true);
    change(&scratch.files(".log")[0], |bytes| bytes[200] ^= 1);
    let log = scratch.open(LIMIT);
    let error = log.get(&key(0)).expect_err("damaged");
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert_eq!(log.get(&key(0)).expect("a miss"), None);
    assert_eq!(found(&log, 0..100), 99);
    let mut visited = 0;
    log.each(|_, _| {
        visited += 1;
        Ok(())
    })
    .expect("visited");
    assert_eq!(visited, 99);
}

#[test]
fn a_damaged_hint_is_dropped_and_its_segment_scanned() {
    let scratch = written(true);
    let hints = scratch.files(".hint");
    change(&hints[0], |bytes| bytes[40] ^= 1);
    change(&hints[1], |bytes| bytes.truncate(20));
    change(&hints[2], Vec::clear);
    change(&hints[3], |bytes| bytes.resize(1 << 20, 0));
    let log = scratch.open(LIMIT);
    assert_eq!((log.dropped_files(), found(&log, 0..100)), (4, 100));
    assert_eq!(scratch.open(LIMIT).dropped_files(), 0);
}

#[test]
fn a_hint_of_another_segment_gives_no_wrong_record() {
    let scratch = written(true);
    let (logs, hints) = (scratch.files(".log"), scratch.files(".hint"));
    // Sound in itself, but all places are those of other records.
    fs::copy(&hints[4], &hints[2]).expect("copied");
    fs::copy(&logs[7], &logs[5]).expect("copied");
    change(&logs[9], |bytes| bytes.truncate(1_000));
    let log = scratch.open(LIMIT);
    let kept = found(&log, 0..100);
    assert!((70..95).contains(&kept), "{kept}");
    assert_eq!(found(&log, 0..100), kept);
    assert_eq!(log.entries(), kept);
}

#[test]
fn space_that_was_never_written_is_the_end() {
    for clean in [true, false] {
        let scratch = written(clean);
        let last = scratch.files(".log").pop().expect("a segment");
        let length = fs::metadata(&last).expect("there").len();
        change(&last, |bytes| bytes.resize(bytes.len() + 100_000, 0));
        assert_eq!(found(&scratch.open(LIMIT), 0..100), 100);
        assert_eq!(fs::metadata(&last).expect("there").len(), length);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..Default::default() })]

    #[test]
    fn whatever_bytes_are_changed_no_wrong_record_is_given(
        clean in any::<bool>(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 1..=255_u8), 1..40),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..3),
    ) {
        let scratch = written(clean);
        let files = scratch.files("");
        for (file, at, flip) in flips {
            change(&files[file.index(files.len())], |bytes| {
                let at = at.index(bytes.len());
                bytes[at] ^= flip;
            });
        }
        for (file, at) in cuts {
            change(&files[file.index(files.len())], |bytes| bytes.truncate(at.index(bytes.len() + 1).max(1)));
        }
        for _ in 0..2 {
            let log = scratch.open(LIMIT);
            found(&log, 0..100);
            prop_assert_eq!(log.bytes(), scratch.bytes());
        }
        let log = scratch.open(LIMIT);
        fill(&log, 0..100);
        prop_assert_eq!(found(&log, 0..100), 100);
    }
}
