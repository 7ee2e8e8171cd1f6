//! What is read of Connect's answers: no more than is needed, so that other versions and other makers are understood, too.

use std::collections::BTreeMap;

use serde::Deserialize;

/// ConnectorStateInfo.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Status {
    pub(super) name: String,
    pub(super) connector: Part,
    #[serde(default)]
    pub(super) tasks: Vec<Task>,
    #[serde(default)]
    pub(super) r#type: Option<String>,
}

/// The state of a connector.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Part {
    pub(super) state: String,
    #[serde(default)]
    pub(super) worker_id: Option<String>,
    #[serde(default)]
    pub(super) trace: Option<String>,
}

/// The state of a task.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Task {
    pub(super) id: u32,
    #[serde(flatten)]
    pub(super) part: Part,
}

/// ConnectorInfo.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Info {
    #[serde(default)]
    pub(super) config: BTreeMap<String, Option<String>>,
    #[serde(default)]
    pub(super) r#type: Option<String>,
}

/// An entry of `GET /connectors?expand=status&expand=info`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Expanded {
    pub(super) status: Option<Status>,
    pub(super) info: Option<Info>,
}

// === impl Status ===

impl Status {
    /// Whether the connector or one of its tasks has failed.
    pub(super) fn has_failed(&self) -> bool {
        self.parts().any(|(_, part)| part.state == "FAILED")
    }

    /// The connector (without a number), then its tasks.
    pub(super) fn parts(&self) -> impl Iterator<Item = (Option<u32>, &Part)> {
        let tasks = self.tasks.iter().map(|task| (Some(task.id), &task.part));
        std::iter::once((None, &self.connector)).chain(tasks)
    }
}
