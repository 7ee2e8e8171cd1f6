//! A worker and a connector that nothing but the environment describes, as in a container.

use std::process::Command;

use crate::commands;
use crate::support::influx::Database;
use crate::support::kafka::Topic;
use crate::support::points::feed;
use crate::support::services;
use crate::support::sluice::{BINARY, Sluice};

#[test]
fn a_connector_of_the_environment_runs_and_its_health_is_asked_by_a_command() {
    let topic = Topic::create("environment", 1);
    let database = Database::create("environment");
    topic.produce(&feed(100, 10, |_| (0, "BTC-USD")));
    let name = format!("{}-e", topic.name);
    let variables = [
        ("SLUICE_BOOTSTRAP_SERVERS", services::kafka()),
        ("SLUICE_LISTENERS", "http://127.0.0.1:0"),
        ("SLUICE_CONNECTOR_NAME", &name),
        ("SLUICE_CONNECTOR_TOPICS", &topic.name),
        ("SLUICE_CONNECTOR_TRANSFORM_MODULE", "builtin:split-concat"),
        ("SLUICE_CONNECTOR_INFLUX_URL", &database.url),
        ("SLUICE_CONNECTOR_INFLUX_DATABASE", &database.name),
        ("SLUICE_CONNECTOR_INFLUX_USERNAME", ""),
    ];
    let mut command = Command::new(BINARY);
    command.args(["--log-format", "json", "run"]).envs(variables);
    let mut sluice = Sluice::spawn(command, tempfile::tempdir().unwrap());
    let group = topic.group(&name);
    sluice.until("everything to be committed", |_| group.at_end());
    database.points().assert_equal(&topic.expected());

    let url = sluice.url("");
    for (arguments, said) in [(&["health"][..], "ready: every task runs"), (&["health", "--live"], "live: ")] {
        let ended = commands::run(&[arguments, &["--url", &url]].concat());
        assert!(ended.code == Some(0) && ended.stdout.starts_with(said), "{ended:?}");
    }
    sluice.stop();
    let gone = commands::run(&["health", "--url", &url]);
    assert_eq!(gone.code, Some(1), "{gone:?}");
}

#[test]
fn a_wrong_setting_of_the_environment_is_told_with_its_place() {
    let run = |arguments: &[&str]| {
        let mut command = Command::new(BINARY);
        command.args(arguments).env("SLUICE_CONNECTOR_NAME", "e").env("SLUICE_CONNECTOR_TOPIC", "prices");
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    for arguments in [&["validate", "--env"][..], &["run", "--bootstrap-servers", "localhost:1"]] {
        let (code, said) = run(arguments);
        assert_eq!(code, Some(2), "{said}");
        for part in ["the environment (SLUICE_CONNECTOR_…)", "transform.module", "influx.url"] {
            assert!(said.contains(part), "{part:?} is not in: {said}");
        }
    }
}

#[test]
fn a_command_that_does_not_listen_does_not_mind_the_listeners_of_the_image() {
    let mut command = Command::new(BINARY);
    command.args(["try", "builtin:split-concat", "--value", "BTC-USD,1"]);
    let output = command.env("SLUICE_LISTENERS", "http://0.0.0.0:8083").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let run = Command::new(BINARY)
        .args(["run", "--bootstrap-servers", "localhost:1"])
        .env("SLUICE_LISTENERS", "http://0.0.0.0:8083")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert_eq!((run.status.code(), said.matches("without a password").count()), (Some(2), 1), "{said}");
}
