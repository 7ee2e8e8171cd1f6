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
use crate::dead_letter::{Claim, RejectStage};
use crate::record::{OffsetRange, TopicPartition};
use crate::retry::Backoff;
use crate::sink::assembler::{Fate, Fated};
use crate::status::TaskState;
use crate::transform::TransformError;

/// The first pause before the transform is tried again on a record, as in Kafka Connect.
const RETRY_MIN: Duration = Duration::from_millis(300);

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
        let pieces = vec![0..records.len()];
        Self { slot, generation, records: Arc::new(records), pieces, retry: None, rest_until: None }
    }

    /// Until when nothing is to be done.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.rest_until
    }

    pub(super) fn slot(&self) -> usize {
        self.slot
    }

    fn halve(&mut self, piece: &Range<usize>) {
        let middle = piece.start + piece.len() / 2;
        self.pieces.pop();
        self.pieces.push(middle..piece.end);
        self.pieces.push(piece.start..middle);
    }
}

impl Pipeline {
    /// One call of the transform on the next piece. Gives back whether there was something to do.
    pub(super) fn salvage_on(&mut self) -> Result<bool, TaskError> {
        let Some(mut salvage) = self.salvage.take() else { return Ok(false) };
        let current = self.assignment.get(salvage.slot).filter(|assigned| assigned.generation == salvage.generation);
        let (Some(assigned), Some(piece)) = (current, salvage.pieces.last().cloned()) else { return Ok(true) };
        let partition = assigned.partition.clone();
        if salvage.rest_until.is_some_and(|until| Instant::now() < until) {
            self.salvage = Some(salvage);
            return Ok(false);
        }
        salvage.rest_until = None;
        let batch = salvage.records.slice(piece.clone());
        let fresh = !self.transform.is_live();
        match self.transform.run(&partition, &batch) {
            Ok(output) => {
                self.breaker.works();
                salvage.pieces.pop();
                salvage.retry = None;
                let place = (salvage.slot, salvage.generation);
                self.salvage = Some(salvage);
                self.absorb(place, &batch, &output)?;
            }
            Err(error) if piece.len() > 1 && !error.is_start() => {
                tracing::debug!(%partition, records = piece.len(), %error, "transform failed, halving");
                salvage.halve(&piece);
                self.salvage = Some(salvage);
            }
            // The instance had worked before: perhaps that is why it failed.
            Err(error) if !fresh && !error.is_start() => self.salvage = Some(salvage),
            Err(error) => self.fail_on_record(salvage, &partition, piece.start, error)?,
        }
        Ok(true)
    }

    /// A fresh instance failed on a record alone, or there could be none.
    fn fail_on_record(
        &mut self,
        mut salvage: Salvage,
        partition: &TopicPartition,
        index: usize,
        error: TransformError,
    ) -> Result<(), TaskError> {
        let now = Instant::now();
        let again = if error.is_start() { None } else { self.pause_before_retry(&mut salvage, now) };
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
            kind: "Trap",
            reason: error.to_string(),
            line: None,
            record: self.letters.is_some().then_some((records, index)),
        };
        self.reject(Claim { slot: place.0, generation: place.1, range }, vec![rejection])
    }

    /// How long to wait before the record is tried again; `None` if its time is over (`errors.retry.timeout`).
    fn pause_before_retry(&self, salvage: &mut Salvage, now: Instant) -> Option<Duration> {
        let errors = &self.connector.errors;
        let begin = || (now, Backoff::new(RETRY_MIN.min(errors.retry_delay_max), errors.retry_delay_max));
        let (since, backoff) = salvage.retry.get_or_insert_with(begin);
        let pause = backoff.next(None);
        let in_time = errors.retry_timeout.is_none_or(|timeout| now + pause <= *since + timeout);
        in_time.then_some(pause)
    }
}
