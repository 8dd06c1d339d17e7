//! The threads that share the work of a run.

use super::kernels::Team;
use std::sync::Arc;

/// A team with its threads, which end with it.
#[derive(Debug)]
pub struct Pool {
    team: Arc<Team>,
    #[cfg(not(target_family = "wasm"))]
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Pool {
    /// A pool of so many threads, the caller's among them; of fewer where the system gives no more.
    #[cfg(not(target_family = "wasm"))]
    pub fn new(threads: usize) -> Pool {
        let wanted = threads.clamp(1, MOST) - 1;
        let team = Arc::new(Team::new(wanted, std::thread::yield_now));
        let serve = |number: usize| {
            let team = Arc::clone(&team);
            let named = std::thread::Builder::new().name(format!("pullback-{number}"));
            named.spawn(move || team.serve()).ok()
        };
        let threads: Vec<_> = (1..=wanted).map_while(serve).collect();
        if threads.is_empty() {
            return Pool { team: Arc::new(Team::alone()), threads };
        }
        Pool { team, threads }
    }

    /// A pool of the caller's thread alone: there are no others here.
    #[cfg(target_family = "wasm")]
    pub fn new(_threads: usize) -> Pool {
        Pool { team: Arc::new(Team::alone()) }
    }

    /// What kernels hand their pieces to.
    pub fn team(&self) -> &Team {
        &self.team
    }
}

#[cfg(not(target_family = "wasm"))]
const MOST: usize = 256;

/// As many threads as the process may use at once: the cores, less where it is bound to some or a control group limits it.
pub fn available() -> usize {
    #[cfg(not(target_family = "wasm"))]
    return std::thread::available_parallelism().map_or(1, usize::from).min(MOST);
    #[cfg(target_family = "wasm")]
    1
}

impl Default for Pool {
    fn default() -> Self {
        Pool::new(available())
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.team.close();
        #[cfg(not(target_family = "wasm"))]
        for thread in self.threads.drain(..) {
            // A worker catches what its pieces throw, so there is nothing to hear from it.
            let _ = thread.join();
        }
    }
}
