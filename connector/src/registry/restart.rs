//! Restarts over REST: of the connector, of its tasks, or of what has failed (KIP-745).

use std::collections::BTreeMap;

use crate::status::{ConnectorState, ConnectorStatus, TaskState};

/// What is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Restart {
    /// The tasks too, not only the connector.
    pub include_tasks: bool,
    /// Only what has failed.
    pub only_failed: bool,
}

/// What a restart comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestartPlan {
    /// Whether the connector itself is restarted.
    pub connector: bool,
    /// The tasks that are.
    pub tasks: Vec<u32>,
    /// How everything was when it was asked for.
    pub status: ConnectorStatus,
}

/// How often each part was to be restarted: a keeper that sees a number it does not know restarts that part, once, however often it was
/// asked for meanwhile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Restarts {
    pub(super) connector: u64,
    tasks: BTreeMap<u32, u64>,
}

// === impl RestartPlan ===

impl RestartPlan {
    pub(super) fn new(restart: Restart, status: ConnectorStatus) -> Self {
        let is_failed = matches!(status.state, ConnectorState::Failed { .. });
        let connector = !restart.only_failed || is_failed;
        let chosen = |state: &TaskState| !restart.only_failed || matches!(state, TaskState::Failed { .. });
        let tasks = status.tasks.iter().filter(|task| restart.include_tasks && chosen(&task.state));
        Self { connector, tasks: tasks.map(|task| task.id).collect(), status }
    }
}

// === impl Restarts ===

impl Restarts {
    pub(super) fn order(&mut self, plan: &RestartPlan) {
        self.connector += u64::from(plan.connector);
        plan.tasks.iter().for_each(|&task| self.order_task(task));
    }

    pub(super) fn order_task(&mut self, task: u32) {
        *self.tasks.entry(task).or_default() += 1;
    }

    /// The tasks that were to be restarted since `done`.
    pub(super) fn tasks_since(&self, done: &Self) -> Vec<u32> {
        let asked = self.tasks.iter().filter(|(task, count)| done.tasks.get(task) != Some(count));
        asked.map(|(&task, _)| task).collect()
    }
}
