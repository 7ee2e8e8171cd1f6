//! What "healthy", "live" and "ready" mean: pure functions of the board.
//!
//! - *live*: every task's thread turns. If not, a restart helps; so this is what restarts a container. A server that
//!   is away is no reason.
//! - *healthy*: Connect's question: has the worker started, and does it answer? A failed connector does not make a
//!   worker unhealthy.
//! - *ready*: every task of every connector runs, or is paused because somebody wants that. Names the one that doesn't, and why.

use std::time::Duration;

use super::types::{Health, TaskAtFault, WorkerStatus};
use crate::status::{ConnectorState, Snapshot, TaskState, TaskStatus};

/// Connect's three answers to `GET /health`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WorkerHealth {
    Healthy,
    Starting,
    Unhealthy,
}

/// Tasks whose threads have not turned for longer than `stall_after`. A task that starts has not begun to turn, one
/// that is over need not.
pub(super) fn stuck(snapshot: &Snapshot, stall_after: Duration) -> Vec<TaskAtFault> {
    let is_stuck = |task: &TaskStatus| !task.state.is_over() && task.beat_age.is_some_and(|age| age > stall_after);
    snapshot.tasks().filter(|(_, task)| is_stuck(task)).map(|(name, task)| TaskAtFault::new(name, task)).collect()
}

/// Whether the process works. That this is answered at all proves that the runtime does.
pub(super) fn live(snapshot: &Snapshot, stall_after: Duration) -> (bool, Health) {
    let stuck = stuck(snapshot, stall_after);
    let health = if stuck.is_empty() {
        Health { status: "live", message: "every task's thread turns".to_owned(), tasks: stuck }
    } else {
        let message = format!("{} have not turned for {} s or longer", naming(&stuck), stall_after.as_secs());
        Health { status: "stuck", message, tasks: stuck }
    };
    (health.tasks.is_empty(), health)
}

/// Whether everything that was asked for runs; what is paused or stopped was asked for.
pub(super) fn ready(snapshot: &Snapshot) -> (bool, Health) {
    let not_running =
        snapshot.tasks().filter(|(_, task)| !matches!(task.state, TaskState::Running | TaskState::Paused));
    let tasks: Vec<_> = not_running.map(|(name, task)| TaskAtFault::new(name, task)).collect();
    let failed =
        snapshot.connectors.iter().filter(|connector| matches!(connector.state, ConnectorState::Failed { .. }));
    let failed: Vec<_> = failed.map(|connector| format!("{} (failed to start)", connector.name)).collect();
    let ready = tasks.is_empty() && failed.is_empty() && snapshot.started;
    let message = if ready {
        "every task runs".to_owned()
    } else if tasks.is_empty() && failed.is_empty() {
        "the worker is still starting its connectors".to_owned()
    } else {
        let tasks = (!tasks.is_empty()).then(|| naming(&tasks));
        format!("not running: {}", failed.into_iter().chain(tasks).collect::<Vec<_>>().join(", "))
    };
    (ready, Health { status: if ready { "ready" } else { "not ready" }, message, tasks })
}

/// Connect's answer, in Connect's words, followed by which task is stuck.
pub(super) fn worker(snapshot: &Snapshot, stall_after: Duration) -> (WorkerHealth, WorkerStatus) {
    let stuck = stuck(snapshot, stall_after);
    if !stuck.is_empty() {
        let message = format!(
            "Worker was unable to handle this request and may be unable to handle other requests. Stuck: {}.",
            naming(&stuck)
        );
        return (WorkerHealth::Unhealthy, WorkerStatus { status: "unhealthy", message });
    }
    if !snapshot.started {
        let message = "Worker is still starting up.".to_owned();
        return (WorkerHealth::Starting, WorkerStatus { status: "starting", message });
    }
    let message = "Worker has completed startup and is ready to handle requests.".to_owned();
    (WorkerHealth::Healthy, WorkerStatus { status: "healthy", message })
}

/// `prices task 0 (held), trades task 1 (failed)`.
fn naming(tasks: &[TaskAtFault]) -> String {
    let name = |at_fault: &TaskAtFault| {
        format!("{} task {} ({})", at_fault.connector, at_fault.task.task, at_fault.task.state)
    };
    tasks.iter().map(name).collect::<Vec<_>>().join(", ")
}
