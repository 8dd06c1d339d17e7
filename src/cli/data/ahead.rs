//! Rows of files, read by a thread of its own while a step runs on the rows before.

use super::Raw;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// Arrays with the places where they were found, in words.
pub type Arrays = Arc<[(Raw, String)]>;

/// A thread that reads the rows it is told of, of all arrays that lie in files.
#[derive(Debug)]
pub struct Ahead {
    shelf: Arc<Shelf>,
    thread: Option<JoinHandle<()>>,
}

/// Where the rows lie once they are read.
#[derive(Debug, Default)]
struct Shelf {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The rows that were told last.
    rows: Vec<usize>,
    /// How often rows were told.
    told: u64,
    /// The telling whose rows have been read.
    read: u64,
    /// The bytes of these rows for each array; `None` where it does not lie in a file, or could not be read.
    bytes: Vec<Option<Arc<Vec<u8>>>>,
    closed: bool,
}

impl Ahead {
    /// A reader of these arrays; `None` where none lies in a file, or the system gives no thread.
    pub fn new(arrays: &Arrays) -> Option<Ahead> {
        if !arrays.iter().any(|(raw, _)| raw.is_in_file()) {
            return None;
        }
        let shelf = Arc::new(Shelf::default());
        let (own, arrays) = (Arc::clone(&shelf), Arc::clone(arrays));
        let named = std::thread::Builder::new().name("pullback-rows".into());
        let serve = move || {
            let _open = Open(&own);
            own.serve(&arrays);
        };
        let thread = named.spawn(serve).ok()?;
        Some(Ahead { shelf, thread: Some(thread) })
    }

    /// Tells the rows that will be wanted next.
    pub fn expect(&self, rows: &[usize]) {
        let mut state = self.shelf.lock();
        state.rows.clear();
        state.rows.extend(rows);
        state.told += 1;
        self.shelf.changed.notify_all();
    }

    /// The bytes of these rows of an array, and the byte where they start, if they follow each other among those told last.
    pub fn take(&self, array: usize, rows: &[usize]) -> Option<(Arc<Vec<u8>>, usize)> {
        let mut state = self.shelf.lock();
        let place = state.rows.windows(rows.len().max(1)).position(|part| part == rows)?;
        let (told, count) = (state.told, state.rows.len());
        while state.read < told && !state.closed {
            state = self.shelf.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let bytes = state.bytes.get(array).filter(|_| state.read == told)?.clone()?;
        let start = bytes.len() / count * place;
        Some((bytes, start))
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.shelf.close();
        // The thread ends at the latest when what it is reading is read.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Closes the shelf however its thread ends, so that nobody waits for what is never read.
struct Open<'a>(&'a Shelf);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Shelf {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// What the thread does until it is closed.
    fn serve(&self, arrays: &Arrays) {
        let mut rows = Vec::new();
        loop {
            let mut state = self.lock();
            while state.read == state.told && !state.closed {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if state.closed {
                return;
            }
            let told = state.told;
            rows.clone_from(&state.rows);
            let mut bytes = std::mem::take(&mut state.bytes);
            drop(state);
            bytes.resize(arrays.len(), None);
            for (bytes, (raw, _)) in bytes.iter_mut().zip(arrays.iter()) {
                // Memory that nobody reads any more is used again.
                let mut room = bytes.take().and_then(Arc::into_inner).unwrap_or_default();
                let read = raw.is_in_file() && raw.bytes_of(&rows, &mut room).is_ok();
                *bytes = read.then(|| Arc::new(room));
            }
            let mut state = self.lock();
            state.bytes = bytes;
            state.read = told;
            self.changed.notify_all();
        }
    }
}
