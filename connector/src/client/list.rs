//! `sluice list`.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::Value;

use super::bodies::{Expanded, Status};
use super::table::{Cell, Table};
use super::worker::ANSWER_TIMEOUT;
use super::{ClientError, Screen, Worker};
use crate::cli::rest::{Form, ListArgs};

/// Prints every connector.
pub(super) async fn run(args: &ListArgs, screen: &mut Screen<'_>) -> Result<(), ClientError> {
    let worker = Worker::new(&args.ask.target, Some(ANSWER_TIMEOUT))?;
    let request = worker.request(Method::GET, &["connectors"], &[("expand", "status"), ("expand", "info")])?;
    let answer = worker.send(request).await?.success()?;
    if args.ask.output == Form::Json {
        return Ok(screen.json(&answer.json::<Value>()?)?);
    }
    let connectors: BTreeMap<String, Expanded> = answer.json()?;
    let table = table(&connectors);
    if table.is_empty() {
        return Ok(screen.line(&format!("no connectors at {}", worker.url()))?);
    }
    for line in table.lines(screen) {
        screen.line(&line)?;
    }
    Ok(())
}

fn table(connectors: &BTreeMap<String, Expanded>) -> Table {
    let mut table = Table::new(&["NAME", "STATE", "TASKS", "TYPE", "CLASS", "TOPICS"]);
    for (name, Expanded { status, info }) in connectors {
        let setting = |key: &str| info.as_ref().and_then(|info| info.config.get(key)?.as_deref()).unwrap_or_default();
        let topics = match (setting("topics"), setting("topics.regex")) {
            ("", "") => String::new(),
            ("", regex) => format!("/{regex}/"),
            (topics, _) => topics.to_owned(),
        };
        let kind = info.as_ref().and_then(|info| info.r#type.as_deref());
        let kind = kind.or_else(|| status.as_ref()?.r#type.as_deref()).unwrap_or_default();
        table.row(vec![
            Cell::text(name),
            Cell::state(status.as_ref().map_or("", |status| &status.connector.state)),
            Cell::text(&status.as_ref().map_or_else(String::new, running)),
            Cell::text(kind),
            Cell::text(short_class(setting("connector.class"))),
            Cell::text(&topics),
        ]);
    }
    table
}

/// How many tasks run, of how many.
fn running(status: &Status) -> String {
    let running = status.tasks.iter().filter(|task| task.part.state == "RUNNING").count();
    format!("{running}/{}", status.tasks.len())
}

/// A Java class without its package: what is told apart by it stands at its end.
fn short_class(class: &str) -> &str {
    class.rsplit('.').next().unwrap_or(class)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_says_what_is_known() {
        let status = json!({"name": "a", "connector": {"state": "RUNNING", "worker_id": "w"}, "type": "sink", "tasks": [
            {"id": 0, "state": "RUNNING", "worker_id": "w"}, {"id": 1, "state": "FAILED", "worker_id": "w", "trace": "t"}]});
        let connectors = json!({
            "a": {"status": status, "info": {"name": "a", "type": "sink", "tasks": [],
                "config": {"connector.class": "io.sluice.InfluxSink", "topics": "p,q"}}},
            "b": {"info": {"name": "b", "type": "sink", "config": {"connector.class": "X", "topics.regex": "p.*"}}},
            "c": {},
        });
        let connectors = serde_json::from_value(connectors).unwrap();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let expected = [
            "NAME  STATE    TASKS  TYPE  CLASS       TOPICS",
            "a     RUNNING  1/2    sink  InfluxSink  p,q",
            "b     -        -      sink  X           /p.*/",
            "c     -        -      -     -           -",
        ];
        assert_eq!(table(&connectors).lines(&Screen::test(&mut out, &mut err, false)), expected);
    }
}
