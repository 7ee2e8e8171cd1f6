//! The partitions that a task owns, each with its ledger, its timestamps and its metrics.

use std::time::Instant;

use super::TaskError;
use crate::commit::Ledger;
use crate::config::Tiebreak;
use crate::metrics::{PartitionMetrics, TaskMetrics};
use crate::points::Stamper;
use crate::record::{OffsetRange, TopicPartition};
use crate::sink::assembler::{Fate, Fated};
use crate::source::KafkaSource;
use crate::status::SeenTopic;

/// One partition in one assignment generation.
#[derive(Debug)]
pub(super) struct Assigned {
    pub(super) partition: TopicPartition,
    pub(super) generation: u64,
    pub(super) stamper: Stamper,
    pub(super) metrics: PartitionMetrics,
    /// Whether the board knows that records of the topic come in.
    pub(super) seen: SeenTopic,
    ledger: Ledger,
    /// Kafka no longer had the offset to read on from: the next record tells where it goes on.
    is_reset: bool,
    /// The timestamp of the newest record that is acknowledged, milliseconds since 1970.
    acknowledged_ms: Option<i64>,
    /// Where it ends, while nothing is fetched of it.
    end: Option<i64>,
}

/// All partitions of a task, by the source's slots.
#[derive(Debug)]
pub(super) struct Assignment {
    tiebreak: Tiebreak,
    slots: Vec<Option<Assigned>>,
    generations: u64,
    revoking: Option<Revoking>,
}

#[derive(Debug)]
struct Revoking {
    partitions: Vec<TopicPartition>,
    deadline: Instant,
}

// === impl Assignment ===

impl Assignment {
    pub(super) fn new(tiebreak: Tiebreak) -> Self {
        Self { tiebreak, slots: Vec::new(), generations: 0, revoking: None }
    }

    /// The number of partitions.
    pub(super) fn len(&self) -> usize {
        self.slots.iter().flatten().count()
    }

    pub(super) fn add(&mut self, partitions: &[TopicPartition], slots: &[usize], metrics: &TaskMetrics) {
        for (partition, &slot) in partitions.iter().zip(slots) {
            self.generations += 1;
            if self.slots.len() <= slot {
                self.slots.resize_with(slot + 1, || None);
            }
            self.slots[slot] = Some(Assigned {
                partition: partition.clone(),
                generation: self.generations,
                seen: SeenTopic::default(),
                stamper: Stamper::new(&partition.topic, partition.partition, self.tiebreak),
                metrics: metrics.partition(&partition.topic, partition.partition),
                ledger: Ledger::default(),
                is_reset: false,
                acknowledged_ms: None,
                end: None,
            });
        }
        metrics.partitions(self.len());
    }

    pub(super) fn get(&mut self, slot: usize) -> Option<&mut Assigned> {
        self.slots.get_mut(slot)?.as_mut()
    }

    /// Counts a log that no longer had the offset to read on from.
    pub(super) fn note_reset(&mut self, partition: &TopicPartition) {
        if let Some(assigned) = self.slots.iter_mut().flatten().find(|assigned| assigned.partition == *partition) {
            assigned.metrics.offset_reset();
            assigned.is_reset = true;
        }
    }

    /// The partitions of a topic that was made anew, each with a new chain: what is known and under way of the old one decides nothing, and
    /// its offsets are not committed into the new topic (I3).
    pub(super) fn renew(&mut self, topic: &str) -> Vec<(TopicPartition, Option<i64>)> {
        let mut renewed = Vec::new();
        for assigned in self.slots.iter_mut().flatten().filter(|assigned| &*assigned.partition.topic == topic) {
            renewed.push((assigned.partition.clone(), assigned.ledger.received_to()));
            assigned.metrics.offset_reset();
            assigned.is_reset = false;
            self.generations += 1;
            assigned.begin_chain(self.generations);
        }
        renewed
    }

    /// A batch begins at `first`. If that goes back, the log was made anew or cut off: the partition begins a new chain, as if it had been
    /// assigned anew, and what is under way of the old one decides nothing (I2, I3). Unless nobody told of it, and records before `first`
    /// are undecided: a new chain would commit over them (I1), so the ledger is left to refuse.
    pub(super) fn begin_batch(&mut self, slot: usize, first: i64) -> Option<&mut Assigned> {
        let generation = self.generations + 1;
        let assigned = self.slots.get_mut(slot)?.as_mut()?;
        let (partition, expected) = (&assigned.partition, assigned.ledger.received_to());
        let goes_back = expected.is_some_and(|next| first < next);
        // What was fetched before the log was found to begin elsewhere comes first.
        let is_told = assigned.is_reset && expected != Some(first);
        if is_told || goes_back {
            tracing::warn!(%partition, expected, first, "partition is read on from another offset");
        }
        if goes_back && (is_told || assigned.ledger.undecided().is_none_or(|undecided| first <= undecided)) {
            assigned.begin_chain(generation);
            self.generations = generation;
        }
        assigned.is_reset &= !is_told;
        Some(assigned)
    }

    /// The partition of a slot if it is still the same assignment: whatever is of an earlier generation decides nothing (I3).
    pub(super) fn current(&mut self, (slot, generation): (usize, u64)) -> Option<&mut Assigned> {
        self.get(slot).filter(|assigned| assigned.generation == generation)
    }

    /// Whether a slot still holds that assignment.
    pub(super) fn is_current(&self, slot: usize, generation: u64) -> bool {
        self.slots.get(slot).and_then(Option::as_ref).is_some_and(|assigned| assigned.generation == generation)
    }

    /// Notes a range as decided, `newest_ms` being the timestamp of its newest record that is stored. One of an earlier generation is
    /// passed over: it must not commit (I3).
    pub(super) fn complete(
        &mut self,
        place: (usize, u64),
        range: OffsetRange,
        newest_ms: Option<i64>,
    ) -> Result<(), TaskError> {
        let Some(assigned) = self.current(place) else { return Ok(()) };
        assigned.acknowledged_ms = assigned.acknowledged_ms.max(newest_ms);
        assigned.ledger.complete(range).map_err(|source| assigned.broken(source))
    }

    /// Moves over what is no record behind the last one: otherwise a partition whose last entry is a transaction's marker would never be
    /// committed to its end, and whoever watches the group would see lag for ever.
    pub(super) fn pass_over_markers(&mut self, source: &KafkaSource) {
        let positions = source.positions();
        for (slot, assigned) in self.slots.iter_mut().enumerate() {
            let Some(assigned) = assigned else { continue };
            // The position is beyond every record taken. If one of them has not come to the ledger (it failed, or its partition is being
            // given back), it must not be passed over.
            let all_received = source.taken_to(slot).is_some_and(|taken| assigned.ledger.received_to() == Some(taken));
            if let Some(&position) = positions.get(&assigned.partition)
                && all_received
            {
                assigned.ledger.pass_over(position);
            }
        }
    }

    /// What is to be committed. It counts as committed until [`Assignment::commit_again`].
    pub(super) fn take_committable(&mut self) -> Vec<(TopicPartition, i64)> {
        let mut offsets = Vec::new();
        for assigned in self.slots.iter_mut().flatten() {
            if let Some(offset) = assigned.ledger.to_commit() {
                assigned.ledger.committed(offset);
                assigned.metrics.committed(offset);
                offsets.push((assigned.partition.clone(), offset));
            }
        }
        offsets
    }

    /// A commit failed: every offset is sent again the next time.
    pub(super) fn commit_again(&mut self) {
        self.slots.iter_mut().flatten().for_each(|assigned| assigned.ledger.commit_again());
    }

    pub(super) fn begin_revoke(&mut self, mut partitions: Vec<TopicPartition>, deadline: Instant) {
        // librdkafka asks for one answer at a time; should it ask again, both are answered together.
        if let Some(earlier) = self.revoking.take() {
            partitions.extend(earlier.partitions);
        }
        self.revoking = Some(Revoking { partitions, deadline });
    }

    /// Whether partitions wait to be given back.
    pub(super) fn is_revoking(&self) -> bool {
        self.revoking.is_some()
    }

    /// The partitions to give back, once everything of them is decided or their time is over.
    pub(super) fn revocable(&mut self, now: Instant) -> Option<Vec<TopicPartition>> {
        let revoking = self.revoking.take()?;
        let under_way =
            |assigned: &&Assigned| revoking.partitions.contains(&assigned.partition) && !assigned.ledger.is_idle();
        if now < revoking.deadline && self.slots.iter().flatten().any(|assigned| under_way(&assigned)) {
            self.revoking = Some(revoking);
            return None;
        }
        Some(revoking.partitions)
    }

    /// The partitions to give back, whether or not everything of them is decided.
    pub(super) fn take_revoking(&mut self) -> Option<Vec<TopicPartition>> {
        self.revoking.take().map(|revoking| revoking.partitions)
    }

    /// Every partition.
    pub(super) fn partitions(&self) -> impl Iterator<Item = TopicPartition> {
        self.slots.iter().flatten().map(|assigned| assigned.partition.clone())
    }

    /// Forgets all of it; generations go on, so that nothing of it commits (I3).
    pub(super) fn clear(&mut self) {
        (self.slots, self.revoking) = (Vec::new(), None);
    }

    pub(super) fn remove(&mut self, partitions: &[TopicPartition]) {
        for slot in &mut self.slots {
            if slot.as_ref().is_some_and(|assigned| partitions.contains(&assigned.partition)) {
                *slot = None;
            }
        }
    }

    /// Notes where a partition ends of which nothing is fetched.
    pub(super) fn ends_at(&mut self, partition: &TopicPartition, end: i64) {
        if let Some(assigned) = self.slots.iter_mut().flatten().find(|assigned| assigned.partition == *partition) {
            assigned.end = Some(end);
        }
    }

    /// Fetches tell of the ends again.
    pub(super) fn forget_ends(&mut self) {
        self.slots.iter_mut().flatten().for_each(|assigned| assigned.end = None);
    }

    /// Lag in records: what is in the partition and not decided. In seconds: the age of the newest record that is
    /// acknowledged, while there are others behind it.
    pub(super) fn measure_lag(&self, now_ms: i64, source: &KafkaSource) {
        let positions = source.positions();
        for assigned in self.slots.iter().flatten() {
            let Some(end) = source.end_offset(&assigned.partition).max(assigned.end) else { continue };
            if let Some(&position) = positions.get(&assigned.partition) {
                assigned.metrics.unread(u64::try_from(end - position).unwrap_or(0));
            }
            let Some(next) = assigned.ledger.undecided() else { continue };
            // What lies between the last record and the end may be no record: a transaction's marker.
            let at_end = positions.get(&assigned.partition).is_some_and(|&position| position >= end);
            let all_decided = at_end && assigned.ledger.is_idle();
            let records = if all_decided { 0 } else { u64::try_from(end - next).unwrap_or(0) };
            let age = assigned.acknowledged_ms.map_or(0, |newest| now_ms.saturating_sub(newest).max(0));
            assigned.metrics.lag(records, if records == 0 { 0.0 } else { age as f64 / 1000.0 });
        }
    }
}

// === impl Assigned ===

impl Assigned {
    /// Tells the ledger what becomes of records; what is filtered is decided at once.
    pub(super) fn receive(&mut self, ranges: &[Fated]) -> Result<(), TaskError> {
        for fated in ranges {
            self.ledger.receive(fated.range).map_err(|source| self.broken(source))?;
            if fated.fate == Fate::Filtered {
                self.ledger.complete(fated.range).map_err(|source| self.broken(source))?;
            }
            self.metrics.received(fated.range.last + 1);
        }
        Ok(())
    }

    pub(super) fn is_in(&self, partitions: &[TopicPartition]) -> bool {
        partitions.contains(&self.partition)
    }

    fn begin_chain(&mut self, generation: u64) {
        (self.generation, self.ledger, self.acknowledged_ms, self.end) = (generation, Ledger::default(), None, None);
    }

    fn broken(&self, source: crate::commit::LedgerError) -> TaskError {
        TaskError::Ledger { partition: self.partition.clone(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    /// A partition of which offsets 0 to 19 were received, and 0 to 9 are not decided.
    fn half_decided() -> (Assignment, TopicPartition) {
        let partition = TopicPartition::new("prices", 0);
        let mut assignment = Assignment::new(Tiebreak::Offset);
        assignment.add(std::slice::from_ref(&partition), &[0], &Metrics::new().task("c", 0));
        let (open, decided) = (OffsetRange { first: 0, last: 9 }, OffsetRange { first: 10, last: 19 });
        let ledger = &mut assignment.get(0).unwrap().ledger;
        for range in [open, decided] {
            ledger.receive(range).unwrap();
        }
        ledger.complete(decided).unwrap();
        (assignment, partition)
    }

    #[test]
    fn i1_a_log_that_goes_back_untold_begins_no_chain_over_undecided_records() {
        let (mut assignment, _) = half_decided();
        let before = assignment.get(0).unwrap().generation;
        let assigned = assignment.begin_batch(0, 5).unwrap();
        assert_eq!(assigned.generation, before);
        assert!(assigned.ledger.receive(OffsetRange { first: 5, last: 5 }).is_err(), "the task fails instead");
        assert_ne!(assignment.begin_batch(0, 0).unwrap().generation, before, "all of it is read again");
    }

    #[test]
    fn a_log_that_is_told_to_begin_anew_begins_a_chain_after_what_was_fetched_before() {
        let (mut assignment, partition) = half_decided();
        let before = assignment.get(0).unwrap().generation;
        assignment.note_reset(&partition);
        let range = OffsetRange { first: 20, last: 29 };
        let assigned = assignment.begin_batch(0, 20).unwrap();
        assert_eq!(assigned.generation, before);
        assigned.ledger.receive(range).unwrap();
        assert_ne!(assignment.begin_batch(0, 3).unwrap().generation, before);
        assert_eq!(assignment.take_committable(), [], "nothing of the old chain is committed");
    }

    #[test]
    fn i3_what_is_known_of_a_topic_is_not_committed_into_the_one_that_took_its_name() {
        let (mut assignment, partition) = half_decided();
        let before = assignment.get(0).unwrap().generation;
        assert_eq!(assignment.renew("another"), []);
        assert_eq!(assignment.renew("prices"), [(partition, Some(20))]);
        assignment.complete((0, before), OffsetRange { first: 0, last: 9 }, None).unwrap();
        assert_eq!(assignment.take_committable(), []);
    }
}
