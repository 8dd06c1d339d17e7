//! Teams do every piece once, whoever does it.

use pullback::exec::kernels::Team;
use pullback::exec::pool::Pool;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

#[test]
fn every_piece_is_done_once() {
    for threads in [1, 2, 3, 8] {
        let pool = Pool::new(threads);
        for pieces in [0, 1, 2, 7, 100] {
            for _ in 0..20 {
                let done: Vec<AtomicUsize> = (0..pieces).map(|_| AtomicUsize::new(0)).collect();
                pool.team().run(pieces, &|piece| {
                    done[piece].fetch_add(1, Ordering::Relaxed);
                });
                assert!(done.iter().all(|done| done.load(Ordering::Relaxed) == 1));
            }
        }
    }
}

#[test]
fn workers_take_part() {
    let pool = Pool::new(2);
    let caller = std::thread::current().id();
    let other = AtomicBool::new(false);
    // A piece of the caller waits until a worker has come, which it does even after a sleep.
    for _ in 0..3 {
        other.store(false, Ordering::SeqCst);
        pool.team().run(2, &|_| {
            if std::thread::current().id() != caller {
                other.store(true, Ordering::SeqCst);
            }
            while !other.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
        });
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn a_piece_may_call_the_team() {
    let pool = Pool::new(3);
    let sum = AtomicUsize::new(0);
    pool.team().run(4, &|_| {
        pool.team().run(5, &|i| {
            sum.fetch_add(i, Ordering::Relaxed);
        });
    });
    assert_eq!(sum.load(Ordering::Relaxed), 40);
}

#[test]
fn a_panic_reaches_the_caller_and_the_team_goes_on() {
    let pool = Pool::new(2);
    for piece in 0..8 {
        let run = || {
            pool.team().run(8, &|i| assert_ne!(i, piece, "the piece that fails"));
        };
        assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
    }
    let count = AtomicUsize::new(0);
    pool.team().run(8, &|_| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    assert_eq!(count.load(Ordering::Relaxed), 8);
}

#[test]
fn a_team_without_workers_is_the_caller() {
    let sum = AtomicUsize::new(0);
    Team::alone().run(5, &|i| {
        sum.fetch_add(i, Ordering::Relaxed);
    });
    assert_eq!((sum.load(Ordering::Relaxed), Team::alone().size()), (10, 1));
}
