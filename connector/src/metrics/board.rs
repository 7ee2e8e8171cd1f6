//! States of connectors and tasks, and what connectors are, read from the status board when they are asked for. What is counted is what Connect's
//! words make of a state: [`ConnectorStatus::connect_status`] and `TaskState::connect_status`.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;

use super::family::{Described, Family, Samples};
use crate::status::{Board, ConnectorStatus, Snapshot, VERSION};

const TASK_STATE: Family = Family::gauge("sluice_task_state", "1, labelled with the state that the task is in.");
const TASK_STATUS: Family =
    Family::gauge("kafka_connect_connector_task_status", "1, labelled with the task's state in Connect's words.");
const CONNECTOR_STATUS: Family =
    Family::gauge("kafka_connect_connector_status", "1, labelled with the connector's state in Connect's words.");
const MEMORY_BOUND: Family = Family::gauge(
    "sluice_memory_bound_bytes",
    "Bytes that the connector takes at the most with all its tasks, by its settings.",
);
const RUNNING_RATIO: Family = Family::gauge(
    "kafka_connect_connector_task_running_ratio",
    "Part of the time since the task started in which it was running, in Connect's words: 0 to 1.",
);
const PAUSE_RATIO: Family = Family::gauge(
    "kafka_connect_connector_task_pause_ratio",
    "Part of the time since the task started in which it was paused: 0 to 1.",
);

/// The class by which Connect's tools know a connector of ours: there is one.
const CONNECTOR_CLASS: &str = "io.sluice.InfluxSinkConnector";

/// What a connector is: a family, its label and the label's value, as `kafka_connect_connector_*` have them.
const KINDS: &[(Family, &str, &str)] = &[
    (
        Family::gauge("kafka_connect_connector_connector_class", "1, labelled with the connector's class."),
        "connector_class",
        CONNECTOR_CLASS,
    ),
    (
        Family::gauge("kafka_connect_connector_connector_type", "1, labelled with the connector's kind, always sink."),
        "connector_type",
        "sink",
    ),
    (
        Family::gauge("kafka_connect_connector_connector_version", "1, labelled with the version of Sluice."),
        "connector_version",
        VERSION,
    ),
];

/// A figure of the whole worker, and how it is read.
type WorkerRow = (Family, fn(&Snapshot) -> usize);

/// Figures of the whole worker. It is its own cluster: it has all connectors, and never has to share them out anew.
const WORKER_ROWS: &[WorkerRow] = &[
    (Family::gauge("kafka_connect_worker_connector_count", "Connectors of this worker."), |s| s.connectors.len()),
    (
        Family::gauge("kafka_connect_worker_task_count", "Tasks of this worker that have not been stopped."),
        tasks_of_worker,
    ),
    (
        Family::gauge(
            "kafka_connect_coordinator_assigned_connectors",
            "Connectors that fell to this worker when they were shared out: all.",
        ),
        |s| s.connectors.len(),
    ),
    (
        Family::gauge(
            "kafka_connect_coordinator_assigned_tasks",
            "Tasks that fell to this worker when they were shared out: all.",
        ),
        tasks_of_worker,
    ),
    (
        Family::gauge(
            "kafka_connect_worker_rebalance_rebalancing",
            "1 while workers share out connectors anew. Always 0: this worker is alone.",
        ),
        |_| 0,
    ),
    (
        Family::counter(
            "kafka_connect_worker_rebalance_completed_rebalances_total",
            "Times that workers have shared out connectors anew. Always 0: this worker is alone.",
        ),
        |_| 0,
    ),
];

/// What is counted per connector, and the words of Connect that are counted; none of them for all.
const TASKS_BY_STATUS: &[(Family, Option<&str>)] = &[
    (Family::gauge("kafka_connect_worker_connector_total_task_count", "Tasks of the connector."), None),
    (
        Family::gauge("kafka_connect_worker_connector_running_task_count", "Running tasks of the connector."),
        Some("running"),
    ),
    (
        Family::gauge("kafka_connect_worker_connector_failed_task_count", "Failed tasks of the connector."),
        Some("failed"),
    ),
    (
        Family::gauge(
            "kafka_connect_worker_connector_unassigned_task_count",
            "Tasks of the connector that are starting.",
        ),
        Some("unassigned"),
    ),
    (
        Family::gauge("kafka_connect_worker_connector_paused_task_count", "Paused tasks of the connector."),
        Some("paused"),
    ),
    (
        Family::gauge(
            "kafka_connect_worker_connector_restarting_task_count",
            "Tasks of the connector that are about to start again.",
        ),
        Some("restarting"),
    ),
    (
        Family::gauge(
            "kafka_connect_worker_connector_destroyed_task_count",
            "Tasks of the connector that are deleted. Always 0: they vanish with the connector.",
        ),
        Some("destroyed"),
    ),
];

/// Shows one board.
pub(super) struct BoardCollector {
    board: Board,
    descs: Vec<Desc>,
}

// === impl BoardCollector ===

impl BoardCollector {
    pub(super) fn new(board: Board) -> Self {
        let descs = families().iter().map(Described::desc).collect();
        Self { board, descs }
    }
}

/// What the collector shows.
pub(super) fn families() -> Vec<Described> {
    let states = [
        Described::new(TASK_STATE, &["connector", "task", "state"]),
        Described::new(TASK_STATUS, &["connector", "task", "status"]),
        Described::new(CONNECTOR_STATUS, &["connector", "status"]),
        Described::new(MEMORY_BOUND, &["connector"]),
        Described::new(RUNNING_RATIO, &["connector", "task"]),
        Described::new(PAUSE_RATIO, &["connector", "task"]),
    ];
    let kinds = KINDS.iter().map(|(family, label, _)| Described::new(*family, &["connector", label]));
    let worker = WORKER_ROWS.iter().map(|(family, _)| Described::new(*family, &[]));
    let counts = TASKS_BY_STATUS.iter().map(|(family, _)| Described::new(*family, &["connector"]));
    states.into_iter().chain(kinds).chain(worker).chain(counts).collect()
}

impl Collector for BoardCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let snapshot = self.board.snapshot();
        states(&snapshot).into_iter().chain(kinds(&snapshot)).chain(counts(&snapshot)).collect()
    }
}

fn states(snapshot: &Snapshot) -> [MetricFamily; 6] {
    let [mut state, mut status, mut of_connector, mut memory_bound, mut running, mut paused] =
        [TASK_STATE, TASK_STATUS, CONNECTOR_STATUS, MEMORY_BOUND, RUNNING_RATIO, PAUSE_RATIO].map(Samples::new);
    for connector in &snapshot.connectors {
        let name = ("connector", &*connector.name);
        of_connector.value(&[name, ("status", connector.connect_status())], 1.0);
        if let Some(bytes) = connector.memory_bound_bytes {
            memory_bound.value(&[name], bytes as f64);
        }
        for task in &connector.tasks {
            let id = task.id.to_string();
            state.value(&[name, ("state", task.state.label()), ("task", &id)], 1.0);
            let Some(connect_status) = task.state.connect_status() else { continue };
            status.value(&[name, ("status", connect_status), ("task", &id)], 1.0);
            running.value(&[name, ("task", &id)], task.times.running_ratio());
            paused.value(&[name, ("task", &id)], task.times.paused_ratio());
        }
    }
    [state, status, of_connector, memory_bound, running, paused].map(Samples::into_family)
}

fn kinds(snapshot: &Snapshot) -> impl Iterator<Item = MetricFamily> {
    KINDS.iter().map(|(family, label, value)| {
        let mut samples = Samples::new(*family);
        for connector in &snapshot.connectors {
            samples.value(&[("connector", &*connector.name), (label, value)], 1.0);
        }
        samples.into_family()
    })
}

fn counts(snapshot: &Snapshot) -> impl Iterator<Item = MetricFamily> {
    let worker = WORKER_ROWS.iter().map(|(family, read)| {
        let mut samples = Samples::new(*family);
        samples.value(&[], read(snapshot) as f64);
        samples.into_family()
    });
    let connectors = TASKS_BY_STATUS.iter().map(|(family, status)| {
        let mut samples = Samples::new(*family);
        for connector in &snapshot.connectors {
            samples.value(&[("connector", &*connector.name)], tasks_of(connector, *status) as f64);
        }
        samples.into_family()
    });
    worker.chain(connectors)
}

fn tasks_of_worker(snapshot: &Snapshot) -> usize {
    snapshot.connectors.iter().map(|connector| tasks_of(connector, None)).sum()
}

/// Tasks of which Connect would say `status`; of any status with `None`. A stopped task is none of Connect's.
fn tasks_of(connector: &ConnectorStatus, status: Option<&str>) -> usize {
    let statuses = connector.tasks.iter().filter_map(|task| task.state.connect_status());
    statuses.filter(|found| status.is_none_or(|wanted| wanted == *found)).count()
}
