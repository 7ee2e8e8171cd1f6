//! Bodies of answers. Field names are read by other people's programs: they stay.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::registry::{Origin, Registry};
use crate::status::{ConnectorStatus, TaskStatus};

/// `GET /`, Connect's ServerInfo; `sluice_version` is our addition, which Connect's clients skip.
#[derive(Debug, Serialize)]
pub(super) struct ServerInfo {
    /// The version of Connect that is spoken.
    pub(super) version: &'static str,
    pub(super) commit: &'static str,
    /// Always a string, as clients expect: `unknown` until a broker has told it.
    pub(super) kafka_cluster_id: String,
    pub(super) sluice_version: &'static str,
}

/// `GET /health`, Connect's WorkerStatus.
#[derive(Debug, Serialize)]
pub(super) struct WorkerStatus {
    pub(super) status: &'static str,
    pub(super) message: String,
}

/// Connect's ErrorMessage.
#[derive(Debug, Serialize)]
pub(super) struct ErrorMessage {
    pub(super) error_code: u16,
    pub(super) message: String,
}

/// `GET /health/live` and `GET /health/ready`.
#[derive(Debug, Serialize)]
pub(super) struct Health {
    /// `live`, `stuck`, `ready` or `not ready`.
    pub(super) status: &'static str,
    /// In one sentence.
    pub(super) message: String,
    /// The tasks at fault; empty if all is well.
    pub(super) tasks: Vec<TaskAtFault>,
}

/// A task with the connector it belongs to.
#[derive(Debug, Serialize)]
pub(super) struct TaskAtFault {
    pub(super) connector: String,
    #[serde(flatten)]
    pub(super) task: Task,
}

/// An entry of `GET /sluice/connectors`.
#[derive(Debug, Serialize)]
pub(super) struct Connector {
    pub(super) name: String,
    /// Where it comes from: `file` on the command line, or `rest`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) origin: Option<Origin>,
    /// The connector's state in Connect's words, lower case.
    pub(super) state: &'static str,
    /// Why it has failed to start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) trace: Option<String>,
    /// What its operator should know although everything runs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) warnings: Vec<String>,
    /// Bytes that it takes at the most; absent before it has started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) memory_bound_bytes: Option<u64>,
    pub(super) tasks: Vec<Task>,
}

/// A task's state in our own words.
#[derive(Debug, Serialize)]
pub(super) struct Task {
    pub(super) task: u32,
    /// `starting`, `running`, `retrying`, `held`, `failed` or `stopped`.
    pub(super) state: &'static str,
    /// Why it is not simply running.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    /// Since when it retries or is held: milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) since_ms: Option<u64>,
    /// Milliseconds since its thread last turned; absent before the first time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) beat_age_ms: Option<u64>,
}

// === conversions ===

impl TaskAtFault {
    pub(super) fn new(connector: &str, task: &TaskStatus) -> Self {
        Self { connector: connector.to_owned(), task: task.into() }
    }
}

impl From<&TaskStatus> for Task {
    fn from(status: &TaskStatus) -> Self {
        let since_1970 = |since: SystemTime| since.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            task: status.id,
            state: status.state.label(),
            reason: status.state.reason().map(str::to_owned),
            since_ms: status.state.since().map(|since| since_1970(since).as_millis() as u64),
            beat_age_ms: status.beat_age.map(|age| age.as_millis() as u64),
        }
    }
}

/// `GET /sluice/connectors`.
pub(super) fn connectors(registry: &Registry) -> Vec<Connector> {
    let connector = |status: ConnectorStatus| Connector {
        // One that is deleted in this moment comes from nowhere.
        origin: registry.get(&status.name).ok().map(|record| record.origin),
        state: status.connect_status(),
        trace: status.state.trace().map(str::to_owned),
        tasks: status.tasks.iter().map(Task::from).collect(),
        warnings: status.warnings,
        memory_bound_bytes: status.memory_bound_bytes,
        name: status.name,
    };
    registry.board().snapshot().connectors.into_iter().map(connector).collect()
}
