//! A batch that the transform failed on: it is taken apart until the record at fault stands alone, and its neighbours go on in order.
//!
//! One call a round, so that the group is served in between: each may take `transform.timeout.ms`. Meanwhile nothing else is taken from
//! Kafka. Every call after a failure has a fresh instance. A record is at fault only if a fresh instance fails on it alone: a guest that
//! fails now and then, by the number of its calls or for want of memory, costs no record.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::breaker::Advice;
use super::rejects::Rejection;
use super::{Pipeline, TaskError, now_ms};
use crate::batch::Batch;
use crate::config::ErrorsConfig;
use crate::dead_letter::{Claim, RejectStage};
use crate::record::{OffsetRange, TopicPartition};
use crate::retry::Backoff;
use crate::sink::assembler::{Fate, Fated};
use crate::status::TaskState;
use crate::transform::{TransformError, Version};

/// The first pause before the transform is tried again on a record, as in Kafka Connect.
const RETRY_MIN: Duration = Duration::from_millis(300);

/// No batch with more bytes gives the proof: it would be kept for as long as the task runs.
const PROOF_MAX: usize = 1024 * 1024;

/// What is left of a batch that the transform failed on.
#[derive(Debug)]
pub(super) struct Salvage {
    slot: usize,
    generation: u64,
    records: Arc<Batch>,
    /// What is still to be transformed, the next piece last.
    pieces: Vec<Range<usize>>,
    /// Since when the next record is tried again, and how.
    retry: Option<(Instant, Backoff)>,
    rest_until: Option<Instant>,
}

// === impl Salvage ===

impl Salvage {
    pub(super) fn new((slot, generation): (usize, u64), records: Batch) -> Self {
        let pieces = std::iter::once(0..records.len()).collect();
        Self { slot, generation, records: Arc::new(records), pieces, retry: None, rest_until: None }
    }

    /// Whether the transform is left alone for a while.
    pub(super) fn rests(&self) -> bool {
        self.rest_until.is_some()
    }

    /// Until when nothing is to be done.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.rest_until
    }

    pub(super) fn slot(&self) -> usize {
        self.slot
    }

    /// What is being taken apart.
    pub(super) fn records(&self) -> &Batch {
        &self.records
    }

    /// Another version of the transform runs: what the one before failed on is tried at once.
    pub(super) fn begin_again(&mut self) {
        (self.retry, self.rest_until) = (None, None);
    }

    /// A piece comes back from record `index` of `piece` on, which was a copy of it.
    pub(super) fn give_back(&mut self, piece: &Batch, index: usize) {
        let found = self.records.index_of(piece.offsets[index]);
        let start = found.expect("the piece was cut out of these records");
        self.pieces.push(start..start + piece.len() - index);
    }

    fn halve(&mut self, piece: &Range<usize>) {
        let middle = piece.start + piece.len() / 2;
        self.pieces.pop();
        self.pieces.push(middle..piece.end);
        self.pieces.push(piece.start..middle);
    }

    /// How long to wait before the record is tried again; `None` if its time is over (`errors.retry.timeout`).
    fn pause_before_retry(&mut self, errors: &ErrorsConfig, now: Instant) -> Option<Duration> {
        let begin = || (now, Backoff::new(RETRY_MIN.min(errors.retry_delay_max), errors.retry_delay_max));
        let (since, backoff) = self.retry.get_or_insert_with(begin);
        let pause = backoff.next(None);
        let in_time = errors.retry_timeout.is_none_or(|timeout| now + pause <= *since + timeout);
        in_time.then_some(pause)
    }
}

impl Pipeline {
    /// One call of the transform on the next piece. Gives back whether there was something to do.
    pub(super) fn salvage_on(&mut self) -> Result<bool, TaskError> {
        let Some(mut salvage) = self.salvage.take() else { return Ok(false) };
        let current = self.assignment.current((salvage.slot, salvage.generation));
        let (Some(assigned), Some(piece)) = (current, salvage.pieces.last().cloned()) else { return Ok(true) };
        let partition = assigned.partition.clone();
        if salvage.rest_until.is_some_and(|until| Instant::now() < until) {
            self.salvage = Some(salvage);
            return Ok(false);
        }
        salvage.rest_until = None;
        let batch = salvage.records.slice(piece.clone());
        let fresh = !self.versions.of(&partition).is_live();
        let (version, result) = self.versions.run(&partition, &batch);
        match result {
            Err(error) if self.failed_on(&version, &partition, &batch, &error) => self.salvage = Some(salvage),
            Ok(output) => {
                self.transform_works(&partition, &batch);
                salvage.pieces.pop();
                salvage.retry = None;
                let place = (salvage.slot, salvage.generation);
                self.salvage = Some(salvage);
                self.absorb(place, &version, &batch, &output)?;
            }
            Err(error) if piece.len() > 1 && !error.is_start() => {
                tracing::debug!(%partition, records = piece.len(), %error, "transform failed, halving");
                salvage.halve(&piece);
                self.salvage = Some(salvage);
            }
            // The instance had worked before: perhaps that is why it failed.
            Err(error) if !fresh && !error.is_start() => self.salvage = Some(salvage),
            Err(error) => self.fail_on_record(salvage, (&partition, &version), piece.start, error)?,
        }
        Ok(true)
    }

    /// The transform has worked on a batch. One of its records is kept as the proof that the module can.
    pub(super) fn transform_works(&mut self, partition: &TopicPartition, batch: &Batch) {
        self.breaker.works();
        if self.proof.is_none() && batch.bytes() <= PROOF_MAX {
            self.proof = Some((partition.clone(), batch.slice(0..1)));
        }
    }

    /// Whether the transform still works on a record that it has worked on.
    fn transform_is_well(&mut self) -> bool {
        let Some((partition, record)) = self.proof.take() else { return false };
        let well = self.versions.of(&partition).run(&partition, &record).is_ok();
        self.proof = Some((partition, record));
        well
    }

    /// A fresh instance failed on a record alone, or there could be none.
    fn fail_on_record(
        &mut self,
        mut salvage: Salvage,
        (partition, version): (&TopicPartition, &Arc<Version>),
        index: usize,
        error: TransformError,
    ) -> Result<(), TaskError> {
        let now = Instant::now();
        let again = if error.is_start() { None } else { salvage.pause_before_retry(&self.connector.errors, now) };
        self.metrics.record_failed(now_ms(), again.is_some());
        let offset = salvage.records.offsets[index];
        if let Some(pause) = again {
            salvage.rest_until = Some(now + pause);
            self.board.set(TaskState::retrying(format!("{error}, on record {partition} offset {offset}")));
            self.salvage = Some(salvage);
            return Ok(());
        }
        match self.breaker.fails(error.is_start()) {
            Advice::Reject => {}
            // A module that still does what it once did is well: so many records in a row are poison.
            Advice::Rest(_) if self.transform_is_well() => self.breaker.works(),
            Advice::Rest(rest) => {
                let reason = format!("{error}, on everything from record {partition} offset {offset} on");
                self.board.set(TaskState::retrying(format!("{reason}; change transform.module if that does not end")));
                salvage.rest_until = Some(now + rest);
                self.salvage = Some(salvage);
                return Ok(());
            }
            Advice::GiveUp => return Err(TaskError::Broken { partition: partition.clone(), offset, source: error }),
        }
        salvage.pieces.pop();
        salvage.retry = None;
        let (place, records) = ((salvage.slot, salvage.generation), Arc::clone(&salvage.records));
        self.salvage = Some(salvage);
        let range = OffsetRange { first: offset, last: offset };
        if let Some(assigned) = self.assignment.get(place.0) {
            assigned.receive(&[Fated { range, fate: Fate::Rejected }])?;
        }
        let rejection = Rejection {
            offset,
            timestamp: records.timestamps[index],
            stage: RejectStage::Transform,
            version: Arc::clone(version),
            kind: "Trap",
            reason: error.to_string(),
            line: None,
            record: self.letters.is_some().then_some((records, index)),
        };
        self.reject(Claim { slot: place.0, generation: place.1, range }, vec![rejection])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{Inputs, Record};

    fn errors(retry_timeout: Option<Duration>) -> ErrorsConfig {
        let retry_delay_max = Duration::from_secs(1);
        ErrorsConfig {
            tolerate: true,
            dead_letters: None,
            retry_timeout,
            retry_delay_max,
            log: false,
            log_messages: false,
            restart: None,
            budget: None,
        }
    }

    fn salvage(records: usize) -> Salvage {
        let mut batch = Batch::default();
        for offset in 0..records as i64 {
            batch.push(&Record { offset, timestamp: 0, key: None, value: None }, Inputs::default());
        }
        Salvage::new((0, 1), batch)
    }

    /// Tries again until the time is over; gives back how long that took.
    fn tried_for(salvage: &mut Salvage, errors: &ErrorsConfig, most: usize) -> Duration {
        let start = Instant::now();
        let mut now = start;
        for _ in 0..most {
            let Some(pause) = salvage.pause_before_retry(errors, now) else { break };
            assert!(pause >= RETRY_MIN && pause <= errors.retry_delay_max, "{pause:?}");
            now += pause;
        }
        now - start
    }

    #[test]
    fn a_record_is_tried_again_until_its_time_is_over() {
        let timeout = Duration::from_secs(20);
        let errors = errors(Some(timeout));
        let took = tried_for(&mut salvage(1), &errors, usize::MAX);
        assert!(took <= timeout && took > timeout - errors.retry_delay_max, "{took:?}");
    }

    #[test]
    fn without_time_a_record_is_not_tried_again_and_without_end_for_ever() {
        assert_eq!(tried_for(&mut salvage(1), &errors(Some(Duration::ZERO)), 100), Duration::ZERO);
        assert!(tried_for(&mut salvage(1), &errors(None), 10_000) >= RETRY_MIN * 10_000);
    }

    #[test]
    fn halves_come_in_order_and_leave_nothing_out() {
        for records in 1..50 {
            let (mut salvage, mut next) = (salvage(records), 0);
            while let Some(piece) = salvage.pieces.last().cloned() {
                assert_eq!(piece.start, next);
                if piece.len() > 1 {
                    salvage.halve(&piece);
                } else {
                    next = piece.end;
                    salvage.pieces.pop();
                }
            }
            assert_eq!(next, records);
        }
    }
}
