//! The commands beside `run` and `try`: what they print, and how they end.

use std::fs::File;
use std::process::Command;

use crate::support::sluice::{BINARY, Connector, Sluice};

/// What a command that ended by itself has left.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

pub(crate) fn run(arguments: &[&str]) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stdout");
    let mut command = Command::new(BINARY);
    command.args(arguments);
    let mut process = Sluice::spawn_into(command, folder, File::create(&file).unwrap().into());
    let code = process.wait();
    Ended { code, stdout: std::fs::read_to_string(file).unwrap(), stderr: process.log() }
}

#[track_caller]
fn prints(arguments: &[&str], code: i32, lines: &[&str]) {
    let ended = run(arguments);
    assert_eq!(ended.code, Some(code), "{ended:?}");
    for line in lines {
        assert!(ended.stdout.contains(line), "{line:?} is not in {ended:?}");
    }
}

#[test]
fn version_and_help_with_examples_are_told() {
    prints(&["--version"], 0, &["sluice ", env!("CARGO_PKG_VERSION")]);
    prints(&["--help"], 0, &["run", "validate", "try", "demo", "Examples:", "Exit codes:"]);
    let ended = run(&["rnu"]);
    assert!(ended.code == Some(2) && ended.stderr.contains("rnu"), "{ended:?}");
}

#[test]
fn validate_tells_of_each_file_whether_it_would_start() {
    let folder = tempfile::tempdir().unwrap();
    let connector =
        Connector::named("valid", "prices").set("influx.url", "http://127.0.0.1:1").set("influx.database", "prices");
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (good, bad) = (path("good.properties"), path("bad.properties"));
    std::fs::write(&good, connector.properties()).unwrap();
    std::fs::write(&bad, connector.set("batch.max.line", "1").set("tasks.max", "0").properties()).unwrap();
    prints(&["validate", &good], 0, &[&format!("{good}: valid")]);
    prints(&["validate", &good, &bad], 2, &[&format!("{good}: valid"), &bad, "batch.max.lines", "tasks.max=0"]);
}

#[test]
fn the_demo_runs_without_any_service_and_ends_with_a_summary() {
    let ended = run(&["demo", "--duration-s", "2", "--rate", "1000"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("complete: every price is a point of its own"), "{ended:?}");
}
