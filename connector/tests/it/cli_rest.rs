//! `sluice list`, `status`, `pause`, `resume`, `stop`, `restart`, `delete`, `offsets` and `apply` against a real worker, and the page at `/`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::commands::{Ended, run};
use crate::support::http;
use crate::support::influx::Database;
use crate::support::kafka::Topic;
use crate::support::points::{Record, SYMBOLS, feed};
use crate::support::sluice::{BINARY, Connector, Sluice};
use crate::support::wait::{equal, until};
use crate::support::worker::{self, create, states, until_states};

/// A worker without connectors, and a folder for files.
struct Stage {
    sluice: Sluice,
    url: String,
    folder: TempDir,
    _state: TempDir,
}

impl Stage {
    fn new() -> Self {
        let (state, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let sluice = worker::start(state.path());
        let url = sluice.url("");
        Self { sluice, url, folder, _state: state }
    }

    /// A command against the worker, which has to end with this code.
    #[track_caller]
    fn run(&self, code: i32, arguments: &[&str]) -> Ended {
        let ended = run(&[arguments, &["--url", &self.url]].concat());
        assert_eq!(ended.code, Some(code), "{arguments:?}: {ended:?}");
        ended
    }

    /// The same, which prints JSON.
    #[track_caller]
    fn json(&self, code: i32, arguments: &[&str]) -> Value {
        let ended = self.run(code, &[arguments, &["-o", "json"]].concat());
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

fn prices(number: usize) -> Vec<Record> {
    feed(number, 100, |number| (0, SYMBOLS[number % SYMBOLS.len()]))
}

#[track_caller]
fn has(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text}");
    }
}

#[test]
fn connectors_are_listed_paused_resumed_stopped_and_deleted() {
    let (stage, topic, database) = (Stage::new(), Topic::create("cli-states", 2), Database::create("cli-states"));
    has(&stage.run(0, &["list"]).stdout, &["no connectors at http://"]);
    // No name is too odd for an address.
    let connector = Connector::new(&topic, "ä/b c.%2F?#").into_database(&database).set("tasks.max", "2");
    let other = Connector::new(&topic, "other").into_database(&database);
    create(&stage.sluice, &connector, None);
    create(&stage.sluice, &other, None);
    let (name, second) = (connector.name.as_str(), other.name.as_str());

    for (word, wanted) in [
        ("resume", "RUNNING: RUNNING RUNNING"),
        ("pause", "PAUSED: PAUSED PAUSED"),
        ("stop", "STOPPED:"),
        ("resume", "RUNNING: RUNNING RUNNING"),
    ] {
        let ended = stage.run(0, &[word, name]);
        assert_eq!(states(&stage.sluice, &connector), wanted, "the command waits for it");
        assert_eq!(ended.stdout, format!("{name}: {}\n", wanted.split(':').next().unwrap()));
    }
    let list = stage.run(0, &["list"]).stdout;
    let row = list.lines().find(|line| line.starts_with(name)).unwrap();
    has(row, &["  RUNNING  2/2    sink  InfluxSink  ", &topic.name]);
    let json = stage.json(0, &["list"]);
    assert_eq!(json[name]["status"]["connector"]["state"], "RUNNING");
    assert_eq!(json[name]["info"]["config"]["tasks.max"], "2");

    has(&stage.run(0, &["restart", name, "--only-failed"]).stdout, &["nothing to restart"]);
    let restarted = stage.json(0, &["restart", name, "--include-tasks"]);
    assert_eq!(restarted, json!({"name": name, "connector": true, "tasks": [0, 1]}));
    has(&stage.run(0, &["restart", name, "--task", "1"]).stdout, &["restarting task 1"]);
    has(&stage.run(0, &["restart", name]).stdout, &["restarting the connector\n"]);

    // One that is not there does not keep the other from its turn.
    let both = stage.run(1, &["pause", "nobody", second]);
    has(&both.stdout, &[&format!("{second}: PAUSED")]);
    has(&both.stderr, &["nobody: could not pause: Unknown connector nobody", "sluice list"]);
    has(&stage.run(2, &["delete", second]).stderr, &["--yes"]);
    assert_eq!(states(&stage.sluice, &other), "PAUSED: PAUSED", "it was not deleted");
    assert_eq!(
        stage.json(0, &["delete", name, second, "--yes"]),
        json!([{"name": name, "action": "delete", "outcome": "done"}, {"name": second, "action": "delete", "outcome": "done"}])
    );
    assert_eq!(worker::expect(&stage.sluice, 200, "GET", "/connectors", None), json!([]));
    stage.sluice.kill();
}

#[test]
fn what_has_failed_is_told_and_watched() {
    let (stage, topic, database) = (Stage::new(), Topic::create("cli-failed", 1), Database::create("cli-failed"));
    let good = Connector::new(&topic, "good").into_database(&database);
    create(&stage.sluice, &good, None);
    until_states(&stage.sluice, &good, "RUNNING: RUNNING");
    has(&stage.run(0, &["status"]).stdout, &["CONNECTOR", &good.name, "RUNNING"]);

    let output = stage.folder.path().join("watch");
    let mut command = Command::new(BINARY);
    command.args(["status", "--watch", "--interval-s", "1", "--url", &stage.url]);
    let mut watch = Sluice::spawn_into(command, tempfile::tempdir().unwrap(), File::create(&output).unwrap().into());
    let told = |words: String| {
        until(&format!("{words:?} to be told"), || {
            let text = fs::read_to_string(&output).unwrap();
            if text.contains(&words) { Ok(()) } else { Err(text) }
        });
    };
    told(format!("  {}, task 0  RUNNING\n", good.name));

    // A value that the transform rejects, and no topic for dead letters.
    topic.produce(&[Record::other(0, 1_700_000_000_000, Some("no price"))]);
    until_states(&stage.sluice, &good, "RUNNING: FAILED");
    told(format!("  {}, task 0  FAILED: ", good.name));
    watch.terminate();
    assert_eq!(watch.wait(), Some(1), "as the last look was");

    let status = stage.run(1, &["status", &good.name]);
    has(&status.stdout, &["FAILED", &topic.name]);
    let full = stage.run(1, &["status", &good.name, "--full"]);
    has(&full.stdout, &[&format!("\n{}, task 0:\n  ", good.name)]);
    assert_eq!(stage.json(1, &["status", &good.name])[0]["tasks"][0]["state"], "FAILED");
    has(&stage.run(1, &["status", "nobody"]).stderr, &["No status found for connector nobody"]);
    let resumed = stage.run(1, &["resume", &good.name]);
    has(&resumed.stderr, &["could not resume: task 0 is FAILED: "]);
    assert_eq!(
        stage.json(0, &["restart", &good.name, "--include-tasks", "--only-failed"]),
        json!({"name": good.name, "connector": false, "tasks": [0]})
    );
    stage.sluice.kill();
}

#[test]
fn offsets_are_shown_and_changed_while_the_connector_is_stopped() {
    let (mut stage, topic, database) = (Stage::new(), Topic::create("cli-offsets", 2), Database::create("cli-offsets"));
    let connector = Connector::new(&topic, "offsets").into_database(&database);
    let (name, group) = (connector.name.as_str(), topic.group(&connector.name));
    create(&stage.sluice, &connector, None);
    topic.produce(&prices(50));
    stage.sluice.until("everything to be committed", |_| group.at_end());
    let table = stage.run(0, &["offsets", name]).stdout;
    has(&table, &["TOPIC", "PARTITION", "OFFSET", &topic.name, "50\n"]);

    let place = format!("{}:0", topic.name);
    let set = format!("{place}=20");
    let refused = stage.run(1, &["offsets", name, "--set", &set]);
    has(&refused.stderr, &["STOPPED state", "sluice stop NAME"]);
    stage.run(0, &["stop", name]);
    has(&stage.run(0, &["offsets", name, "--set", &set]).stdout, &["altered successfully"]);
    let offset =
        |offset: Value| json!({"partition": {"kafka_topic": topic.name, "kafka_partition": 0}, "offset": offset});
    let found = stage.json(0, &["offsets", name]);
    let entry = |found: &Value| {
        found["offsets"].as_array().unwrap().iter().find(|entry| entry["partition"]["kafka_partition"] == 0).cloned()
    };
    assert_eq!(entry(&found), Some(offset(json!({"kafka_offset": 20}))));
    has(&stage.run(0, &["offsets", name, "--delete", &place]).stdout, &["altered successfully"]);
    assert_eq!(entry(&stage.json(0, &["offsets", name])), None);
    has(&stage.run(0, &["offsets", name, "--reset"]).stdout, &["reset successfully"]);
    has(&stage.run(0, &["offsets", name]).stdout, &["nothing is committed yet"]);
    has(&stage.run(1, &["offsets", "nobody"]).stderr, &["Connector nobody not found"]);
    has(&stage.run(2, &["offsets", name, "--set", "prices=1"]).stderr, &["TOPIC:PARTITION=OFFSET"]);
    stage.run(0, &["resume", name]);
    stage.sluice.until("everything to be committed again", |_| group.at_end());
    stage.sluice.stop();
    database.points().assert_equal(&topic.expected());
}

#[test]
fn files_are_applied_and_only_what_differs_is_changed() {
    let (stage, topic, database) = (Stage::new(), Topic::create("cli-apply", 1), Database::create("cli-apply"));
    let first = Connector::new(&topic, "first")
        .into_database(&database)
        .set("influx.username", "me")
        .set("influx.password", "hunter1");
    let second = Connector::new(&topic, "second").into_database(&database);
    let flat = json!(second.settings()).to_string();
    let request = json!({"name": second.name, "config": second.settings()}).to_string();
    let files = [stage.file("first.properties", &first.properties()), stage.file("second.json", &flat)];
    let [one, two] = [files[0].as_str(), files[1].as_str()];

    let dry = stage.run(0, &["apply", one, two, "--dry-run"]);
    has(&dry.stdout, &[&format!("{}: would be created", first.name), "+ influx.password = ***"]);
    assert_eq!(worker::expect(&stage.sluice, 200, "GET", "/connectors", None), json!([]), "nothing was changed");
    let applied = stage.json(0, &["apply", one, two]);
    assert_eq!((&applied[0]["action"], &applied[1]["action"]), (&json!("created"), &json!("created")));
    until_states(&stage.sluice, &second, "RUNNING: RUNNING");

    // The same in Connect's form is the same; what differs is put, word for word.
    stage.file("second.json", &request);
    let changed = first.clone().set("tasks.max", "2").set("influx.password", "hunter2");
    stage.file("first.properties", &changed.properties());
    let applied = stage.run(0, &["apply", one, two]);
    has(
        &applied.stdout,
        &[
            &format!("{}: updated", first.name),
            "  + tasks.max = 2\n",
            "  ~ influx.password: *** -> another value, which is not shown\n",
            &format!("{}: unchanged", second.name),
        ],
    );
    let everything = format!("{dry:?}{applied:?}");
    assert!(!everything.contains("hunter"), "{everything}");
    let config = worker::expect(&stage.sluice, 200, "GET", &worker::path(&first, "/config"), None);
    assert_eq!(config, json!(changed.settings()));
    assert_eq!(
        stage.json(0, &["apply", one, two])[0],
        json!({"file": one, "name": first.name, "action": "unchanged", "dry_run": false, "changes": []})
    );

    // What the worker refuses, and what is no file, do not keep the rest from being applied.
    stage.file("first.properties", &changed.clone().set("tasks.max", "0").properties());
    stage.file("second.json", &json!(second.clone().set("linger.ms", "1").settings()).to_string());
    let gone = stage.folder.path().join("gone.json");
    let failed = stage.run(1, &["apply", gone.to_str().unwrap(), one, two]);
    has(&failed.stderr, &["gone.json", "could not apply", "tasks.max"]);
    has(&failed.stdout, &[&format!("{}: updated", second.name), &format!("{}: not changed", first.name)]);
    let config = worker::expect(&stage.sluice, 200, "GET", &worker::path(&first, "/config"), None);
    assert_eq!(config["tasks.max"], "2");
    stage.sluice.stop();
}

#[test]
fn a_worker_that_is_away_and_wrong_usage_have_their_codes() {
    // Bound, and nobody listens: nobody else gets the port meanwhile.
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    drop(socket);
    for command in
        [&["list"][..], &["status"], &["pause", "c"], &["restart", "c"], &["offsets", "c"], &["delete", "c", "--yes"]]
    {
        let ended = run(&[command, &["--url", &url]].concat());
        assert_eq!(ended.code, Some(1), "{ended:?}");
        has(&ended.stderr, &[&url, "is it running?", "--url"]);
    }
    for command in [
        &["list", "--url", "nowhere"][..],
        &["list", "--user", "me", "--url", &url],
        &["list", "--password-file", "f", "--url", &url],
        &["list", "--ca-file", "no/such/file", "--url", &url],
        &["pause"],
        &["apply"],
        &["restart", "c", "--task", "1", "--only-failed"],
        &["status", "..", "--url", &url],
        &["list", "-o", "xml"],
    ] {
        assert_eq!(run(command).code, Some(2), "{command:?}");
    }
    has(&run(&["status", "--help"]).stdout, &["1 something is", "FAILED", "Examples:"]);
    has(&run(&["apply", "--help"]).stdout, &["--dry-run", "the exit code is 0", "Exit codes:"]);
}

#[test]
fn the_environment_names_worker_and_user() {
    let stage = Stage::new();
    let output = stage.folder.path().join("list");
    // A shell, because the harness takes our variables away from what it starts.
    let script = format!("SLUICE_URL={} SLUICE_USER=me SLUICE_PASSWORD=secret exec {BINARY} list -o json", stage.url);
    let mut command = Command::new("sh");
    command.args(["-c", &script]);
    let mut list = Sluice::spawn_into(command, tempfile::tempdir().unwrap(), File::create(&output).unwrap().into());
    assert_eq!(list.wait(), Some(0), "{}", list.log());
    assert_eq!(fs::read_to_string(&output).unwrap(), "{}\n");
    // And a worker that finds them does not take them for settings of its own.
    let unknown = worker_with_variables(stage.folder.path());
    assert!(!unknown.contains("SLUICE_URL") && !unknown.contains("SLUICE_PASSWORD"), "{unknown}");
}

/// What a worker says whose environment has the command line's variables.
fn worker_with_variables(folder: &Path) -> String {
    let state: PathBuf = folder.join("state");
    let script = format!(
        "SLUICE_URL=u SLUICE_USER=me SLUICE_PASSWORD=secret exec {BINARY} --log-format json run --listeners http://127.0.0.1:0 --state-dir {} \
         --bootstrap-servers {}",
        state.display(),
        crate::support::services::kafka()
    );
    let mut command = Command::new("sh");
    command.args(["-c", &script]);
    let mut sluice = Sluice::spawn(command, tempfile::tempdir().unwrap());
    sluice.until("the worker to listen", |sluice| equal(sluice.get("/health/live").status, &200));
    sluice.terminate();
    assert_eq!(sluice.wait(), Some(0), "{}", sluice.log());
    sluice.log()
}

#[test]
fn a_browser_gets_a_page_and_a_program_what_connect_answers() {
    let stage = Stage::new();
    let get = |accept: &str| http::send("GET", &stage.sluice.url("/"), &[("Accept", accept)], b"").unwrap();
    let page = get("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
    assert_eq!(page.status, 200);
    has(&page.body, &["<!doctype html>", "<title>Sluice</title>", "connectors?expand=status&expand=info"]);
    for accept in ["*/*", "application/json", "application/json, text/html"] {
        let info: Value = serde_json::from_str(&get(accept).body).unwrap();
        assert!(info["version"].is_string() && info["kafka_cluster_id"].is_string(), "{accept}: {info}");
    }
}
