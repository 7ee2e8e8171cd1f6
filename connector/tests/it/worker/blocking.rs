//! A connector that is stuck in its module, its Kafka or its InfluxDB takes nothing from the others: their data goes on, and everybody's
//! requests are answered, its own too. What is compared is what comes before what, never how long it takes.

use std::process::Command;

use serde_json::{Value, json};

use crate::sandbox;
use crate::support::points::{Points, Record, SYMBOLS, feed};
use crate::support::proxy::Proxy;
use crate::support::scripted_influx::{Scripted, ScriptedInflux};
use crate::support::services;
use crate::support::sluice::{Connector, Sluice};
use crate::support::wait::{equal, until};
use crate::support::worker::{Site, create, expect, path, states, tell, until_states};

/// The longest time that a call may be given: longer than any test.
const LONG_MS: &str = "300000";

fn prices(num: usize) -> Vec<Record> {
    feed(num, 100, |number| (0, SYMBOLS[number % SYMBOLS.len()]))
}

/// A connector that works is made, changed, paused and resumed, and what is produced meanwhile is written.
fn others_go_on(site: &mut Site, suffix: &str) {
    let good = site.connector(suffix);
    create(&site.sluice, &good, None);
    site.topic.produce(&prices(100));
    site.until_committed(&good);
    for (word, wanted) in [("pause", "PAUSED: PAUSED"), ("resume", "RUNNING: RUNNING")] {
        tell(&site.sluice, &good, word);
        until_states(&site.sluice, &good, wanted);
    }
    expect(&site.sluice, 200, "PATCH", &path(&good, "/config"), Some(&json!({ "tasks.max": "2" })));
    until_states(&site.sluice, &good, "RUNNING: RUNNING RUNNING");
    site.topic.produce(&prices(100));
    site.until_committed(&good);
    expect(&site.sluice, 204, "DELETE", &path(&good, ""), None);
}

/// Everything that can be asked about a connector, and what is changed about it, is answered.
#[track_caller]
fn is_answered(sluice: &Sluice, connector: &Connector) {
    for rest in ["", "/config", "/status", "/tasks", "/tasks/0/status", "/topics"] {
        expect(sluice, 200, "GET", &path(connector, rest), None);
    }
    let listed = expect(sluice, 200, "GET", "/connectors?expand=info&expand=status", None);
    assert!(listed[&connector.name]["status"].is_object(), "{listed}");
    for word in ["pause", "resume"] {
        tell(sluice, connector, word);
    }
    expect(sluice, 204, "POST", &path(connector, "/restart"), None);
    expect(sluice, 204, "POST", &path(connector, "/tasks/0/restart"), None);
    expect(sluice, 202, "POST", &path(connector, "/restart?includeTasks=true"), None);
    expect(sluice, 200, "GET", "/health", None);
    expect(sluice, 200, "GET", "/connectors", None);
}

#[test]
fn a_module_that_spins_in_configure() {
    let mut site = Site::new("spins-early", 1);
    let module = site.file("hostile.wasm", sandbox::core());
    let spins = site
        .connector("spins")
        .set("transform.module", module)
        .set("transform.config.mode", "configure-loop")
        .set("transform.timeout.ms", LONG_MS);
    let is_stuck = |site: &Site| assert_eq!(states(&site.sluice, &spins), "UNASSIGNED: UNASSIGNED");
    create(&site.sluice, &spins, None);
    others_go_on(&mut site, "before");
    is_stuck(&site);
    is_answered(&site.sluice, &spins);
    others_go_on(&mut site, "after");
    is_stuck(&site);

    // It is given up as soon as something else is wanted.
    tell(&site.sluice, &spins, "stop");
    until_states(&site.sluice, &spins, "STOPPED:");
    tell(&site.sluice, &spins, "resume");
    until("it to spin again", || equal(states(&site.sluice, &spins), &"UNASSIGNED: UNASSIGNED".to_owned()));
    let mended = json!({ "transform.config.mode": "ok" });
    expect(&site.sluice, 200, "PATCH", &path(&spins, "/config"), Some(&mended));
    until_states(&site.sluice, &spins, "RUNNING: RUNNING");
    site.until_committed(&spins);
    expect(&site.sluice, 200, "PUT", &path(&spins, "/config"), Some(&json!(spins.settings())));
    expect(&site.sluice, 204, "DELETE", &path(&spins, ""), None);
    assert_eq!(states(&site.sluice, &spins), "none");
    create(&site.sluice, &spins, None);
    // A worker that stops does not wait for it either.
    site.sluice.stop();
}

#[test]
fn a_module_that_spins_in_transform() {
    let mut site = Site::with("spins-late", 1, &["--set", "task.shutdown.graceful.timeout.ms=100"]);
    let module = site.file("hostile.wasm", sandbox::core());
    // Kafka does not wait long for what is stuck.
    let spins = site
        .connector("spins")
        .set("transform.module", module)
        .set("transform.config.mode", "loop")
        .set("transform.timeout.ms", LONG_MS)
        .set("consumer.override.max.poll.interval.ms", "6000")
        .set("consumer.override.session.timeout.ms", "6000");
    create(&site.sluice, &spins, None);
    until_states(&site.sluice, &spins, "RUNNING: RUNNING");
    others_go_on(&mut site, "before");
    is_answered(&site.sluice, &spins);
    others_go_on(&mut site, "after");
    assert_eq!(expect(&site.sluice, 200, "GET", &path(&spins, "/offsets"), None)["offsets"], json!([]), "it spins");

    // The thread is left behind, and what it had comes again.
    expect(&site.sluice, 200, "PATCH", &path(&spins, "/config"), Some(&json!({ "transform.config.mode": "ok" })));
    site.until_committed(&spins);
    until_states(&site.sluice, &spins, "RUNNING: RUNNING");
    // Two threads spin on; the process does not wait for them.
    let mut sluice = site.sluice;
    sluice.terminate();
    assert!(sluice.wait().is_some(), "it ends by itself");
}

#[test]
fn a_secret_that_cannot_be_read_to_its_end() {
    // What a request waits for is told when its time is over.
    let mut site = Site::with("no-secret", 1, &["--set", "listeners.request.timeout.ms=5000"]);
    let secrets = site.folder.path().join("secrets");
    assert!(Command::new("mkfifo").arg(&secrets).status().unwrap().success());
    let waits = site
        .connector("waits")
        .set("influx.username", "ann")
        .set("influx.password", format!("${{file:{}:password}}", secrets.display()));
    let body = json!({ "name": waits.name, "config": waits.settings() });
    let asked = std::thread::scope(|scope| {
        let asked = scope.spawn(|| expect(&site.sluice, 500, "POST", "/connectors", Some(&body)));
        expect(&site.sluice, 200, "GET", "/connectors", None);
        asked.join().unwrap()
    });
    let words = format!("Request timed out. The worker is currently checking the settings of connector {}", waits.name);
    assert!(asked["message"].as_str().unwrap().starts_with(&words), "{asked}");
    others_go_on(&mut site, "after");
    assert_eq!(states(&site.sluice, &waits), "none");
    // Somebody writes it, and the thread that reads comes back.
    std::fs::write(&secrets, "password=secret").unwrap();
    site.sluice.stop();
}

#[test]
fn a_kafka_that_is_not_there() {
    let mut site = Site::new("no-broker", 1);
    let proxy = Proxy::closed();
    let waits = site.connector("waits").set("consumer.override.bootstrap.servers", proxy.address());
    create(&site.sluice, &waits, None);
    others_go_on(&mut site, "before");
    is_answered(&site.sluice, &waits);
    others_go_on(&mut site, "after");
    assert_ne!(states(&site.sluice, &waits), "RUNNING: RUNNING", "it has no Kafka");
    tell(&site.sluice, &waits, "stop");
    until_states(&site.sluice, &waits, "STOPPED:");
    tell(&site.sluice, &waits, "resume");
    proxy.open(services::kafka());
    until_states(&site.sluice, &waits, "RUNNING: RUNNING");
    site.until_committed(&waits);
    site.sluice.stop();
}

#[test]
fn an_influxdb_that_never_answers() {
    let mut site = Site::new("no-answer", 1);
    let hole = ScriptedInflux::v1("prices");
    hole.answer_always(Some(Scripted::hang()));
    let waits = site.connector("waits").into_scripted(&hole);
    create(&site.sluice, &waits, None);
    site.topic.produce(&prices(10));
    until("a write to hang", || hole.seen(|seen| if seen.writes > 0 { Ok(()) } else { Err(seen.writes) }));
    others_go_on(&mut site, "before");
    is_answered(&site.sluice, &waits);
    others_go_on(&mut site, "after");
    assert_eq!(hole.seen(|seen| seen.lines), 0, "nothing was acknowledged");
    tell(&site.sluice, &waits, "stop");
    until_states(&site.sluice, &waits, "STOPPED:");
    hole.answer_always(None);
    tell(&site.sluice, &waits, "resume");
    site.until_committed(&waits);
    Points::stored_in(&hole).assert_equal(&site.topic.expected());
    site.sluice.stop();
}

#[test]
fn a_worker_without_any_kafka_answers_and_goes_to_work_once_there_is_one() {
    let (proxy, site) = (Proxy::closed(), Site::new("no-kafka", 1));
    let state = site.folder.path().join("other-state");
    let address = proxy.address();
    let arguments = ["--bootstrap-servers", &address, "--state-dir", state.to_str().unwrap()];
    let mut sluice = Sluice::start_with(&[], &arguments);
    let [keeps, goes] = ["keeps", "goes"].map(|suffix| site.connector(suffix));
    for connector in [&keeps, &goes] {
        create(&sluice, connector, None);
        is_answered(&sluice, connector);
    }
    expect(&sluice, 200, "PATCH", &path(&keeps, "/config"), Some(&json!({ "tasks.max": "2" })));
    expect(&sluice, 204, "DELETE", &path(&goes, ""), None);
    assert_eq!(states(&sluice, &goes), "none");
    assert_eq!(expect(&sluice, 200, "GET", "/health", None)["status"], "healthy", "a broker is not the worker");
    let error = expect(&sluice, 500, "GET", &path(&keeps, "/offsets"), None);
    assert_ne!(error["message"], Value::Null);
    site.topic.produce(&prices(100));
    proxy.open(services::kafka());
    let group = site.topic.group(&keeps.name);
    sluice.until("everything to be committed", |_| group.at_end());
    until_states(&sluice, &keeps, "RUNNING: RUNNING RUNNING");
    site.assert_all_stored();
    sluice.stop();
}
