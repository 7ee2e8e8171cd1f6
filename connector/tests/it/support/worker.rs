//! A worker and its REST API: connectors that are made, changed and deleted over HTTP.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::http::{self, Answer};
use super::kafka::Topic;
use super::points::Points;
use super::scripted_influx::ScriptedInflux;
use super::services;
use super::sluice::{BINARY, Connector, Sluice};
use super::wait::until;

/// A worker, and what its connectors need: a topic, an InfluxDB that does as it is told, a folder for files.
pub(crate) struct Site {
    pub(crate) sluice: Sluice,
    pub(crate) topic: Topic,
    pub(crate) influx: ScriptedInflux,
    pub(crate) folder: TempDir,
}

/// How often connectors and tasks have started, over the life of a worker.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Starts {
    pub(crate) connectors: f64,
    pub(crate) failed: f64,
    pub(crate) tasks: f64,
}

/// A worker without connectors of its own, on the real Kafka, that keeps what is made in `state`.
pub(crate) fn start(state: &Path) -> Sluice {
    start_with(state, &[])
}

/// The same with more arguments and connectors' files.
pub(crate) fn start_with(state: &Path, arguments: &[&str]) -> Sluice {
    let mut command = Command::new(BINARY);
    command.args(["--log-format", "json", "--log-level", "info,sluice=debug", "run"]);
    command.args(["--listeners", "http://127.0.0.1:0", "--bootstrap-servers", services::kafka()]);
    command.arg("--state-dir").arg(state).args(arguments);
    Sluice::spawn(command, tempfile::tempdir().unwrap())
}

/// A request with a body of JSON, or without one.
pub(crate) fn ask(sluice: &Sluice, method: &str, path: &str, body: Option<&Value>) -> Answer {
    let url = sluice.url(path);
    let text = body.map(Value::to_string).unwrap_or_default();
    let headers: &[_] = if body.is_some() { &[("Content-Type", "application/json")] } else { &[] };
    http::send(method, &url, headers, text.as_bytes()).unwrap()
}

/// The same, whose status has to be `status`; the answer's body, null if there is none.
#[track_caller]
pub(crate) fn expect(sluice: &Sluice, status: u16, method: &str, path: &str, body: Option<&Value>) -> Value {
    let answer = ask(sluice, method, path, body);
    assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
    if answer.body.is_empty() { Value::Null } else { serde_json::from_str(&answer.body).unwrap() }
}

/// `POST /connectors`, in this state.
#[track_caller]
pub(crate) fn create(sluice: &Sluice, connector: &Connector, state: Option<&str>) -> Value {
    let mut body = json!({ "name": connector.name, "config": connector.settings() });
    if let Some(state) = state {
        body["initial_state"] = state.into();
    }
    expect(sluice, 201, "POST", "/connectors", Some(&body))
}

/// Where a connector is, with what comes behind.
pub(crate) fn path(connector: &Connector, rest: &str) -> String {
    format!("/connectors/{}{rest}", http::encode(&connector.name))
}

/// `PUT` of a word: pause, resume, stop.
#[track_caller]
pub(crate) fn tell(sluice: &Sluice, connector: &Connector, word: &str) {
    let status = if word == "stop" { 204 } else { 202 };
    assert_eq!(expect(sluice, status, "PUT", &path(connector, &format!("/{word}")), None), Value::Null);
}

/// The connector's state and those of its tasks, in Connect's words: `RUNNING: RUNNING RUNNING`.
pub(crate) fn states(sluice: &Sluice, connector: &Connector) -> String {
    let answer = ask(sluice, "GET", &path(connector, "/status"), None);
    if answer.status == 404 {
        return "none".to_owned();
    }
    let status: Value = serde_json::from_str(&answer.body).unwrap();
    let tasks = status["tasks"].as_array().unwrap().iter().map(|task| format!(" {}", task["state"].as_str().unwrap()));
    format!("{}:{}", status["connector"]["state"].as_str().unwrap(), tasks.collect::<String>())
}

/// Waits until the states are these.
#[track_caller]
pub(crate) fn until_states(sluice: &Sluice, connector: &Connector, wanted: &str) {
    until(&format!("{} to be {wanted}", connector.name), || {
        let found = states(sluice, connector);
        if found == wanted { Ok(()) } else { Err(found) }
    });
}

// === impl Site ===

impl Site {
    /// A worker that keeps its connectors, and a topic with so many partitions.
    pub(crate) fn new(test: &str, partitions: i32) -> Self {
        Self::with(test, partitions, &[])
    }

    /// The same with more arguments.
    pub(crate) fn with(test: &str, partitions: i32, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sluice = start_with(&folder.path().join("state"), arguments);
        Self { sluice, topic: Topic::create(test, partitions), influx: ScriptedInflux::v1("prices"), folder }
    }

    /// A connector of the topic, into the InfluxDB, that is not made yet.
    pub(crate) fn connector(&self, suffix: &str) -> Connector {
        Connector::new(&self.topic, suffix).into_scripted(&self.influx)
    }

    /// A file of this name with this in it; its path.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Waits until the connector has committed everything that was produced.
    pub(crate) fn until_committed(&mut self, connector: &Connector) {
        let group = self.topic.group(&connector.name);
        self.sluice.until("everything to be committed", |_| group.at_end());
    }

    /// Every price that was produced is stored, and nothing else.
    #[track_caller]
    pub(crate) fn assert_all_stored(&self) {
        Points::stored_in(&self.influx).assert_equal(&self.topic.expected());
    }
}

// === impl Starts ===

impl Starts {
    /// As `/metrics` has them now.
    pub(crate) fn of(sluice: &Sluice) -> Self {
        let metrics = sluice.metrics();
        let count = |name: &str| metrics.sum(&format!("kafka_connect_worker_{name}_total"), &[]);
        Self {
            connectors: count("connector_startup_attempts"),
            failed: count("connector_startup_failure"),
            tasks: count("task_startup_attempts"),
        }
    }

    /// So many more.
    pub(crate) fn and(self, connectors: f64, failed: f64, tasks: f64) -> Self {
        Self { connectors: self.connectors + connectors, failed: self.failed + failed, tasks: self.tasks + tasks }
    }
}
