//! Bodies of Connect's own endpoints, field by field as its clients read them. A connector's state holds nothing but strings: two Go and Java
//! clients decode it as a map of strings.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::registry::{Record, RestartPlan};
use crate::status::{ConnectorState, ConnectorStatus, TaskState, TaskStatus, VERSION};

/// The only kind of connector there is.
const TYPE: &str = "sink";

/// ConnectorInfo.
#[derive(Debug, Serialize)]
pub(super) struct ConnectorInfo {
    name: String,
    config: BTreeMap<String, String>,
    tasks: Vec<TaskId>,
    r#type: &'static str,
}

/// ConnectorTaskId.
#[derive(Debug, Serialize)]
pub(super) struct TaskId {
    connector: String,
    task: u32,
}

/// TaskInfo.
#[derive(Debug, Serialize)]
pub(super) struct TaskInfo {
    id: TaskId,
    config: BTreeMap<String, String>,
}

/// ConnectorStateInfo.
#[derive(Debug, Serialize)]
pub(super) struct ConnectorStateInfo {
    name: String,
    connector: ConnectorPart,
    tasks: Vec<TaskPart>,
    r#type: &'static str,
}

#[derive(Debug, Serialize)]
struct ConnectorPart {
    state: &'static str,
    worker_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
    version: &'static str,
}

/// TaskState of Connect.
#[derive(Debug, Serialize)]
pub(super) struct TaskPart {
    id: u32,
    state: &'static str,
    worker_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
    version: &'static str,
}

// === impl ConnectorInfo ===

impl ConnectorInfo {
    /// `tasks`: how many there are.
    pub(super) fn new(record: &Record, tasks: u32) -> Self {
        let tasks = (0..tasks).map(|task| TaskId { connector: record.name.clone(), task }).collect();
        Self { name: record.name.clone(), config: record.config.clone(), tasks, r#type: TYPE }
    }
}

/// A connector's tasks, each with the connector's settings and Connect's `task.class`.
pub(super) fn tasks(record: &Record, tasks: u32) -> Vec<TaskInfo> {
    let mut config = record.config.clone();
    config.insert("task.class".to_owned(), TASK_CLASS.to_owned());
    let info = |task| TaskInfo { id: TaskId { connector: record.name.clone(), task }, config: config.clone() };
    (0..tasks).map(info).collect()
}

/// What Connect calls the class of a task: there is one kind.
const TASK_CLASS: &str = "io.sluice.InfluxSinkTask";

// === impl ConnectorStateInfo ===

impl ConnectorStateInfo {
    pub(super) fn new(status: &ConnectorStatus, worker_id: &str) -> Self {
        let connector = ConnectorPart {
            state: upper(status.state.connect_status()),
            worker_id: worker_id.to_owned(),
            trace: status.state.trace().map(str::to_owned),
            version: VERSION,
        };
        let tasks = status.tasks.iter().filter_map(|task| TaskPart::new(task, worker_id)).collect();
        Self { name: status.name.clone(), connector, tasks, r#type: TYPE }
    }

    /// The answer to a restart: how things were, and what is restarted.
    pub(super) fn of_plan(plan: &RestartPlan, worker_id: &str) -> Self {
        let mut status = plan.status.clone();
        if plan.connector {
            status.state = ConnectorState::Restarting;
        }
        let mut info = Self::new(&status, worker_id);
        for task in info.tasks.iter_mut().filter(|task| plan.tasks.contains(&task.id)) {
            task.state = "RESTARTING";
            task.trace = None;
        }
        info
    }
}

// === impl TaskPart ===

impl TaskPart {
    /// `None` for a task that was stopped: Connect has no such tasks.
    pub(super) fn new(task: &TaskStatus, worker_id: &str) -> Option<Self> {
        let state = upper(task.state.connect_status()?);
        let trace = task.state.reason().map(str::to_owned);
        // A client shows a failed task's trace without looking whether there is one.
        debug_assert!(!matches!(task.state, TaskState::Failed { .. }) || trace.is_some(), "a failed task has a trace");
        Some(Self { id: task.id, state, worker_id: worker_id.to_owned(), trace, version: VERSION })
    }
}

/// Connect's states are upper case in JSON, lower case in metrics.
fn upper(status: &str) -> &'static str {
    match status {
        "running" => "RUNNING",
        "paused" => "PAUSED",
        "stopped" => "STOPPED",
        "failed" => "FAILED",
        "restarting" => "RESTARTING",
        _ => "UNASSIGNED",
    }
}
