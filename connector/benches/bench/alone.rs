//! librdkafka alone: a record at a time by `poll`, and the fastest way there is, partition queues forwarded to one, drained in batches, messages destroyed. It
//! runs with the allocator and the settings of Sluice, so what is left between the two is Sluice's own work.

#![allow(unsafe_code, reason = "the yardstick is librdkafka's raw interface")]

use std::ffi::CString;
use std::ptr;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::bindings as rdsys;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use sluice::source::settings;

use crate::process::own_usage;

/// Hands over every value of a topic, for ever, read with the settings of Sluice.
pub(crate) fn follow(brokers: &str, topic: &str, mut value: impl FnMut(&[u8])) {
    let consumer = consumer(brokers, topic);
    consumer.assign(&partitions(&consumer, topic)).unwrap();
    loop {
        if let Some(Ok(record)) = consumer.poll(Duration::from_secs(1)) {
            value(record.payload().unwrap_or_default());
        }
    }
}

/// How it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum How {
    /// A record at a time.
    Poll,
    /// In batches, from one queue of all partitions.
    Queue,
}

/// Reads the whole topic and prints records per second, CPU seconds and peak megabytes.
pub(crate) fn consume(how: How, brokers: &str, topic: &str, group: &str, records: u64) {
    let consumer = consumer(brokers, group);
    let list = partitions(&consumer, topic);
    let seconds = match how {
        How::Poll => poll(&consumer, &list, records),
        How::Queue => drain(&consumer, &list, topic, records),
    };
    let usage = own_usage();
    println!("{} {} {}", records as f64 / seconds, usage.cpu_s, usage.peak_mb);
}

fn consumer(brokers: &str, group: &str) -> BaseConsumer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("group.id", group).set("enable.auto.commit", "false");
    for (key, value) in settings::DEFAULTS {
        config.set(*key, *value);
    }
    config.create().unwrap()
}

/// All partitions of a topic, from their beginning.
fn partitions(consumer: &BaseConsumer, topic: &str) -> TopicPartitionList {
    let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(10)).unwrap();
    let mut list = TopicPartitionList::new();
    for partition in metadata.topics()[0].partitions() {
        list.add_partition_offset(topic, partition.id(), Offset::Beginning).unwrap();
    }
    list
}

/// Seconds from the first record to the last.
fn poll(consumer: &BaseConsumer, list: &TopicPartitionList, records: u64) -> f64 {
    consumer.assign(list).unwrap();
    let (mut read, mut first) = (0, None);
    while read < records {
        if let Some(record) = consumer.poll(Duration::from_millis(1)) {
            first.get_or_insert_with(Instant::now);
            read += u64::from(record.is_ok());
        }
    }
    first.unwrap().elapsed().as_secs_f64()
}

/// The same by the partitions' queues, forwarded to one.
fn drain(consumer: &BaseConsumer, list: &TopicPartitionList, topic: &str, records: u64) -> f64 {
    let topic = CString::new(topic).unwrap();
    // SAFETY: the client outlives the queue, handles are given back once, each message is destroyed once.
    unsafe {
        let client = consumer.client().native_ptr();
        let queue = rdsys::rd_kafka_queue_new(client);
        for element in list.elements() {
            let partition = rdsys::rd_kafka_queue_get_partition(client, topic.as_ptr(), element.partition());
            rdsys::rd_kafka_queue_forward(partition, queue);
            rdsys::rd_kafka_queue_destroy(partition);
        }
        consumer.assign(list).unwrap();
        let (mut messages, mut read, mut first) = (vec![ptr::null_mut(); 4096], 0, None);
        while read < records {
            let taken = rdsys::rd_kafka_consume_batch_queue(queue, 0, messages.as_mut_ptr(), messages.len());
            let taken = usize::try_from(taken).unwrap();
            if taken == 0 {
                consumer.poll(Duration::from_millis(1));
                continue;
            }
            first.get_or_insert_with(Instant::now);
            for &message in &messages[..taken] {
                read += u64::from((*message).err == rdsys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR);
                rdsys::rd_kafka_message_destroy(message);
            }
        }
        rdsys::rd_kafka_queue_destroy(queue);
        first.unwrap().elapsed().as_secs_f64()
    }
}
