//! The most memory that a connector takes (I4): every queue has a capacity, and this is their sum. What runs takes a fraction of it, for most of
//! it is what the limit of the guests' memory would allow.

use super::{Compression, ConnectorConfig, WorkerConfig};
use crate::{batch, dead_letter, source, swap};

/// Instances of the transform that a task may hold: the version that runs, one on probation, and, while it does not come to a boundary, the next one and
/// the one that this would fall back on.
const INSTANCES_OF_TASK: u64 = 4;

/// Those in which a candidate is tried beside the running version.
const INSTANCES_ON_TRIAL: u64 = 2;

/// What a guest gives back, in its memory's size: the answer itself, and the bodies made of it, in which each line gets a timestamp; lines are taken to be
/// no shorter than that.
const COPIES_OF_OUTPUT: u64 = 1 + 2;

/// What is read ahead, fetched and drained: the queue, and the batches made of it.
const COPIES_OF_QUEUE: u64 = 2;

// === impl ConnectorConfig ===

impl ConnectorConfig {
    /// Bytes that the connector takes at the most in this process, with all its tasks. Not in it: the module's machine code, which connectors share;
    /// librdkafka's and the allocator's own needs, some 2 MB; one answer to a fetch for each further broker; a record larger than the queue.
    pub fn memory_bound_bytes(&self, worker: &WorkerConfig) -> u64 {
        let tasks = u64::from(self.tasks_max.get());
        let guest = self.transform.memory_max_bytes as u64;
        let guests = guest.saturating_mul(INSTANCES_OF_TASK * tasks + INSTANCES_ON_TRIAL);
        let task = [guest.saturating_mul(COPIES_OF_OUTPUT), self.reading(worker), self.bodies(), self.letters(worker)];
        let task = task.into_iter().fold(swap::ring::BYTES_MAX as u64, u64::saturating_add);
        guests.saturating_add(task.saturating_mul(tasks))
    }

    fn reading(&self, worker: &WorkerConfig) -> u64 {
        let number = |name| source::settings::number(worker, self, name).unwrap_or(0);
        let queue = number("queued.max.messages.kbytes").saturating_mul(1024);
        queue.saturating_mul(COPIES_OF_QUEUE).saturating_add(number("fetch.max.bytes"))
    }

    /// Those under way, the one that is being filled, and the full one that waits; and of each the compressed copy, and the records kept for dead letters.
    fn bodies(&self) -> u64 {
        let bodies = self.batch.requests_in_flight.most() as u64 + 2;
        let compressed = u64::from(self.influx.compression != Compression::None);
        let kept = u64::from(self.errors.dead_letters.is_some());
        let body = (self.batch.max_bytes.get() as u64).saturating_mul(1 + compressed + kept);
        bodies.saturating_mul(body.saturating_add(kept * batch::BATCH_MAX_BYTES as u64))
    }

    /// Letters that wait, those that one body adds to them, and the producer's own memory.
    fn letters(&self, worker: &WorkerConfig) -> u64 {
        if self.errors.dead_letters.is_none() {
            return 0;
        }
        let producer = dead_letter::kbytes_max(worker, self).saturating_mul(1024);
        (dead_letter::BYTES_MAX as u64).saturating_add(self.batch.max_bytes.get() as u64).saturating_add(producer)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const MIB: u64 = 1 << 20;

    /// The bound in MiB with these settings beside those that have to be there.
    fn bound(settings: &[(&str, &str)]) -> u64 {
        let needed = [
            ("name", "c"),
            ("topics", "t"),
            ("transform.module", "builtin:split-concat"),
            ("influx.url", "http://h:1"),
            ("influx.database", "d"),
            ("influx.version", "1"),
        ];
        let map: BTreeMap<_, _> =
            needed.iter().chain(settings).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let worker = WorkerConfig::check(&BTreeMap::new(), [], &BTreeMap::new()).unwrap().config;
        let config = ConnectorConfig::check(&map).unwrap().config;
        let bytes = config.memory_bound_bytes(&worker);
        assert_eq!(bytes % 1024, 0);
        bytes.div_ceil(MIB)
    }

    #[test]
    fn every_capacity_counts() {
        let one = [("requests.in.flight", "1"), ("influx.compression", "none")];
        let beside = |settings: &[(&str, &str)]| bound(&[&one[..], settings].concat());
        let usual = beside(&[]);
        // Six instances and three copies of what one gives back; the queue twice and a fetch; three bodies; the ring.
        assert_eq!(usual, 6 * 64 + 3 * 64 + 2 * 16 + 1 + 3 * 4 + 1);
        let with = |settings: &[(&str, &str)]| beside(settings) - usual;
        assert_eq!(with(&[("tasks.max", "2")]), 4 * 64 + 3 * 64 + 2 * 16 + 1 + 3 * 4 + 1, "all but the trial's");
        assert_eq!(with(&[("influx.compression", "gzip")]), 3 * 4);
        assert_eq!(with(&[("batch.max.bytes", "8388608")]), 3 * 4);
        assert_eq!(with(&[("requests.in.flight", "4")]), 3 * 4);
        assert_eq!(with(&[("consumer.override.queued.max.messages.kbytes", "32768")]), 2 * 16);
        assert_eq!(with(&[("consumer.override.fetch.max.bytes", "3145728")]), 2);
        let letters = [("errors.tolerance", "all"), ("errors.deadletterqueue.topic.name", "l")];
        // The bodies' records, those that wait, those of a body on top, and the producer's queue; and three batches of 256 KiB.
        assert_eq!(with(&letters), 3 * 4 + 16 + 4 + 128 + 1);
        assert_eq!(usual - beside(&[("transform.memory.max.bytes", "1048576")]), 9 * 63);
    }

    #[test]
    fn more_than_there_can_be_is_no_panic() {
        let limits = [("transform.memory.max.bytes", "4294967296"), ("tasks.max", "1000")];
        assert!(bound(&limits) > 16 * 1000 * 1024);
    }
}
