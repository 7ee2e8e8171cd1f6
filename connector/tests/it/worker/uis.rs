//! The calls of Kafka UI, Redpanda Console, AKHQ, kcctl and Terraform's provider, and what each of them can't do without.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::http::{self, Answer};
use crate::support::points::{LONG_AGO_MS, Record};
use crate::support::sluice::{Connector, Sluice};
use crate::support::wait::until;
use crate::support::worker::{Site, ask, create, expect, path, states, tell, until_states};

/// Kafka UI and Console know no other states: an unknown one breaks their page.
const STATES: [&str; 6] = ["UNASSIGNED", "RUNNING", "PAUSED", "STOPPED", "FAILED", "RESTARTING"];

/// ConnectorStateInfo, as typed clients decode it.
#[track_caller]
fn assert_status(status: &Value, name: &str) {
    assert_eq!((status["name"].as_str(), status["type"].as_str()), (Some(name), Some("sink")), "{status}");
    let part = |part: &Value| {
        let state = part["state"].as_str().unwrap();
        assert!(STATES.contains(&state) && part["worker_id"].is_string(), "{status}");
        assert!(state != "FAILED" || part["trace"].is_string(), "a failed part has a trace: {status}");
    };
    // Two clients decode it as a map of strings.
    assert!(status["connector"].as_object().unwrap().values().all(Value::is_string), "{status}");
    part(&status["connector"]);
    for (number, task) in status["tasks"].as_array().unwrap().iter().enumerate() {
        assert_eq!(task["id"], number, "{status}");
        part(task);
    }
}

/// ConnectorInfo.
#[track_caller]
fn assert_info(info: &Value, name: &str) {
    assert_eq!((info["name"].as_str(), info["type"].as_str()), (Some(name), Some("sink")), "{info}");
    let config = info["config"].as_object().unwrap();
    assert!(config.values().all(Value::is_string) && config.contains_key("connector.class"), "{info}");
    for task in info["tasks"].as_array().unwrap() {
        assert!(task["connector"] == name && task["task"].is_u64(), "{info}");
    }
}

/// An error as clients show it.
#[track_caller]
fn assert_error(answer: &Answer, status: u16) {
    assert_eq!((answer.status, answer.header("Content-Type")), (status, Some("application/json")), "{}", answer.body);
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body["error_code"], status, "{body}");
    assert!(body["message"].as_str().is_some_and(|message| !message.is_empty()), "{body}");
}

/// The list with both parts, as every UI asks for it first.
#[track_caller]
fn assert_listed(sluice: &Sluice, connectors: &[&Connector]) {
    let listed = expect(sluice, 200, "GET", "/connectors?expand=info&expand=status", None);
    let names: Vec<_> = listed.as_object().unwrap().keys().collect();
    assert_eq!(names.len(), connectors.len(), "{names:?}");
    for connector in connectors {
        let entry = &listed[&connector.name];
        assert_info(&entry["info"], &connector.name);
        assert_status(&entry["status"], &connector.name);
        // AKHQ joins the tasks of both by their number.
        let of =
            |tasks: &Value, key| tasks.as_array().unwrap().iter().map(|task| task[key].clone()).collect::<Vec<_>>();
        if entry["status"]["connector"]["state"] == "RUNNING" {
            assert_eq!(of(&entry["info"]["tasks"], "task"), of(&entry["status"]["tasks"], "id"), "{entry}");
        }
    }
}

/// The plugins, as every UI lists them; gives back the class of the one that is there.
#[track_caller]
fn plugin(sluice: &Sluice, path: &str) -> String {
    let plugins = expect(sluice, 200, "GET", path, None);
    let [plugin] = &plugins.as_array().unwrap()[..] else { panic!("{plugins}") };
    assert!(plugin["version"].is_string() && plugin["type"] == "sink", "{plugin}");
    plugin["class"].as_str().unwrap().to_owned()
}

/// What is wrong with a configuration, whose every entry can be shown as a form; gives back how many errors there are.
#[track_caller]
fn validate(sluice: &Sluice, class: &str, config: &Value) -> u64 {
    let path = format!("/connector-plugins/{class}/config/validate");
    let infos = expect(sluice, 200, "PUT", &path, Some(config));
    assert!(infos["name"].is_string() && infos["groups"].is_array(), "{infos}");
    for entry in infos["configs"].as_array().unwrap() {
        let (definition, value) = (&entry["definition"], &entry["value"]);
        assert!(definition["name"].is_string() && definition["name"] == value["name"], "{entry}");
        assert!(definition["order"].is_i64() && definition.get("default_value").is_some(), "{entry}");
        assert!(definition.get("group").is_some() && definition["type"].is_string(), "{entry}");
        assert!(value["errors"].is_array() && value["recommended_values"].is_array(), "{entry}");
    }
    infos["error_count"].as_u64().unwrap()
}

#[test]
fn kafka_ui() {
    let site = Site::new("kafka-ui", 2);
    let (sluice, connector) = (&site.sluice, site.connector("ui"));
    let root = expect(sluice, 200, "GET", "/", None);
    assert!(["version", "commit", "kafka_cluster_id"].iter().all(|key| root.get(*key).is_some()), "{root}");
    assert_listed(sluice, &[]);
    let class = plugin(sluice, "/connector-plugins");
    // Under the name by which the path has it.
    let connector = connector.set("connector.class", &class);
    assert_eq!(validate(sluice, &class, &json!(connector.settings())), 0);
    assert_ne!(validate(sluice, &class, &json!(connector.clone().set("tasks.max", "x").settings())), 0);
    // Its values are of any type, and its contract has a parameter that nobody uses.
    let mut body = json!({ "name": connector.name, "config": connector.settings() });
    body["config"]["tasks.max"] = 2.into();
    body["config"]["transform.watch"] = true.into();
    let made = expect(sluice, 201, "POST", "/connectors?search=ui", Some(&body));
    assert_info(&made, &connector.name);
    assert_eq!((&made["config"]["tasks.max"], &made["config"]["transform.watch"]), (&json!("2"), &json!("true")));
    until_states(sluice, &connector, "RUNNING: RUNNING RUNNING");
    assert_listed(sluice, &[&connector]);
    assert_info(&expect(sluice, 200, "GET", &path(&connector, ""), None), &connector.name);
    for task in expect(sluice, 200, "GET", &path(&connector, "/tasks"), None).as_array().unwrap() {
        let id = &task["id"]["task"];
        let status = expect(sluice, 200, "GET", &path(&connector, &format!("/tasks/{id}/status")), None);
        assert!(status["id"] == *id && STATES.contains(&status["state"].as_str().unwrap()), "{status}");
        expect(sluice, 204, "POST", &path(&connector, &format!("/tasks/{id}/restart")), None);
    }
    expect(sluice, 204, "POST", &path(&connector, "/restart?includeTasks=false&onlyFailed=false"), None);
    let told = expect(sluice, 200, "GET", &path(&connector, "/topics"), None);
    assert!(told[&connector.name]["topics"].is_array(), "{told}");
    // It shows the 400 as "must be stopped", and says so before it offers the reset.
    assert_error(&ask(sluice, "DELETE", &path(&connector, "/offsets"), None), 400);
    for word in ["pause", "resume", "stop"] {
        tell(sluice, &connector, word);
    }
    until_states(sluice, &connector, "STOPPED:");
    expect(sluice, 200, "DELETE", &path(&connector, "/offsets"), None);
    assert_error(&ask(sluice, "PUT", &path(&connector, "/config"), Some(&json!({ "tasks.max": "x" }))), 400);
    assert_error(&ask(sluice, "PUT", &path(&connector, "/config"), Some(&json!({ "tasks.max": [1] }))), 500);
    assert_error(&ask(sluice, "POST", "/connectors", Some(&body)), 409);
    expect(sluice, 204, "DELETE", &path(&connector, ""), None);
    for rest in ["", "/status", "/tasks", "/config"] {
        assert_error(&ask(sluice, "GET", &path(&connector, rest), None), 404);
    }
    assert_listed(sluice, &[]);
    site.sluice.stop();
}

#[test]
fn redpanda_console_and_akhq() {
    let site = Site::new("console", 1);
    site.topic.produce(&[Record::other(0, LONG_AGO_MS, Some("nonsense"))]);
    let (sluice, good, bad) =
        (&site.sluice, site.connector("good").set("errors.tolerance", "all"), site.connector("bad"));
    for connector in [&good, &bad] {
        create(sluice, connector, None);
    }
    // AKHQ asks for the form of every plugin with next to nothing, and shows it whatever is wrong with that.
    let class = plugin(sluice, "/connector-plugins");
    assert_ne!(validate(sluice, &class, &json!({ "connector.class": class, "topics": "getPlugins" })), 0);
    // Console shows a connector that runs without a task as unhealthy.
    until_states(sluice, &good, "RUNNING: RUNNING");
    until_states(sluice, &bad, "RUNNING: FAILED");
    assert_listed(sluice, &[&good, &bad]);
    // Console signs in with an empty name and password whether or not there are users.
    let headers = [("Authorization", "Basic Og==")];
    let signed_in = http::send("GET", &sluice.url(&path(&good, "")), &headers, b"").unwrap();
    assert_eq!(signed_in.status, 200, "{}", signed_in.body);
    expect(sluice, 202, "PUT", &path(&good, "/topics/reset"), None);
    let query = "/restart?includeTasks=true&onlyFailed=true";
    assert_status(&expect(sluice, 202, "POST", &path(&bad, query), None), &bad.name);
    expect(sluice, 204, "POST", &path(&bad, "/tasks/0/restart"), None);
    let config = json!(bad.clone().set("errors.tolerance", "all").settings());
    assert_info(&expect(sluice, 200, "PUT", &path(&bad, "/config"), Some(&config)), &bad.name);
    until_states(sluice, &bad, "RUNNING: RUNNING");
    for connector in [&good, &bad] {
        expect(sluice, 204, "DELETE", &path(connector, ""), None);
        assert_error(&ask(sluice, "GET", &path(connector, "/status"), None), 404);
    }
    site.sluice.stop();
}

#[test]
fn kcctl() {
    let site = Site::new("kcctl", 1);
    let (sluice, connector) = (&site.sluice, site.connector("kcctl"));
    // It switches features on by the version: 3.7 for the last of them.
    let root = expect(sluice, 200, "GET", "/", None);
    let mut numbers = root["version"].as_str().unwrap().split('.').map(|number| number.parse::<u32>().unwrap());
    assert!((numbers.next(), numbers.next()) >= (Some(3), Some(7)), "{root}");
    let class = plugin(sluice, "/connector-plugins?connectorsOnly=false");
    let keys = expect(sluice, 200, "GET", &format!("/connector-plugins/{class}/config"), None);
    assert!(keys.as_array().unwrap().iter().all(|key| key.get("default_value").is_some()), "{keys}");
    let connector = connector.set("connector.class", &class);
    assert_eq!(validate(sluice, &class, &json!(connector.settings())), 0);
    let body = json!({ "name": connector.name, "config": connector.settings() });
    expect(sluice, 201, "POST", "/connectors/", Some(&body));
    until_states(sluice, &connector, "RUNNING: RUNNING");
    assert_eq!(expect(sluice, 200, "GET", "/connectors/", None), json!([connector.name]));
    let listed = expect(sluice, 200, "GET", "/connectors?expand=status", None);
    assert_status(&listed[&connector.name]["status"], &connector.name);
    assert_eq!(listed[&connector.name].as_object().unwrap().len(), 1, "only what was asked for: {listed}");
    assert_eq!(expect(sluice, 200, "GET", &path(&connector, "/topics"), None).as_object().unwrap().len(), 1);

    // Its patch reads the settings, changes them and puts all of them.
    let mut config = expect(sluice, 200, "GET", &path(&connector, "/config"), None);
    config["tasks.max"] = "2".into();
    config.as_object_mut().unwrap().remove("offset.flush.interval.ms");
    expect(sluice, 200, "PUT", &path(&connector, "/config"), Some(&config));
    assert_eq!(expect(sluice, 200, "GET", &path(&connector, "/config"), None), config);
    until_states(sluice, &connector, "RUNNING: RUNNING RUNNING");
    // It takes off the last line, of the place where the errors are listed again, and shows what stands before.
    config["tasks.max"] = "none".into();
    let wrong = expect(sluice, 400, "PUT", &path(&connector, "/config"), Some(&config));
    assert!(wrong["message"].as_str().unwrap().contains("tasks.max"), "{wrong}");
    expect(sluice, 204, "POST", &path(&connector, "/restart"), None);
    expect(sluice, 204, "POST", &path(&connector, "/tasks/0/restart"), None);
    tell(sluice, &connector, "stop");
    until_states(sluice, &connector, "STOPPED:");
    let partition = json!({ "kafka_topic": site.topic.name, "kafka_partition": 0 });
    let offsets = json!({ "offsets": [{ "partition": partition, "offset": { "kafka_offset": 0 } }] });
    expect(sluice, 200, "PATCH", &path(&connector, "/offsets"), Some(&offsets));
    assert_eq!(expect(sluice, 200, "GET", &path(&connector, "/offsets"), None), offsets);
    expect(sluice, 200, "DELETE", &path(&connector, "/offsets"), None);
    assert!(expect(sluice, 200, "GET", "/admin/loggers", None)["root"]["level"].is_string());
    let root = expect(sluice, 200, "GET", "/admin/loggers/root", None);
    let level = json!({ "level": root["level"] });
    assert!(expect(sluice, 200, "PUT", "/admin/loggers/root", Some(&level)).is_array());
    expect(sluice, 204, "DELETE", &path(&connector, ""), None);
    assert_error(&ask(sluice, "GET", &path(&connector, ""), None), 404);
    site.sluice.stop();
}

#[test]
fn terraforms_provider() {
    let site = Site::new("terraform", 1);
    let (sluice, connector) = (&site.sluice, site.connector("tf"));
    create(sluice, &connector, None);
    // `IsUpToDate`: as many keys, and each with its value.
    let is_up_to_date = |wanted: &BTreeMap<String, String>| {
        let found = expect(sluice, 200, "GET", &path(&connector, "/config"), None);
        let found = found.as_object().unwrap();
        found.len() == wanted.len() && wanted.iter().all(|(key, value)| found[key] == *value)
    };
    assert_info(&expect(sluice, 200, "GET", &path(&connector, ""), None), &connector.name);
    assert!(is_up_to_date(connector.settings()));
    let changed = connector.clone().set("tasks.max", "2").set("linger.ms", " 5 ");
    let put = ask(sluice, "PUT", &path(&connector, "/config"), Some(&json!(changed.settings())));
    assert_eq!(put.status, 200, "{}", put.body);
    assert!(is_up_to_date(changed.settings()));
    until_states(sluice, &connector, "RUNNING: RUNNING RUNNING");
    assert_status(&expect(sluice, 200, "GET", &path(&connector, "/status"), None), &connector.name);
    expect(sluice, 204, "DELETE", &path(&connector, ""), None);
    assert_error(&ask(sluice, "GET", &path(&connector, ""), None), 404);
    assert_eq!(states(sluice, &connector), "none");
    // A resource that somebody else deletes is made anew.
    create(sluice, &connector, None);
    until("it to run", || match states(sluice, &connector).as_str() {
        "RUNNING: RUNNING" => Ok(()),
        other => Err(other.to_owned()),
    });
    site.sluice.stop();
}
