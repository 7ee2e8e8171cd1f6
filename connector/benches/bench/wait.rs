//! Waiting for conditions.

use std::time::{Duration, Instant};

/// After this without what is waited for the bench gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Between two looks.
pub(crate) const LOOK: Duration = Duration::from_millis(10);

pub(crate) fn until(what: &str, mut look: impl FnMut() -> bool) {
    let started = Instant::now();
    while !look() {
        assert!(started.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(LOOK);
    }
}
