//! What a change of a connector's state is to come to, and whether it has.

use super::bodies::Status;
use super::status::first_line;

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goal {
    /// PAUSED, and its tasks, too.
    Paused,
    /// RUNNING, and its tasks, too.
    Running,
    /// STOPPED, without tasks.
    Stopped,
    /// Not there.
    Gone,
}

/// What a look says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    /// It is so.
    Reached,
    /// It is so if it stays like this for a moment: a source may have no tasks, and a connector that was just resumed has none yet.
    ReachedIfItStays,
    /// It can't be any more if it stays like this for a moment; what was seen may be older than the request.
    FailedIfItStays(String),
    /// It can't be any more.
    Failed(String),
    /// Not yet; what is seen instead.
    Pending(String),
}

// === impl Goal ===

impl Goal {
    /// What this status (`None`: the connector is not there) says.
    pub(super) fn judge(self, status: Option<&Status>) -> Seen {
        let Some(status) = status else {
            return match self {
                Self::Gone => Seen::Reached,
                _ => Seen::Failed("it is not there any more: somebody has deleted it".to_owned()),
            };
        };
        let state = status.connector.state.as_str();
        if state == "FAILED" && matches!(self, Self::Paused | Self::Running) {
            return Seen::FailedIfItStays(failure(status));
        }
        let tasks_are = |states: &[&str]| status.tasks.iter().all(|task| states.contains(&task.part.state.as_str()));
        match self {
            // A task that has failed stays failed while it rests.
            Self::Paused if state == "PAUSED" && tasks_are(&["PAUSED", "FAILED"]) => Seen::Reached,
            Self::Stopped if state == "STOPPED" && status.tasks.is_empty() => Seen::Reached,
            Self::Running if state == "RUNNING" && status.tasks.is_empty() => Seen::ReachedIfItStays,
            Self::Running if state == "RUNNING" && tasks_are(&["RUNNING"]) => Seen::Reached,
            Self::Running if state == "RUNNING" && tasks_are(&["RUNNING", "FAILED"]) => {
                Seen::FailedIfItStays(failure(status))
            }
            _ => Seen::Pending(summary(status)),
        }
    }
}

/// Which part has failed, and why.
fn failure(status: &Status) -> String {
    let failed = status.parts().find(|(_, part)| part.state == "FAILED");
    let Some((task, part)) = failed else { return summary(status) };
    let what = task.map_or_else(|| "it".to_owned(), |task| format!("task {task}"));
    let trace = part.trace.as_deref().map(first_line).unwrap_or_default();
    format!("{what} is FAILED: {trace}")
}

/// `RUNNING, tasks 0 RUNNING, 1 UNASSIGNED`.
fn summary(status: &Status) -> String {
    let tasks: Vec<String> = status.tasks.iter().map(|task| format!("{} {}", task.id, task.part.state)).collect();
    match tasks.is_empty() {
        true => format!("{} without tasks", status.connector.state),
        false => format!("{}, tasks {}", status.connector.state, tasks.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn judge(goal: Goal, connector: &str, tasks: &[&str]) -> Seen {
        let tasks: Vec<_> = tasks
            .iter()
            .enumerate()
            .map(|(id, state)| json!({"id": id, "state": state, "worker_id": "w", "trace": "why\nat"}))
            .collect();
        let body = json!({"name": "c", "connector": {"state": connector, "worker_id": "w", "trace": "no module"}, "tasks": tasks});
        goal.judge(Some(&serde_json::from_value(body).unwrap()))
    }

    #[test]
    fn a_goal_is_reached_when_connector_and_tasks_are_there() {
        use Goal::{Gone, Paused, Running, Stopped};
        for (goal, connector, tasks) in [
            (Paused, "PAUSED", &["PAUSED", "FAILED"][..]),
            (Paused, "PAUSED", &[]),
            (Running, "RUNNING", &["RUNNING", "RUNNING"]),
            (Stopped, "STOPPED", &[]),
        ] {
            assert_eq!(judge(goal, connector, tasks), Seen::Reached, "{goal:?} {connector} {tasks:?}");
        }
        for (goal, connector, tasks) in [
            (Paused, "PAUSED", &["PAUSED", "RUNNING"][..]),
            (Paused, "RUNNING", &["PAUSED"]),
            (Running, "RUNNING", &["RUNNING", "UNASSIGNED"]),
            (Running, "UNASSIGNED", &[]),
            (Running, "RUNNING", &["FAILED", "RESTARTING"]),
            (Stopped, "STOPPED", &["RUNNING"]),
            // A stop mends what has failed: it is on its way.
            (Stopped, "FAILED", &[]),
            (Gone, "FAILED", &[]),
            (Gone, "RUNNING", &["RUNNING"]),
        ] {
            assert!(matches!(judge(goal, connector, tasks), Seen::Pending(_)), "{goal:?} {connector} {tasks:?}");
        }
        assert_eq!(judge(Running, "RUNNING", &[]), Seen::ReachedIfItStays);
        assert_eq!(
            judge(Running, "RUNNING", &["RUNNING", "FAILED"]),
            Seen::FailedIfItStays("task 1 is FAILED: why".into())
        );
        assert_eq!(judge(Paused, "FAILED", &[]), Seen::FailedIfItStays("it is FAILED: no module".into()));
        assert_eq!(Gone.judge(None), Seen::Reached);
        assert!(matches!(Stopped.judge(None), Seen::Failed(_)));
        assert_eq!(judge(Stopped, "RUNNING", &["RUNNING"]), Seen::Pending("RUNNING, tasks 0 RUNNING".into()));
    }
}
