//! What a connector is set to changes while the worker runs, and is shown as it was put.

use std::fs;

use serde_json::{Value, json};

use crate::support::points::{LONG_AGO_MS, Record, SYMBOLS, feed};
use crate::support::wait::{equal, until};
use crate::support::worker::{Site, ask, create, expect, path, states, tell, until_states};

fn prices(num: usize) -> Vec<Record> {
    feed(num, 100, |number| (0, SYMBOLS[number % SYMBOLS.len()]))
}

#[test]
fn a_patch_changes_adds_and_takes_away_and_the_tasks_follow() {
    let mut site = Site::new("patch", 1);
    let connector = site.connector("patch").set("linger.ms", "1");
    let sluice = &site.sluice;
    create(sluice, &connector, None);
    until_states(sluice, &connector, "RUNNING: RUNNING");
    let patch = json!({ "tasks.max": "3", "batch.max.lines": "100", "linger.ms": null, "not.there": null });
    let info = expect(sluice, 200, "PATCH", &path(&connector, "/config"), Some(&patch));
    let mut merged = json!(connector.settings());
    merged.as_object_mut().unwrap().remove("linger.ms");
    merged["tasks.max"] = "3".into();
    merged["batch.max.lines"] = "100".into();
    assert_eq!(info["config"], merged);
    assert_eq!(expect(sluice, 200, "GET", &path(&connector, "/config"), None), merged);
    let task = |id: u32| json!({ "connector": connector.name, "task": id });
    assert_eq!(info["tasks"], json!([task(0), task(1), task(2)]));
    until_states(sluice, &connector, "RUNNING: RUNNING RUNNING RUNNING");

    // What would be wrong changes nothing.
    for wrong in [json!({ "tasks.max": "none" }), json!({ "topics": null }), json!({ "influx.url": null })] {
        let error = expect(sluice, 400, "PATCH", &path(&connector, "/config"), Some(&wrong));
        assert_eq!(error["error_code"], 400, "{error}");
        assert!(!error["message"].as_str().unwrap().is_empty());
    }
    assert_eq!(expect(sluice, 200, "GET", &path(&connector, "/config"), None), merged);
    let none = site.connector("none");
    let error = expect(sluice, 404, "PATCH", &path(&none, "/config"), Some(&json!({ "tasks.max": "1" })));
    assert_eq!(error["message"], format!("Connector {} not found", none.name));
    assert_eq!(states(sluice, &none), "none", "a patch makes no connector");
    site.topic.produce(&prices(500));
    site.until_committed(&connector);
    site.sluice.stop();
}

#[test]
fn the_tasks_follow_tasks_max() {
    let site = Site::new("tasks-max", 1);
    let (sluice, connector) = (&site.sluice, site.connector("tasks"));
    create(sluice, &connector, None);
    for tasks in [1_usize, 5, 3] {
        let config = json!(connector.clone().set("tasks.max", tasks.to_string()).settings());
        let info = expect(sluice, 200, "PUT", &path(&connector, "/config"), Some(&config));
        assert_eq!(info["tasks"].as_array().unwrap().len(), tasks, "{info}");
        let listed = expect(sluice, 200, "GET", &path(&connector, "/tasks"), None);
        let ids: Vec<_> = listed.as_array().unwrap().iter().map(|task| task["id"]["task"].as_u64().unwrap()).collect();
        assert_eq!(ids, (0..tasks as u64).collect::<Vec<_>>());
        assert!(listed.as_array().unwrap().iter().all(|task| task["config"]["tasks.max"] == *tasks.to_string()));
        until_states(sluice, &connector, &format!("RUNNING:{}", " RUNNING".repeat(tasks)));
        expect(sluice, 404, "GET", &path(&connector, &format!("/tasks/{tasks}/status")), None);
    }
    site.sluice.stop();
}

#[test]
fn the_last_of_many_changes_counts_and_no_record_is_lost_over_them() {
    let mut site = Site::new("many", 1);
    let connector = site.connector("many");
    create(&site.sluice, &connector, None);
    for round in 0..20_usize {
        site.topic.produce(&prices(50));
        let patch = json!({ "tasks.max": (1 + round % 4).to_string(), "linger.ms": (round % 3).to_string() });
        let info = expect(&site.sluice, 200, "PATCH", &path(&connector, "/config"), Some(&patch));
        assert_eq!(info["config"]["tasks.max"], patch["tasks.max"], "what has been answered is what there is");
    }
    until_states(&site.sluice, &connector, "RUNNING: RUNNING RUNNING RUNNING RUNNING");
    site.until_committed(&connector);
    site.assert_all_stored();
    site.sluice.stop();
}

#[test]
fn new_settings_leave_paused_and_stopped_as_they_are() {
    let site = Site::new("keeps", 1);
    let (sluice, connector) = (&site.sluice, site.connector("keeps"));
    let created = ask(sluice, "PUT", &path(&connector, "/config"), Some(&json!(connector.settings())));
    assert_eq!(created.status, 201, "{}", created.body);
    assert!(created.header("Location").unwrap().ends_with(&format!("/connectors/{}", connector.name)));
    until_states(sluice, &connector, "RUNNING: RUNNING");
    for (word, wanted) in [("pause", "PAUSED: PAUSED PAUSED"), ("stop", "STOPPED:")] {
        tell(sluice, &connector, word);
        for tasks in ["1", "2"] {
            let config = json!(connector.clone().set("tasks.max", tasks).settings());
            let changed = ask(sluice, "PUT", &path(&connector, "/config"), Some(&config));
            assert_eq!((changed.status, changed.header("Location")), (200, None), "{}", changed.body);
        }
        until_states(sluice, &connector, wanted);
    }
    tell(sluice, &connector, "resume");
    until_states(sluice, &connector, "RUNNING: RUNNING RUNNING");
    site.sluice.stop();
}

#[test]
fn settings_that_bear_a_record_mend_the_task_that_failed_on_it() {
    let site = Site::new("mend", 1);
    site.topic.produce(&[Record::other(0, LONG_AGO_MS, Some("nonsense"))]);
    let (sluice, connector) = (&site.sluice, site.connector("mend"));
    create(sluice, &connector, None);
    until_states(sluice, &connector, "RUNNING: FAILED");
    let offsets = || expect(sluice, 200, "GET", &path(&connector, "/offsets"), None)["offsets"].clone();
    assert_eq!(offsets(), json!([]), "nothing is committed");
    expect(sluice, 200, "PATCH", &path(&connector, "/config"), Some(&json!({ "errors.tolerance": "all" })));
    until_states(sluice, &connector, "RUNNING: RUNNING");
    let partition = json!({ "kafka_topic": site.topic.name, "kafka_partition": 0 });
    let one = json!([{ "partition": partition, "offset": { "kafka_offset": 1 } }]);
    until("the offset after the record", || equal(offsets(), &one));
    site.sluice.stop();
}

/// What an answer must not hold.
const SECRET: &str = "hush-hush-2718";

#[test]
fn a_secret_is_shown_as_it_was_put_and_settings_may_change_once_it_is_gone() {
    let site = Site::new("secret", 1);
    let secrets = site.file("secrets.properties", format!("password={SECRET}\n"));
    let placeholder = format!("${{file:{secrets}:password}}");
    let connector = site.connector("secret").set("influx.username", "me").set("influx.password", &placeholder);
    let sluice = &site.sluice;
    let created = create(sluice, &connector, None);
    until_states(sluice, &connector, "RUNNING: RUNNING");
    let get = |path: &str| expect(sluice, 200, "GET", path, None);
    let listed = get("/connectors?expand=info&expand=status");
    let shown = [
        created["config"].clone(),
        get(&path(&connector, ""))["config"].clone(),
        get(&path(&connector, "/config")),
        get(&path(&connector, "/tasks"))[0]["config"].clone(),
        listed[&connector.name]["info"]["config"].clone(),
    ];
    for config in &shown {
        assert_eq!(config["influx.password"], placeholder, "{config}");
    }
    let quiet = [get(&path(&connector, "/status")), get("/sluice/connectors"), listed];
    assert!(quiet.iter().all(|answer| !answer.to_string().contains(SECRET)));

    fs::remove_file(&secrets).unwrap();
    // Whoever leaves the placeholder in is told where it leads, and what runs goes on.
    let error = expect(sluice, 400, "PATCH", &path(&connector, "/config"), Some(&json!({ "linger.ms": "1" })));
    assert!(error["message"].as_str().unwrap().contains("secrets.properties"), "{error}");
    assert_eq!(states(sluice, &connector), "RUNNING: RUNNING");
    let patch = json!({ "influx.password": null, "influx.username": null, "tasks.max": "2" });
    let info = expect(sluice, 200, "PATCH", &path(&connector, "/config"), Some(&patch));
    assert_eq!(info["config"]["influx.password"], Value::Null);
    until_states(sluice, &connector, "RUNNING: RUNNING RUNNING");
    assert!(!sluice.log().contains(SECRET), "the log tells the secret");
    site.sluice.stop();
}
