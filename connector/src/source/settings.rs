//! The consumer's settings: what Sluice needs, what it chose for speed and bounded memory, what the user overrides.

use std::collections::BTreeMap;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::topic_partition_list::Offset;

use crate::config::{ConnectorConfig, WorkerConfig};

/// Chosen by measurement or by need; all of them may be overridden with `consumer.override.*`.
pub const DEFAULTS: &[(&str, &str)] = &[
    // As Kafka Connect has it for a sink.
    ("auto.offset.reset", "earliest"),
    ("isolation.level", "read_committed"),
    // A rebalance stops only the partitions that move.
    ("partition.assignment.strategy", "cooperative-sticky"),
    // A topic that is not there is a mistake to be told of, not to be made.
    ("allow.auto.create.topics", "false"),
    // With the default of 1,000 ms a full queue stays empty too long after it was drained: 0.73 M against 1.8 M records/s.
    ("fetch.queue.backoff.ms", "1"),
    // Together they bound what is fetched ahead. More brings no speed, only memory; less starves the pipeline.
    ("queued.min.messages", "20000"),
    ("queued.max.messages.kbytes", "16384"),
    ("fetch.message.max.bytes", "262144"),
    // Of all partitions of a broker together: without it twelve of them bring three times what four do, at once (113 MB instead of 74).
    ("fetch.max.bytes", "1048576"),
    ("socket.nagle.disable", "true"),
    ("reconnect.backoff.max.ms", "2000"),
    ("log.connection.close", "false"),
];

/// Makes a member static: the group keeps its partitions for it while it is away for less than `session.timeout.ms`.
pub(super) const INSTANCE_ID: &str = "group.instance.id";

/// What `group.protocol=consumer` does not have: there the brokers assign. librdkafka refuses a client that sets one of them.
const CLASSIC: &[&str] = &["partition.assignment.strategy"];

/// The delivery guarantee rests on these: offsets are committed by the ledger and by nothing else.
const FIXED: &[(&str, &str)] = &[("enable.auto.commit", "false"), ("enable.auto.offset.store", "false")];

/// The part of librdkafka that tells in its debug log, and nowhere else, that a topic was made anew. It writes a few lines at each look at
/// the topics, every five minutes.
const RENEWAL: &str = "metadata";

/// Where reading begins without an offset to read on from, of a topic that was made anew; `None` if the settings allow no choice.
pub fn beginning(connector: &ConnectorConfig) -> Option<Offset> {
    match connector.consumer.get("auto.offset.reset").map(String::as_str) {
        Some("error") => None,
        Some("latest" | "largest" | "end") => Some(Offset::End),
        // Not the logical beginning: librdkafka would take the one that it remembers of the topic before.
        _ => Some(Offset::Offset(0)),
    }
}

/// The settings of one task's consumer. What is set later weighs more: our choice, the worker's, the connector's.
pub(super) fn consumer(worker: &WorkerConfig, connector: &ConnectorConfig, task: u32) -> ClientConfig {
    let mut config = layered(worker, connector, &format!("connector-consumer-{}-{task}", connector.name));
    // That a log no longer has the offset to read on from is told in a warning, and that a topic was made anew at this level.
    config.set_log_level(RDKafkaLogLevel::Debug);
    let debug = config.get("debug").filter(|contexts| !contexts.is_empty());
    config.set("debug", debug.map_or(RENEWAL.to_owned(), |contexts| format!("{contexts},{RENEWAL}")));
    if let Some(id) = connector.consumer.get(INSTANCE_ID) {
        // The group throws a member out when another one comes with its id, so tasks can't share theirs.
        config.set(INSTANCE_ID, format!("{id}-{task}"));
    }
    config
}

/// The settings of a client that asks after the connector's group without being in it: of the group, the brokers and the credentials that
/// the tasks have.
pub(crate) fn outsider(worker: &WorkerConfig, connector: &ConnectorConfig, client_id: &str) -> ClientConfig {
    let mut config = layered(worker, connector, client_id);
    config.set("client.id", client_id);
    // That is where it says why a broker can't be reached.
    config.set_log_level(RDKafkaLogLevel::Info);
    // Asking after a topic must not make it.
    config.set("allow.auto.create.topics", "false");
    config.remove(INSTANCE_ID);
    config
}

fn layered(worker: &WorkerConfig, connector: &ConnectorConfig, client_id: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("client.id", client_id);
    let classic = connector.consumer.get("group.protocol").is_none_or(|protocol| protocol == "classic");
    for (key, value) in DEFAULTS.iter().filter(|(key, _)| classic || !CLASSIC.contains(key)) {
        config.set(*key, *value);
    }
    for (key, value) in &worker.client {
        config.set(key, value);
    }
    config.set("group.id", format!("{}{}", worker.group_prefix, connector.name));
    for (key, value) in &connector.consumer {
        config.set(key, value);
    }
    for (key, value) in FIXED {
        config.set(*key, *value);
    }
    config
}

/// The value of a property of a task's consumer that is a number.
pub(crate) fn number(worker: &WorkerConfig, connector: &ConnectorConfig, property: &str) -> Option<u64> {
    layered(worker, connector, "").get(property)?.parse().ok()
}

/// The name of a task's consumer among the brokers' clients.
pub fn client_id(worker: &WorkerConfig, connector: &ConnectorConfig, task: u32) -> String {
    consumer(worker, connector, task).get("client.id").unwrap_or_default().to_owned()
}

/// A configuration with the worker's client settings (`bootstrap.servers`, TLS, SASL), for a client that is in no group.
pub fn client(settings: &BTreeMap<String, String>) -> ClientConfig {
    let mut config = ClientConfig::new();
    for (key, value) in settings {
        config.set(key, value);
    }
    config
}
