//! The producer of dead letters: letters go out with their opaque, acknowledgements come back through a channel.

use std::fmt;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Thread;

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, ProducerContext, ThreadedProducer};

use super::IN_FLIGHT_MAX;
use super::letter::{Letter, Sender};
use crate::config::{ConnectorConfig, DeadLettersConfig, WorkerConfig};

/// Chosen for letters that must arrive, not for speed; `producer.override.*` may change them.
const DEFAULTS: &[(&str, &str)] = &[
    ("acks", "all"),
    // In the order of failure, also when one is sent again.
    ("max.in.flight.requests.per.connection", "1"),
    // Then we are told, and can tell: we send again ourselves.
    ("message.timeout.ms", "15000"),
    // The broker decides what is too large, not the client.
    ("message.max.bytes", "104857600"),
    ("queue.buffering.max.kbytes", "131072"),
    // Many letters in a request are worth a short wait for none.
    ("linger.ms", "0"),
    // As Java's producer does it: a key's letters stay in one partition.
    ("partitioner", "murmur2_random"),
    ("reconnect.backoff.max.ms", "2000"),
    ("log.connection.close", "false"),
];

/// What became of a letter.
pub(super) struct Delivered {
    pub(super) letter: Letter,
    /// `None`: the topic has it.
    pub(super) error: Option<RDKafkaErrorCode>,
    /// Whether nothing else was on its way, so that an error is about this letter.
    pub(super) alone: bool,
}

/// Why a letter could not be handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SendError {
    Full,
    TooLarge,
    Other(RDKafkaErrorCode),
}

/// The producer with what is on its way.
pub(super) struct Outbox {
    producer: ThreadedProducer<Callbacks>,
    delivered: Receiver<Delivered>,
    in_flight: usize,
}

/// Called on the producer's own thread.
struct Callbacks {
    delivered: SyncSender<Delivered>,
    wake: Thread,
}

// === impl Outbox ===

impl Outbox {
    pub(super) fn open(
        worker: &WorkerConfig,
        connector: &ConnectorConfig,
        task: u32,
        wake: Thread,
    ) -> KafkaResult<Self> {
        let config = config(worker, connector, task);
        // One for each letter that can be in flight: the callback never waits.
        let (sender, delivered) = sync_channel(IN_FLIGHT_MAX);
        let producer = ThreadedProducer::from_config_and_context(&config, Callbacks { delivered: sender, wake })?;
        Ok(Self { producer, delivered, in_flight: 0 })
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Hands a letter to the producer, which copies it. `alone`: nothing else is on its way.
    pub(super) fn send(
        &mut self,
        letter: Letter,
        alone: bool,
        config: &DeadLettersConfig,
        sender: &Sender,
    ) -> Result<(), (Box<Letter>, SendError)> {
        let headers = letter.headers(config, sender);
        let (key, value) = (letter.key().map(<[u8]>::to_vec), letter.value().map(<[u8]>::to_vec));
        let mut record: BaseRecord<'_, [u8], [u8], Box<(Letter, bool)>> =
            BaseRecord::with_opaque_to(&config.topic, Box::new((letter, alone))).timestamp(0).headers(headers);
        record.timestamp = Some(record.delivery_opaque.0.timestamp());
        (record.key, record.payload) = (key.as_deref(), value.as_deref());
        match self.producer.send(record) {
            Ok(()) => {
                self.in_flight += 1;
                Ok(())
            }
            Err((error, record)) => {
                let error = match error.rdkafka_error_code() {
                    Some(RDKafkaErrorCode::QueueFull) => SendError::Full,
                    Some(RDKafkaErrorCode::MessageSizeTooLarge) => SendError::TooLarge,
                    code => SendError::Other(code.unwrap_or(RDKafkaErrorCode::Unknown)),
                };
                Err((Box::new(record.delivery_opaque.0), error))
            }
        }
    }

    pub(super) fn next_delivered(&mut self) -> Option<Delivered> {
        let delivered = self.delivered.try_recv().ok()?;
        self.in_flight -= 1;
        Some(delivered)
    }
}

fn config(worker: &WorkerConfig, connector: &ConnectorConfig, task: u32) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("client.id", format!("connector-dlq-producer-{}-{task}", connector.name));
    for (key, value) in DEFAULTS {
        config.set(*key, *value);
    }
    for (key, value) in worker.client.iter().chain(&connector.producer) {
        config.set(key, value);
    }
    config
}

/// The most that a task's producer keeps, in units of 1,024 bytes.
pub(crate) fn kbytes_max(worker: &WorkerConfig, connector: &ConnectorConfig) -> u64 {
    let kbytes = config(worker, connector, 0).get("queue.buffering.max.kbytes").and_then(|value| value.parse().ok());
    kbytes.unwrap_or(0)
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("in_flight", &self.in_flight).finish_non_exhaustive()
    }
}

// === impl Callbacks ===

impl ClientContext for Callbacks {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(target: "librdkafka", ?level, facility, message, "librdkafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "producer of dead letters");
    }
}

impl ProducerContext for Callbacks {
    type DeliveryOpaque = Box<(Letter, bool)>;

    fn delivery(&self, result: &DeliveryResult<'_>, opaque: Self::DeliveryOpaque) {
        let (letter, alone) = *opaque;
        let code = |error: &KafkaError| error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
        let error = result.as_ref().err().map(|(error, _)| code(error));
        // Nobody listens only when the task has ended; its records will be read again.
        let _ = self.delivered.try_send(Delivered { letter, error, alone });
        self.wake.unpark();
    }
}

/// What somebody has to do before a letter can arrive; `None` if it may work by itself later.
pub(super) fn advice(code: RDKafkaErrorCode) -> Option<&'static str> {
    use RDKafkaErrorCode as Code;
    match code {
        Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed => Some("allow the connector to write to it"),
        Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition => {
            Some("create the topic of errors.deadletterqueue.topic.name")
        }
        Code::InvalidTopic => Some("correct errors.deadletterqueue.topic.name"),
        Code::MessageSizeTooLarge | Code::InvalidMessageSize => Some("raise the topic's max.message.bytes"),
        Code::InvalidTimestamp => Some("raise the topic's message.timestamp.before.max.ms"),
        Code::PolicyViolation | Code::InvalidConfig | Code::InvalidRequiredAcks => {
            Some("the brokers refuse it: check the topic and producer.override.*")
        }
        Code::InvalidRecord => Some("the topic takes only records with keys (it is compacted): give it another topic"),
        Code::Authentication | Code::SaslAuthenticationFailed | Code::SSL => {
            Some("check security.protocol, sasl.* and ssl.* of the worker")
        }
        Code::Fatal => Some("restart the connector"),
        _ => None,
    }
}
