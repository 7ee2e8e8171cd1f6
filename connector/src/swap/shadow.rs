//! The shadow report: the running version of a transform and a candidate side by side over the last records.
//!
//! The comparison runs off the data path and writes nothing. It answers three questions: does the candidate fail where the running
//! version does not ([`Report::failure`]), does it differ in a way that `transform.shadow.require` forbids ([`Report::refusal`]), and
//! what should the operator know before it takes over ([`Report::warnings`]).
//!
//! This file takes both versions through the sample. `runner` is one version at work, `fate` what it made of a record, `difference` two
//! fates compared; `report` is the result with its judgement, `show` that on a terminal.

mod difference;
mod fate;
mod report;
mod runner;
mod show;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::batch::{Batch, Inputs};
use crate::config::Tiebreak;
use crate::points::Stamper;
use crate::record::TopicPartition;
use crate::transform::{Transform, TransformError};

use fate::Fate;
pub use report::{Case, Difference, FateKind, Lines, Made, New, Report, Side, Stopped};
use runner::{Chunk, Clock, Runner, Version};

/// The last records of one task: chunks of one partition each.
pub type Sample = [(TopicPartition, Arc<Batch>)];

/// After so many failures that the running version does not have nothing more is tried: each may have cost `transform.timeout.ms`, and
/// one was enough.
const FAILURES_MAX: u64 = 3;

/// The differences that are shown.
const DIFFERENCES_MAX: usize = 10;

/// Runs both over the sample, off the data path, and tells what they make of it. `old` may itself fail.
///
/// A chunk that a version fails on is given to it again record by record, so that the failure is blamed on records. Before the
/// first chunk, and after a failure, the chunk is run once without being measured. `budget` is looked at between chunks, and between
/// the records of a chunk that is taken apart; beyond it a slow version costs the calls on one chunk, three of each version at most, each
/// of which may take `transform.timeout.ms`. At least one record is compared; the report says how many were.
pub fn compare(
    old: &mut Transform,
    new: &mut Transform,
    sample: &Sample,
    tiebreak: Tiebreak,
    budget: Duration,
) -> Report {
    compare_versions(old, new, sample, tiebreak, budget)
}

fn compare_versions(
    old: &mut impl Version,
    new: &mut impl Version,
    sample: &Sample,
    tiebreak: Tiebreak,
    budget: Duration,
) -> Report {
    let clock = Clock { started: Instant::now(), budget };
    let wanted = [old.inputs(), new.inputs()];
    let mut comparison = Comparison {
        old: Runner::new(old, clock),
        new: Runner::new(new, clock),
        tiebreak,
        report: Report {
            records_in_sample: sample.iter().map(|(_, batch)| batch.len() as u64).sum(),
            ..Report::default()
        },
    };
    for (partition, batch) in sample.iter().filter(|(_, batch)| !batch.is_empty()) {
        if comparison.report.records > 0 && clock.is_over() {
            comparison.report.stopped = Some(Stopped::Budget);
        }
        if comparison.report.stopped.is_some() {
            break;
        }
        if wanted.iter().all(|&wanted| has_columns(batch, wanted)) {
            comparison.chunk(partition, batch);
        } else {
            comparison.report.records_without_inputs += batch.len() as u64;
        }
    }
    comparison.finish()
}

/// Whether the records were kept with all that a version wants. The one that ran when they were read may have wanted less; to give
/// another one empty columns would make it fail on records that are sound.
fn has_columns(batch: &Batch, wanted: Inputs) -> bool {
    let keys = !wanted.keys || batch.keys.column.ends.len() == batch.len();
    let headers = !wanted.headers || batch.headers.ends.len() == batch.len();
    keys && headers
}

/// Both versions and what was found so far.
struct Comparison<'a, Old, New> {
    old: Runner<'a, Old>,
    new: Runner<'a, New>,
    tiebreak: Tiebreak,
    report: Report,
}

// === impl Comparison ===

impl<Old: Version, New: Version> Comparison<'_, Old, New> {
    fn chunk(&mut self, partition: &TopicPartition, batch: &Batch) {
        let chunk = Chunk { partition, batch };
        let mut stamper = Stamper::new(&partition.topic, partition.partition, self.tiebreak);
        let (old, new) = (self.old.run(chunk), self.new.run(chunk));
        let (old_failed, new_failed) = (old.is_err(), new.as_ref().err().map(TransformError::to_string));
        let old = match old {
            Ok(output) => fate::of_records(&output, batch, &mut stamper),
            Err(_) => self.old.take_apart(chunk, &mut stamper, batch.len(), |_, _| false),
        };
        let new = match new {
            Ok(output) => fate::of_records(&output, batch, &mut stamper),
            Err(_) => {
                let mut failures_left = FAILURES_MAX - self.report.newly_failed.count;
                self.new.take_apart(chunk, &mut stamper, old.len(), |index, fate| {
                    failures_left -= u64::from(fate.is_failed() && !old[index].is_failed());
                    failures_left == 0
                })
            }
        };
        let before = (self.old.side.failed, self.new.side.failed, self.report.newly_failed.count);
        for (index, (old, new)) in old.iter().zip(&new).enumerate() {
            self.record(chunk, index, old, new);
        }
        self.old.side.failed_together += u64::from(old_failed && self.old.side.failed == before.0);
        self.new.side.failed_together += u64::from(new_failed.is_some() && self.new.side.failed == before.1);
        // The candidate failed where the running version did not, and no record was found that it fails on: there is none alone, or the
        // time was over before it came. All of them together are to blame then.
        if let Some(reason) = new_failed
            && !old_failed
            && self.report.newly_failed.count == before.2
        {
            self.report.newly_failed.note(|| Case::new(chunk.name_of_all(), &reason));
        }
        if self.report.newly_failed.count >= FAILURES_MAX {
            self.report.stopped = Some(Stopped::Failures);
        } else if old.len().min(new.len()) < batch.len() {
            self.report.stopped = Some(Stopped::Budget);
        }
    }

    fn record(&mut self, chunk: Chunk<'_>, index: usize, old: &Fate, new: &Fate) {
        self.old.count(old);
        self.new.count(new);
        let report = &mut self.report;
        report.records += 1;
        let name = || chunk.name_of(index);
        let old_took_it = matches!(old, Fate::Lines(_));
        match new {
            Fate::Rejected(reason) | Fate::Unwritable(reason) if old_took_it => {
                report.newly_rejected.note(|| Case::new(name(), reason));
            }
            Fate::Failed(reason) if !old.is_failed() => report.newly_failed.note(|| Case::new(name(), reason)),
            _ => {}
        }
        let compared = difference::between(old, new);
        report.lines.add(compared.lines);
        if compared.is_equal() {
            return;
        }
        report.records_differing += 1;
        if report.differences.len() < DIFFERENCES_MAX {
            let (old, new) = compared.shown();
            report.differences.push(Difference { record: name(), old, new });
        }
    }

    fn finish(self) -> Report {
        let Self { old, new, mut report, .. } = self;
        let (old_side, old_schema) = old.finish();
        let (new_side, new_schema) = new.finish();
        (report.old, report.new) = (old_side, new_side);
        report.schema = old_schema.changes_to(&new_schema);
        report
    }
}
