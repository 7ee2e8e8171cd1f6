//! What has to be in the store: each price as the point that it must become.

use std::collections::BTreeMap;

use super::scripted_influx::{Points as Stored, ScriptedInflux, Value};

/// The symbols of a feed.
pub(crate) const SYMBOLS: [&str; 16] = [
    "BTC-USD", "ETH-USD", "SOL-USD", "XRP-USD", "ADA-USD", "DOGE-USD", "DOT-USD", "AVAX-USD", "LINK-USD", "LTC-USD",
    "UNI-USD", "ATOM-USD", "XLM-USD", "ALGO-USD", "NEAR-USD", "BCH-USD",
];

/// A moment in one shard of InfluxDB with much room to both sides: milliseconds since 1970.
pub(crate) const LONG_AGO_MS: i64 = 1_700_000_000_000;

/// A record to produce.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) partition: i32,
    pub(crate) timestamp_ms: i64,
    pub(crate) value: Option<String>,
    price: Option<(String, f64)>,
}

/// Field and nanoseconds, and the value.
pub(crate) type Point = ((String, i64), f64);

/// Points of one measurement: field and nanoseconds to value.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Points(pub(crate) BTreeMap<(String, i64), f64>);

// === impl Record ===

impl Record {
    /// A price as the feeds send it, which has to become a point.
    pub(crate) fn price(partition: i32, timestamp_ms: i64, symbol: &str, price: &str) -> Self {
        let number = price.parse().unwrap();
        let value = Some(format!("{symbol},{price}"));
        Self { partition, timestamp_ms, value, price: Some((symbol.to_owned(), number)) }
    }

    /// Anything else; `None` is a tombstone.
    pub(crate) fn other(partition: i32, timestamp_ms: i64, value: Option<&str>) -> Self {
        Self { partition, timestamp_ms, value: value.map(str::to_owned), price: None }
    }

    /// The field, time and value of the point, if the record was made as a price.
    pub(crate) fn point(&self, topic: &str, offset: i64) -> Option<Point> {
        let (symbol, number) = self.price.clone()?;
        Some(((symbol, nanoseconds(self.timestamp_ms, topic, self.partition, offset)), number))
    }
}

/// A feed: `num` prices, by `partition_and_symbol` of their number, `per_ms` of them in each millisecond.
pub(crate) fn feed<'a>(
    num: usize,
    per_ms: usize,
    mut partition_and_symbol: impl FnMut(usize) -> (i32, &'a str),
) -> Vec<Record> {
    let mut random = fastrand::Rng::with_seed(num as u64);
    let price = |number: usize| {
        let (partition, symbol) = partition_and_symbol(number);
        let price = format!("{}.{:04}", random.u32(1..60_000), random.u32(0..10_000));
        Record::price(partition, LONG_AGO_MS + (number / per_ms) as i64, symbol, &price)
    };
    (0..num).map(price).collect()
}

/// The time of a record's point, fixed for ever: a replay by another version must write the same points.
pub(crate) fn nanoseconds(timestamp_ms: i64, topic: &str, partition: i32, offset: i64) -> i64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in topic.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    }
    let tie = (i128::from(offset) + 618_034 * i128::from(partition) + i128::from(hash)) % 1_000_000;
    timestamp_ms * 1_000_000 + tie as i64
}

// === impl Points ===

impl Points {
    /// The points of `cryptos` in a scripted server.
    pub(crate) fn stored_in(influx: &ScriptedInflux) -> Self {
        Self::of(influx.points())
    }

    /// The points of `cryptos` among these.
    pub(crate) fn of(mut stored: Stored) -> Self {
        let mut points = Self::default();
        for (time, fields) in stored.remove("cryptos").unwrap_or_default() {
            points.extend(fields.into_iter().map(|(field, value)| match value {
                Value::Float(value) => ((field, time), value),
                other => panic!("a price that is no float: {other:?}"),
            }));
        }
        points
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// How many points each field has.
    pub(crate) fn per_field(&self) -> BTreeMap<&str, i64> {
        let mut counts = BTreeMap::new();
        for (field, _) in self.0.keys() {
            *counts.entry(field.as_str()).or_default() += 1;
        }
        counts
    }

    /// The points of `wanted` that are not there, or have another value.
    pub(crate) fn lacks<'a>(&self, wanted: &'a Self) -> Vec<(&'a (String, i64), &'a f64)> {
        wanted.0.iter().filter(|(key, value)| self.0.get(*key) != Some(*value)).collect()
    }

    /// Compares every point, and shows some that differ.
    #[track_caller]
    pub(crate) fn assert_equal(&self, wanted: &Self) {
        if self == wanted {
            return;
        }
        let missing =
            wanted.0.iter().filter(|(key, value)| self.0.get(*key) != Some(*value)).take(5).collect::<Vec<_>>();
        let others =
            self.0.iter().filter(|(key, value)| wanted.0.get(*key) != Some(*value)).take(5).collect::<Vec<_>>();
        panic!(
            "{} points where {} are wanted; some that are missing: {missing:?}; some that should not be: {others:?}",
            self.len(),
            wanted.len()
        );
    }
}

impl Extend<((String, i64), f64)> for Points {
    fn extend<T: IntoIterator<Item = ((String, i64), f64)>>(&mut self, points: T) {
        self.0.extend(points);
    }
}
