//! Request bodies: lines of many partitions, with the offset ranges that they stand for.

use std::sync::Arc;

use crate::batch::Batch;
use crate::record::{OffsetRange, TopicPartition};
use crate::transform::Version;

/// The records of one partition in one body.
#[derive(Debug)]
pub struct Part {
    /// The partition.
    pub partition: TopicPartition,
    /// The pipeline's slot for it.
    pub slot: usize,
    /// The assignment generation in which they were read.
    pub generation: u64,
    /// The version of the transform that made the lines.
    pub version: Arc<Version>,
    /// Their offsets, those of filtered records included.
    pub range: OffsetRange,
    /// The index in the body of their first line.
    pub first_line: usize,
    /// The records themselves, kept for dead letters if there is a topic for them.
    pub records: Option<Arc<Batch>>,
    /// Timestamps (milliseconds since 1970) of the records with lines, as runs: most come in thousands of equal ones.
    pub times: Vec<(i64, u64)>,
}

/// One request body.
#[derive(Debug, Default)]
pub struct Body {
    /// Line protocol, each line with its timestamp and its end.
    pub bytes: Vec<u8>,
    /// What it stands for, in the order of the lines.
    pub parts: Vec<Part>,
    /// For each line the offset of its record.
    pub offsets: Vec<i64>,
    /// Bytes of the records that are kept.
    pub(super) kept: usize,
}

// === impl Part ===

impl Part {
    /// The timestamp of its newest record that has one, milliseconds since 1970.
    pub fn newest(&self) -> Option<i64> {
        self.times.iter().map(|&(time, _)| time).filter(|&time| time >= 0).max()
    }
}

// === impl Body ===

impl Body {
    /// The number of lines.
    pub fn lines(&self) -> usize {
        self.offsets.len()
    }

    /// The lines without their line ends, as long as the bytes are there.
    pub fn texts(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.split(|&byte| byte == b'\n').take(self.lines())
    }

    /// The part that line `index` (from 0) belongs to, and the offset of its record.
    pub fn origin_of(&self, index: usize) -> Option<(&Part, i64)> {
        let offset = *self.offsets.get(index)?;
        let part = self.parts.partition_point(|part| part.first_line <= index).checked_sub(1)?;
        Some((&self.parts[part], offset))
    }
}
