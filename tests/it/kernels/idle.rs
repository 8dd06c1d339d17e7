//! Workers without work sleep: the time that the system counts for them stands still.

use pullback::exec::kernels::Team;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// Nanoseconds on a processor, if the system counts them.
fn spent(thread: &Path) -> Option<u64> {
    let text = fs::read_to_string(thread.join("schedstat")).ok()?;
    text.split_whitespace().next()?.parse().ok()
}

#[test]
fn idle_workers_sleep() {
    let team = Arc::new(Team::new(1, std::thread::yield_now));
    let (tell, told) = mpsc::channel();
    let worker = std::thread::spawn({
        let team = Arc::clone(&team);
        move || {
            let own = fs::read_link("/proc/thread-self").expect("the system tells of threads");
            tell.send(PathBuf::from("/proc").join(own)).expect("the test waits");
            team.serve();
        }
    });
    let thread = told.recv().expect("the worker begins");
    let still = || {
        let before = spent(&thread)?;
        std::thread::sleep(Duration::from_millis(5));
        Some(before == spent(&thread)?)
    };
    for _ in 0..2 {
        let done = AtomicUsize::new(0);
        team.run(64, &|_| {
            done.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(done.into_inner(), 64);
        // It looks for more for a while; how long that is depends on what else the machine does.
        let asleep = (0..1000).map_while(|_| still()).scan(0, |calm, still| {
            *calm = if still { *calm + 1 } else { 0 };
            Some(*calm)
        });
        assert!(asleep.into_iter().any(|calm| calm == 5), "a worker without work works");
    }
    team.close();
    worker.join().expect("the worker ends");
}
