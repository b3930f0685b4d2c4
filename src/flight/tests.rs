//! One computation for each key, shared by all requests that wait for it.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use futures_util::FutureExt;

use super::*;
use crate::key::{Digest, Place};
use crate::request::Input;

fn key(n: u64) -> CacheKey {
    CacheKey::of(&Digest::of(b"test"), &Input::Tokens(Cow::Owned(vec![n])), Place::Anywhere)
}

fn flights() -> Arc<Flights<u32>> {
    Flights::new(&KeyHasher::new(&[1; 32]))
}

fn lead(flights: &Arc<Flights<u32>>, n: u64) -> (Lead<u32>, Follow<u32>) {
    match flights.claim(key(n)) {
        Claim::Lead(lead, follow) => (lead, follow),
        Claim::Follow(_) => panic!("it is led already"),
    }
}

fn follow(flights: &Arc<Flights<u32>>, n: u64) -> Follow<u32> {
    match flights.claim(key(n)) {
        Claim::Lead(..) => panic!("it is not led"),
        Claim::Follow(follow) => follow,
    }
}

#[tokio::test]
async fn everybody_gets_what_the_leader_lands() {
    let flights = flights();
    let (lead, own) = lead(&flights, 1);
    let others = [follow(&flights, 1), follow(&flights, 1)];
    lead.land(7);
    assert_eq!(own.landed().await, Ok(7));
    for other in others {
        assert_eq!(other.landed().await, Ok(7));
    }
    assert!(flights.is_empty());
}

#[tokio::test]
async fn a_dropped_lead_frees_the_key_and_tells_its_followers() {
    let flights = flights();
    let (first, own) = lead(&flights, 1);
    drop(first);
    assert_eq!(own.landed().await, Err(Abandoned));
    let (second, own) = lead(&flights, 1);
    second.land(2);
    assert_eq!(own.landed().await, Ok(2));
}

#[tokio::test]
async fn a_flight_outlives_the_request_that_began_it_while_somebody_waits() {
    let flights = flights();
    let (lead, own) = lead(&flights, 1);
    let other = follow(&flights, 1);
    drop(own);
    let lead = lead.unless_unwanted().expect("one still waits");
    lead.land(3);
    assert_eq!(other.landed().await, Ok(3));
}

fn joining(flights: &Arc<Flights<u32>>, joining: &Joining) -> Claim<u32> {
    flights.claim_all([key(1)], Some(joining)).pop().expect("one claim a key")
}

fn at(now: Instant) -> Joining {
    Joining { now, timeout: Some(Duration::from_secs(1)), usual: None, is_retry: false }
}

#[tokio::test]
async fn an_overdue_flight_is_raced_and_the_first_value_serves_both() {
    for newer_lands in [true, false] {
        let (flights, now) = (flights(), Instant::now());
        let Claim::Lead(older, waits) = joining(&flights, &at(now)) else { panic!("no lead") };
        let in_time = at(now + Duration::from_millis(999));
        assert!(matches!(joining(&flights, &in_time), Claim::Follow(_)));
        let late = at(now + Duration::from_secs(1));
        let Claim::Lead(newer, also) = joining(&flights, &late) else { panic!("no lead") };
        let (first, second) = if newer_lands { (newer, older) } else { (older, newer) };
        first.land_all(7);
        assert_eq!((waits.landed().await, also.landed().await), (Ok(7), Ok(7)));
        assert!(flights.is_empty());
        second.land_all(8);
    }
}

#[test]
fn a_flight_whose_first_request_has_left_is_not_joined() {
    let (flights, now) = (flights(), Instant::now());
    let Claim::Lead(_lead, own) = joining(&flights, &at(now)) else { panic!("no lead") };
    let other = joining(&flights, &at(now));
    assert!(matches!(other, Claim::Follow(_)));
    drop(other);
    assert!(matches!(joining(&flights, &at(now)), Claim::Follow(_)));
    drop(own);
    assert!(matches!(joining(&flights, &at(now)), Claim::Lead(..)));
}

#[test]
fn a_retry_does_not_join_the_attempt_that_it_retries() {
    let (flights, now) = (flights(), Instant::now());
    let Claim::Lead(_lead, _own) = joining(&flights, &at(now)) else { panic!("no lead") };
    let retry = Joining { is_retry: true, ..at(now + Duration::from_millis(500)) };
    let Claim::Lead(_newer, _waits) = joining(&flights, &retry) else { panic!("it joined") };
    // Other retries of the same moment share its call.
    assert!(matches!(joining(&flights, &retry), Claim::Follow(_)));
}

#[test]
fn a_flight_that_nobody_waits_for_ends() {
    let flights = flights();
    let (first, own) = lead(&flights, 1);
    drop(own);
    assert!(first.unless_unwanted().is_none());
    assert!(flights.is_empty());
    let (_second, _own) = lead(&flights, 1);
    assert_eq!(flights.len(), 1);
}

#[test]
fn flights_that_were_left_are_not_kept_while_one_request_waits() {
    let (flights, now) = (flights(), Instant::now());
    let Claim::Lead(patient, waits) = joining(&flights, &at(now)) else { panic!("no lead") };
    let mut before = None;
    for hours in 1..10_000 {
        let late = at(now + Duration::from_hours(hours));
        let Claim::Lead(lead, follow) = joining(&flights, &late) else { panic!("it joined") };
        assert!(lead.slot.older.len() <= 2, "{}", lead.slot.older.len());
        // The one before leaves when the next has come.
        before = Some((lead, follow));
    }
    drop(before);
    patient.land_all(7);
    assert_eq!(waits.landed().now_or_never(), Some(Ok(7)));
}
