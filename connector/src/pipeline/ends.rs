//! How far partitions reach while nothing is fetched of them. librdkafka learns a partition's end by fetching, so without asking the lag of a
//! task that is paused, or that waits for its sink, would stand still while it grows: at the very time when people look at it.

use std::time::{Duration, Instant};

use super::Pipeline;
use crate::source::observer::Observer;

/// How often the brokers are asked.
const INTERVAL: Duration = Duration::from_secs(10);

/// Asks for the ends.
#[derive(Debug)]
pub(super) struct Ends {
    observer: Observer<i64>,
    next: Instant,
}

// === impl Ends ===

impl Ends {
    pub(super) fn new(observer: Observer<i64>, now: Instant) -> Self {
        Self { observer, next: now }
    }
}

impl Pipeline {
    /// Keeps the partitions' ends known while they are paused.
    pub(super) fn follow_ends(&mut self, now: Instant) {
        let answer = self.ends.observer.answer();
        if !self.paused {
            // From here on fetches tell, and a topic that was made anew may end earlier.
            self.assignment.forget_ends();
            return;
        }
        for (partition, end) in answer.unwrap_or_default() {
            self.assignment.ends_at(&partition, end);
        }
        if now >= self.ends.next {
            self.ends.next = now + INTERVAL;
            let partitions = self.assignment.partitions().map(|partition| (partition, None)).collect();
            self.ends.observer.ask(partitions, self.lane.runtime());
        }
    }
}
