//! The dead-letter topic of a test: what is in it, byte for byte.

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::kafka::{self, unique};
use super::services;
use super::sluice::Connector;
use super::wait::{DEADLINE, until};

/// A dead-letter topic that the connector makes; deleted with the test.
#[derive(Debug)]
pub(crate) struct LetterTopic {
    pub(crate) name: String,
    kafka: String,
    /// On a broker of the test's own, which takes it with it.
    own: bool,
}

/// A record as it is in Kafka.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) timestamp_ms: Option<i64>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
}

// === impl LetterTopic ===

impl LetterTopic {
    /// A topic that is not there yet.
    pub(crate) fn unmade(test: &str) -> Self {
        Self::named(&unique(&format!("{test}-dlq")))
    }

    /// The topic of this name.
    pub(crate) fn named(name: &str) -> Self {
        Self { name: name.to_owned(), kafka: services::kafka().to_owned(), own: false }
    }

    /// One that is not there yet in the Kafka at `kafka`, `host:port`.
    pub(crate) fn unmade_on(kafka: &str, test: &str) -> Self {
        Self { name: unique(&format!("{test}-dlq")), kafka: kafka.to_owned(), own: true }
    }

    /// Everything in it, in the order of its partitions and offsets; nothing if it is not there.
    pub(crate) fn all(&self) -> Vec<Letter> {
        let consumer = kafka::consumer(&self.kafka, "letters");
        let metadata = consumer.fetch_metadata(Some(&self.name), DEADLINE).unwrap();
        let partitions: Vec<i32> = metadata.topics()[0].partitions().iter().map(|partition| partition.id()).collect();
        let watermarks = |&partition: &i32| {
            // A broker that was just killed takes a while to say who leads.
            let ask = || consumer.fetch_watermarks(&self.name, partition, DEADLINE);
            let (low, high) = until("the ends of a partition", ask);
            (partition, low, high)
        };
        let spans: Vec<_> = partitions.iter().map(watermarks).filter(|(_, low, high)| low < high).collect();
        spans.into_iter().flat_map(|span| read(&consumer, &self.name, span)).collect()
    }

    /// Waits until it holds so many.
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Letter> {
        until("the dead letters", || match self.all() {
            letters if letters.len() == count => Ok(letters),
            letters => Err(letters.len()),
        })
    }
}

impl Drop for LetterTopic {
    fn drop(&mut self) {
        if !self.own {
            kafka::delete(&self.kafka, &self.name);
        }
    }
}

fn read(consumer: &BaseConsumer, topic: &str, (partition, low, high): (i32, i64, i64)) -> Vec<Letter> {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Offset(low)).unwrap();
    consumer.assign(&list).unwrap();
    let mut letters = Vec::new();
    until("the letters to be read", || {
        while let Some(message) = consumer.poll(std::time::Duration::from_millis(50)) {
            let message = message.unwrap();
            letters.push(Letter::of(&message));
            if message.offset() + 1 == high {
                return Ok(());
            }
        }
        Err(letters.len())
    });
    letters
}

// === impl Letter ===

impl Letter {
    fn of(message: &impl Message) -> Self {
        let headers = message.headers().into_iter().flat_map(Headers::iter);
        Self {
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            timestamp_ms: message.timestamp().to_millis(),
            headers: headers.map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect(),
        }
    }

    /// The last header of this name, as text.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> String {
        let found = self.headers.iter().rev().find(|(key, _)| key == name);
        let value = found.unwrap_or_else(|| panic!("no header {name} in {:?}", self.headers)).1.clone();
        String::from_utf8(value.expect("a value")).unwrap()
    }

    /// Partition and offset of the record that it is about.
    pub(crate) fn origin(&self) -> (i32, i64) {
        let number = |name| self.header(name).parse().unwrap();
        (number("__connect.errors.partition") as i32, number("__connect.errors.offset"))
    }
}

// === impl Connector ===

impl Connector {
    /// Bears refused records and sends them to `letters`, with their context.
    pub(crate) fn with_letters(self, letters: &LetterTopic) -> Self {
        self.set("errors.tolerance", "all")
            .set("errors.deadletterqueue.topic.name", &letters.name)
            .set("errors.deadletterqueue.topic.replication.factor", "1")
            .set("errors.deadletterqueue.context.headers.enable", "true")
    }
}
