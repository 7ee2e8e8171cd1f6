//! Records that count only once their transaction is committed.

use std::collections::BTreeSet;

use rdkafka::producer::{BaseProducer, Producer};

use super::{Topic, send, unique};
use crate::support::points::{Points, Record};
use crate::support::wait::{DEADLINE, equal, until};

/// An open transaction of a producer of its own. The topic's [`Topic::expected`] points grow when it is committed.
pub(crate) struct Transaction<'a> {
    topic: &'a Topic,
    producer: BaseProducer,
    points: Points,
    partitions: BTreeSet<i32>,
}

// === impl Transaction ===

impl<'a> Transaction<'a> {
    pub(crate) fn begin(topic: &'a Topic) -> Self {
        let producer: BaseProducer = topic.config().set("transactional.id", unique("tests")).create().unwrap();
        producer.init_transactions(DEADLINE).unwrap();
        producer.begin_transaction().unwrap();
        Self { topic, producer, points: Points::default(), partitions: BTreeSet::new() }
    }

    /// Produces records in their order, and waits until Kafka has them all.
    pub(crate) fn produce(mut self, records: &[Record]) -> Self {
        let mut produced = self.topic.produced.lock().unwrap();
        for record in records {
            let offset = produced.end_offsets.entry(record.partition).or_default();
            self.points.extend(record.point(&self.topic.name, *offset));
            *offset += 1;
            self.partitions.insert(record.partition);
            send(&self.producer, &self.topic.name, record);
        }
        drop(produced);
        self.producer.flush(DEADLINE).unwrap();
        self
    }

    pub(crate) fn commit(self) {
        self.producer.commit_transaction(DEADLINE).unwrap();
        self.topic.produced.lock().unwrap().points.extend(self.points.0.clone());
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
