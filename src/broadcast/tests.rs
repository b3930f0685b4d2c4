//! Everybody reads the same, whenever they come and however slowly they read.

use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use futures_util::FutureExt;

use super::*;
use crate::error::Kind;
use crate::key::Digest;

const BOUND: usize = 10_000;

fn broadcasts() -> Arc<Broadcasts> {
    Broadcasts::new(&KeyHasher::new(&[1; 32]), &Ceiling::new(usize::MAX))
}

fn key(name: &str) -> CacheKey {
    CacheKey::whole(Digest::of(name.as_bytes()))
}

fn join(broadcasts: &Arc<Broadcasts>) -> Joined<()> {
    broadcasts.join(key("question"), BOUND, None, || None)
}

fn lead(broadcasts: &Arc<Broadcasts>) -> (Source, Reader) {
    match join(broadcasts) {
        Joined::Leads(source, reader) => (source, reader),
        other => panic!("somebody leads already: {other:?}"),
    }
}

fn follow(broadcasts: &Arc<Broadcasts>) -> Reader {
    match join(broadcasts) {
        Joined::Follows(reader) => reader,
        other => panic!("nobody leads: {other:?}"),
    }
}

fn next(reader: &mut Reader) -> Poll<Option<Result<Bytes, Broken>>> {
    reader.poll_next(&mut Context::from_waker(Waker::noop()))
}

/// What there is to read now, and how it goes on.
fn read(reader: &mut Reader) -> (String, Poll<Option<Broken>>) {
    let mut text = String::new();
    loop {
        match next(reader) {
            Poll::Ready(Some(Ok(bytes))) => text += std::str::from_utf8(&bytes).unwrap(),
            Poll::Ready(Some(Err(broken))) => return (text, Poll::Ready(Some(broken))),
            Poll::Ready(None) => return (text, Poll::Ready(None)),
            Poll::Pending => return (text, Poll::Pending),
        }
    }
}

fn is_ready(future: impl Future<Output = ()>) -> bool {
    let mut future = std::pin::pin!(future);
    future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

fn head() -> Head {
    Head { status: StatusCode::OK, headers: HeaderMap::new(), storable: true, call: None }
}

#[tokio::test]
async fn whoever_joins_late_reads_from_the_first_byte() {
    let broadcasts = broadcasts();
    let (source, mut first) = lead(&broadcasts);
    source.head(head());
    source.push("one ".into());
    assert_eq!(read(&mut first), ("one ".to_owned(), Poll::Pending));
    let mut late = follow(&broadcasts);
    assert_eq!(late.head().await.unwrap().status, 200);
    source.push("two".into());
    assert_eq!(source.whole().unwrap().concat(), b"one two");
    source.end(End::Complete);
    assert_eq!(read(&mut first), ("two".to_owned(), Poll::Ready(None)));
    assert_eq!(read(&mut late), ("one two".to_owned(), Poll::Ready(None)));
    assert!(broadcasts.is_empty());
}

#[tokio::test]
async fn the_leader_may_leave_and_the_others_go_on() {
    let broadcasts = broadcasts();
    let (source, first) = lead(&broadcasts);
    source.push("a".into());
    let mut other = follow(&broadcasts);
    drop(first);
    assert!(!is_ready(source.deserted()));
    assert!(!source.abandon());
    source.push("b".into());
    source.end(End::Complete);
    assert_eq!(read(&mut other), ("ab".to_owned(), Poll::Ready(None)));
}

#[test]
fn an_answer_that_nobody_reads_can_be_given_up() {
    let broadcasts = broadcasts();
    let (source, first) = lead(&broadcasts);
    drop(first);
    assert!(is_ready(source.deserted()));
    drop(follow(&broadcasts));
    assert!(source.abandon());
    let (_second, _reader) = lead(&broadcasts);
}

#[tokio::test]
async fn everybody_learns_of_a_cut() {
    let broadcasts = broadcasts();
    let (source, mut first) = lead(&broadcasts);
    let mut other = follow(&broadcasts);
    source.head(head());
    source.push("half".into());
    drop(source);
    for reader in [&mut first, &mut other] {
        assert_eq!(read(reader), ("half".to_owned(), Poll::Ready(Some(Broken::Cut))));
    }
}

#[tokio::test]
async fn everybody_gets_the_error_of_a_call_that_failed() {
    let broadcasts = broadcasts();
    let (source, first) = lead(&broadcasts);
    let other = follow(&broadcasts);
    source.end(End::Failed(Error::new(Kind::Overloaded, "full")));
    for mut reader in [first, other] {
        assert_eq!(reader.head().await.unwrap_err().kind, Kind::Overloaded);
    }
    let (second, mut reader) = lead(&broadcasts);
    drop(second);
    assert_eq!(reader.head().await.unwrap_err().kind, Kind::UpstreamInvalid);
}

#[test]
fn over_the_bound_nobody_joins_and_the_present_go_on() {
    let broadcasts = broadcasts();
    let (source, mut first) = lead(&broadcasts);
    let mut slow = follow(&broadcasts);
    let chunk = "x".repeat(1_000);
    for _ in 0..20 {
        source.push(chunk.clone().into());
        assert_eq!(read(&mut first), (chunk.clone(), Poll::Pending));
    }
    assert!(source.whole().is_none());
    assert!(!source.is_joinable());
    let (_anew, _reader) = lead(&broadcasts);
    assert_eq!(read(&mut slow), (String::new(), Poll::Ready(Some(Broken::Behind))));
    drop(slow);
    source.end(End::Complete);
    assert_eq!(read(&mut first), (String::new(), Poll::Ready(None)));
}

#[test]
fn a_lone_slow_reader_slows_the_provider_and_loses_nothing() {
    let (source, mut reader) = broadcasts().alone(BOUND);
    let chunk = "x".repeat(1_000);
    let mut pushed = 0;
    let mut got = String::new();
    for round in 0..200 {
        while is_ready(source.room()) && pushed < 100 {
            source.push(chunk.clone().into());
            pushed += 1;
        }
        assert!(round > 100 || pushed <= round + 12, "{pushed} after {round}");
        if let Poll::Ready(Some(bytes)) = next(&mut reader) {
            got += std::str::from_utf8(&bytes.unwrap()).unwrap();
        }
    }
    assert_eq!((pushed, got.len()), (100, 100_000));
    assert!(!source.is_joinable());
}

#[test]
fn where_all_together_hold_too_much_nobody_new_is_taken_on_and_all_is_read() {
    let broadcasts = Broadcasts::new(&KeyHasher::new(&[1; 32]), &Ceiling::new(2 * BOUND));
    let chunk = Bytes::from(vec![b'x'; BOUND / 2]);
    let mut others = Vec::new();
    for name in ["one", "other", "third"] {
        let Joined::Leads(source, reader) = broadcasts.join(key(name), BOUND, None, || None::<()>)
        else {
            panic!("somebody leads already");
        };
        source.push(chunk.clone());
        others.push((source, reader));
    }
    let (source, mut reader) = lead(&broadcasts);
    source.push(chunk.clone());
    assert!(!source.is_joinable() && source.whole().is_none());
    assert!(matches!(next(&mut reader), Poll::Ready(Some(Ok(got))) if got == chunk));
    assert!(others.iter().all(|(source, _)| source.is_joinable()));
    drop((others, source));
    let (source, _reader) = lead(&broadcasts);
    source.push(chunk);
    assert!(source.is_joinable());
}

#[test]
fn what_was_found_meanwhile_is_not_asked_again() {
    let broadcasts = broadcasts();
    assert!(matches!(broadcasts.join(key("x"), BOUND, None, || Some(7)), Joined::Found(7)));
    let (_source, _reader) = lead(&broadcasts);
    assert!(matches!(
        broadcasts.join(key("question"), BOUND, None, || Some(7)),
        Joined::Follows(_)
    ));
}

fn joining(broadcasts: &Arc<Broadcasts>, joining: &Joining) -> Joined<()> {
    broadcasts.join(key("question"), BOUND, Some(joining), || None)
}

fn at(now: Instant) -> Joining {
    Joining { now, timeout: Some(Duration::from_secs(1)), usual: None, is_retry: false }
}

#[tokio::test]
async fn an_overdue_call_is_raced_for_its_head_and_both_have_the_first() {
    for newer_wins in [true, false] {
        let (broadcasts, now) = (broadcasts(), Instant::now());
        let Joined::Leads(older, mut first) = joining(&broadcasts, &at(now)) else { panic!() };
        let late = at(now + Duration::from_secs(1));
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move { (first.head().await.unwrap(), first) });
        tokio::task::yield_now().await;
        let Joined::Leads(newer, mut second) = joining(&broadcasts, &late) else { panic!() };
        let (winner, loser) = if newer_wins { (newer, older) } else { (older, newer) };
        winner.head(head());
        winner.push("whole".into());
        winner.end(End::Complete);
        let (_, mut first) = tasks.join_next().await.unwrap().unwrap();
        assert_eq!(read(&mut first), ("whole".to_owned(), Poll::Ready(None)));
        assert_eq!(second.head().await.unwrap().status, 200);
        assert!(is_ready(loser.deserted()), "the other call is waited for");
    }
}

#[test]
fn a_patient_reader_keeps_no_call_of_readers_that_left_and_no_stack() {
    let (broadcasts, now) = (broadcasts(), Instant::now());
    let Joined::Leads(_source, mut patient) = joining(&broadcasts, &at(now)) else { panic!() };
    let late = at(now + Duration::from_hours(1));
    let lead = |_| match joining(&broadcasts, &late) {
        Joined::Leads(newer, _left) => newer,
        _ => panic!("it joined"),
    };
    let sources: Vec<Source> = (0..20_000).map(lead).collect();
    assert!(patient.head().now_or_never().is_none());
    assert!(sources.iter().all(|newer| is_ready(newer.deserted())));
    sources[0].head(head());
    assert!(patient.head().now_or_never().is_some());
}

#[test]
fn a_call_without_a_head_is_not_joined_when_its_first_reader_has_left() {
    let (broadcasts, now) = (broadcasts(), Instant::now());
    let Joined::Leads(source, first) = joining(&broadcasts, &at(now)) else { panic!() };
    drop(first);
    let Joined::Leads(newer, second) = joining(&broadcasts, &at(now)) else { panic!("it joined") };
    // An answer that streams already may be joined.
    newer.head(head());
    drop(second);
    assert!(matches!(joining(&broadcasts, &at(now)), Joined::Follows(_)));
    drop(source);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_on_other_threads_are_woken_for_every_piece() {
    let broadcasts = broadcasts();
    let (source, first) = lead(&broadcasts);
    let mut readers = vec![first];
    readers.extend((0..8).map(|_| follow(&broadcasts)));
    let mut tasks = tokio::task::JoinSet::new();
    for mut reader in readers {
        tasks.spawn(async move {
            let mut text = Vec::new();
            while let Some(bytes) = poll_fn(|context| reader.poll_next(context)).await {
                text.extend(bytes.unwrap());
            }
            text
        });
    }
    let mut right: Vec<u8> = Vec::new();
    for n in 0..100 {
        let piece = format!("{n},");
        right.extend(piece.as_bytes());
        source.push(piece.into());
        tokio::task::yield_now().await;
    }
    source.end(End::Complete);
    for text in tasks.join_all().await {
        assert_eq!(text, right);
    }
}
