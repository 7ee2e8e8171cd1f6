//! When records are due: a rate, in bursts.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// The furthest a feed may be behind its rate and still catch up: enough for a late wake-up, too little for a visible burst.
const CATCH_UP_MAX: Duration = Duration::from_millis(50);

/// Records are sent in bursts this far apart or farther, each a batch per partition. Longer would be seen on a screen, and shorter
/// would make more batches than the demo's mock broker, which hands out one per fetch, can keep up with.
const TICK: Duration = Duration::from_millis(10);

/// The moments at which records are to be sent.
#[derive(Debug)]
pub(crate) struct Pace {
    interval: Duration,
    due: Instant,
    tick: Instant,
}

// === impl Pace ===

impl Pace {
    /// `rate` records a second from `now` on.
    pub(crate) fn new(rate: NonZeroU32, now: Instant) -> Self {
        Self { interval: Duration::from_secs(1) / rate.get(), due: now, tick: now }
    }

    /// How long to rest until the next burst; none: now. What is too late to be caught up with is given up.
    pub(crate) fn rest(&mut self, now: Instant) -> Option<Duration> {
        self.due = self.due.max(now.checked_sub(CATCH_UP_MAX).unwrap_or(now));
        let rest = self.due.max(self.tick).saturating_duration_since(now);
        (!rest.is_zero()).then_some(rest)
    }

    /// Takes the next record of the burst of `now`, if one is due.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let is_due = self.due <= now;
        if is_due {
            self.due += self.interval;
        }
        is_due
    }

    /// Ends the burst of `now`.
    pub(crate) fn end(&mut self, now: Instant) {
        self.tick = now + TICK;
    }

    /// Lets the time up to `now` pass without a record, which is not made up for.
    pub(crate) fn hold(&mut self, now: Instant) {
        self.due = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn burst(pace: &mut Pace, now: Instant) -> usize {
        assert_eq!(pace.rest(now), None);
        let sent = (0..10_000).take_while(|_| pace.take(now)).count();
        pace.end(now);
        sent
    }

    #[test]
    fn as_many_are_due_as_the_rate_says_and_a_long_pause_is_not_made_up_for() {
        let begin = Instant::now();
        let mut pace = Pace::new(NonZeroU32::new(1_000).unwrap(), begin);
        assert_eq!(burst(&mut pace, begin), 1);
        assert_eq!(pace.rest(begin), Some(TICK));
        assert_eq!(burst(&mut pace, begin + TICK), 10);
        let much_later = begin + Duration::from_secs(10);
        assert_eq!(burst(&mut pace, much_later), 51, "50 ms of the pause");
        assert_eq!(burst(&mut pace, much_later + TICK), 10);
        let last = much_later + Duration::from_millis(40);
        pace.hold(last);
        assert_eq!(burst(&mut pace, last), 1);
    }
}
