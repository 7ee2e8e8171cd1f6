//! What Strimzi's operator does with a `KafkaConnector` resource, call by call: it compares what is there with what is wanted, again and
//! again, and changes what differs. So whatever Sluice showed otherwise than it was put would be put again for ever.

use std::cell::Cell;
use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::http;
use crate::support::points::{LONG_AGO_MS, Record};
use crate::support::sluice::{Connector, Sluice};
use crate::support::wait::until;
use crate::support::worker::{Site, ask, expect, path, states, until_states};

/// The operator and one of its resources.
struct Operator<'a> {
    sluice: &'a Sluice,
    connector: Connector,
    /// `spec.state`.
    state: &'static str,
    /// Requests that changed something.
    changes: Cell<usize>,
}

// === impl Operator ===

impl Operator<'_> {
    #[track_caller]
    fn change(&self, status: u16, method: &str, rest: &str, body: Option<&Value>) -> Value {
        self.changes.set(self.changes.get() + 1);
        expect(self.sluice, status, method, &path(&self.connector, rest), body)
    }

    /// One round of the loop. Gives back how many changes it made.
    #[track_caller]
    fn reconcile(&self) -> usize {
        self.changes.set(0);
        let wanted = json!(self.connector.settings());
        let current = ask(self.sluice, "GET", &path(&self.connector, "/config"), None);
        match current.status {
            404 => self.create(&wanted),
            200 => {
                let current: BTreeMap<String, String> = serde_json::from_str(&current.body).unwrap();
                if current != *self.connector.settings() {
                    self.change(200, "PUT", "/config", Some(&wanted));
                }
            }
            status => panic!("{status}: {}", current.body),
        }
        self.bring_to_state();
        self.restart_what_failed();
        let told = expect(self.sluice, 200, "GET", &path(&self.connector, "/topics"), None);
        assert!(told[&self.connector.name]["topics"].is_array(), "{told}");
        self.changes.get()
    }

    #[track_caller]
    fn create(&self, wanted: &Value) {
        self.changes.set(self.changes.get() + 1);
        let body = json!({ "name": self.connector.name, "config": wanted, "initial_state": self.state.to_uppercase() });
        let made = expect(self.sluice, 201, "POST", "/connectors", Some(&body));
        assert_eq!(made["config"], *wanted);
    }

    #[track_caller]
    fn bring_to_state(&self) {
        let state = self.status()["connector"]["state"].as_str().unwrap().to_owned();
        match (self.state, state.as_str()) {
            ("paused", "RUNNING") => self.change(202, "PUT", "/pause", None),
            ("running", "PAUSED" | "STOPPED") => self.change(202, "PUT", "/resume", None),
            ("stopped", "RUNNING" | "PAUSED") => self.change(204, "PUT", "/stop", None),
            _ => Value::Null,
        };
    }

    /// `spec.autoRestart`.
    #[track_caller]
    fn restart_what_failed(&self) {
        let status = self.status();
        let failed = |part: &Value| part["state"] == "FAILED";
        let tasks = status["tasks"].as_array().unwrap();
        if failed(&status["connector"]) || tasks.iter().any(failed) {
            self.change(202, "POST", "/restart?includeTasks=true&onlyFailed=true", None);
        }
    }

    #[track_caller]
    fn status(&self) -> Value {
        let status = expect(self.sluice, 200, "GET", &path(&self.connector, "/status"), None);
        assert!(status["connector"].as_object().unwrap().values().all(Value::is_string), "{status}");
        status
    }

    /// Rounds until nothing is left to do: there has to be an end.
    #[track_caller]
    fn settle(&self, wanted: &str) {
        until("the operator to have nothing left to do", || match self.reconcile() {
            0 => Ok(()),
            changes => Err(changes),
        });
        until_states(self.sluice, &self.connector, wanted);
        assert_eq!(self.reconcile(), 0, "and so it stays");
    }
}

#[test]
fn a_resource_is_made_changed_and_deleted_and_the_loop_comes_to_rest() {
    let mut site = Site::new("operator", 2);
    let name = "my->connector";
    let connector = site
        .connector(name)
        .set("tasks.max", "2")
        .set("transform.config.symbol.as", "tag")
        .set("errors.log.enable", "TRUE");
    let plugins = expect(&site.sluice, 200, "GET", "/connector-plugins", None);
    assert!(plugins.as_array().unwrap().iter().all(|plugin| plugin["class"].is_string()), "{plugins}");
    let mut operator = Operator { sluice: &site.sluice, connector, state: "running", changes: Cell::new(0) };
    operator.settle("RUNNING: RUNNING RUNNING");
    for (state, wanted) in [
        ("paused", "PAUSED: PAUSED PAUSED"),
        ("running", "RUNNING: RUNNING RUNNING"),
        ("stopped", "STOPPED:"),
        ("running", "RUNNING: RUNNING RUNNING"),
    ] {
        operator.state = state;
        operator.settle(wanted);
    }
    operator.connector = operator.connector.set("tasks.max", "1").set("batch.max.lines", "500");
    operator.settle("RUNNING: RUNNING");

    // The annotations for restarts.
    operator.change(204, "POST", "/restart?includeTasks=false&onlyFailed=false", None);
    let plan = operator.change(202, "POST", "/restart?includeTasks=true&onlyFailed=false", None);
    assert_eq!(plan["name"], operator.connector.name);
    operator.change(204, "POST", "/tasks/0/restart", None);
    operator.settle("RUNNING: RUNNING");

    // Resources that are gone: their connectors are looked for in the list.
    let connector = operator.connector.clone();
    let listed = expect(&site.sluice, 200, "GET", "/connectors", None);
    assert_eq!(listed, json!([connector.name]));
    expect(&site.sluice, 204, "DELETE", &path(&connector, ""), None);
    assert_eq!(states(&site.sluice, &connector), "none", "its deletion waits for the status to be gone");
    expect(&site.sluice, 404, "DELETE", &path(&connector, ""), None);
    site.sluice.until("the worker to be well", |sluice| {
        let health = sluice.get("/health");
        if health.status == 200 { Ok(()) } else { Err(health) }
    });
    site.sluice.stop();
}

#[test]
fn a_resource_that_fails_is_restarted_until_its_record_is_gone() {
    let site = Site::new("operator-fails", 1);
    site.topic.produce(&[Record::other(0, LONG_AGO_MS, Some("nonsense"))]);
    let operator =
        Operator { sluice: &site.sluice, connector: site.connector("fails"), state: "running", changes: Cell::new(0) };
    operator.reconcile();
    until_states(&site.sluice, &operator.connector, "RUNNING: FAILED");
    assert_eq!(operator.reconcile(), 1, "a restart");
    until_states(&site.sluice, &operator.connector, "RUNNING: FAILED");
    site.topic.cut_off(1);
    operator.settle("RUNNING: RUNNING");
    site.sluice.stop();
}

#[test]
fn offsets_and_loggers_as_annotations_ask_for_them() {
    let mut site = Site::new("operator-offsets", 1);
    let mut operator = Operator {
        sluice: &site.sluice,
        connector: site.connector("offsets"),
        state: "running",
        changes: Cell::new(0),
    };
    site.topic.produce(&[Record::price(0, LONG_AGO_MS, "BTC-USD", "1.5")]);
    operator.settle("RUNNING: RUNNING");
    let connector = operator.connector.clone();
    let offsets = path(&connector, "/offsets");
    until("the record to be committed", || {
        let listed = expect(&site.sluice, 200, "GET", &offsets, None);
        if listed["offsets"][0]["offset"]["kafka_offset"] == 1 { Ok(()) } else { Err(listed) }
    });
    operator.state = "stopped";
    operator.settle("STOPPED:");
    let partition = json!({ "kafka_topic": site.topic.name, "kafka_partition": 0 });
    let altered = json!({ "offsets": [{ "partition": partition, "offset": { "kafka_offset": 0 } }] });
    expect(&site.sluice, 200, "PATCH", &offsets, Some(&altered));
    assert_eq!(expect(&site.sluice, 200, "GET", &offsets, None), altered);
    expect(&site.sluice, 200, "DELETE", &offsets, None);
    assert_eq!(expect(&site.sluice, 200, "GET", &offsets, None), json!({ "offsets": [] }));
    operator.state = "running";
    operator.settle("RUNNING: RUNNING");

    let loggers = expect(&site.sluice, 200, "GET", "/admin/loggers/", None);
    for (name, logger) in loggers.as_object().unwrap() {
        let scalars = logger.as_object().unwrap().values().all(|value| !value.is_object() && !value.is_array());
        assert!(scalars && logger["level"].is_string(), "{name}: {logger}");
    }
    let level = json!({ "level": "WARN" }).to_string();
    let url = site.sluice.url("/admin/loggers/org.apache.kafka.connect?scope=cluster");
    let set = http::send("PUT", &url, &[("Content-Type", "application/json")], level.as_bytes()).unwrap();
    assert!((200..300).contains(&set.status), "{} {}", set.status, set.body);
    site.until_committed(&connector);
    site.sluice.stop();
}
