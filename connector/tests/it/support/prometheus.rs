//! A real Prometheus that reads one Sluice and evaluates the alert rules that ship, for which time runs faster.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use regex_lite::{Captures, Regex};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::http;
use super::services::{self, Script};

/// The rules that ship.
pub(crate) const RULES: &str = include_str!("../../../../docker/prometheus/rules/sluice.yaml");

/// So many times faster: five minutes are five seconds.
const FASTER: u64 = 60;

/// Reads and evaluates so often.
const INTERVAL_MS: u64 = 500;

/// The labels of a series.
pub(crate) type Labels = BTreeMap<String, String>;

/// A running Prometheus.
#[derive(Debug)]
pub(crate) struct Prometheus {
    url: String,
    folder: TempDir,
    _script: Script,
}

// === impl Prometheus ===

impl Prometheus {
    /// Starts one that reads nothing yet.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        // JSON is YAML.
        let config = json!({
            "global": {"scrape_interval": format!("{INTERVAL_MS}ms"), "scrape_timeout": format!("{INTERVAL_MS}ms"), "evaluation_interval": format!("{INTERVAL_MS}ms")},
            "rule_files": [path("rules.yaml")],
            "scrape_configs": [{"job_name": "sluice", "file_sd_configs": [{"files": [path("targets.json")], "refresh_interval": "1s"}]}],
        });
        fs::write(path("prometheus.yaml"), config.to_string()).unwrap();
        fs::write(path("rules.yaml"), faster(RULES)).unwrap();
        let mut script =
            Script::start(&["run", "prometheus"], &[("SLUICE_PROMETHEUS_CONFIG", &path("prometheus.yaml"))])
                .unwrap_or_else(|why| panic!("a Prometheus of docker/local/services: {why}"));
        let url = script.printed("SLUICE_TEST_PROMETHEUS").unwrap();
        Self { url, folder, _script: script }
    }

    /// From now on it reads this Sluice, `host:port`, by the name `sluice`.
    pub(crate) fn read(&self, address: &str) {
        let targets = json!([{"targets": [address], "labels": {"instance": "sluice"}}]);
        let new = self.folder.path().join("targets.new");
        fs::write(&new, targets.to_string()).unwrap();
        fs::rename(new, self.folder.path().join("targets.json")).unwrap();
    }

    /// The alerts that fire.
    pub(crate) fn firing(&self) -> Vec<Labels> {
        let answer: Value = self.get("/api/v1/alerts");
        let alerts = answer["data"]["alerts"].as_array().unwrap().iter();
        alerts
            .filter(|alert| alert["state"] == "firing")
            .map(|alert| serde_json::from_value(alert["labels"].clone()).unwrap())
            .collect()
    }

    /// The names of the alerts that fire for a connector, or for none in particular.
    pub(crate) fn firing_for(&self, connector: &str) -> BTreeSet<String> {
        let is_meant = |labels: &Labels| labels.get("connector").is_none_or(|name| name == connector);
        self.firing().into_iter().filter(is_meant).map(|labels| labels["alertname"].clone()).collect()
    }

    /// What is wrong with the rules, by their names.
    pub(crate) fn faults(&self) -> Vec<(String, String)> {
        let answer = self.get("/api/v1/rules");
        let rules = answer["data"]["groups"][0]["rules"].as_array().unwrap();
        let fault = |rule: &Value| {
            let text = |key: &str| rule[key].as_str().unwrap_or_default().to_owned();
            (rule["health"] == "err").then(|| (text("name"), text("lastError")))
        };
        rules.iter().filter_map(fault).collect()
    }

    /// The series of an expression now, or why there are none.
    pub(crate) fn query(&self, expression: &str) -> Result<Vec<Value>, String> {
        let answer = self.get(&format!("/api/v1/query?query={}", http::encode(expression)));
        match answer["status"].as_str() {
            Some("success") => Ok(answer["data"]["result"].as_array().cloned().unwrap_or_default()),
            _ => Err(answer["error"].to_string()),
        }
    }

    fn get(&self, path: &str) -> Value {
        serde_json::from_str(&http::get(&format!("{}{path}", self.url)).unwrap().body).unwrap()
    }
}

/// The names of the rules that ship, in their order.
pub(crate) fn names() -> Vec<&'static str> {
    RULES.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect()
}

/// The rules with every time in them divided: ranges of expressions, ages of processes, and how long an alert waits before it fires.
fn faster(rules: &str) -> String {
    let duration = Regex::new(r"(\d+)([smh])").unwrap();
    let times = Regex::new(r"\[[0-9smh:]+\]|for: \d+[smh]").unwrap();
    let ages = Regex::new(r"(process_start_time_seconds < )(\d+)").unwrap();
    let rules = ages.replace_all(rules, |found: &Captures<'_>| {
        format!("{}{}", &found[1], found[2].parse::<u64>().unwrap() / FASTER)
    });
    let divided = |found: &Captures<'_>| {
        let unit_ms = match &found[2] {
            "s" => 1_000,
            "m" => 60_000,
            _ => 3_600_000,
        };
        format!("{}ms", (found[1].parse::<u64>().unwrap() * unit_ms / FASTER).max(INTERVAL_MS))
    };
    times.replace_all(&rules, |found: &Captures<'_>| duration.replace_all(&found[0], divided).into_owned()).into_owned()
}

/// Runs `promtool`, which comes with Prometheus.
pub(crate) fn promtool(folder: &Path, arguments: &[&str]) -> Result<String, String> {
    let tool = services::folder("prometheus")?.join("usr/bin/promtool");
    let output = Command::new(tool).args(arguments).current_dir(folder).output();
    let output = output.map_err(|error| format!("promtool: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(said) } else { Err(said) }
}

#[test]
fn times_run_faster() {
    let rules = "expr: deriv(a[10m:15s]) > 0 and b[5m] < 1209600 or time() - process_start_time_seconds < 300\nfor: 1m\nsummary: for five minutes";
    let fast = "expr: deriv(a[10000ms:500ms]) > 0 and b[5000ms] < 1209600 or time() - process_start_time_seconds < 5\nfor: 1000ms\nsummary: for five minutes";
    assert_eq!(faster(rules), fast);
}
