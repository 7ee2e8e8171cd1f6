//! Asks the brokers how far partitions reach, from outside of the group and off the task's thread.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::runtime::Handle;

use super::settings;
use crate::config::{ConnectorConfig, WorkerConfig};
use crate::record::TopicPartition;

/// How long one answer may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What the brokers say of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// The offset of its first record.
    pub low: i64,
    /// The offset after its last record.
    pub end: i64,
    /// What the group has committed.
    pub committed: Option<i64>,
}

/// A client beside the group.
pub struct Observer {
    settings: BTreeMap<String, String>,
    client: Arc<Mutex<Option<BaseConsumer>>>,
    answer: Option<Receiver<Vec<(TopicPartition, Reach)>>>,
}

// === impl Observer ===

impl Observer {
    /// Connects to nothing before the first question.
    pub fn new(worker: &WorkerConfig, connector: &ConnectorConfig) -> Self {
        let mut settings = worker.client.clone();
        // To ask for its offsets; the group is not joined.
        settings.insert("group.id".to_owned(), format!("{}{}", worker.group_prefix, connector.name));
        settings.insert("client.id".to_owned(), format!("connector-observer-{}", connector.name));
        settings.insert("log.connection.close".to_owned(), "false".to_owned());
        Self { settings, client: Arc::default(), answer: None }
    }

    /// Asks on a thread of `runtime`'s, unless the last question is not answered yet.
    pub fn ask(&mut self, partitions: Vec<TopicPartition>, runtime: &Handle) {
        if self.answer.is_some() || partitions.is_empty() {
            return;
        }
        let (answer, receiver) = sync_channel(1);
        let (client, settings) = (Arc::clone(&self.client), self.settings.clone());
        self.answer = Some(receiver);
        drop(runtime.spawn_blocking(move || {
            let mut client = client.lock().unwrap_or_else(PoisonError::into_inner);
            if client.is_none() {
                *client = settings::client(&settings).create().ok();
            }
            // Nobody waits only if the task has ended.
            let _ = answer.send(client.as_ref().map(|client| reaches(client, partitions)).unwrap_or_default());
        }));
    }

    /// The answer, once it is there; without the partitions that no broker told of.
    pub fn answer(&mut self) -> Option<Vec<(TopicPartition, Reach)>> {
        let answer = self.answer.as_ref()?.try_recv();
        if answer != Err(TryRecvError::Empty) {
            self.answer = None;
        }
        answer.ok()
    }
}

impl std::fmt::Debug for Observer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Observer").field("asks", &self.answer.is_some()).finish_non_exhaustive()
    }
}

fn reaches(client: &BaseConsumer, partitions: Vec<TopicPartition>) -> Vec<(TopicPartition, Reach)> {
    let mut list = TopicPartitionList::new();
    for partition in &partitions {
        list.add_partition(&partition.topic, partition.partition);
    }
    let Ok(committed) = client.committed_offsets(list, TIMEOUT) else { return Vec::new() };
    let reach = |partition: TopicPartition| {
        let (low, end) = client.fetch_watermarks(&partition.topic, partition.partition, TIMEOUT).ok()?;
        let committed = committed.find_partition(&partition.topic, partition.partition)?.offset();
        let committed = if let Offset::Offset(offset) = committed { Some(offset) } else { None };
        Some((partition, Reach { low, end, committed }))
    };
    // One that does not answer is no reason to wait for all others.
    partitions.into_iter().map_while(reach).collect()
}
