//! Flights, whoever comes first.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use larder_models::flight::{Abandoned, Claim, Flights, Follow, Lead};
use larder_models::key::KeyHasher;
use larder_models::{check, key, maybe, unwind};
use shuttle::future::block_on;
use shuttle::thread::{self, JoinHandle};

type Numbers = Arc<Flights<u32>>;

fn flights() -> Numbers {
    Flights::new(&KeyHasher::new(&[1; 32]))
}

fn lead(flights: &Numbers, n: u8) -> (Lead<u32>, Follow<u32>) {
    match flights.claim(key(n)) {
        Claim::Lead(lead, follow) => (lead, follow),
        Claim::Follow(_) => panic!("somebody leads already"),
    }
}

fn landed(follow: Follow<u32>) -> Result<u32, Abandoned> {
    block_on(follow.landed())
}

fn join(threads: Vec<JoinHandle<()>>) {
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn of_two_that_claim_the_same_keys_one_leads_them_all() {
    check(|| {
        let flights = flights();
        let ask = |keys: [u8; 2]| {
            let flights = Arc::clone(&flights);
            thread::spawn(move || {
                let claims = flights.claim_all(keys.map(key), None);
                let led = claims.iter().filter(|claim| matches!(claim, Claim::Lead(..))).count();
                thread::yield_now();
                (led, claims)
            })
        };
        let threads = [[1, 2], [2, 1]].map(ask);
        let claimed = threads.map(|thread| thread.join().unwrap());
        let mut led = claimed.each_ref().map(|(led, _)| *led);
        led.sort_unstable();
        assert_eq!(led, [0, 2]);
    });
}

#[test]
fn claimants_of_the_same_keys_in_any_order_all_get_all_values_of_one_lead_each() {
    check(|| {
        let flights = flights();
        let leads: Arc<[AtomicU32; 4]> = Arc::default();
        let asked = [[1, 2], [2, 1], [2, 3], [3, 1]];
        let ask = |keys: [u8; 2]| {
            let (flights, leads) = (Arc::clone(&flights), Arc::clone(&leads));
            thread::spawn(move || ask_all(&flights, &leads, keys))
        };
        join(asked.map(ask).into());
        assert!(flights.is_empty());
    });
}

/// Claims all, then lands what it leads, then waits for all: the order of a request.
fn ask_all(flights: &Numbers, under_way: &[AtomicU32; 4], keys: [u8; 2]) {
    let (mut duties, mut followed) = (Vec::new(), Vec::new());
    for n in keys {
        match flights.claim(key(n)) {
            Claim::Lead(lead, follow) => {
                assert_eq!(
                    under_way[usize::from(n)].fetch_add(1, Ordering::SeqCst),
                    0,
                    "two leads"
                );
                duties.push((n, lead));
                followed.push((n, follow));
            }
            Claim::Follow(follow) => followed.push((n, follow)),
        }
    }
    for (n, lead) in duties {
        under_way[usize::from(n)].fetch_sub(1, Ordering::SeqCst);
        lead.land(u32::from(n));
    }
    for (n, follow) in followed {
        assert_eq!(landed(follow), Ok(u32::from(n)));
    }
}

#[test]
fn a_lead_that_is_dropped_or_unwound_leaves_nobody_stuck() {
    check(|| {
        let flights = flights();
        let ask = |_| {
            let flights = Arc::clone(&flights);
            thread::spawn(move || ask_with_trouble(&flights))
        };
        join((0..3).map(ask).collect());
        assert!(flights.is_empty());
    });
}

fn ask_with_trouble(flights: &Numbers) {
    let mut tries = 0;
    loop {
        let follow = match flights.claim(key(1)) {
            Claim::Follow(follow) => follow,
            Claim::Lead(lead, follow) => {
                tries += 1;
                match (tries, maybe()) {
                    (1, true) => unwind(lead),
                    (1, false) => drop(lead),
                    _ => lead.land(7),
                }
                follow
            }
        };
        if let Ok(value) = landed(follow) {
            return assert_eq!(value, 7);
        }
    }
}

#[test]
fn a_flight_ends_for_want_of_followers_only_if_nobody_follows() {
    check(|| {
        let flights = flights();
        let (first, own) = lead(&flights, 1);
        let ask = |_| {
            let flights = Arc::clone(&flights);
            thread::spawn(move || match flights.claim(key(1)) {
                Claim::Follow(follow) => assert!(landed(follow).is_ok(), "a follower was lost"),
                Claim::Lead(lead, follow) => {
                    lead.land(2);
                    assert_eq!(landed(follow), Ok(2));
                }
            })
        };
        let threads = (0..2).map(ask).collect();
        drop(own);
        if let Some(first) = first.unless_unwanted() {
            first.land(1);
        }
        join(threads);
        assert!(flights.is_empty());
    });
}

#[test]
fn a_lead_that_departed_leaves_the_next_flight_of_its_key_alone() {
    check(|| {
        let flights = flights();
        let (first, own) = lead(&flights, 1);
        drop(own);
        first.depart();
        let ending = thread::spawn(move || {
            if maybe() {
                drop(first);
            } else {
                assert!(first.unless_unwanted().is_none());
            }
        });
        let (second, own) = lead(&flights, 1);
        let Claim::Follow(other) = flights.claim(key(1)) else { panic!("its place was taken") };
        second.land(2);
        assert_eq!((landed(own), landed(other)), (Ok(2), Ok(2)));
        join(vec![ending]);
        assert!(flights.is_empty());
    });
}

#[test]
fn whoever_has_an_answer_and_asks_again_gets_a_newer_one() {
    check(|| {
        let flights = flights();
        let landings: Arc<AtomicU32> = Arc::default();
        let ask = |_| {
            let (flights, landings) = (Arc::clone(&flights), Arc::clone(&landings));
            thread::spawn(move || {
                let first = ask_once(&flights, &landings);
                assert!(ask_once(&flights, &landings) > first, "the same answer again");
            })
        };
        join((0..3).map(ask).collect());
        assert!(flights.is_empty());
    });
}

/// Lands how many flights landed before.
fn ask_once(flights: &Numbers, landings: &AtomicU32) -> u32 {
    let follow = match flights.claim(key(1)) {
        Claim::Follow(follow) => follow,
        Claim::Lead(lead, follow) => {
            lead.land(landings.fetch_add(1, Ordering::SeqCst));
            follow
        }
    };
    landed(follow).unwrap()
}

#[test]
fn flights_of_one_answer_that_depart_together_are_not_asked_for_again() {
    check(|| {
        let flights = flights();
        let (one, follow) = lead(&flights, 1);
        let (two, _own) = lead(&flights, 2);
        let again = {
            let flights = Arc::clone(&flights);
            thread::spawn(move || {
                assert_eq!(landed(follow), Ok(1));
                assert!(matches!(flights.claim(key(2)), Claim::Lead(..)), "it has that answer");
            })
        };
        [&one, &two].into_iter().for_each(Lead::depart);
        one.land(1);
        two.land(1);
        join(vec![again]);
        assert!(flights.is_empty());
    });
}
