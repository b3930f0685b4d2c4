use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::{JoinSet, yield_now};
use tokio::time::{sleep, timeout};

use super::*;
use crate::metrics::Metrics;

const OK: Told = Told { throttled: false, wait: None, is_final: false, calls: None, tokens: None };

fn queue(most: u32) -> Arc<Queue> {
    let metrics = Metrics::new().unwrap().upstream("test");
    let (interactive, bulk) = (metrics.waiting_interactive, metrics.waiting_bulk);
    Queue::new(most, Each { interactive, bulk })
}

fn ticket(line: u8, priority: Priority) -> Ticket {
    Ticket { line: Digest::of(&[line]), priority, until: None }
}

/// Enters the queue, and is there before the next one comes.
async fn enter<T: Send + 'static>(
    waiting: &mut JoinSet<T>,
    work: impl Future<Output = T> + Send + 'static,
) {
    waiting.spawn(work);
    yield_now().await;
}

/// The order in which those who wait get their turns, one at a time.
async fn order(lines: &[(u8, Priority)]) -> Vec<(u8, Priority)> {
    let queue = queue(1);
    let first = queue.turn(&ticket(0, Priority::Interactive), None).await;
    let (tell, mut told) = mpsc::channel(100);
    let mut waiting = JoinSet::new();
    for (line, priority) in lines.iter().copied() {
        let (queue, tell) = (Arc::clone(&queue), tell.clone());
        let work = async move {
            let _turn = queue.turn(&ticket(line, priority), None).await;
            tell.send((line, priority)).await.unwrap();
        };
        enter(&mut waiting, work).await;
    }
    drop((first, tell));
    let mut order = Vec::new();
    while let Some(one) = told.recv().await {
        order.push(one);
    }
    assert!(queue.lock().lines.is_empty(), "nothing was learned");
    order
}

#[tokio::test]
async fn lines_take_turns_and_people_go_first() {
    use Priority::{Bulk, Interactive};
    let waiting = [(1, Bulk), (1, Interactive), (1, Interactive), (2, Interactive), (2, Bulk)];
    let right = [(1, Interactive), (2, Interactive), (1, Interactive), (2, Bulk), (1, Bulk)];
    let order = order(&waiting).await;
    assert_eq!(order[..3], right[..3]);
    assert_eq!(order.len(), right.len());
}

#[tokio::test]
async fn bulk_is_not_put_off_for_ever() {
    let mut waiting = vec![(1, Priority::Interactive); 40];
    waiting.insert(0, (1, Priority::Bulk));
    let order = order(&waiting).await;
    let place = order.iter().position(|(_, priority)| *priority == Priority::Bulk).unwrap();
    assert!(place <= 7, "{place}");
}

#[tokio::test]
async fn whoever_leaves_the_queue_takes_no_turn_with_it() {
    let queue = queue(2);
    let held = [
        queue.turn(&ticket(1, Priority::Interactive), None).await,
        queue.turn(&ticket(2, Priority::Bulk), None).await,
    ];
    for _ in 0..100 {
        let mut waiting = JoinSet::new();
        for line in 0..3 {
            let queue = Arc::clone(&queue);
            let work = async move { queue.turn(&ticket(line, Priority::Bulk), None).await };
            enter(&mut waiting, work).await;
        }
        waiting.shutdown().await;
    }
    drop(held);
    let state = queue.lock();
    assert_eq!((state.under_way, state.lines.len(), state.order.len()), (0, 0, 0));
    assert_eq!((queue.waiting.interactive.get(), queue.waiting.bulk.get()), (0, 0));
}

/// Waits for a turn again and again, each time for another while.
async fn come_and_go(queue: Arc<Queue>, n: u64) {
    for round in 0..20 {
        let ticket = ticket(u8::try_from((n + round) % 5).unwrap(), Priority::Interactive);
        let patience = Duration::from_micros((n * 37 + round * 101) % 900);
        if let Ok(turn) = timeout(patience, queue.turn(&ticket, None)).await {
            yield_now().await;
            turn.answered(&OK);
        }
    }
}

#[tokio::test]
async fn turns_given_to_those_who_leave_just_then_come_back() {
    let queue = queue(3);
    let mut work = JoinSet::new();
    for n in 0..300 {
        work.spawn(come_and_go(Arc::clone(&queue), n));
    }
    work.join_all().await;
    let state = queue.lock();
    assert_eq!((state.under_way, state.order.len()), (0, 0));
    assert!(state.lines.values().all(|line| line.under_way == 0 && !line.is_waited_in()));
}

#[tokio::test]
async fn a_pause_holds_its_own_line_only_and_ends_by_itself() {
    let queue = queue(10);
    let refused = queue.turn(&ticket(1, Priority::Interactive), None).await;
    let beside = queue.turn(&ticket(1, Priority::Interactive), None).await;
    let wait = Some(Duration::from_millis(200));
    refused.answered(&Told { throttled: true, wait, ..OK });
    let number = refused.number();
    drop((refused, beside));
    let started = Instant::now();
    queue.turn(&ticket(2, Priority::Interactive), None).await;
    assert!(queue.paused(&Digest::of(&[1])).is_some());
    let mut waiting = JoinSet::new();
    let late = Arc::clone(&queue);
    let later = async move { late.turn(&ticket(1, Priority::Interactive), None).await.number() };
    enter(&mut waiting, later).await;
    let again = queue.turn(&ticket(1, Priority::Interactive), Some(number)).await;
    assert!(started.elapsed() >= Duration::from_millis(190), "{:?}", started.elapsed());
    // Sent back, it goes before who came later: the window is one call now.
    assert_eq!(again.number(), number);
    sleep(Duration::from_millis(20)).await;
    assert!(waiting.try_join_next().is_none());
    drop(again);
    assert!(waiting.join_next().await.unwrap().unwrap() > number);
}

#[tokio::test]
async fn a_refusal_of_who_asks_alone_pauses_nothing() {
    let queue = queue(10);
    let alone = queue.turn(&ticket(1, Priority::Interactive), None).await;
    let wait = Some(Duration::from_mins(1));
    alone.answered(&Told { throttled: true, wait, ..OK });
    assert!(!alone.is_of_many() && queue.paused(&alone.line()).is_none());
    let beside = queue.turn(&ticket(1, Priority::Interactive), None).await;
    beside.answered(&Told { throttled: true, wait, ..OK });
    assert!(beside.is_of_many() && queue.paused(&alone.line()).is_some());
    drop(alone);
    assert!(beside.is_of_many(), "the last of many is refused for the others");
}
