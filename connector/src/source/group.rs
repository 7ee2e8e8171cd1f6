//! Life in the consumer group: librdkafka's callbacks become events, which the pipeline answers when it is ready.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rdkafka::bindings::rd_kafka_resp_err_t as RespErr;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::TopicPartitionList;

use crate::record::TopicPartition;

/// What happened in the group. An assignment or a revocation waits until it is answered by
/// [`super::KafkaSource::assign`] or [`super::KafkaSource::revoke`]; the group waits with it.
#[derive(Debug)]
pub enum GroupEvent {
    /// These partitions are to be taken over.
    Assign(Vec<TopicPartition>),
    /// These partitions are to be given back.
    Revoke(Vec<TopicPartition>),
    /// These partitions are given to others already, because the group gave the task up. To be answered like a revocation, at once.
    Lost(Vec<TopicPartition>),
    /// A commit ended.
    Committed(Result<(), String>),
    /// The log of a partition no longer has the offset to read on from: it was cut off by retention, or made anew. It is read on from
    /// where `auto.offset.reset` says.
    OffsetReset {
        /// The partition.
        partition: TopicPartition,
        /// librdkafka's words, with the offsets.
        reason: String,
    },
    /// A topic was deleted and made anew. librdkafka reads it on from where it was in the one before, and tells nobody.
    TopicRenewed(String),
    /// The client reports an error that concerns more than one partition.
    ClientError {
        /// librdkafka's code.
        error: KafkaError,
        /// Its words.
        reason: String,
    },
}

/// The callbacks. Events are taken by the thread that polls, so the queue holds what one poll brings.
#[derive(Debug, Default)]
pub(super) struct Group {
    events: Mutex<Vec<GroupEvent>>,
    pub(super) resets: Arc<Resets>,
    closing: AtomicBool,
    /// How often a callback was called: a poll that says «nothing» may have called one, with more behind it.
    heard: AtomicU64,
}

/// Partitions whose log begins anew for us, until their first record from there is taken.
#[derive(Debug, Default)]
pub(super) struct Resets {
    /// Looked at for each hole in the offsets, so without a lock.
    any: AtomicBool,
    partitions: Mutex<HashSet<TopicPartition>>,
}

// === impl Resets ===

impl Resets {
    pub(super) fn note(&self, partition: TopicPartition) {
        self.lock().insert(partition);
        self.any.store(true, Ordering::Release);
    }

    /// Whether the partition's log begins anew with the record at hand. librdkafka tells before it fetches from there.
    pub(super) fn take(&self, partition: &TopicPartition) -> bool {
        if !self.any.load(Ordering::Acquire) {
            return false;
        }
        let mut partitions = self.lock();
        let begins = partitions.remove(partition);
        self.any.store(!partitions.is_empty(), Ordering::Release);
        begins
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<TopicPartition>> {
        self.partitions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Group ===

impl Group {
    /// What happened since the last call.
    pub(super) fn take_events(&self) -> Vec<GroupEvent> {
        std::mem::take(&mut *self.events.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }

    /// From now on nobody answers: revocations are agreed to at once.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    /// Goes up with each callback.
    pub(super) fn heard(&self) -> u64 {
        self.heard.load(Ordering::Relaxed)
    }

    fn hear(&self) {
        self.heard.fetch_add(1, Ordering::Relaxed);
    }

    fn push(&self, event: GroupEvent) {
        self.hear();
        self.events.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(event);
    }
}

impl ClientContext for Group {
    /// librdkafka's own lines repeat what comes as errors and events; they are for whoever looks closer. Two of them are the only word of a
    /// partition whose log no longer has the offset to read on from, and of a topic that was made anew.
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.hear();
        if facility == "OFFSET"
            && let Some(partition) = reset_partition(message)
        {
            self.resets.note(partition.clone());
            self.push(GroupEvent::OffsetReset { partition, reason: message.to_owned() });
        }
        if facility == "METADATA"
            && let Some(topic) = renewed_topic(message)
        {
            self.push(GroupEvent::TopicRenewed(topic.to_owned()));
        }
        tracing::debug!(target: "librdkafka", ?level, facility, message, "librdkafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.push(GroupEvent::ClientError { error, reason: reason.to_owned() });
    }
}

impl ConsumerContext for Group {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, what: RespErr, partitions: &mut TopicPartitionList) {
        self.hear();
        let closing = self.closing.load(Ordering::Acquire);
        match what {
            RespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS if !closing => {
                self.push(GroupEvent::Assign(to_vec(partitions)));
            }
            RespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS if !closing => {
                let partitions = to_vec(partitions);
                let lost = consumer.assignment_lost();
                self.push(if lost { GroupEvent::Lost(partitions) } else { GroupEvent::Revoke(partitions) });
            }
            // A rebalance that was under way has to come to its end before the group can be left. Closing takes no partitions any more.
            RespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS if assign(consumer, partitions).is_ok() => {}
            _ => {
                if let Err(error) = unassign(consumer, partitions) {
                    tracing::warn!(%error, "could not give partitions back");
                }
            }
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, offsets: &TopicPartitionList) {
        // Single partitions may be refused while the request as a whole was taken.
        let refused = |error: KafkaError| error.rdkafka_error_code().map_or(error, KafkaError::ConsumerCommit);
        let each = || offsets.elements().iter().try_for_each(|partition| partition.error().map_err(refused));
        match result.and_then(|()| each()) {
            // Nothing to commit is no failure.
            Err(KafkaError::ConsumerCommit(rdkafka::error::RDKafkaErrorCode::NoOffset)) => {
                self.push(GroupEvent::Committed(Ok(())));
            }
            result => self.push(GroupEvent::Committed(result.map_err(|error| error.to_string()))),
        }
    }
}

/// Takes partitions over, by the protocol that the group speaks.
pub(super) fn assign(consumer: &BaseConsumer<Group>, partitions: &TopicPartitionList) -> KafkaResult<()> {
    match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_assign(partitions),
        _ => consumer.assign(partitions),
    }
}

/// Gives partitions back, by the protocol that the group speaks.
pub(super) fn unassign(consumer: &BaseConsumer<Group>, partitions: &TopicPartitionList) -> KafkaResult<()> {
    match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_unassign(partitions),
        _ => consumer.unassign(),
    }
}

fn to_vec(partitions: &TopicPartitionList) -> Vec<TopicPartition> {
    partitions.elements().iter().map(|element| TopicPartition::new(element.topic(), element.partition())).collect()
}

/// The partition of librdkafka's `prices [3]: offset reset (at offset 7 …) to …`.
fn reset_partition(message: &str) -> Option<TopicPartition> {
    let (place, _) = message.split_once("]: offset reset (at ")?;
    // The line may begin with the thread's name.
    let (topic, partition) = place.rsplit_once(" [")?;
    Some(TopicPartition::new(topic.rsplit(' ').next()?, partition.parse().ok()?))
}

/// The topic of librdkafka's `Topic prices changed id from A to B`. It begins with no id, which is written as zeros.
fn renewed_topic(message: &str) -> Option<&str> {
    let (topic, ids) = message.split_once(" changed id from ")?;
    let (before, _) = ids.split_once(" to ")?;
    let is_first = before.trim_end_matches('=').bytes().all(|digit| digit == b'A');
    topic.rsplit_once("Topic ").map(|(_, topic)| topic).filter(|_| !is_first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_made_anew_is_read_from_librdkafkas_line_and_its_first_id_is_none() {
        let line = "[thrd:main]: Topic prices changed id from 5p2fPFIMRj6HdOcJDEZUdw to AdDGsMVlSd2wyPYcJEkJKg";
        assert_eq!(renewed_topic(line), Some("prices"));
        let first = "[thrd:main]: Topic prices changed id from AAAAAAAAAAAAAAAAAAAAAA to AdDGsMVlSd2wyPYcJEkJKg";
        for other in [first, "Topic prices partition count changed from 1 to 2", ""] {
            assert_eq!(renewed_topic(other), None, "{other}");
        }
    }

    #[test]
    fn a_reset_is_read_from_librdkafkas_line_and_nothing_else_is_taken_for_one() {
        let line = "[thrd:main]: prices [3]: offset reset (at offset 7 (leader epoch 0), broker 1) to cached BEGINNING offset 9: fetch failed";
        for line in [line, line.strip_prefix("[thrd:main]: ").unwrap()] {
            assert_eq!(reset_partition(line), Some(TopicPartition::new("prices", 3)), "{line}");
        }
        for other in ["prices [3]: something else", "offset reset (at ", "", "a [b]: offset reset (at offset 1)"] {
            assert_eq!(reset_partition(other), None, "{other}");
        }
    }

    #[test]
    fn a_reset_is_told_once() {
        let (resets, partition) = (Resets::default(), TopicPartition::new("prices", 3));
        assert!(!resets.take(&partition));
        resets.note(partition.clone());
        assert!(!resets.take(&TopicPartition::new("prices", 4)));
        assert!(resets.take(&partition));
        assert!(!resets.take(&partition));
    }
}
