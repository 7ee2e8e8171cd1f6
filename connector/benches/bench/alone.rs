//! librdkafka alone, the fastest way there is: partition queues forwarded to one, drained in batches, messages destroyed. It
//! runs with the allocator and the settings of Sluice, so what is left between the two is Sluice's own work.

#![allow(unsafe_code, reason = "the yardstick is librdkafka's raw interface")]

use std::ffi::CString;
use std::ptr;
use std::time::Instant;

use rdkafka::ClientConfig;
use rdkafka::bindings as rdsys;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use sluice::source::settings;

use crate::process::own_usage;

/// Reads the whole topic and prints records per second, CPU seconds and peak megabytes.
pub(crate) fn consume(brokers: &str, topic: &str, group: &str, records: u64) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("group.id", group).set("enable.auto.commit", "false");
    for (key, value) in settings::DEFAULTS {
        config.set(*key, *value);
    }
    let consumer: BaseConsumer = config.create().unwrap();
    let metadata = consumer.fetch_metadata(Some(topic), std::time::Duration::from_secs(10)).unwrap();
    let mut list = TopicPartitionList::new();
    for partition in metadata.topics()[0].partitions() {
        list.add_partition_offset(topic, partition.id(), Offset::Beginning).unwrap();
    }
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
        consumer.assign(&list).unwrap();
        let (mut messages, mut read, mut first) = (vec![ptr::null_mut(); 4096], 0, None);
        while read < records {
            let taken = rdsys::rd_kafka_consume_batch_queue(queue, 0, messages.as_mut_ptr(), messages.len());
            let taken = usize::try_from(taken).unwrap();
            if taken == 0 {
                consumer.poll(std::time::Duration::from_millis(1));
                continue;
            }
            first.get_or_insert_with(Instant::now);
            for &message in &messages[..taken] {
                read += u64::from((*message).err == rdsys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR);
                rdsys::rd_kafka_message_destroy(message);
            }
        }
        let seconds = first.unwrap().elapsed().as_secs_f64();
        let usage = own_usage();
        println!("{} {} {}", records as f64 / seconds, usage.cpu_s, usage.peak_mb);
        rdsys::rd_kafka_queue_destroy(queue);
    }
}
