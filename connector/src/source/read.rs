//! Reading a topic from outside its groups: from given offsets to the end as it is now. Nothing is joined.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use thiserror::Error;

use super::settings;

/// How long the brokers may take to answer one question, or to send the next record.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);

/// Why a topic could not be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The brokers don't answer, or refuse.
    #[error("could not {attempt} topic `{topic}` on {brokers}")]
    Kafka {
        /// What was attempted.
        attempt: &'static str,
        /// The topic.
        topic: String,
        /// `bootstrap.servers`.
        brokers: String,
        /// librdkafka's error.
        source: Box<KafkaError>,
    },
    /// The topic is not there.
    #[error("topic `{topic}` does not exist on {brokers}; check its name and --bootstrap-servers")]
    Missing {
        /// The topic.
        topic: String,
        /// `bootstrap.servers`.
        brokers: String,
    },
    /// The records did not come.
    #[error("the records of topic `{topic}` on {brokers} did not come within {} s", TIMEOUT.as_secs())]
    TooSlow {
        /// The topic.
        topic: String,
        /// `bootstrap.servers`.
        brokers: String,
    },
}

/// A part of one partition: the offsets from `from` to before `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) partition: i32,
    pub(crate) from: i64,
    pub(crate) end: i64,
}

/// Reads one topic.
pub(crate) struct TopicReader {
    consumer: BaseConsumer,
    topic: String,
    brokers: String,
}

/// Spans on their way.
pub(crate) struct Reading<'a> {
    reader: &'a TopicReader,
    /// The end of each partition that is not read to it yet.
    open: BTreeMap<i32, i64>,
}

// === impl ReadError ===

impl ReadError {
    /// Whether the command line has to be changed.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Missing { .. })
    }
}

// === impl TopicReader ===

impl TopicReader {
    /// A reader of `topic` with these client settings. `group` is the name under which offsets may be asked for and committed;
    /// librdkafka wants one to assign partitions by hand, too.
    pub(crate) fn open(client: &BTreeMap<String, String>, group: &str, topic: &str) -> Result<Self, ReadError> {
        let brokers = client.get("bootstrap.servers").cloned().unwrap_or_default();
        let made: Result<BaseConsumer, _> = config(client, group).create();
        let failed = |source| ReadError::Kafka {
            attempt: "make a consumer for",
            topic: topic.to_owned(),
            brokers: brokers.clone(),
            source: Box::new(source),
        };
        Ok(Self { consumer: made.map_err(failed)?, topic: topic.to_owned(), brokers: brokers.clone() })
    }

    pub(crate) fn topic(&self) -> &str {
        &self.topic
    }

    pub(crate) fn brokers(&self) -> &str {
        &self.brokers
    }

    pub(crate) fn consumer(&self) -> &BaseConsumer {
        &self.consumer
    }

    /// Every partition from its first record to its end as it is now, by their numbers.
    pub(crate) fn spans(&self) -> Result<Vec<Span>, ReadError> {
        let asked = self.consumer.fetch_metadata(Some(&self.topic), TIMEOUT);
        let metadata = asked.map_err(|error| self.failed("ask for", error))?;
        let found = metadata.topics().iter().find(|found| found.name() == self.topic && found.error().is_none());
        let Some(found) = found else {
            return Err(ReadError::Missing { topic: self.topic.clone(), brokers: self.brokers.clone() });
        };
        let mut partitions: Vec<i32> = found.partitions().iter().map(|partition| partition.id()).collect();
        partitions.sort_unstable();
        let span = |partition| {
            let asked = self.consumer.fetch_watermarks(&self.topic, partition, TIMEOUT);
            let (from, end) = asked.map_err(|error| self.failed("ask for the offsets of", error))?;
            Ok(Span { partition, from, end })
        };
        partitions.into_iter().map(span).collect()
    }

    /// Begins to read these spans; what was being read before is given up.
    pub(crate) fn read(&self, spans: &[Span]) -> Result<Reading<'_>, ReadError> {
        let spans = || spans.iter().filter(|span| span.from < span.end);
        let mut list = TopicPartitionList::new();
        for span in spans() {
            let added = list.add_partition_offset(&self.topic, span.partition, Offset::Offset(span.from));
            added.map_err(|error| self.failed("read", error))?;
        }
        self.consumer.assign(&list).map_err(|error| self.failed("read", error))?;
        Ok(Reading { reader: self, open: spans().map(|span| (span.partition, span.end)).collect() })
    }

    pub(crate) fn failed(&self, attempt: &'static str, source: KafkaError) -> ReadError {
        ReadError::Kafka { attempt, topic: self.topic.clone(), brokers: self.brokers.clone(), source: Box::new(source) }
    }
}

// === impl Reading ===

impl<'a> Reading<'a> {
    /// The next record; `None` once every span is read to its end. The end of a span may be a hole, so a partition's own end
    /// counts as well.
    pub(crate) fn next(&mut self) -> Result<Option<BorrowedMessage<'a>>, ReadError> {
        let reader = self.reader;
        let deadline = Instant::now() + TIMEOUT;
        while !self.open.is_empty() {
            match reader.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    let Some(&end) = self.open.get(&message.partition()) else { continue };
                    if message.offset() + 1 >= end {
                        self.open.remove(&message.partition());
                    }
                    if message.offset() < end {
                        return Ok(Some(message));
                    }
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    self.open.remove(&partition);
                }
                Some(Err(error)) if super::is_unreachable(&error) => {}
                Some(Err(error)) => return Err(reader.failed("read", error)),
                None => {}
            }
            if Instant::now() >= deadline {
                return Err(ReadError::TooSlow { topic: reader.topic.clone(), brokers: reader.brokers.clone() });
            }
        }
        Ok(None)
    }
}

/// A group id is needed to assign partitions by hand; nothing joins it, and nothing is committed in it by itself.
fn config(client: &BTreeMap<String, String>, group: &str) -> ClientConfig {
    let mut config = settings::client(client);
    config.set("group.id", group);
    for (key, value) in [
        ("enable.auto.commit", "false"),
        ("enable.auto.offset.store", "false"),
        ("allow.auto.create.topics", "false"),
        ("enable.partition.eof", "true"),
        ("auto.offset.reset", "earliest"),
        // What is fetched ahead. More brings no speed, only memory.
        ("queued.max.messages.kbytes", "16384"),
    ] {
        config.set(key, value);
    }
    config
}
