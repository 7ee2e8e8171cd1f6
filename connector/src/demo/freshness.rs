//! How old a price is when it arrives, and how many arrive: over the last seconds and over the whole run.

use std::collections::VecDeque;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Whole seconds that the rate is taken over; the freshness also has the second that has just begun.
const WINDOW_SECONDS: i64 = 5;

/// Largest freshness told apart, in microseconds: ten minutes. What is older counts as that.
const FRESHNESS_US_MAX: u64 = 600_000_000;

/// Digits of a freshness that are kept: 2 means within 1 %, and about 25 KB a histogram.
const SIGNIFICANT_DIGITS: u8 = 2;

/// From a record's time to its point being received, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Freshness {
    /// Half of the points were received within this.
    pub p50_ms: f64,
    /// 99 of 100 points were received within this.
    pub p99_ms: f64,
}

/// The last seconds, one histogram each: at most [`WINDOW_SECONDS`] + 1.
#[derive(Debug)]
pub(crate) struct Window {
    first_ns: Option<i64>,
    slots: VecDeque<Slot>,
}

#[derive(Debug)]
struct Slot {
    /// Seconds since the first point.
    second: i64,
    freshness_us: Histogram<u32>,
}

/// The whole run.
#[derive(Debug)]
pub(crate) struct Totals {
    first_ns: Option<i64>,
    freshness_us: Histogram<u64>,
}

// === impl Freshness ===

impl Freshness {
    fn of<C: hdrhistogram::Counter>(histogram: &Histogram<C>) -> Option<Self> {
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1_000.0;
        (!histogram.is_empty()).then(|| Self { p50_ms: at(0.5), p99_ms: at(0.99) })
    }
}

// === impl Window ===

impl Window {
    pub(crate) fn new() -> Self {
        Self { first_ns: None, slots: VecDeque::new() }
    }

    /// Counts a point received at `now_ns`.
    pub(crate) fn record(&mut self, now_ns: i64, freshness_us: u64) {
        self.first_ns.get_or_insert(now_ns);
        let second = self.second(now_ns);
        if self.slots.back().is_none_or(|slot| slot.second < second) {
            if self.slots.len() > WINDOW_SECONDS as usize {
                self.slots.pop_front();
            }
            self.slots.push_back(Slot { second, freshness_us: histogram() });
        }
        if let Some(slot) = self.slots.back_mut() {
            slot.freshness_us.saturating_record(freshness_us);
        }
    }

    /// Points per second over the whole seconds of the window; before the first one is over, over what there is of it.
    pub(crate) fn points_per_second(&self, now_ns: i64) -> f64 {
        let Some(first_ns) = self.first_ns else { return 0.0 };
        let now = self.second(now_ns);
        if now == 0 {
            let passed_s = (now_ns - first_ns) as f64 / 1e9;
            return self.points_between(0, 0) as f64 / passed_s.max(0.1);
        }
        let from = (now - WINDOW_SECONDS).max(0);
        self.points_between(from, now - 1) as f64 / (now - from) as f64
    }

    /// Freshness over the window; none if it has no point.
    pub(crate) fn freshness(&self, now_ns: i64) -> Option<Freshness> {
        let oldest = self.second(now_ns) - WINDOW_SECONDS;
        let mut merged = histogram::<u32>();
        for slot in self.slots.iter().filter(|slot| slot.second >= oldest) {
            // All have the same bounds, so adding cannot fail.
            let _ = merged.add(&slot.freshness_us);
        }
        Freshness::of(&merged)
    }

    fn points_between(&self, first: i64, last: i64) -> u64 {
        let inside = self.slots.iter().filter(|slot| (first..=last).contains(&slot.second));
        inside.map(|slot| slot.freshness_us.len()).sum()
    }

    fn second(&self, now_ns: i64) -> i64 {
        now_ns.saturating_sub(self.first_ns.unwrap_or(now_ns)).max(0) / 1_000_000_000
    }
}

// === impl Totals ===

impl Totals {
    pub(crate) fn new() -> Self {
        Self { first_ns: None, freshness_us: histogram() }
    }

    /// Counts a point received at `now_ns`.
    pub(crate) fn record(&mut self, now_ns: i64, freshness_us: u64) {
        self.first_ns.get_or_insert(now_ns);
        self.freshness_us.saturating_record(freshness_us);
    }

    /// When the first point was received.
    pub(crate) fn first_ns(&self) -> Option<i64> {
        self.first_ns
    }

    /// Freshness over the run; none before the first point.
    pub(crate) fn freshness(&self) -> Option<Freshness> {
        Freshness::of(&self.freshness_us)
    }
}

fn histogram<C: hdrhistogram::Counter>() -> Histogram<C> {
    Histogram::new_with_bounds(1, FRESHNESS_US_MAX, SIGNIFICANT_DIGITS)
        .expect("1 to ten minutes in microseconds with 2 digits are bounds that a histogram can have")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn rate_counts_whole_seconds_only() {
        let mut window = Window::new();
        for second in 0..3 {
            for _ in 0..10 * (second + 1) {
                window.record(100 * SECOND + second * SECOND, 500);
            }
        }
        // Two whole seconds with 10 and 20 points; the third has begun.
        assert_eq!(window.points_per_second(102 * SECOND + SECOND / 2), 15.0);
        assert_eq!(window.points_per_second(103 * SECOND), 20.0);
    }

    #[test]
    fn window_forgets_what_is_older_and_keeps_its_size() {
        let mut window = Window::new();
        window.record(0, 1_000_000);
        for second in 1..50 {
            window.record(second * SECOND, 2_000);
            assert!(window.slots.len() <= 6);
        }
        let freshness = window.freshness(49 * SECOND).unwrap();
        assert!(freshness.p99_ms < 3.0, "{freshness:?}");
        assert_eq!(window.points_per_second(49 * SECOND), 1.0);
        assert_eq!(window.points_per_second(90 * SECOND), 0.0);
        assert_eq!(window.freshness(90 * SECOND), None);
    }

    #[test]
    fn totals_keep_everything() {
        let mut totals = Totals::new();
        assert_eq!(totals.freshness(), None);
        for point in 0..100_u64 {
            totals.record(7 * SECOND, point * 1_000);
        }
        let freshness = totals.freshness().unwrap();
        assert!((freshness.p50_ms - 49.5).abs() < 1.5, "{freshness:?}");
        assert!((freshness.p99_ms - 98.0).abs() < 2.0, "{freshness:?}");
        assert_eq!(totals.first_ns(), Some(7 * SECOND));
    }
}
