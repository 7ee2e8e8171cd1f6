//! Lines to points: the stage between transform and sink.
//!
//! A transform hands out lines of line protocol. This stage finds for each whether it is sound, gives it its record's
//! timestamp if it brings none, and lays it, ended by a newline, into the request body. Three files, in the order a line
//! meets them:
//!
//! - `scan` looks at a plain line once, sixteen bytes at a time, and says whether it ends in a timestamp;
//! - `judge` takes whatever the scanner doesn't vouch for: the crate `influxdb-line-protocol` decides, and what it lets
//!   pass but a server would lose, or refuse together with the lines around it, is refused here;
//! - `stamp` writes the timestamp.
//!
//! The scanner vouches only for lines that `judge` accepts with the same answer. Property tests and the fuzz target
//! `points` hold it to that.

mod error;
mod judge;
mod scan;
mod stamp;
#[cfg(test)]
mod tests;

pub use error::LineError;
pub use stamp::Stamper;

use scan::Scan;

/// Appends `line` and a newline to `out`, with the record's timestamp in between if the line has none of its own.
///
/// `line` is one line of line protocol without its line end. Blanks around it are dropped; nothing else of it is
/// changed, and a timestamp that it brings is kept as it is, in nanoseconds. `timestamp_ms` is Kafka's record timestamp
/// (-1: the record has none) and `offset` the record's. All lines of one record get the same timestamp, so two
/// lines of one series in one record need timestamps or tags of their own.
///
/// # Errors
/// The line, or the timestamp it would get, is one that not every InfluxDB can store: see [`LineError`]. `out` is then
/// as it was.
pub fn append_line(
    out: &mut Vec<u8>,
    line: &[u8],
    stamper: &mut Stamper,
    timestamp_ms: i64,
    offset: i64,
) -> Result<(), LineError> {
    match scan::scan(line) {
        Scan::Bare => stamper.append(out, line, timestamp_ms, offset),
        Scan::Stamped => {
            append_as_is(out, line);
            Ok(())
        }
        Scan::Unusual => append_unusual(out, line, stamper, timestamp_ms, offset),
    }
}

#[cold]
#[inline(never)]
fn append_unusual(
    out: &mut Vec<u8>,
    line: &[u8],
    stamper: &mut Stamper,
    timestamp_ms: i64,
    offset: i64,
) -> Result<(), LineError> {
    let judged = judge::judge(line)?;
    if judged.has_timestamp {
        append_as_is(out, judged.text.as_bytes());
        return Ok(());
    }
    stamper.append(out, judged.text.as_bytes(), timestamp_ms, offset)
}

fn append_as_is(out: &mut Vec<u8>, line: &[u8]) {
    out.reserve(line.len() + 1);
    out.extend_from_slice(line);
    out.push(b'\n');
}

/// What the scanner and the full check say of one line, for the fuzz target that holds them together.
#[doc(hidden)]
#[must_use]
pub fn agree(line: &[u8]) -> bool {
    let timestamp = match scan::scan(line) {
        Scan::Bare => false,
        Scan::Stamped => true,
        Scan::Unusual => return true,
    };
    judge::judge(line).is_ok_and(|judged| judged.has_timestamp == timestamp && judged.text.as_bytes() == line)
}
