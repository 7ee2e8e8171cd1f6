//! Waiting for conditions.

use std::fmt::Debug;
use std::thread;
use std::time::{Duration, Instant};

/// How long any condition is waited for: long enough for two busy cores, so only a failure lasts that long.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// How long to leave what is looked at alone between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// Looks until there is something; an `Err` says what was seen instead, for the message when the time is over.
pub(crate) fn until<T, E: Debug>(what: &str, mut look: impl FnMut() -> Result<T, E>) -> T {
    let started = Instant::now();
    loop {
        let seen = match look() {
            Ok(found) => return found,
            Err(seen) => seen,
        };
        assert!(
            started.elapsed() < DEADLINE,
            "waited {} s in vain for {what}; seen instead: {seen:?}",
            DEADLINE.as_secs()
        );
        thread::sleep(PAUSE);
    }
}

/// `Ok` if both are equal, otherwise what was found.
pub(crate) fn equal<T: PartialEq>(found: T, wanted: &T) -> Result<T, T> {
    if found == *wanted { Ok(found) } else { Err(found) }
}
