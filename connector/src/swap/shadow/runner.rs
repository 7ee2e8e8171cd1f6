//! One version at work on the sample: what it makes of each record, and what that costs.

use std::time::{Duration, Instant};

use super::Side;
use super::fate::{self, Fate};
use crate::batch::{Batch, Inputs};
use crate::points::Stamper;
use crate::record::TopicPartition;
use crate::swap::schema::Schema;
use crate::transform::{Output, Transform, TransformError};

/// What the comparison needs of a transform. A trait so that tests can play every kind of failure.
pub(super) trait Version {
    /// Which columns it wants.
    fn inputs(&self) -> Inputs;

    /// Runs one batch; after a failed call the next one has a fresh instance.
    fn run(&mut self, source: &TopicPartition, batch: &Batch) -> Result<Output, TransformError>;
}

impl Version for Transform {
    fn inputs(&self) -> Inputs {
        Self::inputs(self)
    }

    fn run(&mut self, source: &TopicPartition, batch: &Batch) -> Result<Output, TransformError> {
        Self::run(self, source, batch)
    }
}

/// The time that a comparison may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    pub(super) started: Instant,
    pub(super) budget: Duration,
}

/// One version at work.
pub(super) struct Runner<'a, V> {
    version: &'a mut V,
    clock: Clock,
    /// Whether its instance has worked, so that a call now costs what it costs in the long run.
    warm: bool,
    /// Nanoseconds per record of each chunk.
    costs: Vec<u64>,
    schema: Schema,
    pub(super) side: Side,
}

/// One chunk, in the hands of both.
#[derive(Clone, Copy)]
pub(super) struct Chunk<'a> {
    pub(super) partition: &'a TopicPartition,
    pub(super) batch: &'a Batch,
}

// === impl Clock ===

impl Clock {
    pub(super) fn is_over(self) -> bool {
        self.started.elapsed() >= self.budget
    }
}

// === impl Runner ===

impl<'a, V: Version> Runner<'a, V> {
    pub(super) fn new(version: &'a mut V, clock: Clock) -> Self {
        Self { version, clock, warm: false, costs: Vec::new(), schema: Schema::default(), side: Side::default() }
    }

    /// Runs a whole chunk and notes what it costs.
    pub(super) fn run(&mut self, chunk: Chunk<'_>) -> Result<Output, TransformError> {
        let Chunk { partition, batch } = chunk;
        if !self.warm {
            self.version.run(partition, batch)?;
        }
        self.warm = false;
        let called = Instant::now();
        let output = self.version.run(partition, batch)?;
        let took = called.elapsed();
        self.warm = true;
        self.costs.push((took.as_nanos() / batch.len() as u128) as u64);
        Ok(output)
    }

    /// Runs the first `records_max` records of a chunk one by one, until the time is over or `enough` says so, at least one.
    pub(super) fn take_apart(
        &mut self,
        chunk: Chunk<'_>,
        stamper: &mut Stamper,
        records_max: usize,
        mut enough: impl FnMut(usize, &Fate) -> bool,
    ) -> Vec<Fate> {
        let mut fates = Vec::new();
        for index in 0..records_max {
            if index > 0 && self.clock.is_over() {
                break;
            }
            let record = chunk.batch.slice(index..index + 1);
            let mut fate = match self.version.run(chunk.partition, &record) {
                Ok(output) => fate::of_records(&output, &record, stamper),
                Err(error) => vec![Fate::Failed(error.to_string())],
            };
            fates.append(&mut fate);
            if fates.last().is_some_and(|fate| enough(index, fate)) {
                break;
            }
        }
        fates
    }

    /// Counts a record's fate.
    pub(super) fn count(&mut self, fate: &Fate) {
        match fate {
            Fate::Lines(lines) => lines.iter().for_each(|line| self.schema.add(line)),
            Fate::Rejected(_) => self.side.rejected += 1,
            Fate::Unwritable(_) => self.side.unwritable += 1,
            Fate::Failed(_) => self.side.failed += 1,
        }
    }

    pub(super) fn finish(mut self) -> (Side, Schema) {
        self.costs.sort_unstable();
        self.side.ns_per_record = self.costs.get(self.costs.len() / 2).copied();
        (self.side, self.schema)
    }
}

// === impl Chunk ===

impl Chunk<'_> {
    /// `topic-partition@offset`
    pub(super) fn name_of(self, index: usize) -> String {
        format!("{}@{}", self.partition, self.batch.offsets[index])
    }

    /// `topic-partition@first..=last`
    pub(super) fn name_of_all(self) -> String {
        let range = self.batch.range().map(|range| range.to_string()).unwrap_or_default();
        format!("{}@{range}", self.partition)
    }
}
