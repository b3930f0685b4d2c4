//! Broadcasts, whoever comes and leaves whenever.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use larder_models::broadcast::{Broadcasts, Broken, End, Head, Joined, Reader, Source};
use larder_models::ceiling::Ceiling;
use larder_models::error::{Error, Kind};
use larder_models::key::KeyHasher;
use larder_models::{check, key, maybe, unwind};
use shuttle::future::block_on;
use shuttle::thread::{self, JoinHandle};

/// More than any model sends.
const BOUND: usize = 10_000;

fn broadcasts() -> Arc<Broadcasts> {
    Broadcasts::new(&KeyHasher::new(&[1; 32]), &Ceiling::new(usize::MAX))
}

fn join(broadcasts: &Arc<Broadcasts>) -> Joined<()> {
    broadcasts.join(key(1), BOUND, None, || None)
}

fn lead(broadcasts: &Arc<Broadcasts>) -> (Source, Reader) {
    match join(broadcasts) {
        Joined::Leads(source, reader) => (source, reader),
        other => panic!("somebody leads already: {other:?}"),
    }
}

fn head() -> Head {
    Head { status: StatusCode::OK, headers: HeaderMap::new(), storable: true, call: None }
}

/// All there is to read, and how it ended.
fn read(mut reader: Reader) -> (Vec<u8>, Option<Broken>) {
    let mut text = Vec::new();
    loop {
        match block_on(poll_fn(|context| reader.poll_next(context))) {
            Some(Ok(bytes)) => text.extend(bytes),
            Some(Err(broken)) => return (text, Some(broken)),
            None => return (text, None),
        }
    }
}

fn wait(threads: Vec<JoinHandle<()>>) {
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn whoever_joins_and_stays_reads_every_byte_in_order_to_the_end() {
    check(|| {
        let broadcasts = broadcasts();
        let (source, first) = lead(&broadcasts);
        let (complete, closes) = (maybe(), maybe());
        let broken = (!complete).then_some(Broken::Cut);
        let follow = |_| {
            let broadcasts = Arc::clone(&broadcasts);
            thread::spawn(move || match join(&broadcasts) {
                Joined::Follows(mut reader) => {
                    assert_eq!(block_on(reader.head()).unwrap().status, 200);
                    assert_eq!(read(reader), (b"abc".to_vec(), broken));
                }
                Joined::Leads(source, _reader) => feed(source, complete, false),
                Joined::Found(()) => {}
            })
        };
        let mut threads: Vec<_> = (0..2).map(follow).collect();
        threads.push(thread::spawn(move || assert_eq!(read(first), (b"abc".to_vec(), broken))));
        feed(source, complete, closes);
        wait(threads);
        assert!(broadcasts.is_empty());
    });
}

/// One whole answer, or one that breaks off at its end.
fn feed(source: Source, complete: bool, closes: bool) {
    source.head(head());
    source.push("a".into());
    source.push("b".into());
    if closes {
        source.close();
    }
    source.push("c".into());
    match (complete, maybe()) {
        (true, _) => source.end(End::Complete),
        (false, true) => source.end(End::Cut),
        (false, false) => unwind(source),
    }
}

#[test]
fn whoever_waits_for_the_head_learns_that_the_call_failed() {
    check(|| {
        let broadcasts = broadcasts();
        let (source, first) = lead(&broadcasts);
        let (fails, leaves) = (maybe(), maybe());
        let kind = if fails { Kind::Overloaded } else { Kind::UpstreamInvalid };
        let told = move |mut reader: Reader| {
            assert_eq!(block_on(reader.head()).unwrap_err().kind, kind);
            assert_eq!(read(reader), (Vec::new(), Some(Broken::Cut)));
        };
        let other = Arc::clone(&broadcasts);
        let threads = vec![
            thread::spawn(move || if leaves { drop(first) } else { told(first) }),
            thread::spawn(move || {
                if let Joined::Follows(reader) = join(&other) {
                    told(reader);
                }
            }),
        ];
        if fails {
            source.end(End::Failed(Error::new(Kind::Overloaded, "full")));
        } else {
            drop(source);
        }
        wait(threads);
        assert!(broadcasts.is_empty());
    });
}

#[test]
fn whoever_asks_reads_along_or_finds_what_was_kept() {
    check(|| {
        let broadcasts = broadcasts();
        let kept: Arc<AtomicBool> = Arc::default();
        let (source, first) = lead(&broadcasts);
        let ask = |_| {
            let (broadcasts, kept) = (Arc::clone(&broadcasts), Arc::clone(&kept));
            thread::spawn(move || {
                let was_kept = || kept.load(Ordering::SeqCst).then_some(());
                match broadcasts.join(key(1), BOUND, None, was_kept) {
                    Joined::Follows(reader) => assert_eq!(read(reader), (b"ab".to_vec(), None)),
                    Joined::Found(()) => {}
                    Joined::Leads(..) => panic!("in neither place"),
                }
            })
        };
        let threads = (0..2).map(ask).collect();
        drop(first);
        source.push("a".into());
        kept.store(true, Ordering::SeqCst);
        source.push("b".into());
        source.end(End::Complete);
        wait(threads);
        assert!(broadcasts.is_empty());
    });
}

#[test]
fn nobody_joins_an_answer_that_has_ended() {
    check(|| {
        let broadcasts = broadcasts();
        let ended: Arc<AtomicBool> = Arc::default();
        let (source, first) = lead(&broadcasts);
        let ask = |_| {
            let (broadcasts, ended) = (Arc::clone(&broadcasts), Arc::clone(&ended));
            thread::spawn(move || {
                let late = ended.load(Ordering::SeqCst);
                match join(&broadcasts) {
                    Joined::Follows(reader) => {
                        let (text, _) = read(reader);
                        assert!(!late || text == b"new", "it read what had ended");
                    }
                    Joined::Leads(source, _reader) => {
                        source.push("new".into());
                        source.end(End::Complete);
                    }
                    Joined::Found(()) => {}
                }
            })
        };
        let threads = (0..2).map(ask).collect();
        drop(first);
        source.push("old".into());
        if maybe() {
            source.close();
            ended.store(true, Ordering::SeqCst);
            drop(source);
        } else {
            source.end(End::Complete);
            ended.store(true, Ordering::SeqCst);
        }
        wait(threads);
        assert!(broadcasts.is_empty());
    });
}

#[test]
fn an_answer_is_given_up_only_if_nobody_reads_it() {
    check(|| {
        let broadcasts = broadcasts();
        let (source, first) = lead(&broadcasts);
        let all_leave = maybe();
        let follow = |_| {
            let broadcasts = Arc::clone(&broadcasts);
            thread::spawn(move || match join(&broadcasts) {
                Joined::Follows(reader) if all_leave => drop(reader),
                Joined::Follows(reader) => assert_eq!(read(reader), (b"ab".to_vec(), None)),
                Joined::Leads(source, _reader) => {
                    source.push("ab".into());
                    source.end(End::Complete);
                }
                Joined::Found(()) => {}
            })
        };
        let mut threads: Vec<_> = (0..2).map(follow).collect();
        threads.push(thread::spawn(move || drop(first)));
        source.push("a".into());
        if all_leave {
            block_on(source.deserted());
        }
        if source.abandon() {
            source.end(End::Cut);
        } else {
            source.push(Bytes::from_static(b"b"));
            source.end(End::Complete);
        }
        wait(threads);
        assert!(broadcasts.is_empty());
    });
}

#[test]
fn an_answer_that_was_closed_leaves_the_next_one_to_its_question_alone() {
    check(|| {
        let broadcasts = broadcasts();
        let (closed, _reader) = lead(&broadcasts);
        closed.close();
        let ending = thread::spawn(move || closed.end(End::Complete));
        let (source, first) = lead(&broadcasts);
        let Joined::Follows(other) = join(&broadcasts) else { panic!("its place was taken") };
        source.push("a".into());
        source.end(End::Complete);
        for reader in [first, other] {
            assert_eq!(read(reader), (b"a".to_vec(), None));
        }
        wait(vec![ending]);
        assert!(broadcasts.is_empty());
    });
}
