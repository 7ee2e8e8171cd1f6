//! What becomes of topics while they are read: they grow, appear, are cut off, deleted and made anew.

use crate::support::influx::Database;
use crate::support::kafka::{Topic, unique};
use crate::support::points::{LONG_AGO_MS, Points, Record, feed};
use crate::support::sluice::{Connector, Sluice};

/// Looks at the topics twice a second instead of every five minutes.
fn attentive(connector: Connector) -> Connector {
    connector.set("consumer.override.topic.metadata.refresh.interval.ms", "500")
}

fn prices(num: usize, symbol: &str, first_ms: i64) -> Vec<Record> {
    (0..num as i64).map(|n| Record::price(0, first_ms + n, symbol, &format!("{}.5", n + 1))).collect()
}

#[test]
fn partitions_that_are_added_are_read() {
    let topic = Topic::create("added", 1);
    let database = Database::create("added");
    let connector = attentive(Connector::new(&topic, "a").into_database(&database));
    topic.produce(&feed(100, 10, |_| (0, "BTC-USD")));
    let mut sluice = Sluice::start(&[&connector]);
    sluice.until("the first partition to be read", |_| topic.group(&connector.name).at_end());
    let topic = topic.grow(3);
    topic.produce(&feed(300, 10, |number| ((number % 3) as i32, "ETH-USD")));
    let group = topic.group(&connector.name);
    sluice.until("all partitions to be read", |_| group.at_end());
    sluice.stop();
    database.points().assert_equal(&topic.expected());
}

#[test]
fn a_topic_that_comes_later_and_matches_is_read() {
    let prefix = unique("regex");
    let first = Topic::create_named(&format!("{prefix}-first"), 1);
    let database = Database::create("regex");
    let connector = Connector::named(&prefix, "").set("topics.regex", format!("{prefix}-.*")).into_database(&database);
    let connector = attentive(connector);
    first.produce(&feed(100, 10, |_| (0, "BTC-USD")));
    let mut sluice = Sluice::start(&[&connector]);
    sluice.until("the first topic to be read", |_| first.group(&connector.name).at_end());
    let second = Topic::create_named(&format!("{prefix}-second"), 2);
    second.produce(&feed(100, 10, |number| ((number % 2) as i32, "ETH-USD")));
    sluice.until("the second topic to be read", |_| second.group(&connector.name).at_end());
    sluice.stop();
    let mut expected = first.expected();
    expected.extend(second.expected().0);
    database.points().assert_equal(&expected);
}

/// A topic with `before` records is deleted and made anew with `after` under a running task.
fn made_anew(test: &str, before: usize, after: usize) {
    let old = Topic::create(test, 1);
    let database = Database::create(test);
    let connector = attentive(Connector::new(&old, "n").into_database(&database));
    old.produce(&prices(before, "BTC-USD", LONG_AGO_MS));
    let mut sluice = Sluice::start(&[&connector]);
    sluice.until("the old topic to be read", |_| old.group(&connector.name).at_end());
    let mut expected: Points = old.expected();
    let new = old.make_anew();
    new.produce(&prices(after, "ETH-USD", LONG_AGO_MS + 10_000));
    expected.extend(new.expected().0);
    sluice.until("every record of the new topic to be stored", |_| match database.count() {
        count if count == (before + after) as i64 => Ok(()),
        count => Err(count),
    });
    sluice.until("the new topic to be committed", |_| new.group(&connector.name).at_end());
    assert_eq!(sluice.get("/health/live").status, 200);
    sluice.until("readiness", Sluice::ready);
    sluice.stop();
    database.points().assert_equal(&expected);
}

#[test]
fn a_topic_made_anew_with_fewer_records_is_read_from_its_beginning() {
    made_anew("anewfewer", 100, 5);
}

#[test]
fn a_topic_made_anew_with_as_many_records_is_read_from_its_beginning() {
    made_anew("anewequal", 10, 10);
}

#[test]
fn a_topic_made_anew_with_more_records_is_read_from_its_beginning() {
    made_anew("anewmore", 10, 200);
}

// librdkafka goes on at the old position then, in the middle of the new topic, and tells nobody.
#[test]
fn a_topic_made_anew_and_filled_while_nobody_looked_is_read_from_its_beginning() {
    let old = Topic::create("anewunseen", 1);
    let database = Database::create("anewunseen");
    let connector = attentive(Connector::new(&old, "n").into_database(&database));
    old.produce(&prices(10, "BTC-USD", LONG_AGO_MS));
    let mut sluice = Sluice::start(&[&connector]);
    sluice.until("the old topic to be read", |_| old.group(&connector.name).at_end());
    let mut expected: Points = old.expected();
    sluice.freeze();
    let new = old.make_anew();
    new.produce(&prices(200, "ETH-USD", LONG_AGO_MS + 10_000));
    sluice.thaw();
    expected.extend(new.expected().0);
    sluice.until("every record of the new topic to be stored", |_| match database.count() {
        210 => Ok(()),
        count => Err(count),
    });
    sluice.until("the new topic to be committed", |_| new.group(&connector.name).at_end());
    sluice.until("readiness", Sluice::ready);
    sluice.stop();
    database.points().assert_equal(&expected);
}

#[test]
fn a_topic_that_is_deleted_leaves_the_others_alone() {
    let (stays, goes) = (Topic::create("stays", 1), Topic::create("goes", 1));
    let database = Database::create("goes");
    let name = format!("{}-d", stays.name);
    let connector = Connector::named(&name, &format!("{},{}", stays.name, goes.name)).into_database(&database);
    let connector = attentive(connector);
    for topic in [&stays, &goes] {
        topic.produce(&feed(100, 10, |_| (0, "BTC-USD")));
    }
    let mut sluice = Sluice::start(&[&connector]);
    sluice.until("both to be read", |_| stays.group(&name).at_end().and(goes.group(&name).at_end()));
    let mut expected = goes.expected();
    drop(goes);
    sluice.until("the partition to go", |sluice| sluice.has_partitions(1.0));
    stays.produce(&feed(50, 10, |_| (0, "ETH-USD")));
    sluice.until("the other one to be read on", |_| stays.group(&name).at_end());
    sluice.until("readiness", Sluice::ready);
    sluice.stop();
    expected.extend(stays.expected().0);
    database.points().assert_equal(&expected);
}

// Telegraf issue 3553: a consumer whose offset had been cut off by retention never read again.
#[test]
fn records_cut_off_before_they_were_read_are_told_of_and_the_rest_is_read() {
    let topic = Topic::create("cutoff", 1);
    let database = Database::create("cutoff");
    let connector = Connector::new(&topic, "c").into_database(&database);
    topic.produce(&prices(100, "BTC-USD", LONG_AGO_MS));
    let group = topic.group(&connector.name);
    let mut sluice = Sluice::start(&[&connector]);
    sluice.until("the first records to be read", |_| group.at_end());
    sluice.stop();
    let read = topic.expected();

    topic.produce(&prices(200, "ETH-USD", LONG_AGO_MS + 10_000));
    topic.cut_off(250);
    let mut sluice = Sluice::start(&[&connector]);
    sluice.until("what is left to be read", |_| group.at_end());
    let warning = sluice.logged(&["kafka no longer has the offset to read on from", "\"level\":\"WARN\""]).unwrap();
    for told in [&format!("{}-0", topic.name), "at offset 100"] {
        assert!(warning.contains(told), "{told:?} is not told in: {warning}");
    }
    sluice.logged(&["partition is read on from another offset", "\"first\":250", "\"level\":\"WARN\""]).unwrap();
    assert_eq!(sluice.metrics().sum("sluice_offset_resets_total", &[]), 1.0);
    sluice.stop();
    let mut expected = topic.expected();
    expected.0.retain(|point, _| read.0.contains_key(point) || point.1 >= (LONG_AGO_MS + 10_150) * 1_000_000);
    database.points().assert_equal(&expected);
}

#[test]
fn without_an_offset_to_read_on_from_and_without_leave_to_choose_one_the_task_fails_and_says_so() {
    let topic = Topic::create("nochoice", 1);
    let database = Database::create("nochoice");
    let plain = Connector::new(&topic, "e").into_database(&database);
    let strict = plain.clone().set("consumer.override.auto.offset.reset", "error");
    let fails = |words: &str| {
        let mut sluice = Sluice::start(&[&strict]);
        assert_eq!(sluice.wait(), Some(1));
        let told = sluice.logged(&["task failed", "auto.offset.reset=error", words, "\"level\":\"ERROR\""]).unwrap();
        assert!(told.contains(&format!("{}-0", topic.name)), "{told}");
    };
    // Nothing is committed yet, then what is committed is cut off.
    topic.produce(&prices(100, "BTC-USD", LONG_AGO_MS));
    fails("no previously committed offset");
    let mut sluice = Sluice::start(&[&plain]);
    sluice.until("the first records to be read", |_| topic.group(&plain.name).at_end());
    sluice.stop();
    topic.produce(&prices(100, "ETH-USD", LONG_AGO_MS + 10_000));
    topic.cut_off(150);
    fails("out of range");
}
