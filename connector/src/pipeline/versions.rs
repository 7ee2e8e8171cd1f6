//! The versions of the transform that a task runs: the stable one, and one on probation if there is. Changing them between two calls, going
//! back, and blaming the new one for what the stable one does better.

use std::sync::Arc;
use std::time::Instant;

use super::Pipeline;
use super::salvage::Salvage;
use crate::batch::{Batch, Inputs};
use crate::record::TopicPartition;
use crate::sink::assembler::{Appended, Fate};
use crate::swap::desk::{Order, TaskDesk};
use crate::swap::trial::{Standing, Trial};
use crate::telemetry::TaskSpan;
use crate::transform::{Output, Remains, Transform, TransformError, Version};

/// What a look between two calls came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Looked {
    /// Another version runs from now on.
    pub(super) changed: bool,
    /// Nothing may be transformed for now: other tasks are waited for.
    pub(super) waits: bool,
}

/// The transforms of one task.
#[derive(Debug)]
pub(super) struct Versions {
    stable: Transform,
    trial: Option<(Transform, Arc<Trial>)>,
    desk: TaskDesk,
    span: TaskSpan,
}

// === impl Versions ===

impl Versions {
    /// `trial`: the version on probation that the task begins with.
    pub(super) fn new(
        stable: Transform,
        trial: Option<(Transform, Arc<Trial>)>,
        desk: TaskDesk,
        mut span: TaskSpan,
    ) -> Self {
        let latest = trial.as_ref().map_or(&stable, |(transform, _)| transform);
        span.runs(latest.module().version().short_digest());
        Self { stable, trial, desk, span }
    }

    /// The version that runs, or begins to.
    pub(super) fn latest(&self) -> &Arc<Version> {
        self.trial.as_ref().map_or(&self.stable, |(transform, _)| transform).module().version()
    }

    /// The columns that have to be filled: for either version, and for a candidate that is to be warmed up.
    pub(super) fn inputs(&self) -> Inputs {
        let trial = self.trial.as_ref().map_or_else(Inputs::default, |(transform, _)| transform.inputs());
        self.stable.inputs().union(trial).union(self.desk.wanted())
    }

    /// Bytes of linear memory of the instances.
    pub(super) fn memory_bytes(&self) -> usize {
        self.stable.memory_bytes() + self.trial.as_ref().map_or(0, |(transform, _)| transform.memory_bytes())
    }

    /// The transform for a partition.
    pub(super) fn of(&mut self, partition: &TopicPartition) -> &mut Transform {
        match &mut self.trial {
            Some((transform, trial)) if trial.covers(partition) => transform,
            _ => &mut self.stable,
        }
    }

    /// One call, by one version.
    pub(super) fn run(
        &mut self,
        partition: &TopicPartition,
        batch: &Batch,
    ) -> (Arc<Version>, Result<Output, TransformError>) {
        let transform = self.of(partition);
        (Arc::clone(transform.module().version()), transform.run(partition, batch))
    }

    /// Keeps some of what is seen, for candidates to be warmed up with.
    pub(super) fn keep(&mut self, partition: &TopicPartition, batch: &Batch, now: Instant) {
        self.desk.keep(partition, batch, now);
    }

    /// Counts what became of a call's records, and judges the version by it if it is on probation.
    pub(super) fn note(&self, version: &Version, records: usize, errors: usize, now: Instant) {
        version.note(records as u64, errors as u64);
        if let Some(trial) = self.trial_of(version) {
            trial.judge(now);
        }
    }

    /// Counts records whose lines InfluxDB refused, and judges the version by it: there may be no further batch for long.
    pub(super) fn note_refused(&self, version: &Version, records: usize, now: Instant) {
        version.note_errors(records as u64);
        if let Some(trial) = self.trial_of(version) {
            trial.judge(now);
        }
    }

    /// Takes a version back if it is on probation. Gives back whether it is.
    pub(super) fn blame(&self, version: &Version, reason: impl FnOnce() -> String) -> bool {
        let Some(trial) = self.trial_of(version) else { return false };
        trial.blame(reason());
        true
    }

    /// A version failed on a batch. If it is on probation and the stable one works on the batch, it is worse, and taken back.
    pub(super) fn suspect(&mut self, version: &Version, partition: &TopicPartition, batch: &Batch, what: &str) -> bool {
        let Some(everywhere) = self.trial_of(version).map(|trial| trial.canary().is_none()) else { return false };
        let works = self.stable.run(partition, batch).is_ok_and(|output| output.rejects.is_empty());
        if everywhere && !works {
            drop(self.stable.rest());
        }
        let offset = batch.offsets.first().copied().unwrap_or_default();
        works
            && self.blame(version, || {
                format!("{what}, in the batch from {partition} offset {offset} on, on which the version before works")
            })
    }

    fn trial_of(&self, version: &Version) -> Option<&Trial> {
        let (transform, trial) = self.trial.as_ref()?;
        std::ptr::eq(&**transform.module().version(), version).then_some(trial)
    }

    /// To be called between two calls: goes back to the stable version if the new one is over, and carries out an order, if all that is to
    /// be transformed next is `ready` for it, with these columns.
    pub(super) fn look(&mut self, ready: impl FnOnce(Inputs) -> bool) -> Looked {
        let mut looked = Looked { changed: self.end_trial(), waits: false };
        if !self.desk.has_order() {
            return looked;
        }
        let started = Instant::now();
        if self.desk.look(|order| ready(order.inputs())) != Some(true) {
            return looked;
        }
        match self.desk.take() {
            Some(order) => {
                self.change(order, started);
                looked.changed = true;
            }
            None => looked.waits = true,
        }
        looked
    }

    /// Ends a trial that is over: the better version goes on alone. Gives back whether another version runs now.
    fn end_trial(&mut self) -> bool {
        let Some((_, trial)) = &self.trial else { return false };
        match trial.standing() {
            Standing::Running => return false,
            Standing::Promoted => {
                let was_everywhere = trial.canary().is_none();
                let promoted = self.trial.take().map(|(transform, _)| transform).expect("looked at above");
                self.desk.leave(std::mem::replace(&mut self.stable, promoted).rest());
                if was_everywhere {
                    return false;
                }
            }
            Standing::Over => {
                let over = self.trial.take().map(|(mut transform, _)| transform.rest());
                self.desk.leave(over.unwrap_or_default());
            }
        }
        self.span.runs(self.stable.module().version().short_digest());
        true
    }

    /// Puts the ordered version in its place.
    fn change(&mut self, mut order: Order, started: Instant) {
        // It may have been decided since the last look, and this order made after that.
        self.end_trial();
        if let Some(missed) = order.take_missed() {
            self.desk.leave(std::mem::replace(&mut self.stable, missed).rest());
        }
        let Order { transform, trial, .. } = order;
        self.span.runs(transform.module().version().short_digest());
        let remains = match trial {
            // On all partitions: the stable one rests until it is needed.
            Some(trial) => {
                let everywhere = trial.canary().is_none();
                // A version that was on probation itself is superseded: nobody goes back to it.
                let superseded = self.trial.replace((transform, trial));
                match superseded {
                    Some((mut superseded, _)) => superseded.rest(),
                    None if everywhere => self.stable.rest(),
                    None => Remains::default(),
                }
            }
            None => {
                if let Some((mut superseded, _)) = self.trial.take() {
                    self.desk.leave(superseded.rest());
                }
                std::mem::replace(&mut self.stable, transform).rest()
            }
        };
        self.desk.finish(started.elapsed(), remains);
        // An order that was open for long may be of a trial that is decided: no record is given to what was taken back.
        self.end_trial();
    }
}

impl Pipeline {
    /// Between two calls of the transform: goes back to the stable version if the new one is over, and carries out an order. Gives back
    /// whether nothing may be transformed for now, because other tasks are waited for.
    pub(super) fn change_version(&mut self) -> bool {
        // A batch that was filled without columns that the new version wants is the old one's.
        let ready = |inputs| {
            self.source.holds(inputs) && self.salvage.as_ref().is_none_or(|salvage| salvage.records().holds(inputs))
        };
        let Looked { changed, waits } = self.versions.look(ready);
        if changed {
            self.version_changed();
        }
        waits
    }

    /// What was known of the version before says nothing of this one.
    fn version_changed(&mut self) {
        let version = self.versions.latest();
        self.metrics.transform_info(version.digest(), version.name());
        tracing::debug!(
            digest = &**version.digest(),
            name = &**version.name(),
            "another version of the transform runs"
        );
        self.breaker.works();
        self.proof = None;
        // What the version before failed on is tried at once.
        if let Some(salvage) = &mut self.salvage {
            salvage.begin_again();
        }
    }

    /// A version failed on a batch. Gives back whether it is taken back for it: then it decides about no record any more.
    pub(super) fn failed_on(
        &mut self,
        version: &Version,
        partition: &TopicPartition,
        batch: &Batch,
        error: &TransformError,
    ) -> bool {
        self.versions.suspect(version, partition, batch, &error.to_string())
    }

    /// A record was rejected and stops the task (`errors.tolerance=none`), unless the version that rejected it is on probation and the stable
    /// one takes it: then the batch goes on from there with that. Gives back how many of the batch's records have been taken.
    pub(super) fn take_back(
        &mut self,
        place: (usize, u64),
        version: &Version,
        batch: &Batch,
        appended: &mut Appended,
    ) -> usize {
        let Some(first) = appended.rejected.first() else { return batch.len() };
        let index = first.record;
        let (Some(assigned), what) = (self.assignment.get(place.0), format!("a record was refused: {}", first.reason))
        else {
            return index + 1;
        };
        let (partition, record) = (assigned.partition.clone(), batch.slice(index..index + 1));
        if !self.versions.suspect(version, &partition, &record, &what) {
            return index + 1;
        }
        appended.rejected.clear();
        appended.ranges.retain(|fated| fated.fate != Fate::Rejected);
        match &mut self.salvage {
            Some(salvage) => salvage.give_back(batch, index),
            None => self.salvage = Some(Salvage::new(place, batch.slice(index..batch.len()))),
        }
        index
    }
}

#[cfg(test)]
mod tests;
