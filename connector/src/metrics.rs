//! What Prometheus sees: the names, and typed handles that count.
//!
//! A handle resolves its labels once. Everything here is called once per batch or per request, never per record; a
//! call is one or a few atomic operations. A series is shown as long as a handle on it lives: revoked partitions and
//! deleted connectors vanish by themselves.
//!
//! - the tables of names: `metrics/tables.rs`, those of Connect's that a task has: `metrics/connect.rs`; hot swap: `metrics/swaps.rs`; states of
//!   connectors: `metrics/board.rs`; how they started: `metrics/worker.rs`; the process itself: `metrics/process.rs`; its certificates:
//!   `metrics/certificates.rs`
//! - the numbers behind the handles: `metrics/series.rs`; rates and averages of late: `metrics/window.rs`; the weighted histogram:
//!   `metrics/histogram.rs`
//!
//! `docs/METRICS.md` lists all of it, and which of Connect's metrics are left out and why; a test writes and compares it.

mod board;
mod certificates;
mod connect;
mod family;
mod histogram;
mod labels;
mod process;
mod series;
mod swaps;
mod tables;
#[cfg(test)]
mod tests;
mod window;
mod worker;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use prometheus::{Registry, TextEncoder};

use crate::status::Board;
pub use certificates::CertificateFile;
pub use labels::{CutBy, RequestOutcome, Stage, SwapOutcome, SwapStep};
use series::{PartitionSeries, TaskSeries, UNKNOWN, get_or_insert, lock};
pub use swaps::SwapMetrics;
use swaps::{SwapCollector, SwapSeries, Swaps};
pub use worker::WorkerCounters;

/// Content type of what [`Metrics::render`] returns.
pub const TEXT_FORMAT: &str = prometheus::TEXT_FORMAT;

/// Live tasks by connector and number.
type Tasks = Arc<Mutex<BTreeMap<(String, u32), Weak<TaskSeries>>>>;

/// The registry of this process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    tasks: Tasks,
    swaps: Swaps,
    worker: Arc<WorkerCounters>,
}

/// Counts for one task of one connector. Clones count into the same series.
#[derive(Debug, Clone)]
pub struct TaskMetrics {
    series: Arc<TaskSeries>,
}

/// Counts for one partition while one task has it. Clones count into the same series.
#[derive(Debug, Clone)]
pub struct PartitionMetrics {
    series: Arc<PartitionSeries>,
}

/// One write request under way; dropping it says that the request ended, however it did.
#[derive(Debug)]
#[must_use = "the request counts as ended when this is dropped"]
pub struct InFlight {
    series: Arc<TaskSeries>,
}

// === impl Metrics ===

impl Metrics {
    /// A registry that shows the build and the process, and every task made from it.
    pub fn new() -> Arc<Self> {
        let metrics = Self {
            registry: Registry::new(),
            tasks: Tasks::default(),
            swaps: Swaps::default(),
            worker: Arc::default(),
        };
        let collectors: [Box<dyn prometheus::core::Collector>; 5] = [
            Box::new(worker::WorkerCollector::new(Arc::clone(&metrics.worker))),
            Box::new(tables::TaskCollector::new(Arc::clone(&metrics.tasks))),
            Box::new(SwapCollector::new(Arc::clone(&metrics.swaps))),
            Box::new(process::BuildCollector::new()),
            Box::new(process::ProcessCollector::new()),
        ];
        for collector in collectors {
            metrics
                .registry
                .register(collector)
                .expect("a new registry holds no name yet, and no two collectors share one");
        }
        Arc::new(metrics)
    }

    /// Shows the states of a board's connectors and tasks too. Only the first board is taken; calling this again
    /// changes nothing.
    pub fn show_board(&self, board: &Board) {
        if let Err(error) = self.registry.register(Box::new(board::BoardCollector::new(board.clone()))) {
            tracing::debug!(%error, "board is shown already");
        }
    }

    /// Shows until when the certificates in these files are valid. Only the first list is taken; calling this again changes nothing.
    pub fn show_certificates(&self, files: Vec<CertificateFile>) {
        if let Err(error) = self.registry.register(Box::new(certificates::CertificateCollector::new(files))) {
            tracing::debug!(%error, "certificates are shown already");
        }
    }

    /// The handle of one task. While an earlier handle of the same task lives, both count into the same series.
    pub fn task(&self, connector: &str, task: u32) -> TaskMetrics {
        let key = (connector.to_owned(), task);
        let series = get_or_insert(&mut lock(&self.tasks), key, || TaskSeries::new(connector, task, &self.worker));
        TaskMetrics { series }
    }

    /// The handle of one connector's swaps. While an earlier handle of the same connector lives, both count into the same series.
    pub fn swaps(&self, connector: &str) -> SwapMetrics {
        let make = || SwapSeries::new(connector);
        SwapMetrics { series: get_or_insert(&mut lock(&self.swaps), connector.to_owned(), make) }
    }

    /// Counts how connectors and tasks start.
    pub fn worker(&self) -> &Arc<WorkerCounters> {
        &self.worker
    }

    /// All metrics in Prometheus' text format 0.0.4, sorted by name.
    pub fn render(&self) -> String {
        let mut text = String::new();
        if let Err(error) = TextEncoder::new().encode_utf8(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "metrics cannot be written out in full");
        }
        text
    }
}

// === impl TaskMetrics ===

impl TaskMetrics {
    /// The handle of one partition that this task has been given. While an earlier handle of the same partition
    /// lives, both count into the same series.
    pub fn partition(&self, topic: &str, partition: i32) -> PartitionMetrics {
        let key = (topic.to_owned(), partition);
        let make = || PartitionSeries::new(Arc::clone(&self.series), topic, partition);
        PartitionMetrics { series: get_or_insert(&mut lock(&self.series.partitions), key, make) }
    }

    /// `n` points were acknowledged by InfluxDB.
    pub fn points_written(&self, n: u64) {
        self.series.points_written.add(n);
    }

    /// `n` bytes of line protocol (before compression) were acknowledged by InfluxDB.
    pub fn bytes_written(&self, n: u64) {
        self.series.bytes_written.add(n);
    }

    /// A write request came to an end.
    pub fn request(&self, outcome: RequestOutcome) {
        self.series.requests[outcome as usize].add(1);
    }

    /// A write request starts; it is in flight until the guard is dropped.
    pub fn request_in_flight(&self) -> InFlight {
        self.series.requests_in_flight.fetch_add(1, Relaxed);
        InFlight { series: Arc::clone(&self.series) }
    }

    /// A write request is sent once more.
    pub fn retry(&self) {
        self.series.retries.add(1);
    }

    /// A request is sent in search of refused lines.
    pub fn hunt_request(&self) {
        self.series.hunt_requests.add(1);
    }

    /// The transform failed on a record at `now_ms`, and is tried on it again if `again`.
    pub fn record_failed(&self, now_ms: i64, again: bool) {
        self.series.record_failures.add(1);
        self.series.record_retries.add(u64::from(again));
        self.series.last_error_ms.store(now_ms.unsigned_abs(), Relaxed);
    }

    /// A record can't be written; `skipped`: it is passed over, `logged`: it was written to the log.
    pub fn record_error(&self, now_ms: i64, skipped: bool, logged: bool) {
        self.series.record_errors.add(1);
        self.series.records_skipped.add(u64::from(skipped));
        self.series.errors_logged.add(u64::from(logged));
        self.series.last_error_ms.store(now_ms.unsigned_abs(), Relaxed);
    }

    /// A partition stood still, and the consumer was replaced.
    pub fn stall(&self) {
        self.series.stalls.add(1);
    }

    /// A dead letter was handed to the producer.
    pub fn letter_sent(&self) {
        self.series.letters_sent.add(1);
    }

    /// A dead letter did not arrive.
    pub fn letter_failed(&self) {
        self.series.letters_failed.add(1);
    }

    /// `count` records were acknowledged, `age` after their Kafka timestamp. A timestamp ahead of our clock counts as
    /// age zero.
    pub fn freshness(&self, age: Duration, count: u64) {
        self.series.freshness.observe(age.as_secs_f64(), count);
    }

    /// One batch or request spent this long in a stage.
    pub fn stage(&self, stage: Stage, took: Duration) {
        if stage == Stage::Sink {
            self.series.recent.puts.record(millis(took));
        }
        self.series.stages[stage as usize].observe(took.as_secs_f64(), 1);
    }

    /// A request body was closed.
    pub fn batch(&self, cut_by: CutBy) {
        self.series.cuts[cut_by as usize].add(1);
    }

    /// Until when the certificate is valid that InfluxDB showed last, in seconds since 1970; 0: none was seen.
    pub fn influx_certificate(&self, not_after: u64) {
        self.series.influx_certificate.store(not_after, Relaxed);
    }

    /// Bytes of linear memory that the transform's instance has now.
    pub fn transform_memory(&self, bytes: u64) {
        self.series.transform_memory_bytes.store(bytes, Relaxed);
    }

    /// Which module runs: sha256 of its bytes, and the name it goes by. Replaces the one told before.
    pub fn transform_info(&self, digest: &str, module: &str) {
        *lock(&self.series.transform) = Some((digest.to_owned(), module.to_owned()));
    }

    /// An offset commit was sent to Kafka, and will be answered.
    pub fn commit_sent(&self) {
        self.series.commits_sent.add(1);
        lock(&self.series.commits_open).push_back(Instant::now());
    }

    /// Kafka took an offset commit: the one that was sent longest ago.
    pub fn commit_ok(&self) {
        self.series.commits_ok.add(1);
        self.commit_answered(true);
    }

    /// Kafka refused the offset commit that was sent longest ago.
    pub fn commit_failed(&self) {
        self.commit_answered(false);
    }

    /// An offset commit could not be sent.
    pub fn commit_not_sent(&self) {
        self.series.recent.commits.record(0.0);
    }

    /// What was sent will not be answered: the consumer is replaced.
    pub fn commits_forgotten(&self) {
        lock(&self.series.commits_open).clear();
    }

    fn commit_answered(&self, ok: bool) {
        let recent = &self.series.recent;
        recent.commits.record(if ok { 1.0 } else { 0.0 });
        if let Some(sent) = lock(&self.series.commits_open).pop_front() {
            recent.commit_times.record(millis(sent.elapsed()));
        }
    }

    /// A look at how many records are read and not committed; for their maximum and average.
    pub fn look_at_active(&self) {
        self.series.recent.active.record(self.series.active() as f64);
    }

    /// The name that the task's consumer has among the brokers' clients. Only the first one counts.
    pub fn client_id(&self, id: &str) {
        self.series.client_id.get_or_init(|| id.to_owned());
    }

    /// The task was started, or could not be; counted for the worker.
    pub fn task_start(&self, ok: bool) {
        self.series.worker.task_start(ok);
    }

    /// Partitions assigned now.
    pub fn partitions(&self, n: usize) {
        self.series.partition_count.store(n as u64, Relaxed);
    }
}

// === impl PartitionMetrics ===

impl PartitionMetrics {
    /// A batch of `n` records was taken from Kafka. Call it once per batch: the sizes of batches are told too.
    pub fn consumed(&self, n: u64) {
        let task = &self.series.task;
        self.series.consumed.add(n);
        task.records_read.add(n);
        task.recent.batches.record(n as f64);
    }

    /// The transform gave no line for `n` records, on purpose.
    pub fn filtered(&self, n: u64) {
        self.series.filtered.add(n);
    }

    /// The lines of `n` records were handed to the sink.
    pub fn sent(&self, n: u64) {
        self.series.task.records_sent.add(n);
        self.series.task.recent.sent.record(n as f64);
    }

    /// `n` records were acknowledged by the dead-letter topic.
    pub fn dead_lettered(&self, n: u64) {
        self.series.dead_lettered.add(n);
    }

    /// The log no longer had the offset to read on from.
    pub fn offset_reset(&self) {
        self.series.offset_resets.add(1);
    }

    /// `n` refused records were discarded.
    pub fn discarded(&self, n: u64) {
        self.series.discarded.add(n);
    }

    /// How far behind the end of the partition the task is: in records that have no fate yet, and as the age in
    /// seconds of the newest record that has one (0 if none waits behind it). Not shown before the first call.
    pub fn lag(&self, records: u64, seconds: f64) {
        self.series.lag_records.store(records, Relaxed);
        self.series.lag_seconds.store(seconds.to_bits(), Relaxed);
    }

    /// Records of the partition that the consumer has not given out yet. Not shown before the first call.
    pub fn unread(&self, records: u64) {
        self.series.unread_records.store(records, Relaxed);
    }

    /// The offset to be received next; with [`committed`](Self::committed) it tells what is read but not committed.
    pub fn received(&self, next_offset: i64) {
        self.series.received_offset.store(u64::try_from(next_offset).unwrap_or(UNKNOWN), Relaxed);
    }

    /// The offset that is committed in Kafka, or the one the task started from. A negative number means that there is
    /// none yet.
    pub fn committed(&self, next_offset: i64) {
        self.series.committed_offset.store(u64::try_from(next_offset).unwrap_or(UNKNOWN), Relaxed);
    }
}

// === impl InFlight ===

impl Drop for InFlight {
    fn drop(&mut self) {
        self.series.requests_in_flight.fetch_sub(1, Relaxed);
    }
}

fn millis(took: Duration) -> f64 {
    took.as_secs_f64() * 1e3
}
