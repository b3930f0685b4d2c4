//! Broadcasts that hold no more than they may, and sources that wait for their readers.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use larder_models::broadcast::{Broadcasts, Broken, End, Joined, Reader};
use larder_models::ceiling::Ceiling;
use larder_models::key::KeyHasher;
use larder_models::{check, key, maybe};
use shuttle::future::block_on;
use shuttle::thread;

/// What a piece of one byte counts for.
const PIECE: usize = 1 + 64;

fn broadcasts() -> Arc<Broadcasts> {
    Broadcasts::new(&KeyHasher::new(&[1; 32]), &Ceiling::new(usize::MAX))
}

/// A piece that says how many there are.
struct Piece(u8, Arc<AtomicUsize>);

impl Piece {
    fn bytes(n: u8, held: &Arc<AtomicUsize>) -> Bytes {
        held.fetch_add(1, Ordering::SeqCst);
        Bytes::from_owner(Self(n, Arc::clone(held)))
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        std::slice::from_ref(&self.0)
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Reads as many pieces as it wants, each the one after the last; how it ended, if it did.
fn read(reader: &mut Reader, most: u8) -> Option<Result<(), Broken>> {
    for n in 0..most {
        match block_on(poll_fn(|context| reader.poll_next(context))) {
            Some(Ok(bytes)) => assert_eq!(&*bytes, [n]),
            Some(Err(broken)) => return Some(Err(broken)),
            None => return Some(Ok(())),
        }
    }
    None
}

#[test]
fn a_slow_reader_slows_the_source_and_loses_nothing() {
    check(|| {
        let held: Arc<AtomicUsize> = Arc::default();
        let (source, mut reader) = broadcasts().alone(2 * PIECE);
        let reads = thread::spawn(move || assert_eq!(read(&mut reader, 9), Some(Ok(()))));
        for n in 0..6 {
            block_on(source.room());
            source.push(Piece::bytes(n, &held));
            // One may be in the reader's hands.
            assert!(held.load(Ordering::SeqCst) <= 3, "more than the bound");
        }
        source.end(End::Complete);
        reads.join().unwrap();
        assert_eq!(held.load(Ordering::SeqCst), 0);
    });
}

#[test]
fn readers_who_leave_or_fall_behind_hold_up_nobody_and_nothing() {
    check(|| {
        let broadcasts = broadcasts();
        let held: Arc<AtomicUsize> = Arc::default();
        let ask = || broadcasts.join(key(1), 2 * PIECE, None, || None::<()>);
        let Joined::Leads(source, first) = ask() else { panic!("somebody leads already") };
        let Joined::Follows(other) = ask() else { panic!("nobody leads") };
        let threads = [first, other].map(|mut reader| {
            thread::spawn(move || {
                let most = if maybe() { 9 } else { 2 };
                let ended = read(&mut reader, most);
                let behind = Some(Err(Broken::Behind));
                assert!(ended == behind || ended == (most == 9).then_some(Ok(())), "{ended:?}");
            })
        });
        for n in 0..5 {
            block_on(source.room());
            source.push(Piece::bytes(n, &held));
            // One may be in the hands of each reader.
            assert!(held.load(Ordering::SeqCst) <= 4, "more than the bound");
        }
        source.end(End::Complete);
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(held.load(Ordering::SeqCst), 0);
        assert!(broadcasts.is_empty());
    });
}

#[test]
fn whoever_waits_for_room_and_whoever_waits_for_nobody_are_both_woken() {
    check(|| {
        let (source, mut reader) = broadcasts().alone(2 * PIECE);
        source.close();
        source.push(Bytes::from_static(&[0]));
        source.push(Bytes::from_static(&[1]));
        let source = Arc::new(source);
        let deserted = {
            let source = Arc::clone(&source);
            thread::spawn(move || block_on(source.deserted()))
        };
        let reads = thread::spawn(move || {
            assert_eq!(read(&mut reader, 1), None);
            reader
        });
        block_on(source.room());
        drop(reads.join().unwrap());
        deserted.join().unwrap();
        assert!(source.abandon());
    });
}
