//! `sluice restart`.

use reqwest::Method;
use reqwest::StatusCode;
use serde_json::json;

use super::bodies::Status;
use super::worker::ANSWER_TIMEOUT;
use super::{ClientError, Screen, Worker};
use crate::cli::rest::{Form, RestartArgs};
use crate::dlq::text::escaped;

/// What is restarted.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Plan {
    connector: bool,
    tasks: Vec<u32>,
}

/// Asks for it, and prints what is restarted.
pub(super) async fn run(args: &RestartArgs, screen: &mut Screen<'_>) -> Result<(), ClientError> {
    let worker = Worker::new(&args.ask.target, Some(ANSWER_TIMEOUT))?;
    let plan = match args.task {
        Some(task) => {
            let number = task.to_string();
            worker.change(Method::POST, &["connectors", &args.name, "tasks", &number, "restart"], None).await?;
            Plan { connector: false, tasks: vec![task] }
        }
        None => {
            let flags = [("includeTasks", args.include_tasks), ("onlyFailed", args.only_failed)];
            let flags = flags.map(|(name, flag)| (name, if flag { "true" } else { "false" }));
            let request = worker.request(Method::POST, &["connectors", &args.name, "restart"], &flags)?;
            let answer = worker.send(request).await?.success()?;
            match answer.status() {
                StatusCode::NO_CONTENT => Plan { connector: true, tasks: Vec::new() },
                _ => Plan::of(&answer.json()?),
            }
        }
    };
    match args.ask.output {
        Form::Json => screen.json(&json!({ "name": args.name, "connector": plan.connector, "tasks": plan.tasks }))?,
        Form::Text => screen.line(&format!("{}: {}", escaped(&args.name), plan.words()))?,
    }
    Ok(())
}

// === impl Plan ===

impl Plan {
    /// What the answer says is restarted.
    fn of(status: &Status) -> Self {
        let restarted = |state: &str| state == "RESTARTING";
        let tasks = status.tasks.iter().filter(|task| restarted(&task.part.state)).map(|task| task.id);
        Self { connector: restarted(&status.connector.state), tasks: tasks.collect() }
    }

    fn words(&self) -> String {
        let tasks = self.tasks.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
        let tasks = format!("{} {tasks}", if self.tasks.len() == 1 { "task" } else { "tasks" });
        match (self.connector, self.tasks.is_empty()) {
            (false, true) => "nothing to restart".to_owned(),
            (true, true) => "restarting the connector".to_owned(),
            (false, false) => format!("restarting {tasks}"),
            (true, false) => format!("restarting the connector and {tasks}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_restarted_is_read_from_the_answer() {
        let body = json!({"name": "c", "connector": {"state": "RUNNING"}, "tasks": [
            {"id": 0, "state": "RESTARTING"}, {"id": 1, "state": "RUNNING"}, {"id": 2, "state": "RESTARTING"}]});
        let plan = Plan::of(&serde_json::from_value(body).unwrap());
        assert_eq!(plan, Plan { connector: false, tasks: vec![0, 2] });
        assert_eq!(plan.words(), "restarting tasks 0, 2");
        assert_eq!(Plan { connector: true, tasks: vec![1] }.words(), "restarting the connector and task 1");
        assert_eq!(Plan { connector: true, tasks: vec![] }.words(), "restarting the connector");
        assert_eq!(Plan { connector: false, tasks: vec![] }.words(), "nothing to restart");
    }
}
