//! How many rejected records are borne, and how often discarding is told of. Pure but for the log line.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::rejects::Rejection;
use crate::config::BudgetConfig;
use crate::record::TopicPartition;

/// Into so many spans the window is cut: the count is exact to one span, and takes no memory per record.
const SPANS: u32 = 64;

/// How often discarded records are logged.
const DISCARD_LOG_INTERVAL: Duration = Duration::from_secs(1);

/// Rejected records within a sliding window (`errors.budget.*`).
#[derive(Debug)]
pub(super) struct Budget {
    config: Option<BudgetConfig>,
    /// When a span began, and how many were rejected in it.
    spans: VecDeque<(Instant, u64)>,
    total: u64,
}

/// The log of discarded records: one line a second, which says how many it stands for.
#[derive(Debug, Default)]
pub(super) struct DiscardLog {
    last: Option<Instant>,
    silent: u64,
}

// === impl Budget ===

impl Budget {
    pub(super) fn new(config: Option<BudgetConfig>) -> Self {
        Self { config, spans: VecDeque::new(), total: 0 }
    }

    /// One more record is rejected. Gives back whether that is still borne.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let Some(config) = self.config else { return true };
        let (window, span) = (config.window, config.window / SPANS);
        while let Some((began, count)) = self.spans.front().copied().filter(|(began, _)| now >= *began + window) {
            debug_assert!(began <= now);
            self.total -= count;
            self.spans.pop_front();
        }
        match self.spans.back_mut().filter(|(began, _)| now < *began + span) {
            Some((_, count)) => *count += 1,
            None => self.spans.push_back((now, 1)),
        }
        self.total += 1;
        self.total <= config.max.get()
    }
}

// === impl DiscardLog ===

impl DiscardLog {
    pub(super) fn warn(&mut self, partition: &TopicPartition, rejection: &Rejection) {
        if self.last.is_some_and(|last| last.elapsed() < DISCARD_LOG_INTERVAL) {
            self.silent += 1;
            return;
        }
        self.last = Some(Instant::now());
        let (stage, reason, offset) = (rejection.stage.label(), rejection.reason.as_str(), rejection.offset);
        let others = std::mem::take(&mut self.silent);
        tracing::warn!(
            %partition,
            offset,
            stage,
            reason,
            others,
            "record discarded, as errors.tolerance=all has it without errors.deadletterqueue.topic.name"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::*;

    fn budget(max: u64) -> Budget {
        Budget::new(Some(BudgetConfig { max: NonZeroU64::new(max).unwrap(), window: Duration::from_secs(64) }))
    }

    #[test]
    fn as_many_as_allowed_are_borne_and_one_more_is_not() {
        let (mut budget, now) = (budget(3), Instant::now());
        assert!((0..3).all(|_| budget.take(now)));
        assert!(!budget.take(now));
        assert!(!budget.take(now + Duration::from_secs(63)));
    }

    #[test]
    fn what_is_older_than_the_window_does_not_count() {
        let (mut budget, now) = (budget(3), Instant::now());
        // One every 32 seconds: two or three are in the window at any time.
        assert!((0..100).all(|n| budget.take(now + Duration::from_secs(32 * n))));
        // One every 16 seconds: four.
        assert!(!(0..100).all(|n| budget.take(now + Duration::from_secs(10_000 + 16 * n))));
        assert!(budget.spans.len() <= SPANS as usize + 1);
    }

    #[test]
    fn without_a_budget_everything_is_borne() {
        let mut budget = Budget::new(None);
        assert!((0..10_000).all(|_| budget.take(Instant::now())));
        assert!(budget.spans.is_empty());
    }
}
