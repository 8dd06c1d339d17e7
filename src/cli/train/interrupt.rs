//! Ctrl-C during a training: the first asks it to end, the second ends the program.

use crate::cli::out::Failure;
use std::sync::atomic::{AtomicBool, Ordering};

/// The exit code of what was interrupted.
pub const CODE: u8 = 130;

static ASKED: AtomicBool = AtomicBool::new(false);

/// Has the training be asked instead of the program be ended.
pub fn watch() -> Result<(), Failure> {
    let asked = || {
        if ASKED.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(CODE));
        }
    };
    ctrlc::set_handler(asked)
        .map_err(|error| Failure::Request(format!("Ctrl-C cannot be watched for: {error}")))
}

/// Whether the training is asked to end.
pub fn is_asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}
