//! Topics, records and committed offsets in a real Kafka.

mod raw;
mod transaction;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::points::{Points, Record};
use super::services;
use super::wait::{DEADLINE, equal, until};

pub(crate) use raw::Raw;
pub(crate) use transaction::Transaction;

/// A topic of one test, deleted with it. Remembers what was produced.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) partitions: i32,
    kafka: String,
    /// On a broker of the test's own, which may be dead at the end, and takes the topic with it.
    own: bool,
    produced: Mutex<Produced>,
}

#[derive(Debug, Default)]
struct Produced {
    points: Points,
    end_offsets: BTreeMap<i32, i64>,
}

/// What a connector's consumer group has committed for a topic.
pub(crate) struct Group<'a> {
    topic: &'a Topic,
    consumer: BaseConsumer,
}

/// `prefix` with something behind it that no other test and no other run has.
pub(crate) fn unique(prefix: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    format!("{prefix}-{:x}-{}", since.as_millis(), COUNT.fetch_add(1, Ordering::Relaxed))
}

// === impl Topic ===

impl Topic {
    /// A new topic with a name of its own.
    pub(crate) fn create(test: &str, partitions: i32) -> Self {
        Self::create_named(&unique(test), partitions)
    }

    /// The same with settings of its own.
    pub(crate) fn create_with(test: &str, partitions: i32, settings: &[(&str, &str)]) -> Self {
        Self::create_at(services::kafka(), &unique(test), partitions, settings, false)
    }

    /// A new topic with exactly this name; one that an earlier run has left is deleted.
    pub(crate) fn create_named(name: &str, partitions: i32) -> Self {
        Self::create_at(services::kafka(), name, partitions, &[], false)
    }

    /// A new topic in the Kafka at `kafka`, `host:port`.
    pub(crate) fn create_on(kafka: &str, test: &str, partitions: i32) -> Self {
        Self::create_at(kafka, &unique(test), partitions, &[], true)
    }

    fn create_at(kafka: &str, name: &str, partitions: i32, settings: &[(&str, &str)], own: bool) -> Self {
        let (kafka, produced) = (kafka.to_owned(), Mutex::default());
        let topic = Self { name: name.to_owned(), partitions, kafka, own, produced };
        let new = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        let new = settings.iter().fold(new, |new, (key, value)| new.set(key, value));
        let admin = topic.admin();
        until("the topic to be made", || match block_on(admin.create_topics([&new], &options())).remove(0) {
            Err((_, code @ RDKafkaErrorCode::TopicAlreadyExists)) => {
                topic.delete();
                Err(code)
            }
            made => Ok(made.unwrap()),
        });
        let consumer = topic.consumer("observer");
        until("the topic's partitions to have leaders", || {
            let metadata = consumer.fetch_metadata(Some(name), DEADLINE).unwrap();
            equal(
                metadata.topics()[0].partitions().iter().filter(|partition| partition.leader() >= 0).count(),
                &(partitions as usize),
            )
        });
        topic
    }

    /// Produces records in their order, and waits until Kafka has them all.
    pub(crate) fn produce(&self, records: &[Record]) {
        let producer = self.producer();
        let mut produced = self.produced.lock().unwrap();
        for record in records {
            let offset = produced.end_offsets.entry(record.partition).or_default();
            let point = record.point(&self.name, *offset);
            *offset += 1;
            produced.points.extend(point);
            send(&producer, &self.name, record);
        }
        producer.flush(DEADLINE).unwrap();
        let wanted = produced.end_offsets.clone();
        drop(produced);
        // Also the proof that the points' offsets are right: nobody else writes, and nothing was written twice.
        assert_eq!(self.end_offsets(), self.all(&wanted), "not every record arrived");
    }

    /// Every price that was produced, as the point that it must become.
    pub(crate) fn expected(&self) -> Points {
        self.produced.lock().unwrap().points.clone()
    }

    /// For each partition the offset after its last record.
    pub(crate) fn end_offsets(&self) -> BTreeMap<i32, i64> {
        let consumer = self.consumer("observer");
        let end = |partition| (partition, consumer.fetch_watermarks(&self.name, partition, DEADLINE).unwrap().1);
        (0..self.partitions).map(end).collect()
    }

    /// What the connector called `connector` has committed.
    pub(crate) fn group(&self, connector: &str) -> Group<'_> {
        Group { topic: self, consumer: self.consumer(&format!("connect-{connector}")) }
    }

    fn all(&self, offsets: &BTreeMap<i32, i64>) -> BTreeMap<i32, i64> {
        (0..self.partitions).map(|partition| (partition, offsets.get(&partition).copied().unwrap_or(0))).collect()
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.kafka);
        // Otherwise an open transaction would hide the true end offsets.
        config.set("isolation.level", "read_uncommitted");
        config
    }

    fn consumer(&self, group: &str) -> BaseConsumer {
        self.config().set("group.id", group).create().unwrap()
    }

    /// Idempotent, so that a retry puts no record into the topic twice.
    fn producer(&self) -> BaseProducer {
        let mut config = self.config();
        config.set("enable.idempotence", "true").set("queue.buffering.max.messages", "1000000").set("linger.ms", "5");
        config.create().unwrap()
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.config().create().unwrap()
    }

    fn delete(&self) {
        // Best effort: the names are unique, so what stays behind disturbs nobody.
        let _ = block_on_result(self.admin().delete_topics(&[&self.name], &options()));
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        if !self.own {
            self.delete();
        }
    }
}

// === impl Group ===

impl Group<'_> {
    /// For each partition the offset of the next record to read; 0 where nothing was committed.
    pub(crate) fn committed(&self) -> BTreeMap<i32, i64> {
        let mut wanted = TopicPartitionList::new();
        wanted.add_partition_range(&self.topic.name, 0, self.topic.partitions - 1);
        let committed = until("the group's coordinator", || self.consumer.committed_offsets(wanted.clone(), DEADLINE));
        let offset = |offset| if let Offset::Offset(offset) = offset { offset } else { 0 };
        committed.elements().iter().map(|element| (element.partition(), offset(element.offset()))).collect()
    }

    /// `Ok` once everything produced is committed: for use in `until`.
    pub(crate) fn at_end(&self) -> Result<(), String> {
        let wanted = self.topic.all(&self.topic.produced.lock().unwrap().end_offsets);
        equal(self.committed(), &wanted).map(drop).map_err(|found| format!("{found:?} of {wanted:?} committed"))
    }
}

/// Hands a record to the producer, waiting for room in its queue.
fn send(producer: &BaseProducer, topic: &str, record: &Record) {
    let mut next = BaseRecord::<(), str>::to(topic).partition(record.partition).timestamp(record.timestamp_ms);
    next.payload = record.value.as_deref();
    while let Err((error, refused)) = producer.send(next) {
        assert_eq!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull));
        producer.poll(DEADLINE);
        next = refused;
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(DEADLINE))
}

fn block_on<T>(future: impl Future<Output = Result<T, KafkaError>>) -> T {
    block_on_result(future).unwrap()
}

fn block_on_result<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}
