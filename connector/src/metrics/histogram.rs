//! A histogram that takes many equal observations at once.
//!
//! All records of a batch are acknowledged by the same answer, so the freshness of a batch is one value and a count.
//! The `prometheus` crate's histogram takes one observation a call, which would be a loop over records on the hot
//! path.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use prometheus::core::{Atomic, AtomicF64};
use prometheus::proto;

/// Counts per bucket and the sum of all values, both updated without a lock.
#[derive(Debug)]
pub(crate) struct Histogram {
    /// Upper bounds in ascending order; values above the last one go to an extra bucket, `+Inf`.
    bounds: &'static [f64],
    counts: Box<[AtomicU64]>,
    sum: AtomicF64,
}

impl Histogram {
    /// An empty histogram with the given ascending upper bounds.
    pub(crate) fn new(bounds: &'static [f64]) -> Self {
        debug_assert!(bounds.is_sorted(), "bucket bounds ascend");
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, sum: AtomicF64::new(0.0) }
    }

    /// Adds `count` observations of `value`. A bound belongs to its own bucket, as Prometheus' `le` says.
    pub(crate) fn observe(&self, value: f64, count: u64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        self.counts[bucket].fetch_add(count, Relaxed);
        self.sum.inc_by(value * count as f64);
    }

    /// The state as Prometheus wants it: cumulative buckets, and a total that equals the `+Inf` bucket even while
    /// others observe, because it is added up from the very numbers that are shown.
    pub(crate) fn to_proto(&self) -> proto::Histogram {
        let mut total = 0;
        let mut buckets = Vec::with_capacity(self.counts.len());
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        for (bound, count) in bounds.zip(&self.counts) {
            total += count.load(Relaxed);
            if bound.is_finite() {
                let mut bucket = proto::Bucket::default();
                bucket.set_upper_bound(bound);
                bucket.set_cumulative_count(total);
                buckets.push(bucket);
            }
        }
        let mut histogram = proto::Histogram::default();
        histogram.set_bucket(buckets);
        histogram.set_sample_count(total);
        histogram.set_sample_sum(self.sum.get());
        histogram
    }
}
