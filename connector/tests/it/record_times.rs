//! A point has its record's time, whoever set it; without one it has none made up for it.

use crate::support::influx::Database;
use crate::support::kafka::{Raw, Topic};
use crate::support::points::{LONG_AGO_MS, Points, Record, nanoseconds};
use crate::support::sluice::{Connector, Sluice};

#[test]
fn a_record_without_a_time_is_not_written_with_a_made_up_one() {
    let topic = Topic::create("untimed", 1);
    let database = Database::create("untimed");
    topic.produce(&[Record::price(0, LONG_AGO_MS, "BTC-USD", "1.5")]);
    topic.produce_raw(&[Raw { timestamp_ms: -1, value: Some(b"BTC-USD,2.5".to_vec()), ..Raw::default() }]);
    assert_eq!(topic.read()[1].timestamp_ms, -1, "Kafka keeps it so");
    let connector = Connector::new(&topic, "u").into_database(&database);
    let group = topic.group(&connector.name);
    let mut sluice = Sluice::start(&[&connector]);
    assert_eq!(sluice.wait(), Some(1));
    let line = sluice.logged(&["\"message\":\"task failed\""]).unwrap();
    for told in [&format!("{}-0 offset 1", topic.name), "points", "timestamp", "errors.tolerance=none"] {
        assert!(line.contains(told), "{told:?} is not told in: {line}");
    }
    assert_eq!(group.committed()[&0], 1);
    database.points().assert_equal(&topic.expected());
}

#[test]
fn where_kafka_sets_the_time_the_points_have_kafkas() {
    let topic = Topic::create_with("appended", 2, &[("message.timestamp.type", "LogAppendTime")]);
    let database = Database::create("appended");
    let price = |number: i32| Raw {
        partition: number % 2,
        timestamp_ms: LONG_AGO_MS,
        value: Some(format!("BTC-USD,{number}.25").into_bytes()),
        ..Raw::default()
    };
    topic.produce_raw(&(0..500).map(price).collect::<Vec<_>>());
    // A time is no matter then, not even one that is missing.
    topic.produce_raw(&[Raw { timestamp_ms: -1, ..price(500) }]);
    let mut expected = Points::default();
    for record in topic.read() {
        assert!(record.timestamp_ms > LONG_AGO_MS, "the broker's time, not the producer's");
        let value = String::from_utf8(record.value.unwrap()).unwrap();
        let time = nanoseconds(record.timestamp_ms, &topic.name, record.partition, record.offset);
        expected.extend([(("BTC-USD".to_owned(), time), value.strip_prefix("BTC-USD,").unwrap().parse().unwrap())]);
    }
    assert_eq!(expected.len(), 501);
    let connector = Connector::new(&topic, "t").into_database(&database);
    let group = topic.group(&connector.name);
    let mut sluice = Sluice::start(&[&connector]);
    sluice.until("everything to be committed", |_| group.at_end());
    sluice.stop();
    database.points().assert_equal(&expected);
}
