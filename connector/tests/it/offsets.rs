//! The committed offsets of a connector's group: read, altered and reset on a real Kafka, also through the REST API.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::Offset;
use serde_json::{Value, json};
use sluice::config::{ConnectorConfig, WorkerConfig};
use sluice::offsets::{CommittedOffset, Group, OffsetChange, OffsetsError};

use crate::support::http;
use crate::support::influx::Database;
use crate::support::kafka::{Topic, unique};
use crate::support::own::OwnKafka;
use crate::support::points::{Record, feed};
use crate::support::services;
use crate::support::sluice::{Connector, Sluice};
use crate::support::wait::{DEADLINE, equal, until};
use crate::support::worker;

/// Long enough for a busy machine: only a failure lasts as long.
const LONG: Duration = DEADLINE;
/// Members that are there stay.
const NOT_AT_ALL: Duration = Duration::ZERO;

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// The group of a connector with these settings, of a worker whose Kafka is at `kafka`.
fn group_at(kafka: &str, name: &str, settings: &[(&str, &str)]) -> Group {
    let worker = WorkerConfig::check(&map(&[("bootstrap.servers", kafka)]), [], &BTreeMap::new()).unwrap().config;
    let own = [
        ("name", name),
        ("connector.class", "InfluxSink"),
        ("topics", "prices"),
        ("transform.module", "builtin:split-concat"),
        ("influx.url", "http://localhost:8086"),
        ("influx.database", "prices"),
    ];
    let connector = ConnectorConfig::check(&map(&[&own, settings].concat())).unwrap().config;
    Group::new(&worker, &connector).within(LONG, NOT_AT_ALL)
}

fn group(name: &str) -> Group {
    group_at(services::kafka(), name, &[])
}

fn change(topic: &Topic, partition: i32, offset: Option<i64>) -> OffsetChange {
    OffsetChange { topic: topic.name.clone(), partition, offset }
}

fn committed(topic: &Topic, offsets: &[(i32, i64)]) -> Vec<CommittedOffset> {
    let one = |&(partition, offset): &(i32, i64)| CommittedOffset { topic: topic.name.clone(), partition, offset };
    offsets.iter().map(one).collect()
}

/// A consumer that is in the group.
fn member(group: &str, topic: &Topic, settings: &[(&str, &str)]) -> BaseConsumer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", services::kafka()).set("group.id", group).set("client.id", "the-member");
    for (key, value) in settings {
        config.set(*key, *value);
    }
    let consumer: BaseConsumer = config.create().unwrap();
    consumer.subscribe(&[&topic.name]).unwrap();
    until("a member to have its partitions", || {
        let _ = consumer.poll(Duration::from_millis(10));
        equal(consumer.assignment().unwrap().count(), &(topic.partitions as usize))
    });
    consumer
}

#[test]
fn offsets_are_set_read_and_deleted_and_the_group_is_reset_twice() {
    let (topic, other) = (Topic::create("offsets", 3), Topic::create("offsets-other", 1));
    let group = group(&unique("offsets"));
    assert_eq!(group.read().unwrap(), [], "a group that is not there has committed nothing");

    // Beyond the end: what the log has is not looked at.
    group.alter(&[change(&topic, 2, Some(9)), change(&topic, 0, Some(5)), change(&topic, 1, Some(0))]).unwrap();
    assert_eq!(group.read().unwrap(), committed(&topic, &[(0, 5), (1, 0), (2, 9)]));

    group.alter(&[change(&topic, 1, None), change(&topic, 0, Some(7)), change(&topic, 0, Some(3))]).unwrap();
    assert_eq!(group.read().unwrap(), committed(&topic, &[(0, 3), (2, 9)]));

    group.alter(&[change(&topic, 0, None), change(&topic, 1, None)]).unwrap();
    assert_eq!(group.read().unwrap(), committed(&topic, &[(2, 9)]), "to delete what is not there is no error");

    // Topics come by name, whichever was first.
    group.alter(&[change(&other, 0, Some(1))]).unwrap();
    let mut both = [committed(&topic, &[(2, 9)]), committed(&other, &[(0, 1)])].concat();
    both.sort();
    assert_eq!(group.read().unwrap(), both, "also of a topic that the connector does not read");

    group.reset().unwrap();
    assert_eq!(group.read().unwrap(), []);
    group.reset().unwrap();

    let error = group.alter(&[change(&topic, 0, None)]).unwrap_err();
    assert!(error.to_string().contains("nothing has been committed in this group"), "{error}");
}

#[test]
fn what_is_no_partition_is_refused_before_anything_is_changed() {
    let topic = Topic::create("offsets-wrong", 2);
    let group = group(&unique("offsets-wrong"));
    group.alter(&[change(&topic, 0, Some(5)), change(&topic, 1, Some(5))]).unwrap();
    let elsewhere = |topic: &str| OffsetChange { topic: topic.to_owned(), partition: 0, offset: Some(1) };
    let wrong = [
        (change(&topic, 2, Some(1)), "has no partition 2"),
        (change(&topic, -1, None), "has no partition -1"),
        (elsewhere(&unique("no-such-topic")), "there is no topic"),
        (elsewhere("a b\0c"), "there is no topic"),
        (elsewhere(""), "there is no topic"),
        (change(&topic, 1, Some(-1)), "is negative"),
    ];
    for (wrong, words) in wrong {
        let error = group.alter(&[change(&topic, 0, Some(9)), wrong]).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
    assert_eq!(group.read().unwrap(), committed(&topic, &[(0, 5), (1, 5)]));
}

/// A group with a member refuses to be changed, says who is there, and takes the change once the member has left.
fn member_in_the_way(test: &str, settings: &[(&str, &str)]) {
    let (topic, unread) = (Topic::create(test, 1), Topic::create(&format!("{test}-unread"), 1));
    let group = group(&unique(test));
    group.alter(&[change(&topic, 0, Some(5)), change(&unread, 0, Some(6))]).unwrap();
    let before = group.read().unwrap();
    let member = member(group.name(), &topic, settings);

    // Kafka alone would let the offset of the topic that nobody reads be deleted.
    let delete = [change(&topic, 0, None), change(&unread, 0, None)];
    let refused = [group.alter(&[change(&topic, 0, Some(7))]), group.alter(&delete), group.reset()];
    for error in refused.map(Result::unwrap_err) {
        assert!(matches!(error, OffsetsError::Occupied { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("zombie sink task") && text.contains("`the-member` at /127.0.0.1"), "{text}");
    }
    assert_eq!(group.read().unwrap(), before, "reading is allowed, and nothing was changed");

    drop(member);
    let patient = group.clone().within(LONG, LONG);
    patient.alter(&[change(&topic, 0, Some(7)), change(&unread, 0, None)]).unwrap();
    assert_eq!(group.read().unwrap(), committed(&topic, &[(0, 7)]));
    patient.reset().unwrap();
    assert_eq!(group.read().unwrap(), []);
}

#[test]
fn a_member_is_in_the_way_until_it_leaves() {
    member_in_the_way("offsets-member", &[]);
}

// KIP-848: other requests inside, the same outside.
#[test]
fn a_member_of_the_consumer_protocol_is_in_the_way_until_it_leaves() {
    member_in_the_way("offsets-kip848", &[("group.protocol", "consumer")]);
}

// It says no good-bye, so whoever asks finds it there for the six seconds of its session.
#[test]
fn members_are_given_time_to_leave() {
    let topic = Topic::create("offsets-static", 1);
    let group = group(&unique("offsets-static"));
    let static_member = [("group.instance.id", "one"), ("session.timeout.ms", "6000")];
    drop(member(group.name(), &topic, &static_member));
    let patient = group.clone().within(LONG, LONG);
    patient.alter(&[change(&topic, 0, Some(7))]).unwrap();
    drop(member(group.name(), &topic, &static_member));
    patient.reset().unwrap();
    assert_eq!(group.read().unwrap(), []);
}

#[test]
fn the_overridden_group_is_the_one() {
    let topic = Topic::create("offsets-override", 1);
    let (name, own) = (unique("offsets-override"), unique("overridden"));
    let overridden = group_at(services::kafka(), &name, &[("consumer.override.group.id", &own)]);
    overridden.alter(&[change(&topic, 0, Some(5))]).unwrap();
    assert_eq!(overridden.read().unwrap(), committed(&topic, &[(0, 5)]));
    assert_eq!(overridden.name(), own);
    let default = group(&name);
    assert_eq!(default.name(), format!("connect-{name}"));
    assert_eq!(default.read().unwrap(), []);
    overridden.reset().unwrap();
    assert_eq!(overridden.read().unwrap(), []);
}

#[test]
fn a_group_of_the_consumer_protocol_is_not_joined_by_asking() {
    let topic = Topic::create("offsets-848", 1);
    let settings = [("consumer.override.group.protocol", "consumer")];
    let group = group_at(services::kafka(), &unique("offsets-848"), &settings);
    group.alter(&[change(&topic, 0, Some(5))]).unwrap();
    assert_eq!(group.read().unwrap(), committed(&topic, &[(0, 5)]));
    // One that had joined would be in its own way.
    group.alter(&[change(&topic, 0, None)]).unwrap();
    group.reset().unwrap();
}

#[test]
fn another_kafka_is_asked_if_the_connector_reads_from_it() {
    let kafka = OwnKafka::start(&[]);
    let topic = Topic::create_on(kafka.address(), "offsets-elsewhere", 1);
    let name = unique("offsets-elsewhere");
    let elsewhere = [("consumer.override.bootstrap.servers", kafka.address())];
    let group = group_at(services::kafka(), &name, &elsewhere);
    group.alter(&[change(&topic, 0, Some(5))]).unwrap();
    assert_eq!(group.read().unwrap(), committed(&topic, &[(0, 5)]));
    assert_eq!(group_at(services::kafka(), &name, &[]).read().unwrap(), []);

    // A coordinator that starts again is waited for.
    kafka.kill();
    kafka.restart();
    assert_eq!(group.read().unwrap(), committed(&topic, &[(0, 5)]));
    group.reset().unwrap();
    assert_eq!(group.read().unwrap(), []);
}

#[test]
fn brokers_that_do_not_answer_are_said_within_the_time() {
    // One that refuses connections, and one that takes them and says nothing.
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let refuses = free.local_addr().unwrap().to_string();
    drop(free);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let is_silent = listener.local_addr().unwrap().to_string();
    for (kafka, words) in [(&refuses, "Connection refused"), (&is_silent, "")] {
        let group = group_at(kafka, "offsets-nowhere", &[]).within(Duration::from_secs(2), Duration::from_secs(1));
        let change = OffsetChange { topic: "prices".to_owned(), partition: 0, offset: Some(1) };
        let started = Instant::now();
        let errors = [group.read().map(drop), group.alter(&[change]), group.reset()].map(Result::unwrap_err);
        assert!(started.elapsed() < LONG, "asked for {:?}", started.elapsed());
        for error in errors {
            assert!(matches!(error, OffsetsError::Unreachable { .. }), "{error}");
            let text = error.to_string();
            assert!(text.contains(kafka) && text.contains(words) && text.contains("connect-offsets-nowhere"), "{text}");
        }
    }
}

/// Sends a body to the offsets at `url`, and gives back status and answer.
fn send(method: &str, url: &str, body: &Value) -> (u16, Value) {
    let headers = [("Content-Type", "application/json")];
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let answer = http::send(method, url, &headers, body.as_bytes()).unwrap();
    (answer.status, serde_json::from_str(&answer.body).unwrap())
}

fn body(topic: &Topic, offsets: &[(i32, Option<i64>)]) -> Value {
    let one = |&(partition, offset): &(i32, Option<i64>)| {
        let offset = offset.map(|offset| json!({"kafka_offset": offset}));
        json!({"partition": {"kafka_topic": topic.name, "kafka_partition": partition}, "offset": offset})
    };
    json!({"offsets": offsets.iter().map(one).collect::<Vec<_>>()})
}

#[test]
fn a_stopped_connectors_offsets_are_altered_and_reset_over_rest() {
    let (state, topic) = (tempfile::tempdir().unwrap(), Topic::create("offsets-rest", 2));
    let database = Database::create("offsets-rest");
    let connector = Connector::new(&topic, "rest").into_database(&database);
    let group = group(&connector.name);
    let mut sluice = worker::start(state.path());
    worker::create(&sluice, &connector, Some("STOPPED"));
    let url = sluice.url(&worker::path(&connector, "/offsets"));

    assert_eq!(send("GET", &url, &Value::Null), (200, json!({"offsets": []})));
    let altered = json!({"message": "The offsets for this connector have been altered successfully"});
    let first = body(&topic, &[(0, Some(5)), (1, Some(6))]);
    assert_eq!(send("PATCH", &url, &first), (200, altered.clone()));
    assert_eq!(send("GET", &format!("{url}/"), &Value::Null), (200, first));
    assert_eq!(send("PATCH", &url, &body(&topic, &[(0, None), (1, Some(3))])), (200, altered));
    assert_eq!(send("GET", &url, &Value::Null), (200, body(&topic, &[(1, Some(3))])));

    let (status, refused) = send("PATCH", &url, &body(&topic, &[(7, Some(1))]));
    assert_eq!((status, &refused["error_code"]), (500, &json!(500)));
    assert!(refused["message"].as_str().unwrap().contains("has no partition 7"), "{refused}");

    let member = member(group.name(), &topic, &[]);
    for (method, body) in [("PATCH", body(&topic, &[(0, Some(1))])), ("DELETE", Value::Null)] {
        let (status, refused) = send(method, &url, &body);
        assert_eq!(status, 500, "{refused}");
        assert!(refused["message"].as_str().unwrap().contains("zombie sink task"), "{refused}");
    }
    drop(member);

    let reset = json!({"message": "The offsets for this connector have been reset successfully"});
    let answer = until("the member to have left", || match send("DELETE", &url, &Value::Null) {
        (200, answer) => Ok(answer),
        other => Err(other),
    });
    assert_eq!(answer, reset);
    assert_eq!(send("GET", &url, &Value::Null), (200, json!({"offsets": []})));
    assert_eq!(send("DELETE", &url, &Value::Null), (200, reset), "again");

    topic.produce(&feed(40, 100, |record| ((record % 2) as i32, "BTC-USD")));
    let from = body(&topic, &[(0, Some(5)), (1, Some(15))]);
    assert_eq!(send("PATCH", &url, &from).0, 200);
    worker::tell(&sluice, &connector, "resume");
    let all = body(&topic, &[(0, Some(20)), (1, Some(20))]);
    sluice.until("the rest to be committed", |_| equal(send("GET", &url, &Value::Null), &(200, all.clone())));
    assert_eq!(database.count(), 15 + 5, "only what comes at or after the offsets was read");
    // At once after the stop: the members that are leaving are waited for.
    worker::tell(&sluice, &connector, "stop");
    assert_eq!(send("DELETE", &url, &Value::Null).0, 200);
    worker::tell(&sluice, &connector, "resume");
    sluice.until("all to be committed again", |_| equal(send("GET", &url, &Value::Null), &(200, all.clone())));
    assert_eq!(database.count(), 40, "from the beginning, and the same points again");
    sluice.stop();
}

#[test]
fn a_running_connectors_offsets_are_shown_and_may_not_be_changed() {
    let topic = Topic::create("offsets-run", 2);
    let database = Database::create("offsets-run");
    let connector = Connector::new(&topic, "r").into_database(&database);
    let records: Vec<Record> = feed(40, 100, |record| ((record % 2) as i32, "BTC-USD"));
    topic.produce(&records);
    let mut sluice = Sluice::start(&[&connector]);
    let url = sluice.url(&format!("/connectors/{}/offsets", connector.name));
    let all = body(&topic, &[(0, Some(20)), (1, Some(20))]);
    sluice.until("everything to be committed", |_| equal(send("GET", &url, &Value::Null), &(200, all.clone())));

    for (method, body) in [("PATCH", body(&topic, &[(0, Some(0))])), ("DELETE", Value::Null)] {
        let (status, refused) = send(method, &url, &body);
        assert_eq!((status, &refused["error_code"]), (400, &json!(400)));
        let message = refused["message"].as_str().unwrap();
        assert!(message.starts_with("Connectors must be in the STOPPED state before"), "{message}");
    }
    assert_eq!(send("GET", &url, &Value::Null), (200, all));
    let (status, missing) = send("GET", &sluice.url("/connectors/nobody/offsets"), &Value::Null);
    assert_eq!((status, missing), (404, json!({"error_code": 404, "message": "Connector nobody not found"})));
    sluice.stop();
}

// What is altered here is what a task reads on from.
#[test]
fn a_connector_reads_on_from_the_offset_that_was_set() {
    let topic = Topic::create("offsets-from", 1);
    let database = Database::create("offsets-from");
    let connector = Connector::new(&topic, "f").into_database(&database);
    topic.produce(&feed(20, 100, |_| (0, "BTC-USD")));
    group(&connector.name).alter(&[change(&topic, 0, Some(15))]).unwrap();
    let mut sluice = Sluice::start(&[&connector]);
    let committed = topic.group(&connector.name);
    sluice.until("everything to be committed", |_| committed.at_end());
    sluice.stop();
    assert_eq!(database.points().len(), 5, "only those from the offset on");
    let end = Offset::Offset(20);
    assert_eq!(Some(group(&connector.name).read().unwrap()[0].offset), end.to_raw());
}
