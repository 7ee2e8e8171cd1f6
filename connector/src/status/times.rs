//! How long a task was in the states that Connect measures.

use std::time::{Duration, Instant};

/// Times of a task since it last started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TaskTimes {
    /// Since it started.
    pub total: Duration,
    /// In which it was running, in Connect's words.
    pub running: Duration,
    /// In which it was paused.
    pub paused: Duration,
}

/// Keeps a task's times.
#[derive(Debug)]
pub(super) struct TaskClock {
    /// When the task started.
    started: Instant,
    /// Since when it is in its state.
    since: Instant,
    /// Without the state that it is in.
    running: Duration,
    paused: Duration,
}

// === impl TaskTimes ===

impl TaskTimes {
    /// The part of the time in which the task was running, 0 to 1.
    pub fn running_ratio(&self) -> f64 {
        self.ratio(self.running)
    }

    /// The part of the time in which the task was paused, 0 to 1.
    pub fn paused_ratio(&self) -> f64 {
        self.ratio(self.paused)
    }

    fn ratio(&self, part: Duration) -> f64 {
        if self.total.is_zero() { 0.0 } else { part.as_secs_f64() / self.total.as_secs_f64() }
    }
}

// === impl TaskClock ===

impl TaskClock {
    /// The task starts.
    pub(super) fn new(now: Instant) -> Self {
        Self { started: now, since: now, running: Duration::ZERO, paused: Duration::ZERO }
    }

    /// The task leaves a state, told in Connect's words.
    pub(super) fn leave(&mut self, status: Option<&str>, now: Instant) {
        let times = self.times(status, now);
        (self.running, self.paused, self.since) = (times.running, times.paused, now);
    }

    /// The times of a task that is in this state.
    pub(super) fn times(&self, status: Option<&str>, now: Instant) -> TaskTimes {
        let spent = now.saturating_duration_since(self.since);
        let part = |name: &str| if status == Some(name) { spent } else { Duration::ZERO };
        TaskTimes {
            total: now.saturating_duration_since(self.started),
            running: self.running + part("running"),
            paused: self.paused + part("paused"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_parts_of_the_time_since_the_start() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut clock = TaskClock::new(start);
        let times = clock.times(Some("unassigned"), start);
        assert_eq!((times.running_ratio(), times.paused_ratio()), (0.0, 0.0));
        clock.leave(Some("unassigned"), at(10));
        clock.leave(Some("running"), at(40));
        clock.leave(Some("paused"), at(50));
        let times = clock.times(Some("running"), at(100));
        assert_eq!(times.total, Duration::from_secs(100));
        assert_eq!((times.running_ratio(), times.paused_ratio()), (0.8, 0.1));
        clock.leave(Some("running"), at(100));
        assert_eq!(clock.times(None, at(160)).running_ratio(), 0.5, "a task that is over no longer runs");
    }
}
