//! Topics, records and committed offsets in a real Kafka.

mod raw;
mod transaction;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::points::{Point, Points, Record};
use super::services;
use super::wait::{DEADLINE, equal, until};

pub(crate) use raw::Raw;
pub(crate) use transaction::Transaction;

/// After this a broker is asked again to make a topic.
const ANSWER_TIME: Duration = Duration::from_secs(10);

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
    /// What each record must become; `None` is no point.
    records: BTreeMap<(i32, i64), Option<Point>>,
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

    /// A new topic with exactly this name; one that an earlier run has left is deleted.
    pub(crate) fn create_named(name: &str, partitions: i32) -> Self {
        Self::create_named_with(name, partitions, &[])
    }

    /// A new topic with a name and settings of its own.
    pub(crate) fn create_with(test: &str, partitions: i32, settings: &[(&str, &str)]) -> Self {
        Self::create_named_with(&unique(test), partitions, settings)
    }

    /// A new topic with exactly this name and settings of its own.
    pub(crate) fn create_named_with(name: &str, partitions: i32, settings: &[(&str, &str)]) -> Self {
        let topic = Self::unmade(services::kafka(), name, partitions, false);
        topic.make(settings);
        topic
    }

    /// A topic that somebody else makes, deleted with this.
    pub(crate) fn named(name: &str, partitions: i32) -> Self {
        Self::unmade(services::kafka(), name, partitions, false)
    }

    /// A new topic in the Kafka at `kafka`, `host:port`.
    pub(crate) fn create_on(kafka: &str, test: &str, partitions: i32) -> Self {
        let topic = Self::unmade(kafka, &unique(test), partitions, true);
        topic.make(&[]);
        topic
    }

    fn unmade(kafka: &str, name: &str, partitions: i32, own: bool) -> Self {
        let (kafka, produced) = (kafka.to_owned(), Mutex::default());
        Self { name: name.to_owned(), partitions, kafka, own, produced }
    }

    fn make(&self, settings: &[(&str, &str)]) {
        let mut new = NewTopic::new(&self.name, self.partitions, TopicReplication::Fixed(1));
        new.config.extend(settings);
        let admin = admin(&self.kafka);
        // A broker that has just started may let a request lie: it is asked again.
        let options = options().request_timeout(Some(ANSWER_TIME));
        let make = || block_on_result(admin.create_topics([&new], &options)).map(|mut made| made.remove(0));
        until("the topic to be made", || match make() {
            Err(error) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::OperationTimedOut) => {
                Err(RDKafkaErrorCode::OperationTimedOut)
            }
            Ok(Err((_, code @ RDKafkaErrorCode::TopicAlreadyExists))) => {
                delete(&self.kafka, &self.name);
                Err(code)
            }
            made => Ok(made.unwrap().unwrap()),
        });
        self.await_leaders();
    }

    fn await_leaders(&self) {
        let consumer = consumer(&self.kafka, "observer");
        until("the topic's partitions to have leaders", || {
            let metadata = consumer.fetch_metadata(Some(&self.name), DEADLINE).unwrap();
            equal(
                metadata.topics()[0].partitions().iter().filter(|partition| partition.leader() >= 0).count(),
                &(self.partitions as usize),
            )
        });
    }

    /// The same topic with so many partitions.
    pub(crate) fn grow(mut self, partitions: i32) -> Self {
        let more = NewPartitions::new(&self.name, partitions as usize);
        block_on(admin(&self.kafka).create_partitions([&more], &options())).remove(0).unwrap();
        self.partitions = partitions;
        self.await_leaders();
        self
    }

    /// Deletes the topic and makes another one of the same name; what was produced is forgotten.
    pub(crate) fn make_anew(self) -> Self {
        delete(&self.kafka, &self.name);
        let anew = Self::unmade(&self.kafka, &self.name, self.partitions, self.own);
        // It is gone already.
        std::mem::forget(self);
        anew.make(&[]);
        anew
    }

    /// Deletes the records of partition 0 below this offset.
    pub(crate) fn cut_off(&self, below: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.name, 0, Offset::Offset(below)).unwrap();
        block_on(admin(&self.kafka).delete_records(&list, &options()));
    }

    /// A producer for what is no price.
    pub(crate) fn producer(&self) -> BaseProducer {
        producer(&self.kafka)
    }

    /// Produces records in their order, and waits until Kafka has them all.
    pub(crate) fn produce(&self, records: &[Record]) {
        let producer = producer(&self.kafka);
        let mut produced = self.produced.lock().unwrap();
        for record in records {
            let offset = produced.end_offsets.entry(record.partition).or_default();
            let (at, point) = ((record.partition, *offset), record.point(&self.name, *offset));
            *offset += 1;
            produced.records.insert(at, point);
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
        self.expected_below(&self.end_offsets_produced())
    }

    /// Of these, what comes from below these offsets.
    pub(crate) fn expected_below(&self, offsets: &BTreeMap<i32, i64>) -> Points {
        let mut points = Points::default();
        let produced = self.produced.lock().unwrap();
        points.extend(produced.below(offsets).filter_map(|(_, point)| point.clone()));
        points
    }

    /// Partition and offset of every record below these offsets that is not a price.
    pub(crate) fn others_below(&self, offsets: &BTreeMap<i32, i64>) -> BTreeSet<(i32, i64)> {
        let produced = self.produced.lock().unwrap();
        produced.below(offsets).filter(|(_, point)| point.is_none()).map(|(at, _)| *at).collect()
    }

    /// For each partition the offset after the last record that was produced here.
    pub(crate) fn end_offsets_produced(&self) -> BTreeMap<i32, i64> {
        self.all(&self.produced.lock().unwrap().end_offsets)
    }

    /// For each partition the offset after its last record.
    pub(crate) fn end_offsets(&self) -> BTreeMap<i32, i64> {
        let consumer = consumer(&self.kafka, "observer");
        // A broker that was just killed takes a while to say who leads.
        let end = |partition| {
            let ask = || consumer.fetch_watermarks(&self.name, partition, DEADLINE);
            (partition, until("the end of a partition", ask).1)
        };
        (0..self.partitions).map(end).collect()
    }

    /// What the connector called `connector` has committed.
    pub(crate) fn group(&self, connector: &str) -> Group<'_> {
        Group { topic: self, consumer: consumer(&self.kafka, &format!("connect-{connector}")) }
    }

    fn all(&self, offsets: &BTreeMap<i32, i64>) -> BTreeMap<i32, i64> {
        (0..self.partitions).map(|partition| (partition, offsets.get(&partition).copied().unwrap_or(0))).collect()
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        if !self.own {
            delete(&self.kafka, &self.name);
        }
    }
}

// === impl Produced ===

impl Produced {
    fn below<'a>(&'a self, ends: &'a BTreeMap<i32, i64>) -> impl Iterator<Item = (&'a (i32, i64), &'a Option<Point>)> {
        self.records.iter().filter(|((partition, offset), _)| ends.get(partition).is_some_and(|end| offset < end))
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
        let wanted = self.topic.end_offsets_produced();
        equal(self.committed(), &wanted).map(drop).map_err(|found| format!("{found:?} of {wanted:?} committed"))
    }
}

/// A consumer of the Kafka at `kafka`.
pub(crate) fn consumer(kafka: &str, group: &str) -> BaseConsumer {
    // Otherwise an open transaction would hide the true end offsets.
    config(kafka).set("group.id", group).set("isolation.level", "read_uncommitted").create().unwrap()
}

/// Deletes a topic. Best effort: the names are unique, so what stays behind disturbs nobody.
pub(crate) fn delete(kafka: &str, topic: &str) {
    let _ = block_on_result(admin(kafka).delete_topics(&[topic], &options()));
}

fn config(kafka: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka);
    config
}

fn admin(kafka: &str) -> AdminClient<DefaultClientContext> {
    config(kafka).create().unwrap()
}

/// Idempotent, so that a retry puts no record into the topic twice.
fn producer(kafka: &str) -> BaseProducer {
    let mut config = config(kafka);
    config.set("enable.idempotence", "true").set("queue.buffering.max.messages", "1000000").set("linger.ms", "5");
    config.create().unwrap()
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
