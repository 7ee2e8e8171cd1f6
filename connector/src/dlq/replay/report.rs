//! What a replay tells.

use std::io::{self, Write};

use super::gather::Ticket;
use crate::dlq::DlqError;
use crate::dlq::letter::Letter;
use crate::dlq::text::escaped;

/// Prints what happens to letters, and counts it.
#[derive(Debug)]
pub(super) struct Report<'a, W> {
    out: &'a mut W,
    dry_run: bool,
    letters_written: u64,
    lines_written: u64,
    failed: u64,
    not_replayable: u64,
    /// Letters that the transform makes nothing of.
    pub(super) filtered: u64,
    /// Letters that are not meant.
    pub(super) passed_over: u64,
}

// === impl Report ===

impl<'a, W: Write> Report<'a, W> {
    pub(super) fn new(out: &'a mut W, dry_run: bool) -> Self {
        Self {
            out,
            dry_run,
            letters_written: 0,
            lines_written: 0,
            failed: 0,
            not_replayable: 0,
            filtered: 0,
            passed_over: 0,
        }
    }

    pub(super) fn written(&mut self, lines: usize) {
        self.letters_written += 1;
        self.lines_written += lines as u64;
    }

    /// A dry run shows lines in the place of writing them.
    pub(super) fn would_write(&mut self, lines: &[u8], num_lines: usize) -> io::Result<()> {
        self.written(num_lines);
        self.out.write_all(lines)
    }

    pub(super) fn fails(&mut self, ticket: &Ticket, stage: &str, reason: &str) -> io::Result<()> {
        self.failed += 1;
        let (position, origin) = (ticket.position, escaped(&ticket.origin.to_string()));
        writeln!(self.out, "still fails {position} {origin} {stage}: {}", escaped(reason))
    }

    pub(super) fn not_replayable(&mut self, letter: &Letter, why: &str) -> io::Result<()> {
        self.not_replayable += 1;
        let origin = letter.origin.as_ref().map_or_else(|| "?".to_owned(), |origin| escaped(&origin.to_string()));
        writeln!(self.out, "can't be replayed {} {origin}: {}", letter.position, escaped(why))
    }

    /// The last line. Gives back whether every letter that was taken is done.
    pub(super) fn finish(self, topic: &str) -> Result<bool, DlqError> {
        let written = if self.dry_run { "would be written" } else { "written" };
        writeln!(
            self.out,
            "{topic}: {} letters {written} ({} lines), {} filtered by the transform, {} still fail, {} can't be replayed; \
             {} passed over; what is done already is not counted",
            self.letters_written, self.lines_written, self.filtered, self.failed, self.not_replayable, self.passed_over
        )?;
        Ok(self.failed + self.not_replayable == 0)
    }
}
