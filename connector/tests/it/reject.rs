//! `errors.tolerance=none`: what can't be written stops the task, and nothing past it is committed.

use crate::support::influx::Database;
use crate::support::kafka::Topic;
use crate::support::points::{LONG_AGO_MS, Record, feed};
use crate::support::sluice::{Connector, Sluice};

/// Good prices, then one record that is none, at offset 700, then good ones.
fn topic_with_a_bad_record(test: &str) -> Topic {
    let topic = Topic::create(test, 1);
    topic.produce(&feed(700, 100, |_| (0, "BTC-USD")));
    topic.produce(&[Record::other(0, LONG_AGO_MS, Some("no price at all"))]);
    topic.produce(&feed(300, 100, |_| (0, "ETH-USD")));
    topic
}

#[test]
fn a_bad_record_stops_the_task_with_everything_before_it_written_and_committed() {
    let topic = topic_with_a_bad_record("bad");
    let database = Database::create("bad");
    let connector = Connector::new(&topic, "b").into_database(&database);
    let group = topic.group(&connector.name);
    let mut expected = topic.expected();
    expected.0.retain(|(field, _), _| field == "BTC-USD");

    // The second start comes to the same record, and to the same end.
    for _ in 0..2 {
        let mut sluice = Sluice::start(&[&connector]);
        assert_eq!(sluice.wait(), Some(1));
        let line = sluice.logged(&["\"message\":\"task failed\""]).unwrap();
        let place = format!("{}-0 offset 700", topic.name);
        for told in [&place, "no price at all", "separator", "errors.tolerance=none"] {
            assert!(line.contains(told), "{told:?} is not told in: {line}");
        }
        database.points().assert_equal(&expected);
        assert_eq!(group.committed()[&0], 700);
    }
}

#[test]
fn a_failed_connector_is_named_and_leaves_others_alone() {
    let topic = topic_with_a_bad_record("failed");
    let database = Database::create("failed");
    let bad = Connector::new(&topic, "bad").into_database(&database);
    let good_topic = Topic::create("alive", 1);
    let good_database = Database::create("alive");
    let good = Connector::new(&good_topic, "good").into_database(&good_database);
    let mut sluice = Sluice::start(&[&bad, &good]);

    let health = sluice.until("the failure to show", |sluice| match sluice.get_json("/health/ready") {
        (503, health) if health["tasks"][0]["state"] == "failed" && health["tasks"].as_array().unwrap().len() == 1 => {
            Ok(health)
        }
        other => Err(other),
    });
    assert_eq!(health["tasks"][0]["connector"], bad.name);
    assert!(health["tasks"][0]["reason"].as_str().unwrap().contains("offset 700"), "{health}");
    let metrics = sluice.metrics();
    let (bad_label, good_label) = (format!("connector=\"{}\"", bad.name), format!("connector=\"{}\"", good.name));
    assert_eq!(metrics.sum("sluice_task_state", &[&bad_label, "state=\"failed\""]), 1.0);
    assert_eq!(metrics.sum("sluice_task_state", &[&good_label, "state=\"running\""]), 1.0);
    assert_eq!(sluice.get("/health/live").status, 200);

    good_topic.produce(&feed(1_000, 100, |_| (0, "BTC-USD")));
    let group = good_topic.group(&good.name);
    sluice.until("the other connector to go on", |_| group.at_end());
    sluice.stop();
    good_database.points().assert_equal(&good_topic.expected());
}

#[test]
fn a_line_that_influxdb_refuses_stops_the_task_and_is_not_committed() {
    let topic = Topic::create("conflict", 1);
    let database = Database::create("conflict");
    // In the shard of the prices this field holds text, so a number is refused.
    database.write(&format!("cryptos XRP-USD=\"text\" {}", LONG_AGO_MS * 1_000_000));
    let connector = Connector::new(&topic, "c").into_database(&database);
    let group = topic.group(&connector.name);
    topic.produce(&feed(100, 10, |_| (0, "BTC-USD")));
    let mut sluice = Sluice::start(&[&connector]);
    sluice.until("the good prices to be committed", |_| group.at_end());

    topic.produce(&[Record::price(0, LONG_AGO_MS, "XRP-USD", "0.5")]);
    assert_eq!(sluice.wait(), Some(1));
    let line = sluice.logged(&["\"message\":\"task failed\""]).unwrap();
    for told in [&database.url, &format!("{}-0 offset 100", topic.name), "field type conflict", "XRP-USD"] {
        assert!(line.contains(told), "{told:?} is not told in: {line}");
    }
    assert_eq!(group.committed()[&0], 100);
}
