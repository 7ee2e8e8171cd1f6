//! Records that can't be written: tolerated or not, logged, sent to the dead-letter topic or discarded, and counted against the budget.

use std::sync::Arc;
use std::time::Instant;

use super::{Pipeline, TaskError, now_ms};
use crate::batch::Batch;
use crate::dead_letter::{Claim, Letter, Records, RejectStage};
use crate::record::TopicPartition;
use crate::sink::assembler::{Appended, Fate};
use crate::sink::body::Part;
use crate::sink::lane::Written;
use crate::transform::Version;

/// A record that can't be written.
#[derive(Debug)]
pub(super) struct Rejection {
    pub(super) offset: i64,
    pub(super) timestamp: i64,
    pub(super) stage: RejectStage,
    /// The version of the transform that had the record.
    pub(super) version: Arc<Version>,
    /// The kind of failure, as the header of a letter has it.
    pub(super) kind: &'static str,
    pub(super) reason: String,
    pub(super) line: Option<Vec<u8>>,
    /// The batch with the record and its index in there, if records are kept for dead letters.
    pub(super) record: Option<(Records, usize)>,
}

impl Pipeline {
    /// Takes what the dead-letter topic has acknowledged.
    pub(super) fn finish_letters(&mut self) -> Result<(), TaskError> {
        let Some(letters) = &mut self.letters else { return Ok(()) };
        for acknowledged in letters.pump(Instant::now()) {
            let Claim { slot, generation, range } = acknowledged.claim;
            let Some(assigned) = self.assignment.current((slot, generation)) else { continue };
            assigned.metrics.dead_lettered(1);
            if acknowledged.decided {
                self.assignment.complete((slot, generation), range, None)?;
            }
        }
        Ok(())
    }

    /// The records of a batch that the transform or the points stage rejected.
    pub(super) fn reject_appended(
        &mut self,
        (slot, generation): (usize, u64),
        version: &Arc<Version>,
        (batch, kept): (&Batch, Option<&Records>),
        appended: &mut Appended,
    ) -> Result<(), TaskError> {
        let mut rejected = std::mem::take(&mut appended.rejected).into_iter().peekable();
        for fated in appended.ranges.iter().filter(|fated| fated.fate == Fate::Rejected) {
            let mut rejections = Vec::new();
            while let Some(one) = rejected.next_if(|one| batch.offsets[one.record] <= fated.range.last) {
                let (stage, kind) = match one.line {
                    Some(_) => (RejectStage::Points, "BadLine"),
                    None => (RejectStage::Transform, "Rejected"),
                };
                rejections.push(Rejection {
                    offset: batch.offsets[one.record],
                    timestamp: batch.timestamps[one.record],
                    stage,
                    version: Arc::clone(version),
                    kind,
                    reason: one.reason,
                    line: one.line,
                    record: kept.map(|kept| (Records::clone(kept), one.record)),
                });
            }
            self.reject(Claim { slot, generation, range: fated.range }, rejections)?;
        }
        Ok(())
    }

    /// The records whose lines InfluxDB refused.
    pub(super) fn reject_refused(&mut self, written: &Written) -> Result<(), TaskError> {
        let mut texts = written.body.texts().enumerate();
        let mut failed = Ok(());
        for (part, refused) in written.parts() {
            let mut rejections: Vec<Rejection> = Vec::new();
            for line in refused {
                let offset = written.body.offsets[line.line];
                let text =
                    texts.find(|(index, _)| *index == line.line).map(|(_, text)| text.to_vec()).unwrap_or_default();
                // A record has one letter, however many of its lines are refused.
                if rejections.last().is_none_or(|last| last.offset != offset) {
                    rejections.push(Rejection::of_line(part, offset, text, line.too_large, &line.reason));
                }
            }
            if !rejections.is_empty() {
                self.versions.note_refused(&part.version, rejections.len(), Instant::now());
                let claim = Claim { slot: part.slot, generation: part.generation, range: part.range };
                // Every part is told of; the first failure is the one that ends the task.
                failed = failed.and(self.reject(claim, rejections));
            }
        }
        failed
    }

    /// Decides about rejected records of one claim, which is complete when each has its fate.
    pub(super) fn reject(&mut self, claim: Claim, rejections: Vec<Rejection>) -> Result<(), TaskError> {
        // Given back meanwhile: the next owner decides.
        let Claim { slot, generation, .. } = claim;
        let Some(assigned) = self.assignment.current((slot, generation)) else { return Ok(()) };
        let (partition, discarded) = (assigned.partition.clone(), assigned.metrics.clone());
        let (mut letters, mut fatal) = (Vec::new(), None);
        for rejection in rejections {
            // A version on probation is taken back before it stops the task.
            let within_budget = self.budget.take(Instant::now())
                || self
                    .versions
                    .blame(&rejection.version, || format!("errors.budget.max was used up: {}", rejection.reason));
            let tolerated = self.connector.errors.tolerate && within_budget;
            self.tell(&partition, &rejection, tolerated);
            if !tolerated && fatal.is_none() {
                // The task is lost, but its restart has the version before. What that would have refused as well was found out earlier.
                if rejection.stage == RejectStage::Sink {
                    self.versions.blame(&rejection.version, || format!("it stopped the task: {}", rejection.reason));
                }
                fatal = Some(self.fatal(&partition, &rejection, within_budget));
            }
            if self.letters.is_some() {
                letters.extend(letter(&partition, rejection));
            } else if tolerated {
                discarded.discarded(1);
                self.discards.warn(&partition, &rejection);
            }
        }
        let claim = fatal.is_none().then_some(claim);
        match &mut self.letters {
            Some(desk) => desk.submit(claim, letters),
            None => claim.map_or(Ok(()), |claim| self.assignment.complete((slot, generation), claim.range, None))?,
        }
        fatal.map_or(Ok(()), Err)
    }

    /// Counts a rejected record, and logs it if that is wanted.
    fn tell(&self, partition: &TopicPartition, rejection: &Rejection, tolerated: bool) {
        let errors = &self.connector.errors;
        self.metrics.record_error(now_ms(), tolerated, errors.log);
        if !errors.log {
            return;
        }
        let (stage, class) = (rejection.stage.connect(), rejection.stage.class());
        let reason = rejection.reason.as_str();
        if errors.log_messages {
            let (topic, partition, offset) = (&*partition.topic, partition.partition, rejection.offset);
            let timestamp = rejection.timestamp;
            tracing::error!(stage, class, reason, topic, partition, offset, timestamp, "error encountered in task");
        } else {
            tracing::error!(stage, class, reason, "error encountered in task");
        }
    }

    fn fatal(&self, partition: &TopicPartition, rejection: &Rejection, within_budget: bool) -> TaskError {
        let place = (partition.clone(), rejection.offset);
        match &self.connector.errors.budget {
            Some(budget) if !within_budget => TaskError::over_budget(place, budget, rejection),
            _ => TaskError::rejected(place, &self.connector.influx.url, rejection),
        }
    }
}

fn letter(partition: &TopicPartition, rejection: Rejection) -> Option<Letter> {
    let Rejection { stage, version, kind, reason, line, record, .. } = rejection;
    Some(Letter::new((partition, version.digest()), record?, (stage, kind), reason, line))
}

// === impl Rejection ===

impl Rejection {
    fn of_line(part: &Part, offset: i64, text: Vec<u8>, too_large: bool, reason: &str) -> Self {
        let record = part.records.as_ref().and_then(|kept| Some((Records::clone(kept), kept.index_of(offset)?)));
        Self {
            offset,
            timestamp: record.as_ref().map_or(-1, |(kept, index)| kept.timestamps[*index]),
            stage: RejectStage::Sink,
            version: Arc::clone(&part.version),
            kind: if too_large { "TooLarge" } else { "Refused" },
            reason: reason.to_owned(),
            line: Some(text),
            record,
        }
    }
}
