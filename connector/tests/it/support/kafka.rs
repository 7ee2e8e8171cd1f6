//! Topics, records and committed offsets in a real Kafka.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Headers as _, Message as _, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::letters::Letter;
use super::points::{Point, Points, Record};
use super::services;
use super::wait::{DEADLINE, equal, until};

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
        Self::create_with(name, partitions, &[])
    }

    /// The same with settings of the topic's own.
    pub(crate) fn create_with(name: &str, partitions: i32, settings: &[(&str, &str)]) -> Self {
        Self::create_at(services::kafka(), name, partitions, settings, false)
    }

    /// A new topic in the Kafka at `kafka`, `host:port`.
    pub(crate) fn create_on(kafka: &str, test: &str, partitions: i32) -> Self {
        Self::create_at(kafka, &unique(test), partitions, &[], true)
    }

    fn create_at(kafka: &str, name: &str, partitions: i32, settings: &[(&str, &str)], own: bool) -> Self {
        let (kafka, produced) = (kafka.to_owned(), Mutex::default());
        let topic = Self { name: name.to_owned(), partitions, kafka, own, produced };
        let mut new = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        new.config.extend(settings);
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

    /// Produces records with keys and headers into partition 0, and waits until Kafka has them. They are no prices.
    pub(crate) fn produce_raw(&self, records: &[Letter]) {
        let producer = self.producer();
        let mut produced = self.produced.lock().unwrap();
        for record in records {
            let offset = produced.end_offsets.entry(0).or_default();
            let at = (0, *offset);
            *offset += 1;
            produced.records.insert(at, None);
            let headers = record
                .headers
                .iter()
                .fold(OwnedHeaders::new(), |all, (key, value)| all.insert(Header { key, value: value.as_ref() }));
            let mut next = BaseRecord::<[u8], [u8]>::to(&self.name).partition(0).headers(headers);
            next.timestamp = record.timestamp_ms;
            (next.key, next.payload) = (record.key.as_deref(), record.value.as_deref());
            producer.send(next).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(DEADLINE).unwrap();
        let wanted = produced.end_offsets.clone();
        drop(produced);
        assert_eq!(self.end_offsets(), self.all(&wanted), "not every record arrived");
    }

    /// Produces records in their order, and waits until Kafka has them all.
    pub(crate) fn produce(&self, records: &[Record]) {
        let producer = self.producer();
        let mut produced = self.produced.lock().unwrap();
        for record in records {
            let offset = produced.end_offsets.entry(record.partition).or_default();
            let (at, point) = ((record.partition, *offset), record.point(&self.name, *offset));
            *offset += 1;
            produced.records.insert(at, point);
            let mut next =
                BaseRecord::<(), str>::to(&self.name).partition(record.partition).timestamp(record.timestamp_ms);
            next.payload = record.value.as_deref();
            while let Err((error, refused)) = producer.send(next) {
                assert_eq!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull));
                producer.poll(DEADLINE);
                next = refused;
            }
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

    /// The original partition and offset of every dead letter in this topic, as its headers tell them, with its value.
    pub(crate) fn dead_letters(&self) -> BTreeMap<(i32, i64), Vec<u8>> {
        let ends = self.end_offsets();
        let mut left: i64 = ends.values().sum();
        let consumer = self.consumer("observer");
        let mut from_the_start = TopicPartitionList::new();
        for partition in ends.keys() {
            from_the_start.add_partition_offset(&self.name, *partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&from_the_start).unwrap();
        let mut letters = BTreeMap::new();
        while left > 0 {
            let Some(message) = consumer.poll(DEADLINE) else { panic!("{left} dead letters did not come") };
            let letter = message.unwrap();
            let header = |name: &str| {
                let headers = letter.headers().unwrap().iter();
                let header = headers.filter(|header| header.key == name).last().unwrap();
                str::from_utf8(header.value.unwrap()).unwrap().to_owned()
            };
            let at = [header("__connect.errors.partition"), header("__connect.errors.offset")];
            let [partition, offset] = at.map(|number| number.parse::<i64>().unwrap());
            letters.insert((partition as i32, offset), letter.payload().unwrap_or_default().to_vec());
            left -= 1;
        }
        letters
    }

    /// For each partition the offset after its last record.
    pub(crate) fn end_offsets(&self) -> BTreeMap<i32, i64> {
        let consumer = self.consumer("observer");
        // A broker that was just killed takes a while to say who leads.
        let end = |partition| {
            let ask = || consumer.fetch_watermarks(&self.name, partition, DEADLINE);
            (partition, until("the end of a partition", ask).1)
        };
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
        config(&self.kafka)
    }

    fn consumer(&self, group: &str) -> BaseConsumer {
        self.config().set("group.id", group).create().unwrap()
    }

    /// Idempotent, so that a retry puts no record into the topic twice.
    pub(crate) fn producer(&self) -> BaseProducer {
        let mut config = self.config();
        config.set("enable.idempotence", "true").set("queue.buffering.max.messages", "1000000").set("linger.ms", "5");
        config.create().unwrap()
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.config().create().unwrap()
    }

    fn delete(&self) {
        delete(&self.kafka, &self.name);
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        if !self.own {
            self.delete();
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

/// Of any client of the Kafka at `kafka`.
pub(crate) fn config(kafka: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka);
    config
}

/// Best effort: the names are unique, so what stays behind disturbs nobody.
pub(crate) fn delete(kafka: &str, topic: &str) {
    let admin: AdminClient<DefaultClientContext> = config(kafka).create().unwrap();
    let _ = block_on_result(admin.delete_topics(&[topic], &options()));
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
