//! Request bodies: lines of many partitions, with the offset ranges that they stand for.
//!
//! Group commit: while requests are in flight the open body grows; it leaves as soon as a request is free. Only a full
//! body waits in the queue, and while one waits nothing more is taken from Kafka.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::batch::Batch;
use crate::config::BatchConfig;
use crate::metrics::CutBy;
use crate::points::{self, Stamper};
use crate::record::{OffsetRange, TopicPartition};
use crate::transform::Output;

/// The records of one partition in one body.
#[derive(Debug)]
pub struct Part {
    /// The partition.
    pub partition: TopicPartition,
    /// The pipeline's slot for it.
    pub slot: usize,
    /// The assignment generation in which they were read.
    pub generation: u64,
    /// Their offsets, those of filtered records included.
    pub range: OffsetRange,
    /// The index in the body of their first line.
    pub first_line: usize,
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
}

/// Whose records are being appended.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The partition.
    pub partition: &'a TopicPartition,
    /// The pipeline's slot for it.
    pub slot: usize,
    /// Its assignment generation.
    pub generation: u64,
}

/// A record whose line can't be written; those before it have been appended.
#[derive(Debug, PartialEq, Eq)]
pub struct BadLine {
    /// Its index in the batch.
    pub record: usize,
    /// What is wrong with the line.
    pub reason: String,
}

/// Merges batches into bodies.
#[derive(Debug)]
pub struct Assembler {
    max_lines: usize,
    max_bytes: usize,
    linger: Duration,
    open: Body,
    opened: Option<Instant>,
    full: VecDeque<(Body, CutBy)>,
}

/// A part that is being appended.
struct OpenPart {
    first_line: usize,
    first_offset: i64,
    times: Vec<(i64, u64)>,
}

// === impl Body ===

impl Body {
    /// The number of lines.
    pub fn lines(&self) -> usize {
        self.offsets.len()
    }

    /// Partition and offset of the record that line `index` (from 0) comes from.
    pub fn origin_of(&self, index: usize) -> Option<(&TopicPartition, i64)> {
        let offset = *self.offsets.get(index)?;
        let part = self.parts.partition_point(|part| part.first_line <= index).checked_sub(1)?;
        Some((&self.parts[part].partition, offset))
    }
}

// === impl Assembler ===

impl Assembler {
    /// With the limits of `batch.max.lines`, `batch.max.bytes` and `linger.ms`.
    pub fn new(config: &BatchConfig) -> Self {
        Self {
            max_lines: config.max_lines.get(),
            max_bytes: config.max_bytes.get(),
            linger: config.linger,
            open: Body::default(),
            opened: None,
            full: VecDeque::new(),
        }
    }

    /// Appends the lines of the records before index `until` and puts into `ranges` what the ledger has to follow. The last
    /// range ends at the record before `until`.
    ///
    /// # Errors
    ///
    /// The first record with a line that can't be written. What comes before it is appended, and its ranges are in `ranges`.
    pub fn append(
        &mut self,
        origin: Origin<'_>,
        batch: &Batch,
        output: &Output,
        until: usize,
        stamper: &mut Stamper,
        ranges: &mut Ranges,
    ) -> Result<(), BadLine> {
        ranges.clear();
        let Some(&first_offset) = batch.offsets[..until].first() else { return Ok(()) };
        let mut part = OpenPart::new(&self.open, first_offset);
        let (mut line, mut end, mut bad) = (0, 0, None);
        while line < output.records.len() && (output.records[line] as usize) < until {
            let record = output.records[line] as usize;
            let (offset, timestamp) = (batch.offsets[record], batch.timestamps[record]);
            let (start_byte, start_line) = (self.open.bytes.len(), self.open.offsets.len());
            while line < output.records.len() && output.records[line] as usize == record {
                let next = output.lines.ends[line] as usize;
                let text = &output.lines.bytes[end..next];
                if let Err(error) = points::append_line(&mut self.open.bytes, text, stamper, timestamp, offset) {
                    bad = Some(BadLine { record, reason: error.to_string() });
                    break;
                }
                self.open.offsets.push(offset);
                (line, end) = (line + 1, next);
            }
            if bad.is_some() {
                // None of the record's lines may be written: it has one fate.
                self.open.bytes.truncate(start_byte);
                self.open.offsets.truncate(start_line);
                break;
            }
            let too_large = self.open.bytes.len() > self.max_bytes || self.open.lines() > self.max_lines;
            if too_large && start_line > 0 {
                self.move_last_record(origin, &mut part, batch, record, (start_byte, start_line), ranges);
            }
            part.time(timestamp);
            if let Some(cut_by) = self.reason_to_cut() {
                self.close_part(origin, &mut part, offset, ranges);
                self.cut(cut_by);
                part = OpenPart::new(&self.open, batch.offsets.get(record + 1).copied().unwrap_or(i64::MAX));
            }
        }
        let last = bad.as_ref().map_or(until, |bad| bad.record).checked_sub(1).map(|record| batch.offsets[record]);
        if let Some(last) = last.filter(|&last| last >= part.first_offset) {
            self.close_part(origin, &mut part, last, ranges);
        }
        bad.map_or(Ok(()), Err)
    }

    /// The record made the body too large: it goes into the next one, and the body leaves without it. So a body exceeds a limit
    /// only with a single record, whose lines have one fate and stay together.
    fn move_last_record(
        &mut self,
        origin: Origin<'_>,
        part: &mut OpenPart,
        batch: &Batch,
        record: usize,
        (start_byte, start_line): (usize, usize),
        ranges: &mut Ranges,
    ) {
        let cut_by = if self.open.lines() > self.max_lines { CutBy::Lines } else { CutBy::Bytes };
        let bytes = self.open.bytes.split_off(start_byte);
        let offsets = self.open.offsets.split_off(start_line);
        if let Some(before) = record.checked_sub(1).map(|before| batch.offsets[before])
            && before >= part.first_offset
        {
            self.close_part(origin, part, before, ranges);
        }
        self.cut(cut_by);
        *part = OpenPart::new(&self.open, batch.offsets[record]);
        self.open.bytes.extend_from_slice(&bytes);
        self.open.offsets.extend_from_slice(&offsets);
    }

    fn close_part(&mut self, origin: Origin<'_>, part: &mut OpenPart, last: i64, ranges: &mut Ranges) {
        let range = OffsetRange { first: part.first_offset, last };
        let has_lines = !part.times.is_empty();
        ranges.push(Appended { range, has_lines });
        if !has_lines {
            return;
        }
        self.opened.get_or_insert_with(Instant::now);
        self.open.parts.push(Part {
            partition: origin.partition.clone(),
            slot: origin.slot,
            generation: origin.generation,
            range,
            first_line: part.first_line,
            times: std::mem::take(&mut part.times),
        });
    }

    fn reason_to_cut(&self) -> Option<CutBy> {
        if self.open.lines() >= self.max_lines {
            Some(CutBy::Lines)
        } else if self.open.bytes.len() >= self.max_bytes {
            Some(CutBy::Bytes)
        } else {
            None
        }
    }

    fn cut(&mut self, cut_by: CutBy) {
        // The next body will be about as large: growing it step by step would copy it over and over.
        let next = Body {
            bytes: Vec::with_capacity(self.open.bytes.len()),
            offsets: Vec::with_capacity(self.open.offsets.len()),
            parts: Vec::new(),
        };
        self.full.push_back((std::mem::replace(&mut self.open, next), cut_by));
        self.opened = None;
    }

    /// Whether a full body waits: nothing more is to be taken then.
    pub fn is_full(&self) -> bool {
        !self.full.is_empty()
    }

    /// Whether there is no line at all.
    pub fn is_empty(&self) -> bool {
        self.full.is_empty() && self.open.parts.is_empty()
    }

    /// The next body to send, if there is one: a full one, or the open one once it has lingered long enough (`now`), or at
    /// once if the task is stopping.
    pub fn next(&mut self, now: Instant, stopping: bool) -> Option<(Body, CutBy)> {
        if self.full.is_empty() && !self.open.parts.is_empty() {
            let due = self.linger.is_zero() || self.opened.is_some_and(|opened| now >= opened + self.linger);
            match (stopping, due) {
                (true, _) => self.cut(CutBy::Stop),
                (false, true) if self.linger.is_zero() => self.cut(CutBy::Idle),
                (false, true) => self.cut(CutBy::Linger),
                (false, false) => {}
            }
        }
        self.full.pop_front()
    }

    /// When the open body has lingered long enough, `None` if there is none or it needn't.
    pub fn deadline(&self) -> Option<Instant> {
        self.opened.map(|opened| opened + self.linger)
    }
}

/// The ranges of one [`Assembler::append`], in offset order; they chain.
pub type Ranges = Vec<Appended>;

/// Where a range of records went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The offsets.
    pub range: OffsetRange,
    /// Whether it has lines, and is decided when their body is acknowledged; otherwise every record was filtered, and it
    /// is decided at once.
    pub has_lines: bool,
}

// === impl OpenPart ===

impl OpenPart {
    fn new(body: &Body, first_offset: i64) -> Self {
        Self { first_line: body.lines(), first_offset, times: Vec::new() }
    }

    fn time(&mut self, timestamp: i64) {
        match self.times.last_mut() {
            Some((time, count)) if *time == timestamp => *count += 1,
            _ => self.times.push((timestamp, 1)),
        }
    }
}

#[cfg(test)]
mod tests;
