//! Where the numbers live: plain atomics, one set per task and one per partition.
//!
//! The registry holds these weakly: a series is shown as long as somebody holds a handle on it. The `prometheus`
//! crate's own label vectors aren't used, because they tell series apart by a hash over the label values run
//! together: partition 1 of topic `a1` and partition 11 of topic `a` would share one number.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Instant;

use super::histogram::Histogram;
use super::window::Window;
use super::{CutBy, RequestOutcome, Stage, WorkerCounters};

/// Bounds of `sluice_freshness_seconds`. Fine where the goals are (1.5 ms in the middle, 5 ms at the 99th
/// percentile), then up to ten minutes of backlog; anything older is "far behind", and the lag says how far.
pub(crate) const FRESHNESS_BOUNDS: &[f64] = &[
    0.0005, 0.001, 0.0015, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    60.0, 120.0, 300.0, 600.0,
];

/// Bounds of `sluice_stage_seconds`: from a batch of a few records in a stage that takes nanoseconds a record, to a
/// request that runs into the default time-out (30 s).
pub(crate) const STAGE_BOUNDS: &[f64] = &[
    0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
    2.5, 5.0, 10.0, 30.0, 60.0,
];

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// The numbers of one task of one connector.
#[derive(Debug)]
pub(crate) struct TaskSeries {
    pub(crate) connector: Arc<str>,
    pub(crate) task: String,
    pub(crate) partitions: Mutex<BTreeMap<(String, i32), Weak<PartitionSeries>>>,
    pub(crate) points_written: Count,
    pub(crate) bytes_written: Count,
    pub(crate) requests: [Count; RequestOutcome::ALL.len()],
    pub(crate) requests_in_flight: AtomicI64,
    pub(crate) retries: Count,
    pub(crate) hunt_requests: Count,
    pub(crate) stalls: Count,
    pub(crate) record_failures: Count,
    pub(crate) record_errors: Count,
    pub(crate) record_retries: Count,
    pub(crate) records_skipped: Count,
    pub(crate) errors_logged: Count,
    pub(crate) letters_sent: Count,
    pub(crate) letters_failed: Count,
    /// Milliseconds since 1970; 0 as long as there was no error.
    pub(crate) last_error_ms: AtomicU64,
    pub(crate) freshness: Histogram,
    pub(crate) stages: [Histogram; Stage::ALL.len()],
    pub(crate) cuts: [Count; CutBy::ALL.len()],
    /// Seconds since 1970; 0: InfluxDB has shown none.
    pub(crate) influx_certificate: AtomicU64,
    pub(crate) transform_memory_bytes: AtomicU64,
    /// Digest and name of the module that runs.
    pub(crate) transform: Mutex<Option<(String, String)>>,
    pub(crate) commits_ok: Count,
    pub(crate) partition_count: AtomicU64,
    pub(crate) records_read: Count,
    pub(crate) records_sent: Count,
    /// Commits sent, and when, of those that are not answered.
    pub(crate) commits_sent: Count,
    pub(crate) commits_open: Mutex<VecDeque<Instant>>,
    pub(crate) recent: RecentOfTask,
    /// The name of the task's consumer among the brokers' clients.
    pub(crate) client_id: OnceLock<String>,
    pub(crate) worker: Arc<WorkerCounters>,
}

/// What was of late.
#[derive(Debug, Default)]
pub(crate) struct RecentOfTask {
    /// Sizes of batches taken from Kafka.
    pub(crate) batches: Window,
    /// Records handed to the sink.
    pub(crate) sent: Window,
    /// Milliseconds of write requests.
    pub(crate) puts: Window,
    /// 1 for each commit that Kafka took, 0 for each that it did not.
    pub(crate) commits: Window,
    /// Milliseconds from a commit to its answer.
    pub(crate) commit_times: Window,
    /// Records read and not committed, looked at each second.
    pub(crate) active: Window,
}

impl TaskSeries {
    pub(crate) fn new(connector: &str, task: u32, worker: &Arc<WorkerCounters>) -> Self {
        Self {
            connector: connector.into(),
            task: task.to_string(),
            partitions: Mutex::default(),
            points_written: Count::default(),
            bytes_written: Count::default(),
            requests: Default::default(),
            requests_in_flight: AtomicI64::new(0),
            retries: Count::default(),
            hunt_requests: Count::default(),
            stalls: Count::default(),
            record_failures: Count::default(),
            record_errors: Count::default(),
            record_retries: Count::default(),
            records_skipped: Count::default(),
            errors_logged: Count::default(),
            letters_sent: Count::default(),
            letters_failed: Count::default(),
            last_error_ms: AtomicU64::new(0),
            freshness: Histogram::new(FRESHNESS_BOUNDS),
            stages: std::array::from_fn(|_| Histogram::new(STAGE_BOUNDS)),
            cuts: Default::default(),
            influx_certificate: AtomicU64::new(0),
            transform_memory_bytes: AtomicU64::new(0),
            transform: Mutex::default(),
            commits_ok: Count::default(),
            partition_count: AtomicU64::new(0),
            records_read: Count::default(),
            records_sent: Count::default(),
            commits_sent: Count::default(),
            commits_open: Mutex::default(),
            recent: RecentOfTask::default(),
            client_id: OnceLock::new(),
            worker: Arc::clone(worker),
        }
    }

    /// Records read and not committed, of all partitions.
    pub(crate) fn active(&self) -> u64 {
        self.live_partitions().iter().map(|partition| partition.uncommitted()).sum()
    }

    /// The partitions somebody holds a handle on, in order of topic and number.
    pub(crate) fn live_partitions(&self) -> Vec<Arc<PartitionSeries>> {
        live(&mut lock(&self.partitions))
    }
}

/// Stands for "not told yet" in offsets and lags, which are then not shown: 0 would claim that there is no lag.
pub(crate) const UNKNOWN: u64 = u64::MAX;

/// The numbers of one partition while one task has it.
#[derive(Debug)]
pub(crate) struct PartitionSeries {
    /// Keeps the task's own series shown while a partition of it still counts.
    pub(crate) task: Arc<TaskSeries>,
    pub(crate) topic: String,
    pub(crate) partition: String,
    pub(crate) consumed: Count,
    pub(crate) filtered: Count,
    pub(crate) dead_lettered: Count,
    pub(crate) discarded: Count,
    pub(crate) offset_resets: Count,
    pub(crate) lag_records: AtomicU64,
    /// Records that the consumer has not given out.
    pub(crate) unread_records: AtomicU64,
    /// The bits of an `f64`; `UNKNOWN` is a NaN.
    pub(crate) lag_seconds: AtomicU64,
    pub(crate) received_offset: AtomicU64,
    pub(crate) committed_offset: AtomicU64,
}

impl PartitionSeries {
    pub(crate) fn new(task: Arc<TaskSeries>, topic: &str, partition: i32) -> Self {
        Self {
            task,
            topic: topic.to_owned(),
            partition: partition.to_string(),
            consumed: Count::default(),
            filtered: Count::default(),
            dead_lettered: Count::default(),
            discarded: Count::default(),
            offset_resets: Count::default(),
            lag_records: AtomicU64::new(UNKNOWN),
            unread_records: AtomicU64::new(UNKNOWN),
            lag_seconds: AtomicU64::new(UNKNOWN),
            received_offset: AtomicU64::new(UNKNOWN),
            committed_offset: AtomicU64::new(UNKNOWN),
        }
    }

    /// Offsets received but not committed yet; 0 as long as either is not known.
    pub(crate) fn uncommitted(&self) -> u64 {
        let (received, committed) = (self.received_offset.load(Relaxed), self.committed_offset.load(Relaxed));
        if received == UNKNOWN || committed == UNKNOWN { 0 } else { received.saturating_sub(committed) }
    }
}

/// Everything alive in a map of weak references; what is dead is removed on the way.
pub(crate) fn live<K: Ord, V>(map: &mut BTreeMap<K, Weak<V>>) -> Vec<Arc<V>> {
    let mut alive = Vec::with_capacity(map.len());
    map.retain(|_, weak| weak.upgrade().map(|series| alive.push(series)).is_some());
    alive
}

/// The series under `key`, made anew unless somebody still holds it.
pub(crate) fn get_or_insert<K: Ord, V>(map: &mut BTreeMap<K, Weak<V>>, key: K, make: impl FnOnce() -> V) -> Arc<V> {
    if let Some(series) = map.get(&key).and_then(Weak::upgrade) {
        return series;
    }
    // Here and not on every drop: the map is bounded by what was alive at the last scrape or the last registration.
    map.retain(|_, weak| weak.strong_count() > 0);
    let series = Arc::new(make());
    map.insert(key, Arc::downgrade(&series));
    series
}

/// Locks; a panic of another holder can't leave these maps half-written, so poison is ignored.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
