//! Something that goes on while a test looks.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Does `again` without a break while `during` runs.
pub(crate) fn under<T>(again: impl Fn() + Sync, during: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let load = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                again();
            }
        });
        // Also when `during` panics: the scope would wait for ever.
        let result = catch_unwind(AssertUnwindSafe(during));
        over.store(true, Ordering::Relaxed);
        load.join().unwrap();
        result.unwrap_or_else(|panic| resume_unwind(panic))
    })
}
