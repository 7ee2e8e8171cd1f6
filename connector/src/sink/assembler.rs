//! Merges batches into request bodies, and finds the records that no body can hold.
//!
//! Group commit: while requests are in flight the open body grows; it leaves as soon as a request is free. Only a full
//! body waits in the queue, and while one waits nothing more is taken from Kafka.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::body::{Body, Part};
use crate::batch::Batch;
use crate::config::BatchConfig;
use crate::metrics::CutBy;
use crate::points::{self, Stamper};
use crate::record::{OffsetRange, TopicPartition};
use crate::transform::{Output, Version};

/// Whose records are being appended.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The partition.
    pub partition: &'a TopicPartition,
    /// The pipeline's slot for it.
    pub slot: usize,
    /// Its assignment generation.
    pub generation: u64,
    /// The version of the transform that ran.
    pub version: &'a Arc<Version>,
    /// The batch, if its records are to be kept for dead letters until they are decided.
    pub records: Option<&'a Arc<Batch>>,
}

/// What [`Assembler::append`] made of a batch.
#[derive(Debug, Default)]
pub struct Appended {
    /// What the ledger has to follow, in offset order; the ranges chain.
    pub ranges: Vec<Fated>,
    /// The records that can't be written, ascending.
    pub rejected: Vec<Rejected>,
    /// How many records have their lines in a body.
    pub with_lines: usize,
}

/// Consecutive records with the same fate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fated {
    /// Their offsets.
    pub range: OffsetRange,
    /// How they are decided.
    pub fate: Fate,
}

/// How records are decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// When the body with their lines is acknowledged.
    Lines,
    /// At once: every one was filtered.
    Filtered,
    /// When each has got its dead letter, or was discarded.
    Rejected,
}

/// A record that can't be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Its index in the batch.
    pub record: usize,
    /// Why.
    pub reason: String,
    /// The line at fault, if the transform gave one.
    pub line: Option<Vec<u8>>,
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

/// A part that is being appended: records from `first_record` on, all of them with lines or filtered.
struct OpenPart {
    first_line: usize,
    first_record: usize,
    times: Vec<(i64, u64)>,
}

/// One batch being appended.
struct Appending<'a> {
    origin: Origin<'a>,
    batch: &'a Batch,
    part: OpenPart,
    into: &'a mut Appended,
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

    /// Appends the lines of a batch. A record that the transform rejected, or one of whose lines can't be written, is passed over and
    /// told of in `into`; with `stop_at_rejected` nothing after the first such record is appended.
    pub fn append(
        &mut self,
        origin: Origin<'_>,
        (batch, output): (&Batch, &Output),
        stop_at_rejected: bool,
        stamper: &mut Stamper,
        into: &mut Appended,
    ) {
        into.clear();
        let mut appending = Appending { origin, batch, part: OpenPart::new(&self.open, 0), into };
        let (mut line, mut rejects) = (0, output.rejects.iter().peekable());
        loop {
            let next_line = output.records.get(line).map(|&record| record as usize);
            let next_reject = rejects.peek().map(|reject| reject.record as usize);
            let rejected = match (next_line, next_reject) {
                (None, None) => break,
                (Some(record), reject) if reject.is_none_or(|reject| record < reject) => {
                    self.append_record(&mut appending, output, &mut line, record, stamper)
                }
                (_, reject) => {
                    let reason = rejects.next().map(|reject| reject.reason.clone()).unwrap_or_default();
                    reject.map(|record| Rejected { record, reason, line: None })
                }
            };
            let Some(rejected) = rejected else { continue };
            self.reject(&mut appending, rejected);
            if stop_at_rejected {
                return;
            }
        }
        self.close_part(&mut appending, batch.len());
    }

    /// Appends the lines of one record, from index `line` on, and moves `line` past them. If one of them can't be written none is: a record
    /// has one fate.
    fn append_record(
        &mut self,
        appending: &mut Appending<'_>,
        output: &Output,
        line: &mut usize,
        record: usize,
        stamper: &mut Stamper,
    ) -> Option<Rejected> {
        let (offset, timestamp) = (appending.batch.offsets[record], appending.batch.timestamps[record]);
        let start = (self.open.bytes.len(), self.open.offsets.len());
        let mut rejected = None;
        while *line < output.records.len() && output.records[*line] as usize == record {
            let text = output.lines.get(*line);
            *line += 1;
            if rejected.is_some() {
                continue;
            }
            match points::append_line(&mut self.open.bytes, text, stamper, timestamp, offset) {
                Ok(()) => self.open.offsets.push(offset),
                Err(error) => {
                    rejected = Some(Rejected { record, reason: error.to_string(), line: Some(text.to_owned()) });
                }
            }
        }
        if rejected.is_some() {
            self.open.bytes.truncate(start.0);
            self.open.offsets.truncate(start.1);
            return rejected;
        }
        let too_large = self.open.bytes.len() > self.max_bytes || self.open.lines() > self.max_lines;
        if too_large && start.1 > 0 {
            self.move_last_record(appending, record, start);
        }
        appending.part.time(timestamp);
        appending.into.with_lines += 1;
        if let Some(cut_by) = self.reason_to_cut(appending) {
            self.close_part(appending, record + 1);
            self.cut(cut_by);
            appending.part = OpenPart::new(&self.open, record + 1);
        }
        None
    }

    /// The record made the body too large: it goes into the next one, and the body leaves without it. So a body exceeds a limit
    /// only with a single record, whose lines have one fate and stay together.
    fn move_last_record(&mut self, appending: &mut Appending<'_>, record: usize, (byte, line): (usize, usize)) {
        let cut_by = if self.open.lines() > self.max_lines { CutBy::Lines } else { CutBy::Bytes };
        let bytes = self.open.bytes.split_off(byte);
        let offsets = self.open.offsets.split_off(line);
        self.close_part(appending, record);
        self.cut(cut_by);
        appending.part = OpenPart::new(&self.open, record);
        self.open.bytes.extend_from_slice(&bytes);
        self.open.offsets.extend_from_slice(&offsets);
    }

    /// Ends the part before the rejected record, and gives that a range of its own, or puts it to the one of the rejected record
    /// before it.
    fn reject(&mut self, appending: &mut Appending<'_>, rejected: Rejected) {
        let (record, offset) = (rejected.record, appending.batch.offsets[rejected.record]);
        self.close_part(appending, record);
        match appending.into.ranges.last_mut() {
            Some(last) if last.fate == Fate::Rejected => last.range.last = offset,
            _ => appending
                .into
                .ranges
                .push(Fated { range: OffsetRange { first: offset, last: offset }, fate: Fate::Rejected }),
        }
        appending.into.rejected.push(rejected);
        appending.part = OpenPart::new(&self.open, record + 1);
    }

    /// Ends the open part before record `until`, if there is a record in it.
    fn close_part(&mut self, appending: &mut Appending<'_>, until: usize) {
        let Appending { origin, batch, part, into } = appending;
        if part.first_record >= until {
            return;
        }
        let range = OffsetRange { first: batch.offsets[part.first_record], last: batch.offsets[until - 1] };
        if part.times.is_empty() {
            into.ranges.push(Fated { range, fate: Fate::Filtered });
            return;
        }
        into.ranges.push(Fated { range, fate: Fate::Lines });
        self.opened.get_or_insert_with(Instant::now);
        self.open.kept += origin.kept_bytes();
        self.open.parts.push(Part {
            partition: origin.partition.clone(),
            slot: origin.slot,
            generation: origin.generation,
            version: Arc::clone(origin.version),
            range,
            first_line: part.first_line,
            records: origin.records.cloned(),
            times: std::mem::take(&mut part.times),
        });
    }

    fn reason_to_cut(&self, appending: &Appending<'_>) -> Option<CutBy> {
        if self.open.lines() >= self.max_lines {
            Some(CutBy::Lines)
        } else if self.open.bytes.len() >= self.max_bytes
            || self.open.kept + appending.origin.kept_bytes() >= self.max_bytes
        {
            // What is kept for dead letters is bounded as well (I4): a body may stand for many batches with a line each.
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
            kept: 0,
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

// === impl Origin ===

impl Origin<'_> {
    /// Bytes of the records that are kept for dead letters.
    fn kept_bytes(&self) -> usize {
        self.records.map_or(0, |records| records.bytes())
    }
}

// === impl Appended ===

impl Appended {
    fn clear(&mut self) {
        self.ranges.clear();
        self.rejected.clear();
        self.with_lines = 0;
    }
}

// === impl OpenPart ===

impl OpenPart {
    fn new(body: &Body, first_record: usize) -> Self {
        Self { first_line: body.lines(), first_record, times: Vec::new() }
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
