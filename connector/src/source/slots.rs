//! The assigned partitions and the batches being filled, by slot.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use rdkafka::message::{BorrowedMessage, Message as _};

use super::group::Resets;
use super::message;
use crate::batch::{Batch, Inputs, Record};
use crate::record::TopicPartition;

/// A batch with the slot of the partition that it belongs to.
#[derive(Debug)]
pub struct Filled {
    /// The slot, as [`super::KafkaSource::assign`] gave it.
    pub slot: usize,
    /// The records.
    pub batch: Batch,
}

/// What the latest drain took of a partition.
#[derive(Debug, Default, Clone, Copy)]
struct Latest {
    drain: u64,
    first: i64,
    next: i64,
    /// The log has begun anew below what was taken before. From then on librdkafka's own position is that of the old log, until the new one
    /// has grown beyond it.
    anew: bool,
}

/// The assigned partitions and the batches being filled. A slot's number is good until its partition is given back.
#[derive(Default)]
pub(super) struct Slots {
    pub(super) partitions: Vec<Option<TopicPartition>>,
    pub(super) open: Vec<Batch>,
    latest: Vec<Latest>,
    pub(super) drains: u64,
    by_name: HashMap<TopicPartition, usize>,
    /// By topic handle and number: saves the name's hash for each run of messages. Forgotten at every change.
    by_id: HashMap<(usize, i32), Option<usize>>,
    pub(super) filled: VecDeque<Filled>,
    spare: Spare,
    wanted: Inputs,
    pub(super) resets: Arc<Resets>,
}

/// Bytes that spare batches keep at most: fifty full ones of prices.
const SPARE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Batches that were worked off, whose memory serves again.
#[derive(Default)]
struct Spare {
    batches: Vec<Batch>,
    /// What they keep.
    bytes: usize,
}

// === impl Slots ===

impl Slots {
    pub(super) fn open(&mut self, partition: TopicPartition) -> usize {
        self.by_id.clear();
        let slot = self.partitions.iter().position(Option::is_none).unwrap_or(self.partitions.len());
        if slot == self.partitions.len() {
            self.partitions.push(None);
            self.open.push(Batch::default());
            self.latest.push(Latest::default());
        }
        self.latest[slot] = Latest::default();
        self.partitions[slot] = Some(partition.clone());
        self.by_name.insert(partition, slot);
        slot
    }

    pub(super) fn close(&mut self, partition: &TopicPartition) {
        self.by_id.clear();
        if let Some(slot) = self.by_name.remove(partition) {
            self.partitions[slot] = None;
            self.open[slot].clear();
            // Its records were never received by the ledger: the next owner reads them.
            self.filled.retain(|filled| filled.slot != slot);
        }
    }

    pub(super) fn is_open(&self, partition: &TopicPartition) -> bool {
        self.by_name.contains_key(partition)
    }

    /// The partition is read on from `next` (where that is known), whatever was taken of it before. What was taken and not handed on is
    /// given up.
    pub(super) fn renew(&mut self, partition: &TopicPartition, next: Option<i64>) {
        let Some(&slot) = self.by_name.get(partition) else { return };
        self.resets.take(partition);
        self.open[slot].clear();
        self.filled.retain(|filled| filled.slot != slot);
        let begin = next.unwrap_or_default();
        self.latest[slot] = Latest { drain: self.drains, first: begin, next: begin, anew: next.is_some() };
    }

    pub(super) fn taken_to(&self, slot: usize) -> Option<i64> {
        self.partitions.get(slot)?.as_ref()?;
        Some(self.latest[slot].next)
    }

    /// The partitions whose log has begun anew, with the offset after the last record taken.
    pub(super) fn begun_anew(&self) -> impl Iterator<Item = (&TopicPartition, i64)> {
        let slots = self.partitions.iter().zip(&self.latest);
        slots
            .filter(|(_, latest)| latest.anew)
            .filter_map(|(partition, latest)| Some((partition.as_ref()?, latest.next)))
    }

    pub(super) fn find<'a>(
        &mut self,
        topic_id: usize,
        partition: i32,
        topic: impl FnOnce() -> &'a str,
    ) -> Option<usize> {
        let by_name = &self.by_name;
        *self
            .by_id
            .entry((topic_id, partition))
            .or_insert_with(|| by_name.get(&TopicPartition::new(topic(), partition)).copied())
    }

    /// Says which columns are filled from now on. A batch has the same ones for each of its records.
    pub(super) fn want(&mut self, wanted: Inputs) {
        if wanted != self.wanted {
            self.close_open();
            self.wanted = wanted;
        }
    }

    /// Whether every batch that waits has the columns `wanted`, and those being filled.
    pub(super) fn hold(&self, wanted: Inputs) -> bool {
        self.filled.iter().map(|filled| &filled.batch).chain(&self.open).all(|batch| batch.holds(wanted))
    }

    /// Gives back whether the record was taken.
    ///
    /// A rebalance pauses every partition for a moment, and librdkafka then goes back to the position that it noted last. If that
    /// falls into a drain, the drain's records come once more. Those are passed over here, unless the log begins anew; anything older is
    /// for the ledger to refuse.
    pub(super) fn push(&mut self, slot: usize, record: &Record<'_>, wanted: Inputs) -> bool {
        let begins_anew = record.offset != self.latest[slot].next
            && self.partitions[slot].as_ref().is_some_and(|partition| self.resets.take(partition));
        if begins_anew {
            let before = self.latest[slot];
            let anew = before.anew || record.offset < before.next;
            self.latest[slot] = Latest { drain: self.drains, first: record.offset, next: record.offset, anew };
            // A batch holds ascending offsets.
            if !self.open[slot].is_empty() {
                self.close_slot(slot);
            }
        }
        let latest = &mut self.latest[slot];
        if (latest.first..latest.next).contains(&record.offset) {
            return false;
        }
        if latest.drain != self.drains {
            (latest.first, latest.drain) = (record.offset, self.drains);
        }
        latest.next = record.offset + 1;
        if self.open[slot].is_full() {
            self.close_slot(slot);
        }
        // Only now: a batch for each of a thousand partitions, most without a record, would be most of the memory.
        if !self.open[slot].keeps_memory() {
            self.open[slot] = self.spare.take();
        }
        self.open[slot].push(record, wanted);
        true
    }

    pub(super) fn push_borrowed(&mut self, message: &BorrowedMessage<'_>, wanted: Inputs) {
        let partition = TopicPartition::new(message.topic(), message.partition());
        let Some(&slot) = self.by_name.get(&partition) else { return };
        if self.push(slot, &message::record(message), wanted) && wanted.headers {
            message::push_headers(&mut self.open[slot], message);
        }
    }

    fn close_slot(&mut self, slot: usize) {
        let batch = std::mem::take(&mut self.open[slot]);
        self.filled.push_back(Filled { slot, batch });
    }

    /// Keeps a batch's memory for the next one, as far as there is room.
    pub(super) fn recycle(&mut self, batch: Batch) {
        self.spare.put(batch);
    }

    /// Hands on every batch with a record.
    pub(super) fn close_open(&mut self) {
        for slot in 0..self.open.len() {
            if !self.open[slot].is_empty() {
                self.close_slot(slot);
            }
        }
    }
}

// === impl Spare ===

impl Spare {
    fn take(&mut self) -> Batch {
        let batch = self.batches.pop().unwrap_or_default();
        self.bytes -= batch.kept_bytes();
        batch
    }

    fn put(&mut self, mut batch: Batch) {
        batch.clear();
        let bytes = batch.kept_bytes();
        if self.bytes + bytes <= SPARE_BYTES_MAX {
            self.bytes += bytes;
            self.batches.push(batch);
        }
    }
}

#[cfg(test)]
mod tests;
