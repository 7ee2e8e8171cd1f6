//! Rates, averages and maxima of the last half minute to a minute, as Kafka's own metrics have them.
//!
//! Kafka keeps two samples of thirty seconds (`metrics.sample.window.ms`, `metrics.num.samples`), and so does this, by the same rules: a value goes
//! into the newer sample, or begins another one if that is thirty seconds old; what began a minute ago or earlier does not count. A rate is divided
//! by the time since the older sample began, and by thirty seconds more as long as that is less than thirty. Called per batch, request or commit: a lock that
//! only a scrape ever holds, too.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long values go into one sample.
const SAMPLE: Duration = Duration::from_secs(30);

/// Values of the last time.
#[derive(Debug, Default)]
pub(crate) struct Window(Mutex<Samples>);

#[derive(Debug, Default, Clone, Copy)]
struct Samples {
    older: Option<Sample>,
    newer: Option<Sample>,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    began: Instant,
    sum: f64,
    count: u64,
    max: f64,
}

/// What a window holds at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Recent {
    /// Sum of the values.
    pub(crate) sum: f64,
    /// How many there are.
    pub(crate) count: u64,
    /// The largest; 0 of none.
    pub(crate) max: f64,
    /// The seconds that a rate is over; 0 if there are no values.
    seconds: f64,
}

// === impl Window ===

impl Window {
    /// Notes a value.
    pub(crate) fn record(&self, value: f64) {
        self.record_at(Instant::now(), value);
    }

    /// Notes a value of a moment.
    pub(crate) fn record_at(&self, now: Instant, value: f64) {
        // Nothing that is done under the lock can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).record(now, value);
    }

    /// What counts at a moment.
    pub(crate) fn recent(&self, now: Instant) -> Recent {
        let samples = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        samples.recent(now)
    }
}

// === impl Samples ===

impl Samples {
    fn record(&mut self, now: Instant, value: f64) {
        match &mut self.newer {
            Some(sample) if now.saturating_duration_since(sample.began) < SAMPLE => {
                sample.sum += value;
                sample.count += 1;
                sample.max = sample.max.max(value);
            }
            newer => self.older = newer.replace(Sample { began: now, sum: value, count: 1, max: value }),
        }
    }

    fn recent(&self, now: Instant) -> Recent {
        let age = |sample: &Sample| now.saturating_duration_since(sample.began);
        let live = [self.older, self.newer].into_iter().flatten().filter(|sample| age(sample) < 2 * SAMPLE);
        live.fold(Recent::default(), |seen, sample| {
            let age = age(&sample);
            let over = if age < SAMPLE { age + SAMPLE } else { age };
            Recent {
                sum: seen.sum + sample.sum,
                count: seen.count + sample.count,
                max: seen.max.max(sample.max),
                // The older one comes first, and decides.
                seconds: if seen.count == 0 { over.as_secs_f64() } else { seen.seconds },
            }
        })
    }
}

// === impl Recent ===

impl Recent {
    /// The sum per second; 0 of nothing.
    pub(crate) fn rate(&self) -> f64 {
        if self.seconds == 0.0 { 0.0 } else { self.sum / self.seconds }
    }

    /// The average; 0 of nothing, where Kafka says NaN, which would make every sum over tasks NaN.
    pub(crate) fn average(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum / self.count as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(window: &Window, from: Instant, seconds: u64) -> Recent {
        window.recent(from + Duration::from_secs(seconds))
    }

    #[test]
    fn of_nothing_everything_is_zero() {
        let recent = Window::default().recent(Instant::now());
        assert_eq!((recent.rate(), recent.average(), recent.max), (0.0, 0.0, 0.0));
    }

    #[test]
    fn values_count_for_a_minute_from_the_beginning_of_their_sample() {
        let (window, from) = (Window::default(), Instant::now());
        window.record_at(from, 10.0);
        window.record_at(from + Duration::from_secs(29), 30.0);
        window.record_at(from + Duration::from_secs(40), 5.0);
        let recent = at(&window, from, 59);
        assert_eq!((recent.sum, recent.count, recent.max, recent.average()), (45.0, 3, 30.0, 15.0));
        let recent = at(&window, from, 60);
        assert_eq!((recent.sum, recent.max), (5.0, 5.0), "the first sample is a minute old");
        assert_eq!(at(&window, from, 99).sum, 5.0);
        assert_eq!(at(&window, from, 100), Recent::default());
        // A value after a long silence does not bring back what is old.
        window.record_at(from + Duration::from_secs(500), 1.0);
        assert_eq!(at(&window, from, 501).sum, 1.0);
    }

    #[test]
    fn a_rate_is_over_the_time_that_kafka_takes() {
        let (window, from) = (Window::default(), Instant::now());
        window.record_at(from, 60.0);
        assert_eq!(at(&window, from, 0).rate(), 2.0, "over thirty seconds at the least");
        assert_eq!(at(&window, from, 10).rate(), 1.5, "and thirty more until thirty are over");
        assert_eq!(at(&window, from, 30).rate(), 2.0);
        window.record_at(from + Duration::from_secs(30), 40.0);
        assert_eq!(at(&window, from, 50).rate(), 2.0, "since the older sample began");
        assert_eq!(at(&window, from, 70).rate(), 1.0, "since the newer one did");
    }
}
