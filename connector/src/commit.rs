//! The commit ledger: completions come in any order, the offset to commit only moves over what is complete.
//!
//! One [`Ledger`] stands for one partition in one assignment generation; when the partition is given back the ledger is
//! dropped, and with it every way to commit for that generation (I3). Pure: no clock, no client.

use std::collections::VecDeque;

use thiserror::Error;

use crate::record::OffsetRange;

/// The bookkeeping of one partition while it is assigned.
#[derive(Debug, Default)]
pub struct Ledger {
    /// The lowest offset that may be received next; `None` before the first record.
    next: Option<i64>,
    /// What was received and is not committable, in offset order.
    open: VecDeque<Entry>,
    /// The offset to commit: that of the next record to read.
    watermark: Option<i64>,
    committed: Option<i64>,
}

#[derive(Debug)]
struct Entry {
    range: OffsetRange,
    done: bool,
}

/// A range that breaks the chain. Nothing is changed then; the task has to fail rather than guess.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum LedgerError {
    /// Offsets that were received already: an overlap or a reorder.
    #[error("offsets {range} were received after offset {next} was expected: an overlap or a reorder")]
    NotAscending {
        /// The range.
        range: OffsetRange,
        /// The lowest offset that was allowed.
        next: i64,
    },
    /// The last offset is below the first.
    #[error("offsets {range} end before they begin")]
    Inverted {
        /// The range.
        range: OffsetRange,
    },
    /// A completion of something that is not open.
    #[error("offsets {range} were completed, but not received or completed before")]
    NotOpen {
        /// The range.
        range: OffsetRange,
    },
}

// === impl Ledger ===

impl Ledger {
    /// Notes a range as received. Ranges ascend; holes are legal, because compaction, transaction markers and retention
    /// leave them (I2).
    ///
    /// # Errors
    ///
    /// If the range overlaps what was received, or goes back.
    pub fn receive(&mut self, range: OffsetRange) -> Result<(), LedgerError> {
        if range.last < range.first {
            return Err(LedgerError::Inverted { range });
        }
        match self.next {
            Some(next) if range.first < next => return Err(LedgerError::NotAscending { range, next }),
            _ => {}
        }
        self.next = Some(range.last + 1);
        self.open.push_back(Entry { range, done: false });
        Ok(())
    }

    /// Notes a range as decided: every record in it is written, filtered or acknowledged by the dead-letter topic.
    ///
    /// # Errors
    ///
    /// If exactly this range is not open.
    pub fn complete(&mut self, range: OffsetRange) -> Result<(), LedgerError> {
        let at = self.open.partition_point(|entry| entry.range.first < range.first);
        match self.open.get_mut(at) {
            Some(entry) if entry.range == range && !entry.done => entry.done = true,
            _ => return Err(LedgerError::NotOpen { range }),
        }
        while self.open.front().is_some_and(|entry| entry.done) {
            let entry = self.open.pop_front().expect("there is a front");
            self.watermark = Some(entry.range.last + 1);
        }
        Ok(())
    }

    /// Notes that between the last record received and `next` there is none: markers of transactions, and records of transactions that
    /// were aborted. Moves the offset to commit only if everything received is decided (I1).
    pub fn pass_over(&mut self, next: i64) {
        if self.is_idle() && self.watermark.is_some_and(|watermark| watermark < next) {
            self.watermark = Some(next);
        }
    }

    /// The offset after the last record received; `None` before the first.
    pub fn received_to(&self) -> Option<i64> {
        self.next
    }

    /// The offset to commit, if it has moved since [`Ledger::committed`].
    pub fn to_commit(&self) -> Option<i64> {
        self.watermark.filter(|_| self.watermark != self.committed)
    }

    /// Notes that `offset` was sent to the brokers.
    pub fn committed(&mut self, offset: i64) {
        self.committed = Some(offset);
    }

    /// Notes that the brokers did not take what was sent: it is to be sent again.
    pub fn commit_again(&mut self) {
        self.committed = None;
    }

    /// The offset of the next record that is not decided yet, `None` before the first decision.
    pub fn watermark(&self) -> Option<i64> {
        self.watermark
    }

    /// The offset of the first record that is not decided: everything from it on is lag.
    pub fn undecided(&self) -> Option<i64> {
        self.open.front().map(|entry| entry.range.first).or(self.watermark)
    }

    /// Whether everything received is decided.
    pub fn is_idle(&self) -> bool {
        self.open.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn range(first: i64, last: i64) -> OffsetRange {
        OffsetRange { first, last }
    }

    #[test]
    fn i1_the_offset_waits_for_the_lowest_open_range() {
        let mut ledger = Ledger::default();
        for (first, last) in [(0, 9), (10, 19), (20, 29)] {
            ledger.receive(range(first, last)).unwrap();
        }
        ledger.complete(range(20, 29)).unwrap();
        ledger.complete(range(10, 19)).unwrap();
        assert_eq!(ledger.to_commit(), None);
        ledger.complete(range(0, 9)).unwrap();
        assert_eq!(ledger.to_commit(), Some(30));
        ledger.committed(30);
        assert_eq!(ledger.to_commit(), None);
        assert!(ledger.is_idle());
    }

    #[test]
    fn i1_what_is_no_record_is_passed_over_only_when_every_record_is_decided() {
        let mut ledger = Ledger::default();
        ledger.pass_over(5);
        assert_eq!(ledger.to_commit(), None, "nothing is known of the partition yet");
        ledger.receive(range(5, 7)).unwrap();
        ledger.pass_over(20);
        assert_eq!(ledger.to_commit(), None);
        ledger.complete(range(5, 7)).unwrap();
        assert_eq!(ledger.to_commit(), Some(8));
        ledger.pass_over(20);
        assert_eq!(ledger.to_commit(), Some(20));
        ledger.pass_over(10);
        assert_eq!(ledger.to_commit(), Some(20), "never back");
        assert_eq!(ledger.received_to(), Some(8));
    }

    #[test]
    fn i2_holes_are_legal_overlap_and_reorder_are_refused() {
        let mut ledger = Ledger::default();
        ledger.receive(range(5, 7)).unwrap();
        ledger.receive(range(100, 100)).unwrap();
        for refused in [range(100, 101), range(6, 6), range(0, 4)] {
            assert_eq!(ledger.receive(refused), Err(LedgerError::NotAscending { range: refused, next: 101 }));
        }
        assert_eq!(ledger.receive(range(120, 110)), Err(LedgerError::Inverted { range: range(120, 110) }));
    }

    #[test]
    fn a_range_is_completed_once_and_as_received() {
        let mut ledger = Ledger::default();
        ledger.receive(range(0, 9)).unwrap();
        ledger.receive(range(10, 19)).unwrap();
        ledger.complete(range(10, 19)).unwrap();
        for refused in [range(10, 19), range(0, 5), range(3, 9), range(20, 29)] {
            assert_eq!(ledger.complete(refused), Err(LedgerError::NotOpen { range: refused }));
        }
    }

    proptest! {
        /// In whatever order ranges are completed, the watermark is the end of the longest complete prefix.
        #[test]
        fn i1_watermark_is_the_complete_prefix(
            gaps in proptest::collection::vec((0i64..3, 1i64..5), 1..30), order in any::<prop::sample::Index>(), seed in any::<u64>(),
        ) {
            let mut ledger = Ledger::default();
            let mut ranges = Vec::new();
            let mut next = 0;
            for (hole, len) in gaps {
                let received = range(next + hole, next + hole + len - 1);
                ledger.receive(received).unwrap();
                ranges.push(received);
                next = received.last + 1;
            }
            let mut todo: Vec<usize> = (0..ranges.len()).collect();
            fastrand::Rng::with_seed(seed).shuffle(&mut todo);
            todo.truncate(order.index(ranges.len()) + 1);
            for &index in &todo {
                ledger.complete(ranges[index]).unwrap();
            }
            let prefix = (0..ranges.len()).take_while(|index| todo.contains(index)).last();
            prop_assert_eq!(ledger.watermark(), prefix.map(|index| ranges[index].last + 1));
        }
    }
}
