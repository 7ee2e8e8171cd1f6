#![allow(clippy::unwrap_used, reason = "tests")]

use rdkafka::mocking::MockCluster;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::*;

fn group(connector: &[(&str, &str)]) -> Group {
    let map =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let worker = [
        ("bootstrap.servers", "one:9092"),
        ("connect.group.prefix", "sluice-"),
        ("sasl.mechanism", "PLAIN"),
        ("sasl.username", "ann"),
        ("sasl.password", "worker-secret"),
    ];
    let worker = WorkerConfig::check(&map(&worker), [], &BTreeMap::new()).unwrap().config;
    let own = [
        ("name", "prices"),
        ("connector.class", "InfluxSink"),
        ("topics", "prices"),
        ("transform.module", "builtin:split-concat"),
        ("influx.url", "http://localhost:8086"),
        ("influx.database", "prices"),
    ];
    let own = ConnectorConfig::check(&map(&[&own, connector].concat())).unwrap().config;
    Group::new(&worker, &own)
}

#[test]
fn the_group_and_its_brokers_are_those_of_the_tasks() {
    let plain = group(&[]);
    assert_eq!((plain.name(), plain.brokers.as_str()), ("sluice-prices", "one:9092"));
    assert_eq!(plain.client.get("sasl.password"), Some("worker-secret"));

    let overridden = group(&[
        ("consumer.override.group.id", "other"),
        ("consumer.override.bootstrap.servers", "two:9092"),
        ("consumer.override.sasl.password", "own-secret"),
        ("consumer.override.group.instance.id", "static"),
        ("consumer.override.client.id", "task"),
    ]);
    assert_eq!((overridden.name(), overridden.brokers.as_str()), ("other", "two:9092"));
    assert_eq!(overridden.client.get("sasl.password"), Some("own-secret"));
    assert_eq!(overridden.client.get("group.instance.id"), None, "it is no member");
    assert_eq!(overridden.client.get("client.id"), Some("connector-offsets-prices"), "brokers tell it from a task");
    assert!(!format!("{overridden:?}").contains("secret"));
}

#[test]
fn negative_offsets_are_refused_before_anything_is_asked() {
    let change = OffsetChange { topic: "prices".to_owned(), partition: 1, offset: Some(-5) };
    let error = group(&[]).alter(std::slice::from_ref(&change)).unwrap_err();
    assert!(matches!(error, OffsetsError::Negative { partition: 1, offset: -5, .. }), "{error}");
    assert!(group(&[]).alter(&[]).is_ok());
}

// A coordinator that has just moved: an admin client would follow a null pointer at the first of these answers.
#[test]
fn a_coordinator_that_moves_is_asked_again() {
    let kafka = MockCluster::new(1).unwrap();
    let servers = kafka.bootstrap_servers();
    let group = group(&[
        ("consumer.override.bootstrap.servers", &servers),
        ("consumer.override.security.protocol", "plaintext"),
    ]);
    let moving = [
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
    ];
    kafka.request_errors(RDKafkaApiKey::OffsetFetch, &moving);
    assert_eq!(group.read().unwrap(), []);

    kafka.request_errors(RDKafkaApiKey::OffsetFetch, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED]);
    let error = group.read().unwrap_err();
    assert!(matches!(error, OffsetsError::Refused { .. }), "{error}");
    assert!(error.to_string().contains("DESCRIBE and READ the group"), "{error}");
}
