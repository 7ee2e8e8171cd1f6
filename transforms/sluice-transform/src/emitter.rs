//! The output columns while they are filled.

use crate::bindings::sluice::transform::types::Column;
use crate::line::{Line, WithTags};
use crate::{AsMeasurement, Fault, Refused};

/// Room beyond what the lines need: a line asks for more than it takes, because text may have to be escaped.
const SPARE_BYTES: usize = 512;

/// Takes the lines of a record.
///
/// Lines are built in place, in the column that goes to the host: nothing is allocated per line.
#[derive(Debug)]
pub struct Emitter {
    /// The column's bytes up to `ended`, then room: writing into room that is already there needs no growing, and a
    /// line that is not ended is overwritten by the next.
    pub(crate) bytes: Vec<u8>,
    /// Where the last ended line ends.
    pub(crate) ended: usize,
    ends: Vec<u32>,
    records: Vec<u32>,
    record: u32,
    /// Number of lines when the record began, and where they end.
    mark: (usize, usize),
    /// Where the names of the line being built are in `bytes`: tags, then fields, less the last.
    pub(crate) names: Vec<(usize, usize)>,
}

impl Emitter {
    pub(crate) fn new(records: usize, line_bytes: usize) -> Self {
        Self {
            bytes: vec![0; records * line_bytes + SPARE_BYTES],
            ended: 0,
            ends: Vec::with_capacity(records),
            records: Vec::with_capacity(records),
            record: 0,
            mark: (0, 0),
            names: Vec::new(),
        }
    }

    /// Starts a line. It counts when [`Line::end`] or [`Line::end_at_ns`] is called; without, nothing of it is kept.
    ///
    /// # Errors
    /// The measurement is empty, starts with `#`, or has what line protocol can't carry.
    #[inline(always)]
    pub fn line(&mut self, measurement: impl AsMeasurement) -> Result<Line<'_, WithTags>, Refused> {
        Line::start(self, measurement)
    }

    #[inline(always)]
    pub(crate) fn begin(&mut self, record: usize) {
        self.record = record as u32;
        self.mark = (self.ends.len(), self.ended);
    }

    /// Takes back the lines of the current record.
    #[cold]
    pub(crate) fn take_back(&mut self) {
        let (lines, ended) = self.mark;
        self.ends.truncate(lines);
        self.records.truncate(lines);
        self.ended = ended;
    }

    #[inline(always)]
    pub(crate) fn end_line(&mut self, end: usize) {
        self.ended = end;
        self.ends.push(end as u32);
        self.records.push(self.record);
    }

    /// Notes the name before the one at `start..end`, and compares that with all noted. Servers differ on a name that
    /// comes twice: refuse the line, keep the first, keep the last.
    #[inline(always)]
    pub(crate) fn add_name(&mut self, previous: (usize, usize), (start, end): (usize, usize)) -> Result<(), Fault> {
        self.names.push(previous);
        let name = &self.bytes[start..end];
        let is_name = |&(start, end): &(usize, usize)| self.bytes[start..end] == *name;
        if self.names.iter().any(is_name) { Err(Fault::Duplicate) } else { Ok(()) }
    }

    /// Makes room for `additional` bytes from `at` on.
    #[inline(always)]
    pub(crate) fn reserve(&mut self, at: usize, additional: usize) {
        if self.bytes.len() - at < additional {
            self.grow(at + additional);
        }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, needed: usize) {
        self.bytes.resize(needed.max(self.bytes.len() * 2), 0);
    }

    pub(crate) fn finish(mut self) -> (Column, Vec<u32>) {
        self.bytes.truncate(self.ended);
        (Column { bytes: self.bytes, ends: self.ends }, self.records)
    }
}
