//! The clock of running guests: a thread that ticks while there are calls, and sleeps once there have been none for a while.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use super::engine::TICK;

/// So many ticks without a call, then it sleeps: long enough that a topic with some records a second does not wake it for each.
const QUIET_TICKS: u32 = 100;

/// The ticker, which ends with this value.
pub(super) struct Ticker {
    shared: Arc<Shared>,
}

/// A call that is under way: as long as this lives, the clock ticks.
pub(super) struct Call<'a> {
    shared: &'a Shared,
}

#[derive(Default)]
struct Shared {
    calls: AtomicUsize,
    asleep: AtomicBool,
    stopped: AtomicBool,
    lock: Mutex<()>,
    woken: Condvar,
}

// === impl Ticker ===

impl Ticker {
    /// Calls `tick` every [`TICK`], until it answers that nobody needs it any more.
    pub(super) fn start(tick: impl Fn() -> bool + Send + 'static) -> Self {
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        let run = move || {
            let mut quiet = 0;
            while !of_thread.stopped.load(SeqCst) {
                thread::sleep(TICK);
                if !tick() {
                    return;
                }
                quiet = if of_thread.calls.load(SeqCst) == 0 { quiet + 1 } else { 0 };
                if quiet == QUIET_TICKS {
                    of_thread.sleep();
                    quiet = 0;
                }
            }
        };
        thread::Builder::new().name("epoch".to_owned()).spawn(run).expect("the system gives a thread");
        Self { shared }
    }

    /// Begins a call.
    pub(super) fn call(&self) -> Call<'_> {
        let shared = &*self.shared;
        // In this order, and `sleep` in the other: either the thread sees the call before it sleeps, or the call sees that it sleeps.
        shared.calls.fetch_add(1, SeqCst);
        if shared.asleep.load(SeqCst) {
            shared.wake();
        }
        Call { shared }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stopped.store(true, SeqCst);
        self.shared.wake();
    }
}

// === impl Call ===

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.shared.calls.fetch_sub(1, SeqCst);
    }
}

// === impl Shared ===

impl Shared {
    /// Until the next call, or the end.
    fn sleep(&self) {
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.asleep.store(true, SeqCst);
        while self.asleep.load(SeqCst) && self.calls.load(SeqCst) == 0 && !self.stopped.load(SeqCst) {
            guard = self.woken.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        self.asleep.store(false, SeqCst);
    }

    fn wake(&self) {
        let _guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.asleep.store(false, SeqCst);
        self.woken.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;

    /// A ticker that counts its ticks.
    fn counting() -> (Ticker, Arc<AtomicU64>) {
        let ticks = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&ticks);
        let ticker = Ticker::start(move || {
            count.fetch_add(1, SeqCst);
            true
        });
        (ticker, ticks)
    }

    fn until(condition: impl Fn() -> bool) {
        while !condition() {
            thread::sleep(TICK);
        }
    }

    #[test]
    fn it_sleeps_without_calls_and_ticks_for_the_next_one() {
        let (ticker, ticks) = counting();
        for _ in 0..2 {
            until(|| ticker.shared.asleep.load(SeqCst));
            let before = ticks.load(SeqCst);
            let call = ticker.call();
            until(|| ticks.load(SeqCst) > before + 2 * u64::from(QUIET_TICKS));
            assert!(!ticker.shared.asleep.load(SeqCst), "it slept while a call was under way");
            drop(call);
        }
    }

    #[test]
    fn calls_that_begin_as_it_falls_asleep_are_seen() {
        let (ticker, ticks) = counting();
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..2 {
                        until(|| ticker.shared.asleep.load(SeqCst));
                        let _call = ticker.call();
                        let before = ticks.load(SeqCst);
                        until(|| ticks.load(SeqCst) > before);
                    }
                });
            }
        });
    }

    #[test]
    fn it_ends_with_its_value_also_from_sleep() {
        let (ticker, ticks) = counting();
        until(|| ticker.shared.asleep.load(SeqCst));
        let thread = Arc::clone(&ticker.shared);
        drop(ticker);
        until(|| Arc::strong_count(&thread) == 1);
        assert!(ticks.load(SeqCst) >= u64::from(QUIET_TICKS));
    }
}
