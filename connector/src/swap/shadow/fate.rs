//! What one version of a transform made of each record, as the sink would see it.

use crate::batch::Batch;
use crate::points::{self, Stamper};
use crate::transform::Output;

/// What became of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// Its lines as they would be written, with their timestamps; none if it was filtered.
    Lines(Vec<String>),
    /// The transform rejected it, for this reason.
    Rejected(String),
    /// One of its lines can't be written, for this reason.
    Unwritable(String),
    /// The transform failed on it, for this reason.
    Failed(String),
}

// === impl Fate ===

impl Fate {
    pub(super) fn is_failed(&self) -> bool {
        matches!(self, Self::Failed(_))
    }
}

/// The fate of each record of `batch`. Lines go through the points stage as they do on their way to the sink: one that can't be
/// written rejects its record.
pub(super) fn of_records(output: &Output, batch: &Batch, stamper: &mut Stamper) -> Vec<Fate> {
    let (mut line, mut rejects) = (0, output.rejects.iter().peekable());
    let mut fate = |record: usize| {
        if let Some(reject) = rejects.next_if(|reject| reject.record as usize == record) {
            return Fate::Rejected(reject.reason.clone());
        }
        let start = line;
        while output.records.get(line).is_some_and(|&of| of as usize == record) {
            line += 1;
        }
        let (timestamp, offset) = (batch.timestamps[record], batch.offsets[record]);
        let written = |line| written(output.lines.get(line), stamper, timestamp, offset);
        (start..line).map(written).collect::<Result<_, _>>().map_or_else(Fate::Unwritable, Fate::Lines)
    };
    (0..batch.len()).map(&mut fate).collect()
}

/// A line as it would be written, without its line end.
fn written(line: &[u8], stamper: &mut Stamper, timestamp: i64, offset: i64) -> Result<String, String> {
    let mut text = Vec::with_capacity(line.len() + 21);
    points::append_line(&mut text, line, stamper, timestamp, offset).map_err(|error| error.to_string())?;
    text.pop();
    String::from_utf8(text).map_err(|error| error.to_string())
}
