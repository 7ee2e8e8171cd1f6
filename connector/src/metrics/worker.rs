//! How connectors and tasks started, over the life of the worker.

use std::sync::Arc;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;

use super::family::{Described, Family, Samples};
use super::series::Count;

/// What is read of a kind of starts.
type Row = (Family, fn(&Starts) -> f64);

const CONNECTOR_ROWS: [Row; 5] = [
    (
        Family::counter("kafka_connect_worker_connector_startup_attempts_total", "Starts of connectors."),
        Starts::attempts,
    ),
    (
        Family::counter("kafka_connect_worker_connector_startup_success_total", "Starts of connectors that succeeded."),
        Starts::succeeded,
    ),
    (
        Family::counter("kafka_connect_worker_connector_startup_failure_total", "Starts of connectors that failed."),
        Starts::failed,
    ),
    (
        Family::gauge(
            "kafka_connect_worker_connector_startup_success_percentage",
            "Starts of connectors that succeeded, of all since the worker began: 0 to 1.",
        ),
        Starts::success_ratio,
    ),
    (
        Family::gauge(
            "kafka_connect_worker_connector_startup_failure_percentage",
            "Starts of connectors that failed, of all since the worker began: 0 to 1.",
        ),
        Starts::failure_ratio,
    ),
];

const TASK_ROWS: [Row; 5] = [
    (Family::counter("kafka_connect_worker_task_startup_attempts_total", "Starts of tasks."), Starts::attempts),
    (
        Family::counter("kafka_connect_worker_task_startup_success_total", "Starts of tasks that succeeded."),
        Starts::succeeded,
    ),
    (
        Family::counter("kafka_connect_worker_task_startup_failure_total", "Starts of tasks that failed."),
        Starts::failed,
    ),
    (
        Family::gauge(
            "kafka_connect_worker_task_startup_success_percentage",
            "Starts of tasks that succeeded, of all since the worker began: 0 to 1.",
        ),
        Starts::success_ratio,
    ),
    (
        Family::gauge(
            "kafka_connect_worker_task_startup_failure_percentage",
            "Starts of tasks that failed, of all since the worker began: 0 to 1.",
        ),
        Starts::failure_ratio,
    ),
];

/// Counts how connectors and tasks start. An attempt counts when it is known how it ended.
#[derive(Debug, Default)]
pub struct WorkerCounters {
    connectors: Starts,
    tasks: Starts,
}

#[derive(Debug, Default)]
struct Starts {
    succeeded: Count,
    failed: Count,
}

/// Shows the counters.
pub(super) struct WorkerCollector {
    counters: Arc<WorkerCounters>,
    descs: Vec<Desc>,
}

// === impl WorkerCounters ===

impl WorkerCounters {
    /// A connector was started, or could not be: its settings, its module or its client are wrong.
    pub fn connector_start(&self, ok: bool) {
        self.connectors.count(ok);
    }

    /// A task was started, or could not be.
    pub fn task_start(&self, ok: bool) {
        self.tasks.count(ok);
    }
}

// === impl Starts ===

impl Starts {
    fn count(&self, ok: bool) {
        if ok { &self.succeeded } else { &self.failed }.add(1);
    }

    fn attempts(&self) -> f64 {
        self.succeeded() + self.failed()
    }

    fn succeeded(&self) -> f64 {
        self.succeeded.get() as f64
    }

    fn failed(&self) -> f64 {
        self.failed.get() as f64
    }

    fn success_ratio(&self) -> f64 {
        ratio(self.succeeded(), self.attempts())
    }

    fn failure_ratio(&self) -> f64 {
        ratio(self.failed(), self.attempts())
    }
}

/// `part / whole`, and 0 of nothing, as Connect has it.
fn ratio(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 0.0 } else { part / whole }
}

// === impl WorkerCollector ===

impl WorkerCollector {
    pub(super) fn new(counters: Arc<WorkerCounters>) -> Self {
        Self { counters, descs: families().iter().map(Described::desc).collect() }
    }
}

/// What the collector shows.
pub(super) fn families() -> Vec<Described> {
    CONNECTOR_ROWS.iter().chain(&TASK_ROWS).map(|(family, _)| Described::new(*family, &[])).collect()
}

impl Collector for WorkerCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let show = |(family, read): &Row, starts: &Starts| {
            let mut samples = Samples::new(*family);
            samples.value(&[], read(starts));
            samples.into_family()
        };
        let connectors = CONNECTOR_ROWS.iter().map(|row| show(row, &self.counters.connectors));
        connectors.chain(TASK_ROWS.iter().map(|row| show(row, &self.counters.tasks))).collect()
    }
}
