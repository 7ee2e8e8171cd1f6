//! `sluice health`.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde::Deserialize;

use super::{ClientError, Screen, Worker};
use crate::cli::rest::HealthArgs;

/// What is read of the answer of `/health/ready` and `/health/live`.
#[derive(Debug, Deserialize)]
struct Health {
    status: String,
    message: String,
}

/// Prints the worker's answer on one line. Gives back whether it is well.
pub(super) async fn run(args: &HealthArgs, screen: &mut Screen<'_>) -> Result<bool, ClientError> {
    let worker = Worker::new(&args.target, Some(Duration::from_secs(args.timeout_s)))?;
    let path = ["health", if args.live { "live" } else { "ready" }];
    let answer = worker.send(worker.request(Method::GET, &path, &[])?).await?;
    // 503 is how it says that it is not well; anything else is no answer to this question.
    let answer = if answer.status() == StatusCode::SERVICE_UNAVAILABLE { answer } else { answer.success()? };
    let health: Health = answer.json()?;
    screen.line(&format!("{}: {}", health.status, health.message))?;
    Ok(answer.status().is_success())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::client::testing::Scripted;

    #[tokio::test]
    async fn what_the_worker_says_becomes_the_exit_code() {
        let worker = Scripted::start(|line, _| match line {
            "GET /health/live" => (200, json!({"status": "live", "message": "every task's thread turns", "tasks": []})),
            _ => (503, json!({"status": "not ready", "message": "not running: prices task 0 (held)", "tasks": []})),
        })
        .await;
        let live = worker.run(&["health", "--live"]).await;
        assert!(live.result.unwrap());
        assert_eq!(live.out, "live: every task's thread turns\n");
        let ready = worker.run(&["health"]).await;
        assert!(!ready.result.unwrap());
        assert_eq!(ready.out, "not ready: not running: prices task 0 (held)\n");
    }
}
