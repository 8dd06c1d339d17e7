//! Work in pieces, handed to whoever is free: the caller takes back what nobody has begun.
//!
//! A closure that borrows from the caller's stack is lent to threads that outlive the call, which safe Rust has no words
//! for. `Team::run` returns only when every piece that was begun has ended, so nothing lent is used afterwards.

use std::any::Any;
use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

/// Pieces beyond are handed out several at a time.
const MOST: usize = (1 << 24) - 1;
/// So often an idle worker looks for work before it sleeps: some tens of microseconds.
const LOOKS: u32 = 1 << 12;

type Work = dyn Fn(usize) + Sync;

/// A caller and its workers.
pub struct Team {
    workers: usize,
    /// Lets other threads run.
    pause: fn(),
    /// The number of the job, how many pieces it has, and the next that nobody has begun: 16, 24 and 24 bits.
    ticket: AtomicU64,
    /// How many pieces have ended.
    ended: AtomicUsize,
    job: UnsafeCell<Option<*const Work>>,
    failed: Mutex<Option<Box<dyn Any + Send>>>,
    /// Whether a caller has the team.
    taken: AtomicBool,
    asleep: AtomicUsize,
    helped: AtomicUsize,
    closed: AtomicBool,
    bed: Mutex<()>,
    call: Condvar,
}

// SAFETY: `job` is written only by the caller that has `taken` the team while no piece is begun, and read only by who has
// begun a piece of that job.
unsafe impl Sync for Team {}
// SAFETY: the pointer in `job` is to a closure that is `Sync`, and is used only while `run` lends it.
unsafe impl Send for Team {}

impl Team {
    /// A caller with so many workers, each of which has to call `serve`; `pause` lets other threads run.
    pub fn new(workers: usize, pause: fn()) -> Team {
        Team {
            workers,
            pause,
            ticket: AtomicU64::new(0),
            ended: AtomicUsize::new(0),
            job: UnsafeCell::new(None),
            failed: Mutex::new(None),
            taken: AtomicBool::new(false),
            asleep: AtomicUsize::new(0),
            helped: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            bed: Mutex::new(()),
            call: Condvar::new(),
        }
    }

    /// A caller alone.
    pub fn alone() -> Team {
        Team::new(0, std::hint::spin_loop)
    }

    /// How many may work at once.
    pub fn size(&self) -> usize {
        self.workers + 1
    }

    /// How many pieces workers have done so far.
    pub fn helped(&self) -> usize {
        self.helped.load(Ordering::Relaxed)
    }

    /// Does `work` for every number below `pieces`, in any order, on any thread of the team; on the caller's alone where the
    /// team is busy, as it is within a piece. A panic in a piece goes on to the caller after the other pieces have ended.
    pub fn run(&self, pieces: usize, work: &(dyn Fn(usize) + Sync)) {
        let alone = self.workers == 0 || pieces < 2;
        if alone || self.taken.swap(true, Ordering::Acquire) {
            return (0..pieces).for_each(work);
        }
        if pieces <= MOST {
            self.lend(pieces, work);
        } else {
            let each = pieces.div_ceil(MOST);
            let several = |i: usize| (i * each..pieces.min((i + 1) * each)).for_each(work);
            self.lend(pieces.div_ceil(each), &several);
        }
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.taken.store(false, Ordering::Release);
        if let Some(panic) = failed {
            resume_unwind(panic);
        }
    }

    fn lend(&self, pieces: usize, work: &(dyn Fn(usize) + Sync)) {
        self.ended.store(0, Ordering::Relaxed);
        // SAFETY: the lifetime goes no further than this call, which waits for all that is begun; nobody reads `job` now,
        // since no piece of the last job is left.
        unsafe {
            let lent = std::mem::transmute::<*const (dyn Fn(usize) + Sync + '_), *const Work>(work);
            *self.job.get() = Some(lent);
        }
        let number = (self.ticket.load(Ordering::Relaxed) >> 48).wrapping_add(1) << 48;
        self.ticket.store(number | (pieces as u64) << 24, Ordering::SeqCst);
        if self.asleep.load(Ordering::SeqCst) > 0 {
            let _bed = self.bed.lock().unwrap_or_else(PoisonError::into_inner);
            self.call.notify_all();
        }
        while self.step() {}
        let mut looks = 0u32;
        while self.ended.load(Ordering::Acquire) < pieces {
            looks += 1;
            if looks.is_multiple_of(1 << 8) {
                (self.pause)();
            }
            std::hint::spin_loop();
        }
    }

    /// Does one piece, if there is one that nobody has begun.
    fn step(&self) -> bool {
        let mut ticket = self.ticket.load(Ordering::Acquire);
        loop {
            let (pieces, next) = (ticket >> 24 & MOST as u64, ticket & MOST as u64);
            if next >= pieces {
                return false;
            }
            let claim = (ticket, ticket + 1);
            match self.ticket.compare_exchange_weak(
                claim.0,
                claim.1,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => {
                    // SAFETY: a piece of the present job is begun, so `run` waits and `job` stays as it is.
                    let work = unsafe { (*self.job.get()).map(|work| &*work) };
                    let piece = || work.map(|work| work(next as usize));
                    if let Err(panic) = catch_unwind(AssertUnwindSafe(piece)) {
                        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
                    }
                    self.ended.fetch_add(1, Ordering::Release);
                    return true;
                }
                Err(now) => ticket = now,
            }
        }
    }

    /// What a worker does until the team is closed: it looks for pieces for a while, then sleeps until it is called.
    pub fn serve(&self) {
        let mut looks = 0;
        while !self.closed.load(Ordering::Acquire) {
            if self.step() {
                self.helped.fetch_add(1, Ordering::Relaxed);
                looks = 0;
            } else if looks < LOOKS {
                looks += 1;
                std::hint::spin_loop();
            } else {
                self.sleep();
                looks = 0;
            }
        }
    }

    fn sleep(&self) {
        let mut bed = self.bed.lock().unwrap_or_else(PoisonError::into_inner);
        self.asleep.fetch_add(1, Ordering::SeqCst);
        let idle = || {
            let ticket = self.ticket.load(Ordering::SeqCst);
            ticket & MOST as u64 >= ticket >> 24 & MOST as u64
        };
        while idle() && !self.closed.load(Ordering::Acquire) {
            bed = self.call.wait(bed).unwrap_or_else(PoisonError::into_inner);
        }
        self.asleep.fetch_sub(1, Ordering::SeqCst);
    }

    /// Sends the workers home.
    pub fn close(&self) {
        let _bed = self.bed.lock().unwrap_or_else(PoisonError::into_inner);
        self.closed.store(true, Ordering::Release);
        self.call.notify_all();
    }
}

impl std::fmt::Debug for Team {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Team").field("size", &self.size()).finish_non_exhaustive()
    }
}
