//! Tells a point that was written twice from a new one, in bounded memory.

use std::collections::{HashSet, VecDeque};

/// Timestamps remembered per symbol to tell a point written twice from a new one.
///
/// Records of one symbol arrive in the order of their milliseconds, so a repeat of a recent point is found exactly. A point
/// older than all that are remembered is counted as a repeat, too: the account may call a strange late point a repeat, but can
/// never call a repeat a new point. Smaller than a millisecond's worth of one symbol's points would be too small.
pub(super) const REMEMBERED_TIMESTAMPS: usize = 4096;

/// The last [`REMEMBERED_TIMESTAMPS`] timestamps of a symbol.
#[derive(Debug)]
pub(super) struct Seen {
    set: HashSet<i64>,
    order: VecDeque<i64>,
    /// The latest timestamp that was forgotten.
    forgotten_ns: i64,
}

// === impl Seen ===

impl Seen {
    pub(super) fn new() -> Self {
        Self { set: HashSet::new(), order: VecDeque::new(), forgotten_ns: i64::MIN }
    }

    /// True if the timestamp is a new one.
    pub(super) fn insert(&mut self, timestamp_ns: i64) -> bool {
        if timestamp_ns <= self.forgotten_ns || !self.set.insert(timestamp_ns) {
            return false;
        }
        self.order.push_back(timestamp_ns);
        if self.order.len() > REMEMBERED_TIMESTAMPS
            && let Some(oldest) = self.order.pop_front()
        {
            self.set.remove(&oldest);
            self.forgotten_ns = self.forgotten_ns.max(oldest);
        }
        true
    }
}
