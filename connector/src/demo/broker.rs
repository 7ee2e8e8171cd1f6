//! The demo's Kafka: librdkafka's mock cluster, a broker that listens on a local port of this process.
//!
//! It speaks enough of Kafka's protocol for producers, consumer groups and offset commits. What it keeps is bounded: each partition
//! drops its oldest batches beyond 5 MiB or 100,000 batches (`rdkafka_mock.c`, `rd_kafka_mock_partition_init` of librdkafka 2.12.1), so
//! that a demo of hours stays within 20 MiB; `BACKLOG_MAX` keeps the feed from running so far ahead that unread prices are dropped.
//! It also has to be treated with care, because each fetch of each partition walks the list of its batches from the oldest and returns one batch: see
//! `BATCH_PADDING_BYTES`. Without that, 40 seconds of small batches brought the demo down from 2,000 points a second to 240.

use rdkafka::ClientConfig;
use rdkafka::bindings;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, Producer};

/// Prices sent and not yet received at which the feed waits. A price alone in a batch takes about 110 bytes, so even if all of these
/// were in one partition they would take less than its 5 MiB. Much less would hold back a fast feed.
pub(crate) const BACKLOG_MAX: u64 = 40_000;

/// Bytes that the feed adds to each batch, so that a partition's 5 MiB hold no more than 320 batches and a fetch finds the end of
/// them in microseconds. They are in a header, which the demo's transform does not ask for. With 4 KiB freshness rose by 1.5 ms in half a minute.
pub(crate) const BATCH_PADDING_BYTES: usize = 16_384;

/// Prices sent and not yet received beyond which batches are not padded, so that what is unread always fits into 5 MiB: a quarter of 500
/// padded prices and of `BACKLOG_MAX` others.
pub(crate) const PADDED_BACKLOG_MAX: u64 = 500;

/// How long the broker waits for further members when the first one joins a group, in milliseconds. Its default of 3,000 would be
/// the first 3 seconds of the demo; the demo has one member.
const FIRST_REBALANCE_DELAY_MS: i32 = 0;

/// What the connector's consumer should be told about this broker, as librdkafka properties.
///
/// The mock broker answers a fetch that finds nothing only when its full wait is over, even if a record comes meanwhile
/// (`rd_kafka_mock_handle_Fetch`: "isn't strictly correct"). With the default of 500 ms that would be the freshness; a real broker answers at once.
pub const CONSUMER_OVERRIDES: &[(&str, &str)] = &[("fetch.wait.max.ms", "2")];

/// A running mock cluster with one broker. Dropping it ends it.
pub(crate) struct Broker {
    /// The cluster belongs to this client, which does nothing else: `test.mock.num.brokers` makes a client start one.
    _owner: BaseProducer,
    bootstrap: String,
}

/// The mock cluster could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// Its client or its listener did not start.
    #[error("starting the demo's Kafka broker inside this process, on a free port of 127.0.0.1")]
    Start(#[source] KafkaError),
    /// The client came up without a cluster.
    #[error("the demo's Kafka broker did not start: this librdkafka was built without its mock cluster")]
    Missing,
    /// The topic was refused.
    #[error("creating the topic {topic} in the demo's Kafka broker")]
    Topic {
        /// The topic's name.
        topic: String,
        /// librdkafka's reason.
        source: KafkaError,
    },
}

// === impl Broker ===

impl Broker {
    /// Starts a broker that has `topic` with `partitions` partitions.
    pub(crate) fn start(topic: &str, partitions: u8) -> Result<Self, BrokerError> {
        let owner: BaseProducer = ClientConfig::new()
            .set("test.mock.num.brokers", "1")
            .set_log_level(RDKafkaLogLevel::Error)
            .create()
            .map_err(BrokerError::Start)?;
        shorten_first_rebalance(&owner, FIRST_REBALANCE_DELAY_MS);
        let bootstrap = {
            let cluster = owner.client().mock_cluster().ok_or(BrokerError::Missing)?;
            cluster
                .create_topic(topic, i32::from(partitions), 1)
                .map_err(|source| BrokerError::Topic { topic: topic.to_owned(), source })?;
            cluster.bootstrap_servers()
        };
        Ok(Self { _owner: owner, bootstrap })
    }

    /// `host:port` for `bootstrap.servers`.
    pub(crate) fn bootstrap(&self) -> &str {
        &self.bootstrap
    }
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Broker").field("bootstrap", &self.bootstrap).finish_non_exhaustive()
    }
}

/// Sets how long the mock cluster of `owner` waits for further members of a new group. Nothing happens if `owner` has none.
#[allow(unsafe_code, reason = "rdkafka 0.39 has no safe function for the mock cluster's first rebalance delay")]
fn shorten_first_rebalance(owner: &BaseProducer, delay_ms: i32) {
    // SAFETY: the pointer is that of a live client, borrowed for the whole call. The cluster asked from it lives as long as the client, and
    // the setter takes the cluster's own lock (rdkafka_mock.c, `rd_kafka_mock_group_initial_rebalance_delay_ms`).
    unsafe {
        let cluster = bindings::rd_kafka_handle_mock_cluster(owner.client().native_ptr());
        if !cluster.is_null() {
            bindings::rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, delay_ms);
        }
    }
}
