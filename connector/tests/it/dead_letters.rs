//! `errors.*`: what can't be written goes to the dead-letter topic or is discarded aloud, and the partition goes on.

mod budget;
mod delivery;
mod sink;

use crate::support::influx::Database;
use crate::support::kafka::{Raw, Topic};
use crate::support::letters::{Letter, LetterTopic};
use crate::support::points::{LONG_AGO_MS, Record, feed};
use crate::support::sluice::{Connector, Sluice};

/// Good prices in both partitions with some records in between that are none.
fn mixed(num_good: usize, bad: &[&str]) -> Vec<Record> {
    let mut records = feed(num_good, 50, |number| ((number % 2) as i32, "BTC-USD"));
    let step = num_good / (bad.len() + 1);
    for (index, value) in bad.iter().enumerate() {
        let at = (index + 1) * step + index;
        records.insert(at, Record::other((index % 2) as i32, LONG_AGO_MS + 7, Some(value)));
    }
    records
}

#[test]
fn a_record_goes_to_the_topic_byte_for_byte_with_the_reason() {
    let topic = Topic::create("whole", 1);
    let letters = LetterTopic::unmade("whole");
    let database = Database::create("whole");
    let connector = Connector::new(&topic, "w").into_database(&database).with_letters(&letters);
    let header = |key: &str, value: Option<&[u8]>| (key.to_owned(), value.map(<[u8]>::to_vec));
    let records = [
        Raw {
            key: Some(b"k\0\xff".to_vec()),
            value: Some(b"no price\xfe".to_vec()),
            timestamp_ms: LONG_AGO_MS,
            headers: vec![header("own", Some(b"\0\xff")), header("own", None), header("sluice.reason", Some(b"mine"))],
            ..Raw::default()
        },
        Raw { value: Some(Vec::new()), timestamp_ms: 1, ..Raw::default() },
        Raw { key: Some(Vec::new()), value: Some(b"x".to_vec()), timestamp_ms: -1, ..Raw::default() },
        // A price without a time: the points stage has nothing to stamp it with.
        Raw { value: Some(b"BTC-USD,1".to_vec()), timestamp_ms: -1, ..Raw::default() },
    ];
    topic.produce_raw(&records);
    let mut sluice = Sluice::start(&[&connector]);
    let group = topic.group(&connector.name);
    sluice.until("everything to be committed", |_| group.at_end());

    let all = letters.wait_for(records.len());
    for (offset, (letter, record)) in all.iter().zip(&records).enumerate() {
        assert_eq!((&letter.key, &letter.value), (&record.key, &record.value), "record {offset}");
        assert_eq!(letter.timestamp_ms.unwrap_or(-1), record.timestamp_ms, "record {offset}");
        assert_eq!(letter.headers[..record.headers.len()], record.headers, "record {offset}");
        assert_eq!(letter.header("__connect.errors.topic"), topic.name);
        assert_eq!(letter.origin(), (0, offset as i64));
        assert_eq!(letter.header("__connect.errors.connector.name"), connector.name);
        assert_eq!(letter.header("__connect.errors.task.id"), "0");
        assert_eq!(letter.header("__connect.errors.stage"), "TRANSFORMATION");
        assert_eq!(letter.header("__connect.errors.exception.message"), letter.header("sluice.reason"));
        assert!(letter.header("__connect.errors.exception.stacktrace").contains(&letter.header("sluice.reason")));
        assert_eq!(letter.header("sluice.module.digest").len(), 64);
    }
    assert!(all[0].header("sluice.reason").contains("separator"), "{:?}", all[0]);
    assert_eq!(all[3].header("sluice.stage"), "points");
    assert_eq!(all[3].header("sluice.line"), "cryptos BTC-USD=1");
    let metrics = sluice.metrics();
    assert_eq!(metrics.sum("sluice_records_dead_lettered_total", &[]), records.len() as f64);
    assert_eq!(metrics.sum("kafka_connect_task_error_total_records_skipped", &[]), records.len() as f64);
    assert_eq!(metrics.sum("kafka_connect_task_error_deadletterqueue_produce_requests", &[]), records.len() as f64);
    sluice.stop();
}

#[test]
fn without_context_headers_a_letter_has_the_records_own_alone() {
    let topic = Topic::create("bare", 1);
    let letters = LetterTopic::unmade("bare");
    let database = Database::create("bare");
    let connector = Connector::new(&topic, "b")
        .into_database(&database)
        .with_letters(&letters)
        .set("errors.deadletterqueue.context.headers.enable", "false");
    topic.produce_raw(&[Raw { value: Some(b"x".to_vec()), timestamp_ms: 5, ..Raw::default() }]);
    let sluice = Sluice::start(&[&connector]);
    assert_eq!(letters.wait_for(1)[0].headers, []);
    sluice.stop();
}

#[test]
fn the_partition_goes_on_and_only_the_bad_records_are_missing() {
    let topic = Topic::create("goeson", 2);
    let letters = LetterTopic::unmade("goeson");
    let database = Database::create("goeson");
    let connector = Connector::new(&topic, "g").into_database(&database).with_letters(&letters);
    topic.produce(&mixed(20_000, &["a", "b", "c", "d", "e", "f", "g"]));
    let mut sluice = Sluice::start(&[&connector]);
    let group = topic.group(&connector.name);
    sluice.until("everything to be committed", |_| group.at_end());
    sluice.stop();
    database.points().assert_equal(&topic.expected());
    let mut values: Vec<_> = letters.all().into_iter().map(|letter| letter.value.unwrap()).collect();
    values.sort();
    assert_eq!(values, [b"a", b"b", b"c", b"d", b"e", b"f", b"g"]);
}

// KIP-298: a failing record is reported also when it is not tolerated, then the task fails.
#[test]
fn what_is_not_borne_gets_its_letter_and_stops_the_task_before_its_offset() {
    let topic = Topic::create("notborne", 1);
    let letters = LetterTopic::unmade("notborne");
    let database = Database::create("notborne");
    let connector =
        Connector::new(&topic, "n").into_database(&database).with_letters(&letters).set("errors.tolerance", "none");
    topic.produce(&feed(100, 10, |_| (0, "BTC-USD")));
    topic.produce(&[Record::other(0, LONG_AGO_MS, Some("bad")), Record::other(0, LONG_AGO_MS, Some("also"))]);
    let mut sluice = Sluice::start(&[&connector]);
    assert_eq!(sluice.wait(), Some(1));
    assert_eq!(letters.all().iter().map(Letter::origin).collect::<Vec<_>>(), [(0, 100)]);
    assert_eq!(topic.group(&connector.name).committed()[&0], 100);
    database.points().assert_equal(&topic.expected());
}

#[test]
fn what_is_discarded_is_told_of_everywhere() {
    let topic = Topic::create("discard", 2);
    let database = Database::create("discard");
    let connector = Connector::new(&topic, "d").into_database(&database).set("errors.tolerance", "all");
    topic.produce(&mixed(1_000, &["a", "b", "c"]));
    let mut sluice = Sluice::start(&[&connector]);
    let group = topic.group(&connector.name);
    sluice.until("everything to be committed", |_| group.at_end());
    assert_eq!(sluice.metrics().sum("sluice_records_discarded_total", &[]), 3.0);
    let line = sluice.logged(&["\"message\":\"record discarded", "\"level\":\"WARN\""]).unwrap();
    for told in [&format!("\"partition\":\"{}-", topic.name), "\"offset\":", "separator"] {
        assert!(line.contains(told), "{told:?} is not told in: {line}");
    }
    sluice.logged(&["connector setting", "refused records are discarded"]).unwrap();
    let (_, status) = sluice.get_json("/sluice/connectors");
    assert!(status[0]["warnings"][0].as_str().unwrap().contains("discarded"), "{status}");
    sluice.stop();
    database.points().assert_equal(&topic.expected());
}

#[test]
fn every_refused_record_is_logged_if_asked_for_and_named_if_asked_for() {
    for (messages, named) in [("true", true), ("false", false)] {
        let topic = Topic::create("log", 1);
        let database = Database::create("log");
        let connector = Connector::new(&topic, "l")
            .into_database(&database)
            .set("errors.tolerance", "all")
            .set("errors.log.enable", "true")
            .set("errors.log.include.messages", messages);
        topic.produce(&[Record::other(0, LONG_AGO_MS, Some("bad")), Record::other(0, LONG_AGO_MS, Some("bad too"))]);
        let mut sluice = Sluice::start(&[&connector]);
        let group = topic.group(&connector.name);
        sluice.until("everything to be committed", |_| group.at_end());
        assert_eq!(sluice.metrics().sum("kafka_connect_task_error_total_errors_logged", &[]), 2.0);
        let log = sluice.log();
        let lines: Vec<_> = log.lines().filter(|line| line.contains("error encountered in task")).collect();
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|line| line.contains("TRANSFORMATION") && line.contains(&connector.name)));
        assert_eq!(lines[1].contains("\"offset\":1"), named, "{}", lines[1]);
        sluice.stop();
    }
}
