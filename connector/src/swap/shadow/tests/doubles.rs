//! Versions played by closures, and samples for them.

use super::*;
use crate::batch::Record;
use crate::transform::Reject;

/// A budget that is never over.
pub(super) const FOREVER: Duration = Duration::MAX;

/// What a double makes of one record.
#[derive(Debug, Clone)]
pub(super) enum Play {
    Lines(Vec<String>),
    Reject(String),
    Fail(String),
}

/// A version played by a function of the record's value.
pub(super) struct Double<F> {
    pub(super) inputs: Inputs,
    pub(super) make: F,
    /// The number of records of each call.
    pub(super) calls: Vec<usize>,
    /// Calls with more records than this fail.
    pub(super) records_max: usize,
    /// So many first calls fail.
    pub(super) fails_first: usize,
}

impl<F: FnMut(&str) -> Play> Double<F> {
    pub(super) fn new(make: F) -> Self {
        Self { inputs: Inputs::default(), make, calls: Vec::new(), records_max: usize::MAX, fails_first: 0 }
    }
}

impl<F: FnMut(&str) -> Play> Version for Double<F> {
    fn inputs(&self) -> Inputs {
        self.inputs
    }

    fn run(&mut self, _source: &TopicPartition, batch: &Batch) -> Result<Output, TransformError> {
        self.calls.push(batch.len());
        let trap = |reason: String| TransformError::Trap { module: "played".to_owned(), function: "transform", reason };
        if batch.len() > self.records_max || self.calls.len() <= self.fails_first {
            return Err(trap(format!("can't bear {} records", batch.len())));
        }
        let mut output = Output::default();
        for record in 0..batch.len() {
            let value = batch.values.get(record).unwrap_or_default();
            match (self.make)(std::str::from_utf8(value).unwrap()) {
                Play::Lines(lines) => {
                    lines.iter().for_each(|line| output.lines.push(line.as_bytes()));
                    output.records.resize(output.records.len() + lines.len(), record as u32);
                    output.num_with_lines += usize::from(!lines.is_empty());
                }
                Play::Reject(reason) => output.rejects.push(Reject { record: record as u32, reason }),
                Play::Fail(reason) => return Err(trap(reason)),
            }
        }
        Ok(output)
    }
}

pub(super) fn lines(lines: &[&str]) -> Play {
    Play::Lines(lines.iter().map(|&line| line.to_owned()).collect())
}

pub(super) fn reject(reason: &str) -> Play {
    Play::Reject(reason.to_owned())
}

pub(super) fn fail(reason: &str) -> Play {
    Play::Fail(reason.to_owned())
}

/// A chunk of partition `t-0`, `t-1`… for each list of values, with offsets from 0 on.
pub(super) fn sample(values: &[&[&str]]) -> Vec<(TopicPartition, Arc<Batch>)> {
    sample_with(values, Inputs::default())
}

pub(super) fn sample_with(values: &[&[&str]], kept: Inputs) -> Vec<(TopicPartition, Arc<Batch>)> {
    let chunk = |(partition, values): (usize, &&[&str])| {
        let mut batch = Batch::default();
        for (offset, value) in values.iter().enumerate() {
            let timestamp = 1_700_000_000_000;
            let value = Some(value.as_bytes());
            batch.push(&Record { offset: offset as i64, timestamp, key: None, value }, kept);
            if kept.headers {
                batch.end_headers();
            }
        }
        (TopicPartition::new("t", partition as i32), Arc::new(batch))
    };
    values.iter().enumerate().map(chunk).collect()
}

/// Compares without a limit of time.
pub(super) fn run(old: &mut impl Version, new: &mut impl Version, sample: &Sample) -> Report {
    run_for(FOREVER, old, new, sample)
}

/// Compares within `budget`. What a record costs is taken out: how busy the machine is must not decide a test.
pub(super) fn run_for(budget: Duration, old: &mut impl Version, new: &mut impl Version, sample: &Sample) -> Report {
    let mut report = compare_versions(old, new, sample, Tiebreak::Offset, budget);
    (report.old.ns_per_record, report.new.ns_per_record) = (None, None);
    report
}
