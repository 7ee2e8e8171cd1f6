//! An offset moves only after the dead-letter topic has acknowledged; until then the task says why it waits.

use crate::support::influx::Database;
use crate::support::kafka::Topic;
use crate::support::letters::{Letter, LetterTopic};
use crate::support::points::{LONG_AGO_MS, Record, feed};
use crate::support::proxy::Proxy;
use crate::support::services;
use crate::support::sluice::{Connector, Sluice};

/// `Ok` with the reason once the one task is in this state.
fn in_state(sluice: &Sluice, state: &str) -> Result<String, String> {
    match sluice.get_json("/health/ready") {
        (503, health) if health["tasks"][0]["state"] == state => {
            Ok(health["tasks"][0]["reason"].as_str().unwrap().to_owned())
        }
        (status, health) => Err(format!("{status} {health}")),
    }
}

#[test]
fn a_topic_that_cannot_be_made_is_told_of_and_waited_for() {
    let topic = Topic::create("nodlq", 1);
    let letters = LetterTopic::unmade("nodlq");
    let database = Database::create("nodlq");
    // Kafka Connect's default, and one broker.
    let connector = Connector::new(&topic, "n")
        .into_database(&database)
        .with_letters(&letters)
        .set("errors.deadletterqueue.topic.replication.factor", "3");
    topic.produce(&[Record::other(0, LONG_AGO_MS, Some("bad"))]);
    let mut sluice = Sluice::start(&[&connector]);
    let reason = sluice.until("the alarm", |sluice| in_state(sluice, "held"));
    for told in [letters.name.as_str(), "errors.deadletterqueue.topic.replication.factor"] {
        assert!(reason.contains(told), "{told:?} is not told in: {reason}");
    }
    let _made = Topic::create_named(&letters.name, 1);
    let group = topic.group(&connector.name);
    sluice.until("everything to be committed", |_| group.at_end());
    sluice.until("readiness", Sluice::ready);
    assert_eq!(letters.all().len(), 1);
    sluice.stop();
}

#[test]
fn no_offset_moves_before_its_letter_has_arrived() {
    let topic = Topic::create("late", 1);
    let letters = LetterTopic::unmade("late");
    let _made = Topic::create_named(&letters.name, 1);
    let database = Database::create("late");
    let port = Proxy::closed();
    // The producer of dead letters alone does not reach Kafka.
    let connector = Connector::new(&topic, "l")
        .into_database(&database)
        .with_letters(&letters)
        .set("producer.override.bootstrap.servers", port.address())
        .set("producer.override.message.timeout.ms", "500");
    topic.produce(&feed(100, 10, |_| (0, "BTC-USD")));
    topic.produce(&[Record::other(0, LONG_AGO_MS, Some("bad"))]);
    topic.produce(&feed(200, 10, |_| (0, "ETH-USD")));
    let mut sluice = Sluice::start(&[&connector]);
    let reason = sluice.until("the trouble to show", |sluice| in_state(sluice, "retrying"));
    assert!(reason.contains(&letters.name) && reason.contains("offset 100"), "{reason}");
    let group = topic.group(&connector.name);
    sluice.until("what comes before it to be committed", |_| match group.committed()[&0] {
        100 => Ok(()),
        other => Err(other),
    });
    sluice.until("what comes after it to be stored", |_| match database.count() {
        300 => Ok(()),
        other => Err(other),
    });
    assert_eq!(group.committed()[&0], 100);
    assert!(sluice.metrics().sum("kafka_connect_task_error_deadletterqueue_produce_failures", &[]) >= 1.0);

    port.open(services::kafka());
    sluice.until("everything to be committed", |_| group.at_end());
    sluice.until("readiness", Sluice::ready);
    assert_eq!(letters.all().iter().map(Letter::origin).collect::<Vec<_>>(), [(0, 100)]);
    sluice.stop();
}

// Killed between reading the bad record and the acknowledgement of its letter: the worst moment.
#[test]
fn kill_9_before_the_letter_has_arrived_loses_no_record() {
    let topic = Topic::create("killdlq", 1);
    let letters = LetterTopic::unmade("killdlq");
    let _made = Topic::create_named(&letters.name, 1);
    let database = Database::create("killdlq");
    let connector = Connector::new(&topic, "k")
        .into_database(&database)
        .with_letters(&letters)
        .set("consumer.override.session.timeout.ms", "6000");
    let cut_off = connector
        .clone()
        .set("producer.override.bootstrap.servers", Proxy::closed().address())
        .set("producer.override.message.timeout.ms", "500");
    topic.produce(&[Record::other(0, LONG_AGO_MS, Some("bad"))]);
    topic.produce(&feed(200, 10, |_| (0, "ETH-USD")));
    let mut sluice = Sluice::start(&[&cut_off]);
    sluice.until("the letter to be under way", |sluice| in_state(sluice, "retrying"));
    sluice.until("the prices to be stored", |_| match database.count() {
        200 => Ok(()),
        other => Err(other),
    });
    sluice.kill();
    assert_eq!(topic.group(&connector.name).committed()[&0], 0);

    let mut sluice = Sluice::start(&[&connector]);
    let group = topic.group(&connector.name);
    sluice.until("everything to be committed", |_| group.at_end());
    sluice.stop();
    assert_eq!(letters.all().iter().map(Letter::origin).collect::<Vec<_>>(), [(0, 0)]);
    database.points().assert_equal(&topic.expected());
}

#[test]
fn a_letter_too_large_for_the_topic_goes_without_its_value_and_its_companions_whole() {
    let topic = Topic::create("bigdlq", 1);
    let letters = LetterTopic::unmade("bigdlq");
    let _made = Topic::create_named_with(&letters.name, 1, &[("max.message.bytes", "3000")]);
    let database = Database::create("bigdlq");
    let connector = Connector::new(&topic, "b").into_database(&database).with_letters(&letters);
    let values: Vec<String> = [10, 20, 5_000, 30, 6_000, 40].iter().map(|&length| "x".repeat(length)).collect();
    let records: Vec<_> = values.iter().map(|value| Record::other(0, LONG_AGO_MS, Some(value))).collect();
    topic.produce(&records);
    let mut sluice = Sluice::start(&[&connector]);
    let group = topic.group(&connector.name);
    sluice.until("everything to be committed", |_| group.at_end());
    sluice.stop();
    let mut all = letters.all();
    all.sort_by_key(Letter::origin);
    assert_eq!(all.iter().map(Letter::origin).collect::<Vec<_>>(), (0..6).map(|n| (0, n)).collect::<Vec<_>>());
    for (letter, value) in all.iter().zip(&values) {
        if value.len() > 1_000 {
            assert_eq!(letter.value, None);
            assert_eq!(letter.header("sluice.omitted"), "value");
            assert_eq!(letter.header("__connect.errors.topic"), topic.name);
        } else {
            assert_eq!(letter.value.as_deref(), Some(value.as_bytes()));
        }
    }
}

#[test]
fn a_topic_that_is_read_takes_no_letters() {
    let topic = Topic::create("loop", 1);
    let letters = LetterTopic::named(&format!("{}-dlq", topic.name));
    let _made = Topic::create_named(&letters.name, 1);
    let database = Database::create("loop");
    let connector = Connector::new(&topic, "l")
        .into_database(&database)
        .with_letters(&letters)
        .set("topics", "")
        .set("topics.regex", format!("{}.*", topic.name));
    let mut sluice = Sluice::start(&[&connector]);
    assert_eq!(sluice.wait(), Some(2));
    let told = sluice.log();
    assert!(told.contains(&letters.name) && told.contains("topics.regex"), "{told}");
}
