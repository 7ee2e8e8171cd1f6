//! States of connectors and tasks, read from the status board when they are asked for.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;

use super::family::{Family, Samples};
use crate::status::{Board, ConnectorStatus, Snapshot};

const TASK_STATE: Family = Family::gauge("sluice_task_state", "1, labelled with the state that the task is in.");
const TASK_STATUS: Family =
    Family::gauge("kafka_connect_connector_task_status", "1, labelled with the task's state in Connect's words.");
const CONNECTOR_STATUS: Family =
    Family::gauge("kafka_connect_connector_status", "1, labelled with the connector's state in Connect's words.");
const CONNECTOR_COUNT: Family = Family::gauge("kafka_connect_worker_connector_count", "Connectors of this worker.");
const TASK_COUNT: Family =
    Family::gauge("kafka_connect_worker_task_count", "Tasks of this worker that have not been stopped.");

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
];

/// Shows one board.
pub(super) struct BoardCollector {
    board: Board,
    descs: Vec<Desc>,
}

// === impl BoardCollector ===

impl BoardCollector {
    pub(super) fn new(board: Board) -> Self {
        let mut descs = vec![
            TASK_STATE.desc(&["connector", "task", "state"]),
            TASK_STATUS.desc(&["connector", "task", "status"]),
            CONNECTOR_STATUS.desc(&["connector", "status"]),
            CONNECTOR_COUNT.desc(&[]),
            TASK_COUNT.desc(&[]),
        ];
        descs.extend(TASKS_BY_STATUS.iter().map(|(family, _)| family.desc(&["connector"])));
        Self { board, descs }
    }
}

impl Collector for BoardCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let snapshot = self.board.snapshot();
        states(&snapshot).into_iter().chain(counts(&snapshot)).collect()
    }
}

fn states(snapshot: &Snapshot) -> [MetricFamily; 3] {
    let mut task_state = Samples::new(TASK_STATE);
    let mut task_status = Samples::new(TASK_STATUS);
    let mut connector_status = Samples::new(CONNECTOR_STATUS);
    for connector in &snapshot.connectors {
        let name = ("connector", &*connector.name);
        connector_status.value(&[name, ("status", connector.connect_status())], 1.0);
        for task in &connector.tasks {
            let id = task.id.to_string();
            task_state.value(&[name, ("state", task.state.label()), ("task", &id)], 1.0);
            if let Some(status) = task.state.connect_status() {
                task_status.value(&[name, ("status", status), ("task", &id)], 1.0);
            }
        }
    }
    [task_state.into_family(), task_status.into_family(), connector_status.into_family()]
}

fn counts(snapshot: &Snapshot) -> Vec<MetricFamily> {
    let one = |family: Family, value: usize| {
        let mut samples = Samples::new(family);
        samples.value(&[], value as f64);
        samples.into_family()
    };
    let tasks = snapshot.connectors.iter().map(|connector| tasks_of(connector, None)).sum();
    let mut families = vec![one(CONNECTOR_COUNT, snapshot.connectors.len()), one(TASK_COUNT, tasks)];
    families.extend(TASKS_BY_STATUS.iter().map(|(family, status)| {
        let mut samples = Samples::new(*family);
        for connector in &snapshot.connectors {
            samples.value(&[("connector", &*connector.name)], tasks_of(connector, *status) as f64);
        }
        samples.into_family()
    }));
    families
}

/// Tasks of which Connect would say `status`; of any status with `None`. A stopped task is none of Connect's.
fn tasks_of(connector: &ConnectorStatus, status: Option<&str>) -> usize {
    let statuses = connector.tasks.iter().filter_map(|task| task.state.connect_status());
    statuses.filter(|found| status.is_none_or(|wanted| wanted == *found)).count()
}
