//! Partitions that stand still although there is something to read: the commonest complaint about consumers is that one stops in silence.
//! The watchdog asks the brokers how far the partitions reach, says what it finds, and has the consumer replaced.

use std::collections::HashMap;
use std::thread;
use std::time::{Duration, Instant};

use super::{Pipeline, TaskError};
use crate::record::TopicPartition;
use crate::source::KafkaSource;
use crate::source::observer::{Observer, Questions, Reach};
use crate::status::TaskState;

/// So often within `stall.timeout.ms` it is looked whether partitions move.
const LOOKS: u32 = 3;

/// Watches the partitions of one task.
#[derive(Debug)]
pub(super) struct Watchdog {
    /// `stall.timeout.ms`; `None` if it is off.
    timeout: Option<Duration>,
    observer: Observer<Reach>,
    seen: HashMap<TopicPartition, Seen>,
    next_look: Instant,
    /// The consumer was replaced for this one, which has not moved since.
    stalled: Option<TopicPartition>,
}

/// Where a partition was read to, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    /// The offset after the last record taken; `None` before the first.
    position: Option<i64>,
    since: Instant,
}

/// A partition that stands still.
#[derive(Debug, PartialEq, Eq)]
struct Stall {
    partition: TopicPartition,
    position: i64,
    end: i64,
    lasted: Duration,
}

// === impl Watchdog ===

impl Watchdog {
    pub(super) fn new(timeout: Option<Duration>, observer: Observer<Reach>, now: Instant) -> Self {
        Self { timeout, observer, seen: HashMap::new(), next_look: now, stalled: None }
    }

    /// Whether the consumer was replaced and the partition still has not moved.
    pub(super) fn is_alarmed(&self) -> bool {
        self.stalled.is_some()
    }

    /// Nothing is to be expected of the partitions for now.
    fn rest(&mut self) {
        self.seen.clear();
    }

    /// Notes where the partitions are read to; gives back those that have not moved for a look or more.
    fn look(&mut self, positions: Vec<(TopicPartition, Option<i64>)>, now: Instant, wait: Duration) -> Questions {
        let mut still = Vec::new();
        let mut seen = HashMap::new();
        for (partition, position) in positions {
            let unmoved = self.seen.get(&partition).filter(|seen| seen.position == position);
            if unmoved.is_none() && position.is_some() && self.stalled.as_ref() == Some(&partition) {
                self.stalled = None;
            }
            let entry = unmoved.copied().unwrap_or(Seen { position, since: now });
            if now >= entry.since + wait {
                still.push((partition.clone(), position));
            }
            seen.insert(partition, entry);
        }
        self.seen = seen;
        still
    }

    /// What the brokers say of those: the first that has had something to read all the time.
    fn judge(&mut self, reaches: Vec<(TopicPartition, Reach)>, now: Instant, timeout: Duration) -> Option<Stall> {
        for (partition, reach) in reaches {
            let Some(seen) = self.seen.get_mut(&partition) else { continue };
            if !reach.has_more {
                seen.since = now;
                if self.stalled.as_ref() == Some(&partition) {
                    self.stalled = None;
                }
            } else if now >= seen.since + timeout {
                return Some(Stall { partition, position: reach.position, end: reach.end, lasted: now - seen.since });
            }
        }
        None
    }
}

impl Pipeline {
    /// Looks whether partitions stand still although the task would take their records.
    pub(super) fn watch(&mut self, now: Instant) -> Result<(), TaskError> {
        let Some(timeout) = self.watchdog.timeout.filter(|_| now >= self.watchdog.next_look) else { return Ok(()) };
        self.watchdog.next_look = now + timeout / LOOKS;
        let takes_nothing = self.paused || self.is_full() || self.salvage.is_some() || self.lockout.is_some();
        if takes_nothing || self.assignment.is_revoking() {
            self.watchdog.rest();
            return Ok(());
        }
        let positions = self.source.positions();
        let position = |partition: TopicPartition| {
            let position = positions.get(&partition).copied();
            (partition, position)
        };
        let positions = self.assignment.partitions().map(position).collect();
        let still = self.watchdog.look(positions, now, timeout / LOOKS);
        let reaches = self.watchdog.observer.answer().unwrap_or_default();
        if let Some(stall) = self.watchdog.judge(reaches, now, timeout) {
            return self.replace_consumer(stall);
        }
        if !still.is_empty() {
            tracing::debug!(partitions = still.len(), "watchdog asks how far partitions reach that do not move");
        }
        self.watchdog.observer.ask(still, self.lane.runtime());
        Ok(())
    }

    /// Another consumer takes the place of the one that stands still, with all that was assigned to that fenced (I3): it reads on from what
    /// is committed.
    fn replace_consumer(&mut self, stall: Stall) -> Result<(), TaskError> {
        let Stall { partition, position, end, lasted } = stall;
        let reason = format!(
            "partition {partition} has records up to offset {end} and was not read on from {position} for {} ms (stall.timeout.ms); the consumer is replaced",
            lasted.as_millis()
        );
        tracing::warn!(%partition, position, end, stalled_ms = lasted.as_millis() as u64, "partition stands still, replacing the consumer");
        self.metrics.stall();
        self.board.set(TaskState::retrying(reason));
        (self.watchdog.stalled, self.healthy) = (Some(partition), None);
        let source = KafkaSource::open(&self.worker, &self.connector, self.task, thread::current())
            .map_err(|source| TaskError::Consumer { connector: self.connector.name.clone(), source })?;
        let old = std::mem::replace(&mut self.source, source);
        // Leaving the group may hang as everything else of it does.
        thread::Builder::new()
            .name("old-consumer".to_owned())
            .spawn(move || drop(old))
            .expect("the system gives a thread");
        self.assignment.clear();
        self.fence_letters();
        self.watchdog.rest();
        (self.salvage, self.paused, self.commits_open) = (None, false, 0);
        self.metrics.partitions(0);
        self.metrics.commits_forgotten();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ConnectorConfig, WorkerConfig};

    const TIMEOUT: Duration = Duration::from_secs(60);

    fn watchdog(now: Instant) -> Watchdog {
        let map = |pairs: &[(&str, &str)]| pairs.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect();
        let least = [
            ("name", "c"),
            ("topics", "t"),
            ("transform.module", "builtin:split-concat"),
            ("influx.url", "http://localhost:8086"),
            ("influx.database", "d"),
        ];
        let connector = ConnectorConfig::check(&map(&least)).unwrap().config;
        let worker = WorkerConfig::check(&map(&[("bootstrap.servers", "localhost:1")]), [], &map(&[])).unwrap().config;
        Watchdog::new(Some(TIMEOUT), Observer::of_reaches(&worker, &connector), now)
    }

    fn t(partition: i32) -> TopicPartition {
        TopicPartition::new("t", partition)
    }

    #[test]
    fn a_partition_that_does_not_move_while_there_is_something_to_read_is_told_of() {
        let start = Instant::now();
        let mut dog = watchdog(start);
        let reach = |end| vec![(t(0), Reach { position: 5, end, has_more: true })];
        assert!(dog.look(vec![(t(0), Some(5)), (t(1), Some(9))], start, TIMEOUT / 3).is_empty());
        let later = start + TIMEOUT / 2;
        assert_eq!(dog.look(vec![(t(0), Some(5)), (t(1), Some(10))], later, TIMEOUT / 3), [(t(0), Some(5))]);
        assert_eq!(dog.judge(reach(8), later, TIMEOUT), None, "it has time left");
        let at_last = start + TIMEOUT;
        dog.look(vec![(t(0), Some(5))], at_last, TIMEOUT / 3);
        let stall = dog.judge(reach(8), at_last, TIMEOUT);
        assert_eq!(stall, Some(Stall { partition: t(0), position: 5, end: 8, lasted: TIMEOUT }));
    }

    #[test]
    fn a_partition_at_its_end_stands_still_with_reason() {
        let start = Instant::now();
        let mut dog = watchdog(start);
        // At the end, or before what is no record.
        for (position, reach) in [
            (Some(5), Reach { position: 5, end: 5, has_more: false }),
            (None, Reach { position: 6, end: 7, has_more: false }),
        ] {
            for hours in 0..5 {
                let now = start + hours * TIMEOUT;
                dog.look(vec![(t(0), position)], now, TIMEOUT / 3);
                assert_eq!(dog.judge(vec![(t(0), reach)], now, TIMEOUT), None);
            }
        }
    }

    #[test]
    fn the_alarm_ends_when_the_partition_moves() {
        let start = Instant::now();
        let mut dog = watchdog(start);
        dog.stalled = Some(t(0));
        dog.look(vec![(t(0), None)], start, TIMEOUT / 3);
        assert!(dog.is_alarmed());
        dog.look(vec![(t(0), Some(6))], start, TIMEOUT / 3);
        assert!(!dog.is_alarmed());
    }
}
