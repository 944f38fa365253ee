#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
use std::task::Poll;

use super::*;

const STALLED: Duration = Duration::from_millis(500);

fn three() -> (Arc<Pool>, [Seat; 3]) {
    let pool = Pool::new(3, &Limits { stalled: STALLED, ..Limits::default() });
    let seats = [0, 1, 2].map(|_| pool.try_seat().unwrap().take());
    assert!(pool.try_seat().is_none());
    (pool, seats)
}

fn leaving(seats: &[Seat; 3]) -> [bool; 3] {
    [0, 1, 2].map(|i: usize| seats.get(i).unwrap().leave().is_some())
}

#[test]
fn a_seat_is_given_back() {
    let (pool, seats) = three();
    assert_eq!(pool.taken(), 3);
    drop(seats);
    assert_eq!(pool.taken(), 0);
    assert!(pool.try_seat().is_some());
}

#[test]
fn l1_stalled_requests_go_first_then_the_longest_idle() {
    let (pool, seats) = three();
    let start = Instant::now();
    let now = start + Duration::from_secs(60);
    seats[0].enter(Phase::Idle(start + Duration::from_secs(1)));
    seats[1].enter(Phase::Idle(start));
    seats[2].enter(Phase::Partial(now - STALLED));
    for expected in [[false, false, true], [false, true, true], [true, true, true]] {
        assert!(pool.dismiss_one(now));
        assert_eq!(leaving(&seats), expected);
    }
    assert!(!pool.dismiss_one(now), "nobody is asked twice");
}

#[test]
fn l1_l3_nobody_goes_between_request_and_reply_nor_while_a_request_arrives() {
    let (pool, seats) = three();
    let now = Instant::now() + STALLED;
    seats[1].enter(Phase::Partial(now));
    seats[2].enter(Phase::Partial(now - STALLED / 2));
    assert!(!pool.dismiss_one(now));
    assert_eq!(leaving(&seats), [false; 3]);
}

#[test]
fn whoever_has_waited_too_long_is_asked_once_and_the_next_is_known() {
    let (pool, seats) = three();
    let start = Instant::now();
    let (request, idle) = (Limits::default().request, Limits::default().idle);
    assert_eq!(pool.dismiss_overdue(start + 2 * idle), None, "those that answer are not waiting");
    seats[0].enter(Phase::Idle(start));
    seats[1].enter(Phase::Partial(start));
    seats[2].enter(Phase::Partial(start + request / 2));
    let second = start + request / 2 + request;
    let due = |later| pool.dismiss_overdue(start + later);
    let is_due = |next: Option<Instant>, expected: Instant| {
        // A phase is kept in nanoseconds.
        assert!(next.unwrap().max(expected) - next.unwrap().min(expected) < Duration::from_micros(1));
    };
    is_due(due(request / 2), start + request);
    assert_eq!(leaving(&seats), [false; 3]);
    is_due(due(request), second);
    assert_eq!(leaving(&seats), [false, true, false]);
    is_due(due(request * 2), start + idle);
    assert_eq!(leaving(&seats), [false, true, true]);
    assert_eq!(due(idle), None);
    assert!(seats.iter().all(|seat| seat.leave() == Some(Leave::Overdue)));
    seats[0].stay();
    assert_eq!(seats[0].leave(), None, "it had a request at hand");
}

#[test]
fn a_phase_is_what_was_entered() {
    let (pool, seats) = three();
    let since = pool.start + Duration::from_nanos(123_456_789);
    for phase in [Phase::Busy, Phase::Partial(since), Phase::Idle(since), Phase::Idle(pool.start)] {
        seats[0].enter(phase);
        assert_eq!(pool.phase(&seats[0].place), phase);
    }
}

#[test]
fn a_shutdown_is_final_and_a_seat_can_be_kept() {
    let (pool, seats) = three();
    let now = Instant::now();
    seats[0].enter(Phase::Idle(now));
    assert!(pool.dismiss_one(now));
    assert_eq!(seats[0].leave(), Some(Leave::Seat));
    seats[0].stay();
    assert_eq!(seats[0].leave(), None);
    pool.close();
    seats[0].stay();
    assert_eq!(seats[0].leave(), Some(Leave::Closing));
    seats[1].enter(Phase::Idle(now));
    assert!(pool.dismiss_one(now));
    assert!(seats.iter().any(|seat| seat.leave() == Some(Leave::Shutdown)), "somebody waits for the seat");
    pool.shut_down();
    seats[0].stay();
    assert_eq!(seats[0].leave(), Some(Leave::Shutdown));
    pool.close();
    let late = {
        drop(seats);
        pool.try_seat().unwrap().take()
    };
    late.dismiss();
    assert_eq!(late.leave(), Some(Leave::Shutdown), "who comes late is told what the others were told last");
}

#[tokio::test]
async fn a_full_pool_makes_room() {
    let (pool, seats) = three();
    let [first, second, third] = seats;
    second.enter(Phase::Idle(Instant::now()));
    let leaver = tokio::spawn(async move {
        std::future::poll_fn(|context| {
            second.wake_by(context.waker().clone());
            if second.leave().is_some() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    });
    let _seat = pool.seat().await;
    leaver.await.unwrap();
    drop((first, third));
}
