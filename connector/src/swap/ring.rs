//! The last records that a task has seen, for the warm-up of a candidate: a sample, bounded, cheap enough for the data path.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::batch::{Batch, Inputs};
use crate::record::TopicPartition;

/// Records of one chunk: the beginning of a batch. Copying them takes a few microseconds.
const CHUNK_MAX: usize = 256;

/// What a task keeps.
const RECORDS_MAX: usize = 1024;
pub(crate) const BYTES_MAX: usize = 1024 * 1024;

/// Under load a chunk is taken this often: five thousandths of a percent of the time, and the whole ring is a fifth of a second old.
const INTERVAL: Duration = Duration::from_millis(50);

/// One task's ring.
#[derive(Debug, Default)]
pub(super) struct Ring {
    chunks: VecDeque<(TopicPartition, Arc<Batch>)>,
    records: usize,
    bytes: usize,
}

/// When the next chunk is due: kept by the task itself, so that most batches cost a comparison.
#[derive(Debug, Default)]
pub(super) struct Pace {
    next: Option<Instant>,
}

// === impl Ring ===

impl Ring {
    /// Takes the beginning of a batch; the oldest chunks make room.
    pub(super) fn push(&mut self, partition: &TopicPartition, batch: &Batch) {
        let mut chunk = batch.slice(0..batch.len().min(CHUNK_MAX));
        if chunk.bytes() > BYTES_MAX {
            chunk = batch.slice(0..1);
        }
        if chunk.is_empty() || chunk.bytes() > BYTES_MAX {
            return;
        }
        self.records += chunk.len();
        self.bytes += chunk.bytes();
        self.chunks.push_back((partition.clone(), Arc::new(chunk)));
        while self.records > RECORDS_MAX || self.bytes > BYTES_MAX {
            let Some((_, oldest)) = self.chunks.pop_front() else { return };
            self.records -= oldest.len();
            self.bytes -= oldest.bytes();
        }
    }

    /// The chunks that have the columns `wanted`, oldest first.
    pub(super) fn sample(&self, wanted: Inputs) -> impl Iterator<Item = (TopicPartition, Arc<Batch>)> {
        self.chunks.iter().filter(move |(_, chunk)| chunk.holds(wanted)).cloned()
    }
}

// === impl Pace ===

impl Pace {
    /// Whether a chunk is to be taken.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let due = self.next.is_none_or(|next| now >= next);
        if due {
            self.next = Some(now + INTERVAL);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Record;

    fn batch(first: i64, records: i64, bytes: usize) -> Batch {
        let (mut batch, value) = (Batch::default(), vec![b'x'; bytes]);
        for offset in first..first + records {
            batch.push(&Record { offset, timestamp: 0, key: None, value: Some(&value) }, Inputs::default());
        }
        batch
    }

    fn push(ring: &mut Ring, batch: &Batch) {
        ring.push(&TopicPartition::new("prices", 0), batch);
        let (records, bytes) =
            ring.chunks.iter().fold((0, 0), |sum, (_, chunk)| (sum.0 + chunk.len(), sum.1 + chunk.bytes()));
        assert_eq!((ring.records, ring.bytes), (records, bytes));
        assert!(records <= RECORDS_MAX && bytes <= BYTES_MAX, "{records} records, {bytes} bytes");
    }

    #[test]
    fn the_newest_are_kept_within_bounds() {
        let mut ring = Ring::default();
        for round in 0..100 {
            push(&mut ring, &batch(round * 4096, 4096, 18));
        }
        let firsts: Vec<_> = ring.sample(Inputs::default()).map(|(_, chunk)| chunk.offsets[0]).collect();
        assert_eq!(firsts, [96, 97, 98, 99].map(|round| round * 4096));
    }

    #[test]
    fn large_records_are_fewer_and_a_huge_one_is_left_out() {
        let mut ring = Ring::default();
        push(&mut ring, &batch(0, 10, 300_000));
        push(&mut ring, &batch(10, 1, BYTES_MAX));
        assert_eq!(ring.sample(Inputs::default()).map(|(_, chunk)| chunk.len()).collect::<Vec<_>>(), [1]);
        push(&mut ring, &batch(11, 1, 900_000));
        assert_eq!(ring.records, 1, "the older one made room");
    }

    #[test]
    fn chunks_without_the_wanted_columns_are_no_sample() {
        let mut ring = Ring::default();
        push(&mut ring, &batch(0, 3, 5));
        assert_eq!(ring.sample(Inputs { keys: true, ..Inputs::default() }).count(), 0);
        assert_eq!(ring.sample(Inputs { offsets: true, ..Inputs::default() }).count(), 1);
    }

    #[test]
    fn chunks_are_paced() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        let due = [0, 10, 49, 50, 60, 200].map(|ms| pace.is_due(now + Duration::from_millis(ms)));
        assert_eq!(due, [true, false, false, true, false, true]);
    }
}
