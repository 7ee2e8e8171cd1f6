//! Records with everything a record can have, written and read.

use std::collections::BTreeSet;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::{Topic, config};
use crate::support::wait::DEADLINE;

/// The largest record that [`Topic::produce_raw`] can send, in bytes.
const RECORD_BYTES_MAX: &str = "20000000";

/// A record, byte for byte. Offsets are those of the topic once it is read; before, they mean nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Raw {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    /// Milliseconds since 1970; -1 is none.
    pub(crate) timestamp_ms: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Topic {
    /// Produces records in their order, as one batch if they fit into one. Prices among them do not become expected points.
    pub(crate) fn produce_raw(&self, records: &[Raw]) {
        let mut config = config(&self.kafka);
        config.set("enable.idempotence", "true").set("message.max.bytes", RECORD_BYTES_MAX).set("linger.ms", "50");
        let producer: BaseProducer = config.create().unwrap();
        for record in records {
            let mut next = BaseRecord::<[u8], [u8]>::to(&self.name)
                .partition(record.partition)
                .timestamp(record.timestamp_ms)
                .headers(headers(record));
            (next.key, next.payload) = (record.key.as_deref(), record.value.as_deref());
            producer.send(next).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(DEADLINE).unwrap();
        let end_offsets = self.end_offsets();
        self.produced.lock().unwrap().end_offsets = end_offsets;
    }

    /// Every record that is in the topic, in the order of partition and offset: what a consumer of committed records gets.
    pub(crate) fn read(&self) -> Vec<Raw> {
        let mut config = config(&self.kafka);
        config.set("group.id", "observer").set("enable.partition.eof", "true").set("isolation.level", "read_committed");
        let consumer: BaseConsumer = config.create().unwrap();
        let mut list = TopicPartitionList::new();
        for partition in 0..self.partitions {
            list.add_partition_offset(&self.name, partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&list).unwrap();
        let mut unread: BTreeSet<i32> = (0..self.partitions).collect();
        let mut records = Vec::new();
        while !unread.is_empty() {
            match consumer.poll(DEADLINE).expect("the topic can be read") {
                Ok(message) => records.push(raw(&message)),
                Err(KafkaError::PartitionEOF(partition)) => drop(unread.remove(&partition)),
                Err(error) => panic!("{error}"),
            }
        }
        records.sort_by_key(|record| (record.partition, record.offset));
        records
    }
}

fn headers(record: &Raw) -> OwnedHeaders {
    record.headers.iter().fold(OwnedHeaders::new_with_capacity(record.headers.len()), |headers, (key, value)| {
        headers.insert(Header { key, value: value.as_deref() })
    })
}

fn raw(message: &impl Message) -> Raw {
    let header = |header: Header<'_, &[u8]>| (header.key.to_owned(), header.value.map(<[u8]>::to_vec));
    Raw {
        partition: message.partition(),
        offset: message.offset(),
        timestamp_ms: message.timestamp().to_millis().unwrap_or(-1),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: message.headers().map(|headers| headers.iter().map(header).collect()).unwrap_or_default(),
    }
}
