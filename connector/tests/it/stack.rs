//! The stack of `docker/compose.yaml` as processes of this machine: its feed, its connector, its dashboard. No container engine is wanted for that.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::commands;
use crate::dashboards::{filled_in, queries, rows};
use crate::support::http;
use crate::support::own::{OwnInflux, OwnKafka};
use crate::support::prometheus::promtool;
use crate::support::root;
use crate::support::sluice::{BINARY, Sluice};

fn docker() -> PathBuf {
    root().join("docker")
}

fn text(file: &str) -> String {
    fs::read_to_string(docker().join(file)).unwrap()
}

/// The arguments of a service in the compose file, which has them as a list on one line.
fn command(service: &str) -> Vec<String> {
    let compose = text("compose.yaml");
    let (_, rest) = compose.split_once(&format!("\n  {service}:\n")).unwrap();
    let line = rest.lines().find_map(|line| line.trim().strip_prefix("command: ")).unwrap();
    serde_json::from_str(line).unwrap()
}

#[test]
fn prices_of_the_stacks_feed_are_on_the_stacks_dashboard() {
    // Servers of its own, because the names of topic and database are those of the stack.
    let (kafka, influx) = (OwnKafka::start(&[]), OwnInflux::start(&[]));
    http::post(&format!("{}/query?q={}", influx.url(), http::encode("CREATE DATABASE crypto")), "").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("influxdb1.properties");
    fs::write(&file, text("sluice/influxdb1.properties").replace("http://influxdb1:8086", influx.url())).unwrap();
    let start = |arguments: &[String], more: &[&str]| {
        let mut command = Command::new(BINARY);
        command.args(["--log-format", "json"]).args(arguments).args(more);
        command.env("SLUICE_BOOTSTRAP_SERVERS", kafka.address());
        Sluice::spawn(command, tempfile::tempdir().unwrap())
    };
    let mut feed = start(&command("price-feed"), &[]);
    assert_eq!(command("sluice")[0], "run");
    let run = [String::from("run"), file.to_str().unwrap().to_owned()];
    let mut sluice = start(&run, &["--listeners", "http://127.0.0.1:0"]);
    for query in queries("crypto-prices") {
        let text = filled_in(&query);
        sluice.until(&query.place, |_| rows(influx.url(), "crypto", &text));
    }
    feed.terminate();
    assert_eq!(feed.wait(), Some(0), "{}", feed.log());
    sluice.stop();
}

#[test]
fn every_connector_of_the_stack_and_of_kubernetes_is_valid() {
    let folder = tempfile::tempdir().unwrap();
    let sluice = ["sluice/influxdb1", "sluice/influxdb2", "sluice/influxdb3", "kubernetes/base/crypto-prices"];
    for name in sluice {
        // Secrets are in the containers only.
        let text = text(&format!("{name}.properties"));
        let lines = text.lines().map(|line| match line.split_once("=${") {
            Some((key, _)) => format!("{key}=secret\n"),
            None => format!("{line}\n"),
        });
        let file = folder.path().join("connector.properties");
        fs::write(&file, lines.collect::<String>()).unwrap();
        let ended = commands::run(&["validate", file.to_str().unwrap()]);
        assert!(ended.code == Some(0) && !ended.stdout.contains("warning"), "{name}: {ended:?}");
    }
}

#[test]
fn the_configuration_of_prometheus_is_good() {
    let folder = tempfile::tempdir().unwrap();
    let rules = docker().join("prometheus/rules");
    let config = text("prometheus/prometheus.yaml").replace("/etc/prometheus/rules", rules.to_str().unwrap());
    fs::write(folder.path().join("prometheus.yaml"), config).unwrap();
    let said = promtool(folder.path(), &["check", "config", "prometheus.yaml"]).unwrap_or_else(|said| panic!("{said}"));
    assert!(said.contains("SUCCESS") && said.contains("1 rule files found"), "{said}");
    let local = promtool(&docker().join("local/prometheus"), &["check", "config", "prometheus.yaml"]);
    assert!(local.as_ref().is_ok_and(|said| said.contains("1 rule files found")), "{local:?}");
}
