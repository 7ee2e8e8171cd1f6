//! Compacted topics: offsets have holes, and nothing else is different.

use crate::support::influx::Database;
use crate::support::kafka::{Raw, Topic};
use crate::support::points::{LONG_AGO_MS, Points, SYMBOLS, nanoseconds};
use crate::support::sluice::{Connector, Sluice};
use crate::support::wait::{equal, until};

/// Rolls a segment for each of our batches, and compacts as soon as there is something to.
const COMPACTED: [(&str, &str); 4] = [
    ("cleanup.policy", "compact"),
    ("segment.ms", "1000"),
    ("min.cleanable.dirty.ratio", "0.001"),
    ("min.compaction.lag.ms", "0"),
];

/// One price for each symbol under its key, `round` minutes after the beginning.
fn round(number: usize) -> Vec<Raw> {
    let price = |(index, symbol): (usize, &&str)| Raw {
        timestamp_ms: LONG_AGO_MS + number as i64 * 60_000,
        key: Some(symbol.as_bytes().to_vec()),
        value: Some(format!("{symbol},{number}.{index:02}").into_bytes()),
        ..Raw::default()
    };
    SYMBOLS.iter().enumerate().map(price).collect()
}

/// The points that the records in the topic have to become.
fn points(topic: &Topic, records: &[Raw]) -> Points {
    let mut points = Points::default();
    for record in records {
        let value = String::from_utf8(record.value.clone().unwrap()).unwrap();
        let (symbol, price) = value.split_once(',').unwrap();
        let time = nanoseconds(record.timestamp_ms, &topic.name, record.partition, record.offset);
        points.extend([((symbol.to_owned(), time), price.parse().unwrap())]);
    }
    points
}

#[test]
fn a_compacted_topic_arrives_with_its_holes_and_is_committed_to_its_end() {
    let topic = Topic::create_with("compacted", 1, &COMPACTED);
    let database = Database::create("compacted");
    // The same keys over and over, and in between some that stay, so that holes are in the middle too.
    for number in 0..20 {
        topic.produce_raw(&round(number));
        let keep = Raw {
            timestamp_ms: LONG_AGO_MS + number as i64 * 60_000,
            key: Some(format!("keep-{number}").into_bytes()),
            value: Some(format!("KEEP-{number},1.5").into_bytes()),
            ..Raw::default()
        };
        topic.produce_raw(&[keep]);
    }
    // The last segment is never compacted.
    topic.produce_raw(&[Raw { key: Some(b"end".to_vec()), ..round(21).remove(0) }]);
    let left = until("the holes", || {
        let records = topic.read();
        equal(records.len(), &(SYMBOLS.len() + 20 + 1)).map(|_| records)
    });
    let holes: Vec<_> = left.windows(2).filter(|pair| pair[1].offset != pair[0].offset + 1).collect();
    assert!(left[0].offset > 0 && holes.len() > 10, "holes at the beginning and in the middle: {left:?}");

    let connector = Connector::new(&topic, "c").into_database(&database);
    let group = topic.group(&connector.name);
    let mut sluice = Sluice::start(&[&connector]);
    sluice.until("everything to be committed", |_| group.at_end());
    sluice.until("no lag", |sluice| equal(sluice.metrics().find("sluice_lag_records", &[]), &Some(0.0)));
    assert_eq!(sluice.metrics().sum("sluice_records_consumed_total", &[]), left.len() as f64);
    sluice.stop();
    database.points().assert_equal(&points(&topic, &left));

    // From the committed offset on, as after any restart.
    topic.produce_raw(&round(22));
    let mut sluice = Sluice::start(&[&connector]);
    sluice.until("the rest to be committed", |_| group.at_end());
    assert_eq!(sluice.metrics().sum("sluice_records_consumed_total", &[]), SYMBOLS.len() as f64, "nothing again");
    sluice.stop();
    let last: Vec<_> =
        topic.read().into_iter().filter(|record| record.timestamp_ms > left.last().unwrap().timestamp_ms).collect();
    assert_eq!(last.len(), SYMBOLS.len());
    database.points().assert_equal(&points(&topic, &[left, last].concat()));
}
