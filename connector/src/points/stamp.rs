//! Timestamps of records, in nanoseconds, and how they are written.

use super::LineError;
use crate::config::Tiebreak;

/// Nanoseconds in a millisecond: the room that the tie-break spreads records over.
const ROOM: u64 = 1_000_000;
/// The golden ratio's part of [`ROOM`]. A stride of it keeps any number of partitions as far apart as can be, so that
/// records that a round-robin producer spread over partitions, with equal offsets and times, stay apart.
const STRIDE: i128 = 618_034;
/// Kafka's "this record has no timestamp".
const NO_TIMESTAMP: i64 = -1;
/// The milliseconds of thirteen digits for which no tie-break can leave InfluxDB's range: the fast way to write.
const THIRTEEN_DIGITS: std::ops::RangeInclusive<i64> = 1_000_000_000_000..=9_223_372_036_853;
/// What all products can hold: 1.x and 2.x keep the outermost values of an `i64` for themselves
/// (influxdata/influxdb, models/time.go).
pub(super) const TIMES: std::ops::RangeInclusive<i64> = i64::MIN + 2..=i64::MAX - 1;

/// Three digits and a newline for every number below 1000: two look-ups write a tie-break and end the line.
static TRIPLES: [[u8; 4]; 1000] = {
    let mut triples = [[b'\n'; 4]; 1000];
    let mut n = 0;
    while n < 1000 {
        triples[n][0] = b'0' + (n / 100) as u8;
        triples[n][1] = b'0' + (n / 10 % 10) as u8;
        triples[n][2] = b'0' + (n % 10) as u8;
        n += 1;
    }
    triples
};

/// Writes the timestamps of the records of one topic-partition.
///
/// A record's timestamp is `milliseconds × 10⁶ + (offset + 618,034 × partition + hash(topic)) mod 10⁶`, where the
/// hash is FNV-1a with 64 bits over the topic's name, taken as a positive number. It depends on the record alone, so that
/// a replay writes the same point again. Changing any part of it makes replays write doubles.
#[derive(Debug, Clone)]
pub struct Stamper {
    /// Partition and topic's share of the tie-break, below [`ROOM`]; `None` without a tie-break.
    share: Option<u64>,
    /// The milliseconds whose digits stand in `head`.
    cached_ms: i64,
    /// A blank and thirteen digits of milliseconds: the same for the thousands of records of one millisecond.
    head: [u8; 14],
}

impl Stamper {
    /// A stamper for `partition` of `topic`.
    #[must_use]
    pub fn new(topic: &str, partition: i32, tiebreak: Tiebreak) -> Self {
        let share = match tiebreak {
            Tiebreak::Offset => {
                let sum = STRIDE * i128::from(partition) + i128::from(fnv1a(topic.as_bytes()));
                Some(sum.rem_euclid(i128::from(ROOM)) as u64)
            }
            Tiebreak::None => None,
        };
        let mut stamper = Self { share, cached_ms: 0, head: *b" 0000000000000" };
        stamper.cache(*THIRTEEN_DIGITS.start());
        stamper
    }

    /// Appends `line`, the record's timestamp and a newline.
    #[inline]
    pub(super) fn append(
        &mut self,
        out: &mut Vec<u8>,
        line: &[u8],
        timestamp_ms: i64,
        offset: i64,
    ) -> Result<(), LineError> {
        if timestamp_ms != self.cached_ms {
            if !THIRTEEN_DIGITS.contains(&timestamp_ms) {
                return self.append_distant(out, line, timestamp_ms, offset);
            }
            self.cache(timestamp_ms);
        }
        let tie = self.tie(offset) as u32 as usize;
        let [high, low] = [tie / 1000 % 1000, tie % 1000].map(|n| u64::from(u32::from_le_bytes(TRIPLES[n])));
        // Three bytes of the one and four of the other meet in a register: a load that spans two stores would stall.
        let tail = (high & 0x00ff_ffff | low << 24).to_le_bytes();
        out.reserve(line.len() + self.head.len() + 7);
        out.extend_from_slice(line);
        out.extend_from_slice(&self.head);
        out.extend_from_slice(&tail[..7]);
        Ok(())
    }

    /// The same for times before 2001, long after now, and none.
    #[cold]
    fn append_distant(&self, out: &mut Vec<u8>, line: &[u8], ms: i64, offset: i64) -> Result<(), LineError> {
        if ms == NO_TIMESTAMP {
            return Err(LineError::NoTimestamp);
        }
        let ns = ms
            .checked_mul(ROOM as i64)
            .and_then(|ns| ns.checked_add(self.tie(offset) as i64))
            .filter(|ns| TIMES.contains(ns))
            .ok_or(LineError::RecordTime { ms })?;
        out.extend_from_slice(line);
        out.extend_from_slice(format!(" {ns}\n").as_bytes());
        Ok(())
    }

    /// The record's nanoseconds within its millisecond.
    #[inline]
    fn tie(&self, offset: i64) -> u64 {
        self.share.map_or(0, |share| (share + offset.rem_euclid(ROOM as i64) as u64) % ROOM)
    }

    /// `ms` is one of [`THIRTEEN_DIGITS`].
    fn cache(&mut self, ms: i64) {
        self.cached_ms = ms;
        let mut rest = ms as u64;
        for digit in self.head[1..].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
    }
}

/// FNV-1a with 64 bits: fixed for ever, unlike the standard library's hashes.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}
