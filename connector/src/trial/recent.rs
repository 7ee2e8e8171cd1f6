//! The newest records of a topic, read without joining a group and without committing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use thiserror::Error;

use super::Sample;
use crate::batch::{Batch, Inputs};
use crate::record::TopicPartition;
use crate::source::{message, settings};

/// How long the brokers may take to answer one question.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Why the records could not be read.
#[derive(Debug, Error)]
pub enum RecentError {
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
    #[error("topic `{topic}` does not exist on {brokers}; check --topic and --bootstrap-servers")]
    Missing {
        /// The topic.
        topic: String,
        /// `bootstrap.servers`.
        brokers: String,
    },
    /// There is nothing in the topic.
    #[error("topic `{topic}` on {brokers} has no records; give --value TEXT or --file FILE instead")]
    Empty {
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

/// One partition's part: from where, to where.
struct Span {
    partition: i32,
    from: i64,
    end: i64,
}

// === impl RecentError ===

impl RecentError {
    /// Whether the command line has to be changed.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Missing { .. } | Self::Empty { .. })
    }
}

/// The newest `last` records of `topic`, by their timestamps, in batches of one partition each.
pub(super) fn read(
    client: &BTreeMap<String, String>,
    topic: &str,
    last: usize,
    wanted: Inputs,
) -> Result<Vec<Sample>, RecentError> {
    let brokers = client.get("bootstrap.servers").cloned().unwrap_or_default();
    let failed = |attempt| {
        let (topic, brokers) = (topic.to_owned(), brokers.clone());
        move |source| RecentError::Kafka { attempt, topic, brokers, source: Box::new(source) }
    };
    let consumer: BaseConsumer = config(client).create().map_err(failed("make a consumer for"))?;
    let metadata = consumer.fetch_metadata(Some(topic), TIMEOUT).map_err(failed("ask for"))?;
    let found = metadata.topics().iter().find(|found| found.name() == topic && found.error().is_none());
    let Some(found) = found else {
        return Err(RecentError::Missing { topic: topic.to_owned(), brokers });
    };
    let mut spans = Vec::new();
    for partition in found.partitions() {
        let (low, high) =
            consumer.fetch_watermarks(topic, partition.id(), TIMEOUT).map_err(failed("ask for the offsets of"))?;
        let from = low.max(high - last as i64);
        if from < high {
            spans.push(Span { partition: partition.id(), from, end: high });
        }
    }
    if spans.is_empty() {
        return Err(RecentError::Empty { topic: topic.to_owned(), brokers });
    }
    let fetched = fetch(&consumer, topic, &spans).map_err(failed("read"))?;
    let mut records =
        fetched.ok_or_else(|| RecentError::TooSlow { topic: topic.to_owned(), brokers: brokers.clone() })?;
    records.sort_by_key(|record| (record.timestamp().to_millis(), record.partition(), record.offset()));
    let newest = records.split_off(records.len().saturating_sub(last));
    Ok(to_samples(topic, newest, wanted))
}

/// A group id is needed to assign partitions by hand; nothing joins it and nothing is committed in it.
fn config(client: &BTreeMap<String, String>) -> ClientConfig {
    let mut config = settings::client(client);
    config.set("group.id", format!("sluice-try-{}", std::process::id()));
    for (key, value) in [
        ("enable.auto.commit", "false"),
        ("enable.auto.offset.store", "false"),
        ("allow.auto.create.topics", "false"),
        ("enable.partition.eof", "true"),
        ("auto.offset.reset", "earliest"),
    ] {
        config.set(key, value);
    }
    config
}

/// Reads every span to its end. `None` if that took too long. The end of a span may be a hole, so a partition's own end counts
/// as well.
fn fetch(consumer: &BaseConsumer, topic: &str, spans: &[Span]) -> Result<Option<Vec<OwnedMessage>>, KafkaError> {
    let mut list = TopicPartitionList::new();
    for span in spans {
        list.add_partition_offset(topic, span.partition, Offset::Offset(span.from))?;
    }
    consumer.assign(&list)?;
    let mut open: BTreeMap<i32, i64> = spans.iter().map(|span| (span.partition, span.end)).collect();
    let mut records = Vec::new();
    let deadline = Instant::now() + TIMEOUT;
    while !open.is_empty() {
        if Instant::now() >= deadline {
            return Ok(None);
        }
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                let end = open.get(&message.partition()).copied();
                if end.is_some_and(|end| message.offset() < end) {
                    records.push(message.detach());
                }
                if end.is_none_or(|end| message.offset() + 1 >= end) {
                    open.remove(&message.partition());
                }
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                open.remove(&partition);
            }
            Some(Err(error)) if crate::source::is_unreachable(&error) => {}
            Some(Err(error)) => return Err(error),
            None => {}
        }
    }
    Ok(Some(records))
}

/// Batches as the pipeline makes them: of one partition, in offset order, cut where it would cut.
fn to_samples(topic: &str, mut records: Vec<OwnedMessage>, wanted: Inputs) -> Vec<Sample> {
    records.sort_by_key(|record| (record.partition(), record.offset()));
    let mut samples: Vec<Sample> = Vec::new();
    for message in &records {
        let fits = |sample: &Sample| sample.partition.partition == message.partition() && !sample.batch.is_full();
        if !samples.last().is_some_and(fits) {
            let partition = TopicPartition::new(topic, message.partition());
            samples.push(Sample { partition, batch: Batch::default() });
        }
        let batch = &mut samples.last_mut().expect("one was pushed").batch;
        batch.push(&message::record(message), wanted);
        if wanted.headers {
            message::push_headers(batch, message);
        }
    }
    samples
}
