//! The source stage: one consumer of the group `connect-<name>`, drained in batches of one partition each.
//!
//! The consumer's own queue carries group events and is polled often, whatever the sink does. The messages of all
//! assigned partitions are forwarded to one queue of the task's own. Both wake the task's thread when something arrives,
//! so an idle task sleeps.

mod group;
pub(crate) mod message;
pub mod observer;
mod queue;
pub(crate) mod read;
pub mod settings;
mod slots;

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::Thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::batch::{Batch, Inputs};
use crate::config::{ConnectorConfig, WorkerConfig};
use crate::record::TopicPartition;
use group::Group;
use queue::TaskQueue;
use slots::Slots;

pub use group::GroupEvent;
pub use settings::{beginning, client_id};
pub use slots::Filled;

/// How long one question to the brokers may take before the task looks whether it is to stop.
const QUESTION_TIMEOUT: Duration = Duration::from_millis(500);

/// How often one call asks for group events. With `debug=cgrp` each question makes lines of the log, which are such events again.
const POLLS_MAX: usize = 256;

/// How long a consumer that is dropped waits at the least for the end of a rebalance, without which it can't leave its group.
const LEAVE_TIME: Duration = Duration::from_secs(2);
const LEAVE_POLL: Duration = Duration::from_millis(10);

/// A partition's error, as the broker or librdkafka reports it in place of a record.
#[derive(Debug)]
pub struct PartitionError {
    /// The partition.
    pub partition: TopicPartition,
    /// librdkafka's code.
    pub code: RDKafkaErrorCode,
    /// Its words.
    pub reason: String,
}

/// The consumer of one task.
pub struct KafkaSource {
    // Before the consumer: the queue has to go first.
    queue: TaskQueue<Group>,
    consumer: Arc<BaseConsumer<Group>>,
    slots: Slots,
    errors: Vec<PartitionError>,
    instance_id: Option<String>,
    /// Whether it has to be told to leave the group; see [`KafkaSource::leave`].
    leaves: bool,
    /// How long leaving the group may take.
    leave_until: Option<Instant>,
}

// === impl KafkaSource ===

impl KafkaSource {
    /// Starts the consumer of task `task`, which joins the group when it is first polled. `wake` is unparked whenever
    /// there is something to do.
    ///
    /// # Errors
    ///
    /// If librdkafka refuses a setting.
    pub fn open(worker: &WorkerConfig, connector: &ConnectorConfig, task: u32, wake: Thread) -> KafkaResult<Self> {
        let config = settings::consumer(worker, connector, task);
        let mut consumer: BaseConsumer<Group> = config.create_with_context(Group::default())?;
        let waker = wake.clone();
        consumer.set_nonempty_callback(move || waker.unpark());
        let consumer = Arc::new(consumer);
        let queue = TaskQueue::new(Arc::clone(&consumer), wake);
        let instance_id = config.get(settings::INSTANCE_ID).map(str::to_owned);
        let subscription = connector.topics.subscription();
        consumer.subscribe(&subscription.iter().map(String::as_str).collect::<Vec<_>>())?;
        let mut slots = Slots::default();
        slots.resets = Arc::clone(&consumer.context().resets);
        let classic = config.get("group.protocol").is_none_or(|protocol| protocol == "classic");
        // A static member stays: its partitions are kept for it.
        let leaves = classic && instance_id.is_none();
        Ok(Self { queue, consumer, slots, errors: Vec::new(), instance_id, leaves, leave_until: None })
    }

    /// Whether the brokers know `topic`. Waits half a second at the most.
    ///
    /// # Errors
    ///
    /// If no broker answered in that time, or this client may not know ([`is_denied`]).
    pub fn topic_exists(&self, topic: &str) -> KafkaResult<bool> {
        use RDKafkaErrorCode::{InvalidTopic, TopicAuthorizationFailed, UnknownTopicOrPartition};
        let metadata = self.consumer.fetch_metadata(Some(topic), QUESTION_TIMEOUT)?;
        let told = metadata.topics().iter().find_map(|topic| topic.error()).map(RDKafkaErrorCode::from);
        match told {
            Some(UnknownTopicOrPartition | InvalidTopic) => Ok(false),
            Some(TopicAuthorizationFailed) => Err(KafkaError::MetadataFetch(TopicAuthorizationFailed)),
            // There is one, which for the moment has no leader or the like.
            Some(_) | None => Ok(true),
        }
    }

    /// Whether a broker answers, and lets this client in. Waits half a second at the most.
    pub fn is_let_in(&self) -> bool {
        // An unknown name asks the broker nothing more than whether it is there; all topics would be many.
        self.consumer.fetch_metadata(Some("__consumer_offsets"), QUESTION_TIMEOUT).is_ok()
    }

    /// Whether the task is in its group, be it without a partition.
    pub fn has_joined(&self) -> bool {
        !matches!(self.consumer.rebalance_protocol(), RebalanceProtocol::None)
    }

    /// Whether the task could leave its group. Before the brokers have told it its id it can't, although they may have a place for it.
    pub fn can_leave(&self) -> bool {
        self.queue.has_member_id()
    }

    /// The id of the cluster, if a broker tells it within half a second.
    pub fn cluster_id(&self) -> Option<String> {
        self.consumer.client().fetch_cluster_id(QUESTION_TIMEOUT)
    }

    /// Serves the group. To be called often, whatever else goes on: this is what keeps the task in the group.
    pub fn poll(&mut self, wanted: Inputs) -> Vec<GroupEvent> {
        self.slots.want(wanted);
        for _ in 0..POLLS_MAX {
            let heard = self.consumer.context().heard();
            match self.consumer.poll(Duration::ZERO) {
                // «Nothing» is also the answer after an event that went to the context, and then there may be more behind it.
                None if self.consumer.context().heard() == heard => return self.consumer.context().take_events(),
                None => {}
                // Records come by the task's queue. One that was on its way before the queues were forwarded does not.
                Some(Ok(message)) => self.slots.push_borrowed(&message, wanted),
                // Told through the context's `error` as well, with its reason.
                Some(Err(error)) => tracing::debug!(%error, "consumer error"),
            }
        }
        // The queue was never found empty, so it will not say that it has something.
        std::thread::current().unpark();
        self.consumer.context().take_events()
    }

    /// Takes what has been fetched, up to 4,096 records, without waiting. Gives back whether there was anything. The
    /// batches are then in [`KafkaSource::next_filled`], the partitions' errors in [`KafkaSource::take_errors`].
    pub fn take(&mut self, wanted: Inputs) -> bool {
        self.slots.want(wanted);
        self.slots.drains += 1;
        let (slots, errors) = (&mut self.slots, &mut self.errors);
        let mut run = (0, -1, None);
        let taken = self.queue.drain(|message| {
            if let Some((code, reason)) = message.error() {
                let partition = TopicPartition::new(message.topic(), message.partition());
                errors.push(PartitionError { partition, code, reason });
                return;
            }
            if (run.0, run.1) != (message.topic_id(), message.partition()) {
                let slot = slots.find(message.topic_id(), message.partition(), || message.topic());
                run = (message.topic_id(), message.partition(), slot);
            }
            // A partition on its way to another owner: that one will read the record.
            let Some(slot) = run.2 else { return };
            if slots.push(slot, &message.record(), wanted) && wanted.headers {
                message.headers(|name, value| slots.open[slot].push_header(name, value));
                slots.open[slot].end_headers();
            }
        });
        self.slots.close_open();
        taken > 0
    }

    /// Whether every batch that was filled has the columns `wanted`.
    pub fn holds(&self, wanted: Inputs) -> bool {
        self.slots.hold(wanted)
    }

    /// The next batch that was filled, in the order of arrival for each partition.
    pub fn next_filled(&mut self) -> Option<Filled> {
        self.slots.filled.pop_front()
    }

    /// Gives a batch's memory back for the next one.
    pub fn recycle(&mut self, batch: Batch) {
        self.slots.recycle(batch);
    }

    /// Errors of partitions since the last call.
    pub fn take_errors(&mut self) -> Vec<PartitionError> {
        std::mem::take(&mut self.errors)
    }

    /// Answers [`GroupEvent::Assign`]: takes the partitions over, from their committed offsets. Gives back the slot of
    /// each.
    ///
    /// # Errors
    ///
    /// If librdkafka refuses; the assignment is lost then.
    pub fn assign(&mut self, partitions: &[TopicPartition]) -> KafkaResult<Vec<usize>> {
        // Before `assign`: a queue forwarded later would let the first messages reach the main queue.
        for partition in partitions {
            self.queue.forward(&partition.topic, partition.partition);
        }
        let list = to_list(partitions);
        // librdkafka keeps a pause beyond the assignment it was made in.
        self.consumer.resume(&list)?;
        let slots = partitions.iter().map(|partition| self.slots.open(partition.clone())).collect();
        group::assign(&self.consumer, &list)?;
        Ok(slots)
    }

    /// Stops taking records of a partition that is about to be given back; those that still arrive are passed over.
    pub fn stop_taking(&mut self, partition: &TopicPartition) {
        self.slots.close(partition);
    }

    /// The task's static id in the group, if it has one.
    pub fn instance_id(&self) -> Option<&str> {
        self.instance_id.as_deref()
    }

    /// Whether the group gave the task up, and others have its partitions.
    pub fn assignment_lost(&self) -> bool {
        self.consumer.assignment_lost()
    }

    /// Answers [`GroupEvent::Revoke`] and [`GroupEvent::Lost`].
    ///
    /// # Errors
    ///
    /// If librdkafka refuses.
    pub fn revoke(&mut self, partitions: &[TopicPartition]) -> KafkaResult<()> {
        for partition in partitions {
            self.slots.close(partition);
        }
        group::unassign(&self.consumer, &to_list(partitions))
    }

    /// Answers [`GroupEvent::TopicRenewed`]: reads the partition from its beginning. What was fetched of the topic before is given up.
    ///
    /// # Errors
    ///
    /// If librdkafka refuses.
    pub fn begin_anew(&mut self, partition: &TopicPartition, from: Offset) -> KafkaResult<()> {
        if self.slots.is_open(partition) {
            self.slots.renew(partition, from.to_raw().filter(|&offset| offset >= 0));
            self.consumer.seek(&partition.topic, partition.partition, from, Duration::ZERO)?;
        }
        Ok(())
    }

    /// Stops fetching. What has been fetched and not taken is given up and fetched again later.
    ///
    /// # Errors
    ///
    /// If librdkafka refuses.
    pub fn pause(&self) -> KafkaResult<()> {
        self.consumer.pause(&self.consumer.assignment()?)
    }

    /// Fetches again.
    ///
    /// # Errors
    ///
    /// If librdkafka refuses.
    pub fn resume(&self) -> KafkaResult<()> {
        self.consumer.resume(&self.consumer.assignment()?)
    }

    /// Sends for each partition the offset of the next record to read. The outcome comes as [`GroupEvent::Committed`].
    ///
    /// # Errors
    ///
    /// If librdkafka refuses to send it.
    pub fn commit(&self, offsets: &[(TopicPartition, i64)]) -> KafkaResult<()> {
        let mut list = TopicPartitionList::with_capacity(offsets.len());
        for (partition, next) in offsets {
            list.add_partition_offset(&partition.topic, partition.partition, Offset::Offset(*next))?;
        }
        queue::commit_async(&self.consumer, &list)
    }

    /// The offset after the last record taken of each partition. It passes over what is no record: the markers of transactions.
    pub fn positions(&self) -> HashMap<TopicPartition, i64> {
        let list = self.consumer.position().unwrap_or_default();
        let position = |element: rdkafka::topic_partition_list::TopicPartitionListElem<'_>| match element.offset() {
            Offset::Offset(offset) => Some((TopicPartition::new(element.topic(), element.partition()), offset)),
            _ => None,
        };
        let mut positions: HashMap<_, _> = list.elements().into_iter().filter_map(position).collect();
        positions.extend(self.slots.begun_anew().map(|(partition, next)| (partition.clone(), next)));
        positions
    }

    /// The offset after the last record that was taken of a slot's partition since it was assigned, 0 before the first. `None` once it is
    /// being given back: from then on records are passed over that nobody has read.
    pub fn taken_to(&self, slot: usize) -> Option<i64> {
        self.slots.taken_to(slot)
    }

    /// The offset after the last record of a partition, as the last fetch told it; `None` if there was none yet.
    pub fn end_offset(&self, partition: &TopicPartition) -> Option<i64> {
        queue::cached_end_offset(&self.consumer, &partition.topic, partition.partition)
    }

    /// From now on the consumer may be dropped, which takes until then if brokers answer slowly.
    pub fn leave_by(&mut self, until: Instant) {
        self.leave_until = Some(until);
    }

    /// Leaves the group. Closing does so only for a member that has partitions to give back: of the others librdkafka tells the group nothing
    /// (seen with 2.12 and cooperative rebalancing), which then waits for them for `session.timeout.ms`, and everybody who joins waits with it.
    /// Nor does it leave before a rebalance that it is in has come to its end.
    fn leave(&self) {
        self.consumer.unsubscribe();
        let soon = Instant::now() + LEAVE_TIME;
        let deadline = self.leave_until.map_or(soon, |until| until.max(soon));
        while self.queue.has_member_id() && Instant::now() < deadline {
            // Serves callbacks; records that come now are the next owner's.
            let _ = self.consumer.poll(LEAVE_POLL);
        }
    }
}

impl Drop for KafkaSource {
    fn drop(&mut self) {
        // Whoever polls from here on does so to leave the group, and nobody is there to answer.
        self.consumer.context().close();
        if self.leaves {
            self.leave();
        }
    }
}

impl std::fmt::Debug for KafkaSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaSource").field("partitions", &self.slots.partitions).finish_non_exhaustive()
    }
}

fn to_list(partitions: &[TopicPartition]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for partition in partitions {
        list.add_partition(&partition.topic, partition.partition);
    }
    list
}

/// Whether an error means that somebody has to act: the brokers refuse the credentials, one of the two sides the other's certificate, or the
/// group us.
pub fn is_refusal(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{
        Authentication, ClusterAuthorizationFailed, GroupAuthorizationFailed, InconsistentGroupProtocol, SSL,
        SaslAuthenticationFailed, UnsupportedSASLMechanism,
    };
    matches!(
        error.rdkafka_error_code(),
        Some(
            Authentication
                | SSL
                | SaslAuthenticationFailed
                | UnsupportedSASLMechanism
                | ClusterAuthorizationFailed
                | GroupAuthorizationFailed
                | InconsistentGroupProtocol
        )
    )
}

/// Whether it is the group that refuses us.
pub fn is_refusal_of_group(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{GroupAuthorizationFailed, InconsistentGroupProtocol};
    matches!(error.rdkafka_error_code(), Some(GroupAuthorizationFailed | InconsistentGroupProtocol))
}

/// Whether brokers answer, and keep from this client what it asked for.
pub fn is_denied(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::TopicAuthorizationFailed)
}

/// Whether an error means that brokers can't be reached at the moment, rather than that something is wrong.
pub fn is_unreachable(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::Resolve
                | RDKafkaErrorCode::RequestTimedOut
                | RDKafkaErrorCode::LeaderNotAvailable
                | RDKafkaErrorCode::CoordinatorLoadInProgress
                | RDKafkaErrorCode::CoordinatorNotAvailable
        )
    )
}
