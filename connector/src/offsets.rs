//! The offsets that a connector's consumer group has committed in Kafka: to be read, altered and reset while no task runs.
//!
//! Everything here blocks, for at most the time of [`Group::within`]: call it on a thread that may. `offsets/admin.rs` asks the brokers,
//! `offsets/look.rs` looks before offsets are changed, `offsets/fault.rs` decides what stands in the way and whether it passes,
//! `offsets/ear.rs` hears why there is no connection, `offsets/body.rs` reads and writes the bodies of the REST API.
//!
//! Only a group without members lets its offsets be changed from outside. A connector that was stopped a moment ago may still have some,
//! so they are given time to leave.

mod admin;
pub mod body;
mod ear;
mod error;
mod fault;
mod look;

use std::collections::BTreeMap;
use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::config::{ConnectorConfig, WorkerConfig};
use crate::source::settings;
use admin::{Admin, Entry};
pub use error::{Doing, OffsetsError};
use fault::{Fault, Meaning};
use look::{all_well, await_no_members, check_partitions};

/// How long reading or changing offsets may take as a whole. Less than the 90 s after which a REST request is given up, so that the answer
/// says what is wrong.
pub const TIME: Duration = Duration::from_secs(30);

/// How long members of the group are given to leave it. A stopped task leaves within seconds; one that does not is stuck.
pub const LEAVE_TIME: Duration = Duration::from_secs(10);

/// How long to wait before asking again.
const PAUSE: Duration = Duration::from_millis(100);

/// An offset that a group has committed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CommittedOffset {
    /// The topic, which the connector need not read any more.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset of the next record to be read.
    pub offset: i64,
}

/// What shall become of the committed offset of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetChange {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset of the next record to be read; `None` deletes what is committed. Whether the partition has that offset is not looked at,
    /// as in Kafka Connect: `auto.offset.reset` decides when the task reads.
    pub offset: Option<i64>,
}

/// The consumer group of a connector, seen from outside.
#[derive(Clone)]
pub struct Group {
    connector: String,
    name: String,
    brokers: String,
    client: ClientConfig,
    time: Duration,
    leave_time: Duration,
}

/// What is left of the time for one thing.
struct Clock {
    started: Instant,
    time: Duration,
    leave_time: Duration,
}

// === impl Group ===

impl Group {
    /// The group that the connector's tasks are in, asked with a client like theirs: `consumer.override.*` weighs more than the worker's
    /// client properties, also for the group's name and the brokers. Connects to nothing.
    pub fn new(worker: &WorkerConfig, connector: &ConnectorConfig) -> Self {
        let client = settings::outsider(worker, connector, &format!("connector-offsets-{}", connector.name));
        let setting = |key| client.get(key).unwrap_or_default().to_owned();
        let (name, brokers) = (setting("group.id"), setting("bootstrap.servers"));
        Self { connector: connector.name.clone(), name, brokers, client, time: TIME, leave_time: LEAVE_TIME }
    }

    /// Takes other times than [`TIME`] as a whole and [`LEAVE_TIME`] for members to leave.
    #[must_use]
    pub fn within(mut self, time: Duration, leave_time: Duration) -> Self {
        (self.time, self.leave_time) = (time, leave_time);
        self
    }

    /// The group's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All that the group has committed, also of topics that the connector reads no longer, by topic and partition. Nothing if there is no
    /// such group. Tasks may run.
    ///
    /// # Errors
    /// If the brokers don't answer in time, or refuse.
    pub fn read(&self) -> Result<Vec<CommittedOffset>, OffsetsError> {
        let mut committed = self.attempt(Doing::Read, &mut false, |admin, clock, _| {
            let entries = match admin.list(clock.left()) {
                Err(fault) if fault.meaning() == Meaning::Missing => Vec::new(),
                entries => entries?,
            };
            all_well(&entries)?;
            let there = entries.into_iter().filter(|entry| entry.offset >= 0);
            Ok(there.map(CommittedOffset::from).collect::<Vec<_>>())
        })?;
        committed.sort();
        Ok(committed)
    }

    /// Sets and deletes committed offsets; of several changes of one partition the last counts. All or nothing, as far as Kafka has that:
    /// what is wrong with a change or a partition is found before anything is changed, all offsets are set in one request, and all deleted
    /// in another one after it.
    ///
    /// # Errors
    /// If an offset is negative, a partition is not there, the group has members that don't leave, or the brokers don't answer in time or
    /// refuse.
    pub fn alter(&self, changes: &[OffsetChange]) -> Result<(), OffsetsError> {
        let last: BTreeMap<_, _> = changes.iter().map(|c| ((c.topic.as_str(), c.partition), c.offset)).collect();
        let negative = last.iter().find_map(|(at, offset)| Some((*at, offset.filter(|offset| *offset < 0)?)));
        if let Some(((topic, partition), offset)) = negative {
            let (connector, topic) = (self.connector.clone(), topic.to_owned());
            return Err(OffsetsError::Negative { connector, topic, partition, offset });
        }
        if last.is_empty() {
            return Ok(());
        }
        let (mut set, mut delete) = (TopicPartitionList::new(), TopicPartitionList::new());
        let mut checked = false;
        self.attempt(Doing::Alter, &mut false, |admin, clock, is_set| {
            if !checked {
                check_partitions(admin, clock, last.keys().copied())?;
                for ((topic, partition), offset) in &last {
                    match offset {
                        // Fails for relative offsets only.
                        Some(offset) => drop(set.add_partition(topic, *partition).set_offset(Offset::Offset(*offset))),
                        None => drop(delete.add_partition(topic, *partition)),
                    }
                }
                checked = true;
            }
            await_no_members(admin, clock)?;
            if set.count() > 0 && !*is_set {
                all_well(&admin.alter(&set, clock.left())?)?;
                *is_set = true;
            }
            if delete.count() > 0 {
                all_well(&admin.delete(&delete, clock.left())?)?;
            }
            Ok(())
        })?;
        tracing::info!(
            connector = self.connector,
            group = self.name,
            set = set.count(),
            deleted = delete.count(),
            "committed offsets altered"
        );
        Ok(())
    }

    /// Deletes the group with all that it has committed. That there is none is no error.
    ///
    /// # Errors
    /// If the group has members that don't leave, or the brokers don't answer in time or refuse.
    pub fn reset(&self) -> Result<(), OffsetsError> {
        self.attempt(Doing::Reset, &mut false, |admin, clock, _| {
            await_no_members(admin, clock)?;
            match admin.delete_group(clock.left()) {
                Err(fault) if fault.meaning() == Meaning::Missing => Ok(()),
                deleted => deleted,
            }
        })?;
        tracing::info!(connector = self.connector, group = self.name, "committed offsets reset");
        Ok(())
    }

    /// Does something until it succeeds, a fault lasts, or the time is over. `partly` is for it to note that a part is done.
    fn attempt<T>(
        &self,
        doing: Doing,
        partly: &mut bool,
        mut once: impl FnMut(&Admin, &Clock, &mut bool) -> Result<T, Fault>,
    ) -> Result<T, OffsetsError> {
        let refused = |error: KafkaError| OffsetsError::Client {
            doing,
            connector: self.connector.clone(),
            reason: error.to_string(),
        };
        let admin = Admin::new(&self.client, &self.name).map_err(refused)?;
        let clock = Clock { started: Instant::now(), time: self.time, leave_time: self.leave_time };
        loop {
            let fault = match once(&admin, &clock, partly) {
                Ok(done) => return Ok(done),
                Err(fault) => fault,
            };
            if !fault::again(fault.meaning(), clock.left(), clock.leave_left()) {
                return Err(self.error(doing, &fault, &admin, &clock, *partly));
            }
            tracing::debug!(connector = self.connector, group = self.name, %doing, %fault, "asking again");
            thread::sleep(PAUSE.min(clock.left()));
        }
    }

    fn error(&self, doing: Doing, fault: &Fault, admin: &Admin, clock: &Clock, set: bool) -> OffsetsError {
        let (connector, group, waited) = (self.connector.clone(), self.name.clone(), clock.started.elapsed());
        match fault.meaning() {
            Meaning::Occupied => {
                OffsetsError::Occupied { doing, connector, group, waited, members: fault.to_string(), set }
            }
            Meaning::Passing => {
                let reason = admin.complaint().unwrap_or_else(|| fault.to_string());
                OffsetsError::Unreachable { doing, connector, group, brokers: self.brokers.clone(), waited, reason }
            }
            Meaning::Missing | Meaning::Lasting => {
                let (reason, advice) = (fault.to_string(), fault::advice(fault));
                OffsetsError::Refused { doing, connector, group, reason, advice, set }
            }
        }
    }
}

impl fmt::Debug for Group {
    // The client's settings may hold passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("connector", &self.connector).field("name", &self.name).finish_non_exhaustive()
    }
}

// === impl Clock ===

impl Clock {
    fn left(&self) -> Duration {
        self.time.saturating_sub(self.started.elapsed())
    }

    fn leave_left(&self) -> Duration {
        self.leave_time.saturating_sub(self.started.elapsed())
    }
}

// === impl CommittedOffset ===

impl From<Entry> for CommittedOffset {
    fn from(entry: Entry) -> Self {
        Self { topic: entry.topic, partition: entry.partition, offset: entry.offset }
    }
}

#[cfg(test)]
mod tests;
