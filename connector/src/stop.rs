//! The words to stop, said once, and to pause, which may be taken back.

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
        self.wake();
    }

    /// Wakes the thread without a word: there is something else to look at.
    pub fn wake(&self) {
        if let Some(thread) = &*self.0.thread.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) {
            thread.unpark();
        }
    }

    /// Whether it was said.
    pub fn is_set(&self) -> bool {
        self.0.set.load(Ordering::Acquire)
    }
}

/// Whether the tasks of a connector are to take no records for now. Cheap to clone; whoever sets it wakes the threads ([`Stop::wake`]).
#[derive(Debug, Clone, Default)]
pub struct Pause(Arc<AtomicBool>);

// === impl Pause ===

impl Pause {
    /// Says whether to pause.
    pub fn set(&self, pause: bool) {
        self.0.store(pause, Ordering::Release);
    }

    /// Whether to.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
