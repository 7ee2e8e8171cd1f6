//! The properties librdkafka 2.12.1 has, from its CONFIGURATION.md: so that a wrong name or value is told by `validate`, without a
//! client made or a broker asked.
//!
//! Left out: OAUTHBEARER and Kerberos, which are not built in, and what can only be set by a function call ([`BY_FUNCTION`]).

use super::keys::Kind::{self, Bool, Choice, Int, Text};
use Scope::{Any, Consumer, Producer};

/// One property.
#[derive(Debug, Clone, Copy)]
pub(super) struct Property {
    pub(super) name: &'static str,
    pub(super) scope: Scope,
    pub(super) meaning: Meaning,
}

/// Which kind of client has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Any,
    Consumer,
    Producer,
}

/// What a property's name stands for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Meaning {
    /// Itself, with values of this kind.
    Itself(Kind),
    /// Another name of this property.
    Alias(&'static str),
}

/// The property of this name.
pub(super) fn find(name: &str) -> Option<&'static Property> {
    PROPERTIES.iter().find(|property| property.name == name)
}

const fn property(name: &'static str, scope: Scope, kind: Kind) -> Property {
    Property { name, scope, meaning: Meaning::Itself(kind) }
}

const fn alias(name: &'static str, scope: Scope, of: &'static str) -> Property {
    Property { name, scope, meaning: Meaning::Alias(of) }
}

/// Properties that take a function or an object and no text.
pub(super) const BY_FUNCTION: &[&str] = &[
    "error_cb",
    "throttle_cb",
    "stats_cb",
    "log_cb",
    "background_event_cb",
    "socket_cb",
    "connect_cb",
    "closesocket_cb",
    "open_cb",
    "resolve_cb",
    "opaque",
    "default_topic_conf",
    "ssl_key",
    "ssl_certificate",
    "ssl_ca",
    "ssl_engine_callback_data",
    "ssl.certificate.verify_cb",
    "oauthbearer_token_refresh_cb",
    "interceptors",
    "consume_cb",
    "rebalance_cb",
    "offset_commit_cb",
    "dr_cb",
    "dr_msg_cb",
    "partitioner_cb",
    "msg_order_cmp",
];

/// All others.
pub(super) const PROPERTIES: &[Property] = &[
    property("client.id", Any, Text),
    alias("metadata.broker.list", Any, "bootstrap.servers"),
    property("bootstrap.servers", Any, Text),
    property("message.max.bytes", Any, Int(1_000, 1_000_000_000)),
    property("message.copy.max.bytes", Any, Int(0, 1_000_000_000)),
    property("receive.message.max.bytes", Any, Int(1_000, 2_147_483_647)),
    property("max.in.flight.requests.per.connection", Any, Int(1, 1_000_000)),
    alias("max.in.flight", Any, "max.in.flight.requests.per.connection"),
    property("metadata.recovery.strategy", Any, Choice(&["none", "rebootstrap"])),
    property("metadata.recovery.rebootstrap.trigger.ms", Any, Int(0, 2_147_483_647)),
    property("topic.metadata.refresh.interval.ms", Any, Int(-1, 3_600_000)),
    property("metadata.max.age.ms", Any, Int(1, 86_400_000)),
    property("topic.metadata.refresh.fast.interval.ms", Any, Int(1, 60_000)),
    property("topic.metadata.refresh.fast.cnt", Any, Int(0, 1_000)),
    property("topic.metadata.refresh.sparse", Any, Bool),
    property("topic.metadata.propagation.max.ms", Any, Int(0, 3_600_000)),
    property("topic.blacklist", Any, Text),
    property("debug", Any, Text),
    property("socket.timeout.ms", Any, Int(10, 300_000)),
    property("socket.blocking.max.ms", Any, Int(1, 60_000)),
    property("socket.send.buffer.bytes", Any, Int(0, 100_000_000)),
    property("socket.receive.buffer.bytes", Any, Int(0, 100_000_000)),
    property("socket.keepalive.enable", Any, Bool),
    property("socket.nagle.disable", Any, Bool),
    property("socket.max.fails", Any, Int(0, 1_000_000)),
    property("broker.address.ttl", Any, Int(0, 86_400_000)),
    property("broker.address.family", Any, Choice(&["any", "v4", "v6"])),
    property("socket.connection.setup.timeout.ms", Any, Int(1_000, 2_147_483_647)),
    property("connections.max.idle.ms", Any, Int(0, 2_147_483_647)),
    property("reconnect.backoff.jitter.ms", Any, Int(0, 3_600_000)),
    property("reconnect.backoff.ms", Any, Int(0, 3_600_000)),
    property("reconnect.backoff.max.ms", Any, Int(0, 3_600_000)),
    property("statistics.interval.ms", Any, Int(0, 86_400_000)),
    property("enabled_events", Any, Int(0, 2_147_483_647)),
    property("log_level", Any, Int(0, 7)),
    property("log.queue", Any, Bool),
    property("log.thread.name", Any, Bool),
    property("enable.random.seed", Any, Bool),
    property("log.connection.close", Any, Bool),
    property("internal.termination.signal", Any, Int(0, 128)),
    property("api.version.request", Any, Bool),
    property("api.version.request.timeout.ms", Any, Int(1, 300_000)),
    property("api.version.fallback.ms", Any, Int(0, 604_800_000)),
    property("broker.version.fallback", Any, Text),
    property("allow.auto.create.topics", Any, Bool),
    property("security.protocol", Any, Choice(&["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"])),
    property("ssl.cipher.suites", Any, Text),
    property("ssl.curves.list", Any, Text),
    property("ssl.sigalgs.list", Any, Text),
    property("ssl.key.location", Any, Text),
    property("ssl.key.password", Any, Text),
    property("ssl.key.pem", Any, Text),
    property("ssl.certificate.location", Any, Text),
    property("ssl.certificate.pem", Any, Text),
    property("ssl.ca.location", Any, Text),
    property("ssl.ca.pem", Any, Text),
    property("ssl.ca.certificate.stores", Any, Text),
    property("ssl.crl.location", Any, Text),
    property("ssl.keystore.location", Any, Text),
    property("ssl.keystore.password", Any, Text),
    property("ssl.providers", Any, Text),
    property("ssl.engine.location", Any, Text),
    property("ssl.engine.id", Any, Text),
    property("enable.ssl.certificate.verification", Any, Bool),
    property("ssl.endpoint.identification.algorithm", Any, Choice(&["none", "https"])),
    property("sasl.mechanisms", Any, Text),
    alias("sasl.mechanism", Any, "sasl.mechanisms"),
    property("sasl.username", Any, Text),
    property("sasl.password", Any, Text),
    property("plugin.library.paths", Any, Text),
    property("group.id", Consumer, Text),
    property("group.instance.id", Consumer, Text),
    property("partition.assignment.strategy", Consumer, Text),
    property("session.timeout.ms", Consumer, Int(1, 3_600_000)),
    property("heartbeat.interval.ms", Consumer, Int(1, 3_600_000)),
    property("group.protocol.type", Consumer, Text),
    property("group.protocol", Consumer, Choice(&["classic", "consumer"])),
    property("group.remote.assignor", Consumer, Text),
    property("coordinator.query.interval.ms", Consumer, Int(1, 3_600_000)),
    property("max.poll.interval.ms", Consumer, Int(1, 86_400_000)),
    property("enable.auto.commit", Consumer, Bool),
    property("auto.commit.interval.ms", Consumer, Int(0, 86_400_000)),
    property("enable.auto.offset.store", Consumer, Bool),
    property("queued.min.messages", Consumer, Int(1, 10_000_000)),
    property("queued.max.messages.kbytes", Consumer, Int(1, 2_097_151)),
    property("fetch.wait.max.ms", Consumer, Int(0, 300_000)),
    property("fetch.queue.backoff.ms", Consumer, Int(0, 300_000)),
    property("fetch.message.max.bytes", Consumer, Int(1, 1_000_000_000)),
    alias("max.partition.fetch.bytes", Consumer, "fetch.message.max.bytes"),
    property("fetch.max.bytes", Consumer, Int(0, 2_147_483_135)),
    property("fetch.min.bytes", Consumer, Int(1, 100_000_000)),
    property("fetch.error.backoff.ms", Consumer, Int(0, 300_000)),
    property("offset.store.method", Consumer, Choice(&["none", "file", "broker"])),
    property("isolation.level", Consumer, Choice(&["read_uncommitted", "read_committed"])),
    property("enable.partition.eof", Consumer, Bool),
    property("check.crcs", Consumer, Bool),
    property("client.rack", Any, Text),
    property("transactional.id", Producer, Text),
    property("transaction.timeout.ms", Producer, Int(1_000, 2_147_483_647)),
    property("enable.idempotence", Producer, Bool),
    property("enable.gapless.guarantee", Producer, Bool),
    property("queue.buffering.max.messages", Producer, Int(0, 2_147_483_647)),
    property("queue.buffering.max.kbytes", Producer, Int(1, 2_147_483_647)),
    property("queue.buffering.max.ms", Producer, Int(0, 900_000)),
    alias("linger.ms", Producer, "queue.buffering.max.ms"),
    property("message.send.max.retries", Producer, Int(0, 2_147_483_647)),
    alias("retries", Producer, "message.send.max.retries"),
    property("retry.backoff.ms", Any, Int(1, 300_000)),
    property("retry.backoff.max.ms", Any, Int(1, 300_000)),
    property("queue.buffering.backpressure.threshold", Producer, Int(1, 1_000_000)),
    property("compression.codec", Producer, Choice(&["none", "gzip", "snappy", "lz4", "zstd"])),
    alias("compression.type", Producer, "compression.codec"),
    property("batch.num.messages", Producer, Int(1, 1_000_000)),
    property("batch.size", Producer, Int(1, 2_147_483_647)),
    property("delivery.report.only.error", Producer, Bool),
    property("sticky.partitioning.linger.ms", Producer, Int(0, 900_000)),
    property("client.dns.lookup", Any, Choice(&["use_all_dns_ips", "resolve_canonical_bootstrap_servers_only"])),
    property("enable.metrics.push", Any, Bool),
    property("request.required.acks", Producer, Int(-1, 1_000)),
    alias("acks", Producer, "request.required.acks"),
    property("request.timeout.ms", Producer, Int(1, 900_000)),
    property("message.timeout.ms", Producer, Int(0, 2_147_483_647)),
    alias("delivery.timeout.ms", Producer, "message.timeout.ms"),
    property("queuing.strategy", Producer, Choice(&["fifo", "lifo"])),
    property("produce.offset.report", Producer, Bool),
    property("partitioner", Producer, Text),
    property("compression.level", Producer, Int(-1, 12)),
    property("auto.commit.enable", Consumer, Bool),
    property(
        "auto.offset.reset",
        Consumer,
        Choice(&["smallest", "earliest", "beginning", "largest", "latest", "end", "error"]),
    ),
    property("offset.store.path", Consumer, Text),
    property("offset.store.sync.interval.ms", Consumer, Int(-1, 86_400_000)),
    property("consume.callback.max.messages", Consumer, Int(0, 1_000_000)),
];
