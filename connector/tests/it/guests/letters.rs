//! Reads a dead-letter topic.

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::support::services;
use crate::support::wait::{DEADLINE, until};

/// A record of the dead-letter topic.
#[derive(Debug, PartialEq)]
pub(super) struct Letter {
    pub(super) value: Option<Vec<u8>>,
    pub(super) timestamp: Option<i64>,
    headers: Vec<(String, String)>,
}

// === impl Letter ===

impl Letter {
    /// The last header of this name.
    #[track_caller]
    pub(super) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().rev().find(|(header, _)| header == name);
        found.map_or_else(|| panic!("no header {name} in {:?}", self.headers), |(_, value)| value)
    }
}

/// Every letter that is there now, in its order. The topic has one partition.
pub(super) fn letters_in(topic: &str) -> Vec<Letter> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", services::kafka()).set("group.id", "observer");
    let consumer: BaseConsumer = config.create().unwrap();
    let (_, end) = consumer.fetch_watermarks(topic, 0, DEADLINE).unwrap();
    let mut from_start = TopicPartitionList::new();
    from_start.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
    consumer.assign(&from_start).unwrap();
    (0..end)
        .map(|_| until("the next letter", || consumer.poll(DEADLINE).ok_or(()).map(|next| letter(&next.unwrap()))))
        .collect()
}

fn letter(message: &impl Message) -> Letter {
    let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap_or_default().to_vec()).unwrap();
    let headers =
        message.headers().map(|headers| headers.iter().map(|one| (one.key.to_owned(), text(one.value))).collect());
    Letter {
        value: message.payload().map(<[u8]>::to_vec),
        timestamp: message.timestamp().to_millis(),
        headers: headers.unwrap_or_default(),
    }
}
