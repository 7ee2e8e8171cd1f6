//! Records that count only once their transaction is committed.

use std::collections::{BTreeMap, BTreeSet};

use rdkafka::producer::{BaseProducer, Producer};

use super::{Topic, config, send, unique};
use crate::support::points::{Point, Record};
use crate::support::wait::{DEADLINE, equal, until};

/// An open transaction of a producer of its own. The topic's [`Topic::expected`] points grow when it is committed.
pub(crate) struct Transaction<'a> {
    topic: &'a Topic,
    producer: BaseProducer,
    /// What each record becomes if it is committed.
    records: BTreeMap<(i32, i64), Option<Point>>,
    partitions: BTreeSet<i32>,
}

// === impl Transaction ===

impl<'a> Transaction<'a> {
    pub(crate) fn begin(topic: &'a Topic) -> Self {
        let producer: BaseProducer = config(&topic.kafka).set("transactional.id", unique("tests")).create().unwrap();
        producer.init_transactions(DEADLINE).unwrap();
        producer.begin_transaction().unwrap();
        Self { topic, producer, records: BTreeMap::new(), partitions: BTreeSet::new() }
    }

    /// Produces records in their order, and waits until Kafka has them all.
    pub(crate) fn produce(mut self, records: &[Record]) -> Self {
        let mut produced = self.topic.produced.lock().unwrap();
        for record in records {
            let offset = produced.end_offsets.entry(record.partition).or_default();
            self.records.insert((record.partition, *offset), record.point(&self.topic.name, *offset));
            *offset += 1;
            self.partitions.insert(record.partition);
            send(&self.producer, &self.topic.name, record);
        }
        drop(produced);
        self.producer.flush(DEADLINE).unwrap();
        self
    }

    pub(crate) fn commit(mut self) {
        self.producer.commit_transaction(DEADLINE).unwrap();
        self.topic.produced.lock().unwrap().records.append(&mut self.records);
        self.end();
    }

    pub(crate) fn abort(self) {
        self.producer.abort_transaction(DEADLINE).unwrap();
        self.end();
    }

    /// The end of a transaction is an entry in each of its partitions.
    fn end(self) {
        let mut produced = self.topic.produced.lock().unwrap();
        for partition in &self.partitions {
            *produced.end_offsets.entry(*partition).or_default() += 1;
        }
        let wanted = self.topic.all(&produced.end_offsets);
        drop(produced);
        until("the transaction's end to be in the topic", || equal(self.topic.end_offsets(), &wanted));
    }
}
