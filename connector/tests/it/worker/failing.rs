//! Connectors that can't start, tasks that fail, and how they run again.

use std::fs;

use serde_json::json;

use crate::sandbox;
use crate::support::kafka::{Topic, unique};
use crate::support::points::{LONG_AGO_MS, Record, SYMBOLS, feed};
use crate::support::scripted_influx::ScriptedInflux;
use crate::support::sluice::{Connector, Sluice};
use crate::support::swap::variant;
use crate::support::worker::{self, Site, create, expect, path, states, tell, until_states};

fn prices(num: usize) -> Vec<Record> {
    feed(num, 100, |number| (0, SYMBOLS[number % SYMBOLS.len()]))
}

/// The trace of the connector itself.
fn trace(sluice: &Sluice, connector: &Connector) -> String {
    let status = expect(sluice, 200, "GET", &path(connector, "/status"), None);
    status["connector"]["trace"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_connector_that_cannot_start_is_failed_and_may_be_stopped_mended_and_deleted() {
    let mut site = Site::new("no-module", 1);
    let missing = site.folder.path().join("missing.wasm");
    let connector = site.connector("failed").set("transform.module", missing.to_str().unwrap());
    let sluice = &site.sluice;
    create(sluice, &connector, None);
    until_states(sluice, &connector, "FAILED:");
    assert!(trace(sluice, &connector).contains("missing.wasm"), "{}", trace(sluice, &connector));
    assert_eq!(expect(sluice, 200, "GET", "/health", None)["status"], "healthy", "a connector is not the worker");
    // As in Connect, one that has failed is not paused.
    tell(sluice, &connector, "pause");
    tell(sluice, &connector, "resume");
    until_states(sluice, &connector, "FAILED:");

    tell(sluice, &connector, "stop");
    until_states(sluice, &connector, "STOPPED:");
    assert_eq!(trace(sluice, &connector), "");
    assert_eq!(expect(sluice, 200, "GET", &path(&connector, "/tasks"), None), json!([]));
    let good = json!({ "transform.module": "builtin:split-concat" });
    expect(sluice, 200, "PATCH", &path(&connector, "/config"), Some(&good));
    until_states(sluice, &connector, "STOPPED:");
    tell(sluice, &connector, "resume");
    until_states(sluice, &connector, "RUNNING: RUNNING");
    site.topic.produce(&prices(100));
    site.until_committed(&connector);
    site.assert_all_stored();
    let sluice = &site.sluice;
    expect(sluice, 200, "PATCH", &path(&connector, "/config"), Some(&json!(connector.settings())));
    until_states(sluice, &connector, "FAILED:");
    expect(sluice, 204, "DELETE", &path(&connector, ""), None);
    assert_eq!(states(sluice, &connector), "none");
    site.sluice.stop();
}

#[test]
fn modules_that_refuse_to_begin_fail_their_connector_alone() {
    let mut site = Site::new("refuses", 1);
    let module = site.file("hostile.wasm", sandbox::core());
    let hostile = |mode: &str| site.connector(mode).set("transform.module", &module).set("transform.config.mode", mode);
    let [refuses, traps, loops] = ["configure-error", "configure-trap", "configure-loop"].map(hostile);
    let good = site.connector("good");
    for connector in [&refuses, &traps, &loops, &good] {
        create(&site.sluice, connector, None);
    }
    site.topic.produce(&prices(100));
    site.until_committed(&good);
    for (connector, words) in
        [(&refuses, "refuses every configuration"), (&traps, "trap"), (&loops, "transform.timeout.ms")]
    {
        until_states(&site.sluice, connector, "FAILED:");
        let trace = trace(&site.sluice, connector);
        assert!(trace.contains(words), "{trace}");
    }
    until_states(&site.sluice, &good, "RUNNING: RUNNING");
    site.sluice.stop();
}

#[test]
fn a_module_that_has_come_is_found_by_a_restart() {
    let site = Site::new("comes", 1);
    let file = site.folder.path().join("transform.wasm");
    let (sluice, connector) = (&site.sluice, site.connector("comes").set("transform.module", file.to_str().unwrap()));
    create(sluice, &connector, None);
    until_states(sluice, &connector, "FAILED:");
    fs::write(&file, variant(1, "stamp")).unwrap();
    expect(sluice, 202, "POST", &path(&connector, "/restart?onlyFailed=true&includeTasks=true"), None);
    until_states(sluice, &connector, "RUNNING: RUNNING");
    site.sluice.stop();
}

#[test]
fn a_kept_connector_whose_secret_is_gone_waits_for_it_and_the_others_run() {
    let (state, topic, influx) = (tempfile::tempdir().unwrap(), Topic::create("gone", 1), ScriptedInflux::v1("prices"));
    let secrets = state.path().join("secrets.properties");
    fs::write(&secrets, "password=hush\n").unwrap();
    let placeholder = format!("${{file:{}:password}}", secrets.display());
    let other = Connector::new(&topic, "other").into_scripted(&influx);
    let connector = Connector::new(&topic, "gone")
        .into_scripted(&influx)
        .set("influx.username", "me")
        .set("influx.password", placeholder);
    let sluice = worker::start(state.path());
    for connector in [&connector, &other] {
        create(&sluice, connector, None);
        until_states(&sluice, connector, "RUNNING: RUNNING");
    }
    sluice.stop();
    fs::remove_file(&secrets).unwrap();

    let sluice = worker::start(state.path());
    until_states(&sluice, &connector, "FAILED:");
    until_states(&sluice, &other, "RUNNING: RUNNING");
    assert!(trace(&sluice, &connector).contains("secrets.properties"), "{}", trace(&sluice, &connector));
    fs::write(&secrets, "password=hush\n").unwrap();
    expect(&sluice, 204, "POST", &path(&connector, "/restart"), None);
    until_states(&sluice, &connector, "RUNNING: RUNNING");
    sluice.stop();
}

#[test]
fn a_task_that_failed_runs_again_with_other_settings_and_reads_what_it_had_not_written() {
    let mut site = Site::new("broken", 1);
    let module = site.file("hostile.wasm", sandbox::core());
    let connector = site.connector("broken").set("transform.module", module).set("transform.config.mode", "panic");
    site.topic.produce(&prices(10));
    let sluice = &site.sluice;
    create(sluice, &connector, None);
    until_states(sluice, &connector, "RUNNING: FAILED");
    let status = expect(sluice, 200, "GET", &path(&connector, "/status"), None);
    let trace = status["tasks"][0]["trace"].as_str().unwrap();
    assert!(trace.contains("as asked") || trace.contains("trap"), "{trace}");
    assert!(status["connector"].get("trace").is_none(), "the connector itself is well: {status}");
    assert_eq!(expect(sluice, 200, "GET", &path(&connector, "/offsets"), None)["offsets"], json!([]));
    // A restart alone does not help.
    expect(sluice, 204, "POST", &path(&connector, "/tasks/0/restart"), None);
    until_states(sluice, &connector, "RUNNING: FAILED");
    expect(sluice, 200, "PATCH", &path(&connector, "/config"), Some(&json!({ "transform.config.mode": "ok" })));
    expect(sluice, 204, "POST", &path(&connector, "/tasks/0/restart"), None);
    until_states(sluice, &connector, "RUNNING: RUNNING");
    site.until_committed(&connector);
    let stored = site.influx.points().remove("hostile").unwrap();
    assert_eq!(stored.len(), 10, "each record is a point");
    site.sluice.stop();
}

#[test]
fn what_may_mend_by_itself_is_started_again_and_nothing_else() {
    let site = Site::new("again", 1);
    let name = unique("again-later");
    let of_missing = |suffix: &str| Connector::named(&format!("{name}-{suffix}"), &name).into_scripted(&site.influx);
    let again = |connector: Connector| {
        connector.set("errors.restart.backoff.ms", "20").set("errors.restart.backoff.max.ms", "100")
    };
    let [patient, tries] = [of_missing("patient"), again(of_missing("tries"))];
    // A refused record is there the next time, too.
    let poisoned = again(site.connector("poisoned"));
    site.topic.produce(&[Record::other(0, LONG_AGO_MS, Some("nonsense"))]);
    let mut sluice = site.sluice;
    for connector in [&patient, &tries, &poisoned] {
        create(&sluice, connector, None);
    }
    for connector in [&patient, &poisoned] {
        until_states(&sluice, connector, "RUNNING: FAILED");
    }
    // In vain at first.
    let line = sluice.until("it to be tried again", |sluice| sluice.logged(&["starts again after a pause"]));
    assert!(line.contains(&tries.name), "{line}");
    let topic = Topic::create_named(&name, 1);
    topic.produce(&prices(10));
    let group = topic.group(&tries.name);
    sluice.until("the records of the topic that has come", |_| group.at_end());
    until_states(&sluice, &tries, "RUNNING: RUNNING");
    for connector in [&patient, &poisoned] {
        assert_eq!(states(&sluice, connector), "RUNNING: FAILED", "nobody asked for more");
        assert!(sluice.logged(&["starts again after a pause", &connector.name]).is_err());
    }
    // Whoever is not started again by itself is by a person.
    expect(&sluice, 204, "POST", &path(&patient, "/tasks/0/restart"), None);
    until_states(&sluice, &patient, "RUNNING: RUNNING");
    sluice.stop();
}
