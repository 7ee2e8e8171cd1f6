//! `sluice status`: one look; `watch` looks again.

use std::collections::BTreeMap;

use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use super::bodies::Status;
use super::table::{Cell, Table};
use super::worker::ANSWER_TIMEOUT;
use super::{ClientError, Screen, Worker, watch};
use crate::cli::rest::{Form, StatusArgs};
use crate::dlq::text::{escaped, excerpt};

/// How much of a trace its first line shows, in characters.
const TRACE_SHOWN: usize = 120;

/// What one look at connectors has found.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// How those fare that are there.
    pub(super) found: Vec<Status>,
    /// The same as Connect said it.
    pub(super) bodies: Vec<Value>,
    /// Why others are not shown, each in a line.
    pub(super) errors: Vec<String>,
}

/// `sluice status`. Gives back whether nothing of it has failed.
pub(super) async fn run(args: &StatusArgs, screen: &mut Screen<'_>) -> Result<bool, ClientError> {
    let worker = Worker::new(&args.ask.target, Some(ANSWER_TIMEOUT))?;
    if args.watch {
        return watch::run(args, &worker, screen, watch::interrupt()?).await;
    }
    let look = look(&worker, &args.names).await?;
    match args.ask.output {
        Form::Json => screen.json(&Value::Array(look.bodies.clone()))?,
        Form::Text if look.found.is_empty() && look.errors.is_empty() => {
            screen.line(&format!("no connectors at {}", worker.url()))?;
        }
        Form::Text => {
            for line in lines(&look.found, args.full, screen) {
                screen.line(&line)?;
            }
        }
    }
    for error in &look.errors {
        screen.error(error)?;
    }
    Ok(look.is_well())
}

/// Asks how connectors fare: these, or all if there are none.
///
/// # Errors
///
/// The worker can't be asked, or does not say. That one connector is not there is no error of the others.
pub(super) async fn look(worker: &Worker, names: &[String]) -> Result<Look, ClientError> {
    let mut look = Look::default();
    if names.is_empty() {
        let request = worker.request(Method::GET, &["connectors"], &[("expand", "status")])?;
        let answer = worker.send(request).await?.success()?;
        let all: BTreeMap<String, BTreeMap<String, Value>> = answer.json()?;
        for mut parts in all.into_values() {
            // One that is deleted at this moment has none.
            let Some(body) = parts.remove("status") else { continue };
            look.add(body).map_err(|()| answer.strange())?;
        }
        return Ok(look);
    }
    for name in names {
        let request = worker.request(Method::GET, &["connectors", name, "status"], &[])?;
        let answer = worker.send(request).await?;
        match answer.success() {
            Ok(answer) => look.add(answer.json()?).map_err(|()| answer.strange())?,
            Err(error) if error.is_missing() => look.errors.push(error.to_string()),
            Err(error) => return Err(error),
        }
    }
    Ok(look)
}

/// A table of connectors and their tasks, with the beginning of each trace or, below, whole ones.
pub(super) fn lines(found: &[Status], full: bool, screen: &Screen<'_>) -> Vec<String> {
    let mut table = Table::new(&["CONNECTOR", "TASK", "STATE", "WORKER", "TRACE"]);
    let mut traces = Vec::new();
    for status in found {
        for (task, part) in status.parts() {
            let trace = part.trace.as_deref().unwrap_or_default();
            let first = trace.trim_start().lines().next().unwrap_or_default();
            table.row(vec![
                Cell::text(&status.name),
                Cell::text(&task.map_or_else(String::new, |task| task.to_string())),
                Cell::state(&part.state),
                Cell::text(part.worker_id.as_deref().unwrap_or_default()),
                Cell::excerpt(first, TRACE_SHOWN),
            ]);
            if full && !trace.is_empty() {
                traces.push(format!("\n{}:", place(&status.name, task)));
                traces.extend(trace.lines().map(|line| format!("  {}", escaped(line))));
            }
        }
    }
    let mut lines = if table.is_empty() { Vec::new() } else { table.lines(screen) };
    lines.extend(traces);
    lines
}

/// `prices` or `prices, task 3`, fit for a terminal.
pub(super) fn place(name: &str, task: Option<u32>) -> String {
    let name = escaped(name);
    task.map_or(name.clone(), |task| format!("{name}, task {task}"))
}

/// The first line of a trace, fit for a terminal.
pub(super) fn first_line(trace: &str) -> String {
    excerpt(trace.trim_start().lines().next().unwrap_or_default(), TRACE_SHOWN)
}

// === impl Look ===

impl Look {
    fn add(&mut self, body: Value) -> Result<(), ()> {
        self.found.push(Status::deserialize(&body).map_err(|_| ())?);
        self.bodies.push(body);
        Ok(())
    }

    /// Whether everything that was asked for is there and has not failed.
    pub(super) fn is_well(&self) -> bool {
        self.errors.is_empty() && !self.found.iter().any(Status::has_failed)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found() -> Vec<Status> {
        let body = json!({"name": "a b", "type": "sink", "connector": {"state": "RUNNING", "worker_id": "w:1"}, "tasks": [
            {"id": 0, "state": "RUNNING", "worker_id": "w:1", "trace": ""},
            {"id": 12, "state": "FAILED", "worker_id": "w:1", "trace": "\nmodule: \u{1b}[2Jtrap\n\tat somewhere"}]});
        vec![serde_json::from_value(body).unwrap()]
    }

    #[test]
    fn traces_are_cut_to_a_line_unless_all_of_them_is_wanted() {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let screen = Screen::test(&mut out, &mut err, false);
        let short = [
            r"CONNECTOR  TASK  STATE    WORKER  TRACE",
            r"a b        -     RUNNING  w:1     -",
            r"a b        0     RUNNING  w:1     -",
            r"a b        12    FAILED   w:1     module: \u{1b}[2Jtrap",
        ];
        assert_eq!(lines(&found(), false, &screen), short);
        let full = lines(&found(), true, &screen);
        assert_eq!(full[..4], short);
        assert_eq!(full[4..], ["\na b, task 12:", "  ", r"  module: \u{1b}[2Jtrap", r"  \tat somewhere"]);
        assert!(lines(&[], true, &screen).is_empty());
    }

    #[test]
    fn what_has_failed_or_is_not_there_is_not_well() {
        let mut look = Look::default();
        assert!(look.is_well());
        look.add(json!({"name": "a", "connector": {"state": "PAUSED"}})).unwrap();
        assert!(look.is_well());
        look.found.extend(found());
        assert!(!look.is_well());
        assert!(!Look { errors: vec!["gone".to_owned()], ..Look::default() }.is_well());
        assert_eq!(look.add(json!({"name": "a"})), Err(()));
    }
}
