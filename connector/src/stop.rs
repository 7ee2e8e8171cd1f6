//! The word to stop, said once to many threads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::Thread;

/// A flag that wakes the thread it concerns. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    set: AtomicBool,
    thread: Mutex<Option<Thread>>,
}

// === impl Stop ===

impl Stop {
    /// Says that `thread` is to be woken by [`Stop::set`].
    pub fn wakes(&self, thread: Thread) {
        *self.0.thread.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(thread);
    }

    /// Says it.
    pub fn set(&self) {
        self.0.set.store(true, Ordering::Release);
        if let Some(thread) = &*self.0.thread.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) {
            thread.unpark();
        }
    }

    /// Whether it was said.
    pub fn is_set(&self) -> bool {
        self.0.set.load(Ordering::Acquire)
    }
}
