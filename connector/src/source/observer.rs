//! Asks the brokers how far partitions reach, from outside of the group and off the task's thread.

use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::runtime::Handle;

use super::settings;
use crate::config::{ConnectorConfig, WorkerConfig};
use crate::record::TopicPartition;

/// How long one answer may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How long a record is waited for where one should be.
const READ_TIMEOUT: Duration = Duration::from_secs(2);

/// What it does otherwise than the tasks.
const OWN: &[(&str, &str)] = &[
    ("enable.partition.eof", "true"),
    // Nobody reads them.
    ("statistics.interval.ms", "0"),
    // One record is enough.
    ("fetch.message.max.bytes", "1024"),
    ("queued.min.messages", "1"),
];

/// What the brokers say of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// The offset to read on from: that of the question, or what the group has committed, or the first there is.
    pub position: i64,
    /// The offset after its last record.
    pub end: i64,
    /// Whether there is a record between them: what is there may be the marker of a transaction, or have been compacted away.
    pub has_more: bool,
}

/// Partitions, each with the offset after the last record taken of it, if there was one.
pub type Questions = Vec<(TopicPartition, Option<i64>)>;

/// What is asked of a client: of each partition an answer, without those that no broker told of. Told whether a partition without an
/// offset is read from its first record.
type Look<A> = fn(&BaseConsumer, Questions, bool) -> Vec<(TopicPartition, A)>;

/// A client beside the group that gives answers of this kind.
pub struct Observer<A> {
    settings: ClientConfig,
    from_first: bool,
    client: Arc<Mutex<Option<BaseConsumer>>>,
    look: Look<A>,
    answer: Option<Receiver<Vec<(TopicPartition, A)>>>,
}

// === impl Observer ===

impl Observer<Reach> {
    /// Tells how far partitions reach and whether there is something to read. Connects to nothing before the first question.
    pub fn of_reaches(worker: &WorkerConfig, connector: &ConnectorConfig) -> Self {
        Self::new(worker, connector, reaches)
    }
}

impl Observer<i64> {
    /// Tells the offset after the last record of partitions, and nothing else. Connects to nothing before the first question.
    pub fn of_ends(worker: &WorkerConfig, connector: &ConnectorConfig) -> Self {
        Self::new(worker, connector, ends)
    }
}

impl<A: Send + 'static> Observer<A> {
    fn new(worker: &WorkerConfig, connector: &ConnectorConfig, look: Look<A>) -> Self {
        // Of the brokers and the group that the tasks ask; the group is not joined.
        let mut settings = settings::outsider(worker, connector, &format!("connector-observer-{}", connector.name));
        for (key, value) in OWN {
            settings.set(*key, *value);
        }
        let from_first = matches!(settings::beginning(connector), Some(Offset::Offset(_)));
        Self { settings, from_first, client: Arc::default(), look, answer: None }
    }

    /// Asks on a thread of `runtime`'s, unless the last question is not answered yet.
    pub fn ask(&mut self, partitions: Questions, runtime: &Handle) {
        if self.answer.is_some() || partitions.is_empty() {
            return;
        }
        let (answer, receiver) = sync_channel(1);
        let (client, settings, from_first) = (Arc::clone(&self.client), self.settings.clone(), self.from_first);
        let look = self.look;
        self.answer = Some(receiver);
        drop(runtime.spawn_blocking(move || {
            let mut client = client.lock().unwrap_or_else(PoisonError::into_inner);
            if client.is_none() {
                *client = settings.create().ok();
            }
            let reached = client.as_ref().map(|client| look(client, partitions, from_first));
            // Nobody waits only if the task has ended.
            let _ = answer.send(reached.unwrap_or_default());
        }));
    }

    /// The answer, once it is there; without the partitions that no broker told of.
    pub fn answer(&mut self) -> Option<Vec<(TopicPartition, A)>> {
        let answer = self.answer.as_ref()?.try_recv();
        if !matches!(answer, Err(TryRecvError::Empty)) {
            self.answer = None;
        }
        answer.ok()
    }
}

impl<A> std::fmt::Debug for Observer<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Observer").field("asks", &self.answer.is_some()).finish_non_exhaustive()
    }
}

fn ends(client: &BaseConsumer, partitions: Questions, _: bool) -> Vec<(TopicPartition, i64)> {
    // Errors that are told as events would pile up.
    while client.poll(Duration::ZERO).is_some() {}
    let deadline = Instant::now() + TIMEOUT;
    let end = |(partition, _): (TopicPartition, _)| {
        let left = deadline.saturating_duration_since(Instant::now());
        let (_, end) = client.fetch_watermarks(&partition.topic, partition.partition, left).ok()?;
        Some((partition, end))
    };
    // One without a leader is no reason to know nothing of the others; all of them together have the time of one answer.
    partitions.into_iter().filter_map(end).collect()
}

fn reaches(client: &BaseConsumer, partitions: Questions, from_first: bool) -> Vec<(TopicPartition, Reach)> {
    let mut list = TopicPartitionList::new();
    for (partition, _) in &partitions {
        list.add_partition(&partition.topic, partition.partition);
    }
    let Ok(committed) = client.committed_offsets(list, TIMEOUT) else { return Vec::new() };
    let reach = |(partition, position): (TopicPartition, Option<i64>)| {
        let (low, end) = client.fetch_watermarks(&partition.topic, partition.partition, TIMEOUT).ok()?;
        let committed = committed.find_partition(&partition.topic, partition.partition)?.offset();
        let committed = if let Offset::Offset(offset) = committed { Some(offset) } else { None };
        // What retention has cut off meanwhile is not to be read.
        // Whoever begins at the end is not known to have begun anywhere before its first record.
        let position = position.or(committed).unwrap_or(if from_first { low } else { end }).max(low);
        let has_more = position < end && has_record(client, &partition, position);
        Some((partition, Reach { position, end, has_more }))
    };
    // One that does not answer is no reason to wait for all others.
    partitions.into_iter().map_while(reach).collect()
}

/// Whether there is a record at or after `position`. If no answer comes, there may be.
fn has_record(client: &BaseConsumer, partition: &TopicPartition, position: i64) -> bool {
    let mut list = TopicPartitionList::new();
    let placed = list.add_partition_offset(&partition.topic, partition.partition, Offset::Offset(position));
    if placed.and_then(|()| client.assign(&list)).is_err() {
        return true;
    }
    let deadline = Instant::now() + READ_TIMEOUT;
    let mut found = true;
    while Instant::now() < deadline {
        match client.poll(READ_TIMEOUT / 10) {
            Some(Ok(_)) => break,
            Some(Err(KafkaError::PartitionEOF(_))) => {
                found = false;
                break;
            }
            _ => {}
        }
    }
    if let Err(error) = client.unassign() {
        tracing::debug!(%error, "observer keeps a partition");
    }
    found
}
