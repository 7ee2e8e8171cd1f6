//! A worker and its REST API: connectors that are made, changed and deleted over HTTP.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::http::{self, Answer};
use super::services;
use super::sluice::{BINARY, Connector, Sluice};
use super::wait::until;

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
