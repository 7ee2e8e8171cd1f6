//! Connectors of files on the command line, beside those of the REST API.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::support::influx::Database;
use crate::support::kafka::Topic;
use crate::support::services;
use crate::support::sluice::{BINARY, Connector, Sluice};
use crate::support::worker::{self, create, expect, path, tell, until_states};

fn file(folder: &Path, connector: &Connector) -> PathBuf {
    let file = folder.join("connector.properties");
    fs::write(&file, connector.properties()).unwrap();
    file
}

fn start(state: &Path, file: &Path, more: &[&str]) -> Sluice {
    worker::start_with(state, &[more, &[file.to_str().unwrap()]].concat())
}

/// The group does not wait long for a member that was killed.
fn quick(connector: Connector) -> Connector {
    connector.set("consumer.override.session.timeout.ms", "6000")
}

#[test]
fn a_files_connector_is_not_changed_over_rest_but_may_be_paused() {
    let (state, topic, database) = (tempfile::tempdir().unwrap(), Topic::create("file", 1), Database::create("file"));
    let connector = quick(Connector::new(&topic, "file").into_database(&database));
    let file = file(state.path(), &connector);
    let sluice = start(state.path(), &file, &[]);
    until_states(&sluice, &connector, "RUNNING: RUNNING");
    let config = json!(connector.settings());
    for (method, rest, body) in
        [("PUT", "/config", Some(&config)), ("PATCH", "/config", Some(&json!({}))), ("DELETE", "", None)]
    {
        let error = expect(&sluice, 403, method, &path(&connector, rest), body);
        assert!(error["message"].as_str().unwrap().contains("--adopt"), "{error}");
    }
    expect(&sluice, 409, "POST", "/connectors", Some(&json!({ "name": connector.name, "config": config })));
    tell(&sluice, &connector, "pause");
    let shown = expect(&sluice, 200, "GET", "/sluice/connectors", None);
    assert_eq!(shown[0]["origin"], "file", "{shown}");
    sluice.kill();

    let sluice = start(state.path(), &file, &[]);
    until_states(&sluice, &connector, "PAUSED: PAUSED");
    sluice.stop();
    // Without the file it is gone, and so is what was asked of it.
    let sluice = worker::start(state.path());
    assert_eq!(expect(&sluice, 200, "GET", "/connectors", None), json!([]));
    sluice.stop();
    let sluice = start(state.path(), &file, &[]);
    until_states(&sluice, &connector, "RUNNING: RUNNING");
    sluice.stop();
}

#[test]
fn an_adopted_connector_is_the_rest_apis_from_then_on() {
    let (state, topic, database) = (tempfile::tempdir().unwrap(), Topic::create("adopt", 1), Database::create("adopt"));
    let connector = Connector::new(&topic, "adopt").into_database(&database);
    let file = file(state.path(), &connector);
    let sluice = start(state.path(), &file, &["--adopt"]);
    expect(&sluice, 200, "PATCH", &path(&connector, "/config"), Some(&json!({ "tasks.max": "2" })));
    sluice.stop();

    let sluice = start(state.path(), &file, &["--adopt"]);
    until_states(&sluice, &connector, "RUNNING: RUNNING RUNNING");
    sluice.stop();

    // Without the word the two may differ, and nobody is to guess.
    let mut command = Command::new(BINARY);
    command.args(["run", "--bootstrap-servers", services::kafka(), "--listeners", "http://127.0.0.1:0", "--state-dir"]);
    let output = command.arg(state.path()).arg(&file).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("--adopt") && told.contains(&connector.name), "{told}");

    let sluice = worker::start(state.path());
    until_states(&sluice, &connector, "RUNNING: RUNNING RUNNING");
    sluice.stop();
}

#[test]
fn there_is_nowhere_to_adopt_to_without_a_state_folder() {
    let output = Command::new(BINARY).args(["run", "--bootstrap-servers", "127.0.0.1:1", "--adopt"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("state.dir"));
}

#[test]
fn a_damaged_connector_is_set_aside_and_the_others_run() {
    let (state, topic, database) = (tempfile::tempdir().unwrap(), Topic::create("aside", 1), Database::create("aside"));
    let [good, bad] = ["good", "bad"].map(|suffix| Connector::new(&topic, suffix).into_database(&database));
    let sluice = worker::start(state.path());
    create(&sluice, &good, None);
    create(&sluice, &bad, None);
    sluice.stop();
    let kept = state.path().join("connectors").join(format!("{}.json", bad.name));
    let text = fs::read_to_string(&kept).unwrap();
    fs::write(&kept, &text[..text.len() / 2]).unwrap();

    let mut sluice = worker::start(state.path());
    until_states(&sluice, &good, "RUNNING: RUNNING");
    assert_eq!(expect(&sluice, 200, "GET", "/connectors", None), json!([good.name]));
    let line = sluice.until("the log line", |sluice| sluice.logged(&["set aside", "\"level\":\"ERROR\"", &bad.name]));
    assert!(line.contains("damaged-"), "{line}");
    sluice.stop();
}
