//! The commands against a scripted worker: what is asked, what is printed, and when it counts as failed.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::testing::{Scripted, parse, run_line};
use super::*;
use crate::cli::rest::StatusArgs;

fn status(name: &str, connector: &str, tasks: &[&str]) -> Value {
    let tasks: Vec<_> = tasks
        .iter()
        .enumerate()
        .map(|(id, state)| match *state {
            "FAILED" => json!({"id": id, "state": state, "worker_id": "w:1", "trace": "boom\n\tat x"}),
            state => json!({"id": id, "state": state, "worker_id": "w:1"}),
        })
        .collect();
    json!({"name": name, "connector": {"state": connector, "worker_id": "w:1"}, "tasks": tasks, "type": "sink"})
}

fn not_found() -> (u16, Value) {
    (404, json!({"error_code": 404, "message": "No status found for connector x"}))
}

#[tokio::test]
async fn a_list_is_a_table_or_what_connect_says() {
    let body = json!({"c": {"status": status("c", "RUNNING", &["RUNNING"]),
        "info": {"name": "c", "config": {"topics": "t", "connector.class": "X"}, "tasks": [], "type": "sink"}}});
    let answer = body.clone();
    let scripted = Scripted::start(move |_, _| (200, answer.clone())).await;
    let text = scripted.run(&["list"]).await;
    assert!(text.result.unwrap());
    assert_eq!(text.out, "NAME  STATE    TASKS  TYPE  CLASS  TOPICS\nc     RUNNING  1/1    sink  X      t\n");
    assert_eq!(scripted.run(&["list", "-o", "json"]).await.json(), body);
    assert_eq!(scripted.lines(), ["GET /connectors?expand=status&expand=info"; 2]);

    let empty = Scripted::start(|_, _| (200, json!({}))).await;
    assert_eq!(empty.run(&["list"]).await.out, format!("no connectors at {}\n", empty.url));
    // Connect before 2.3 knows no `expand`.
    let old = Scripted::start(|_, _| (200, json!(["c"]))).await;
    assert!(old.run(&["list"]).await.failure().contains("--url"));
}

#[tokio::test]
async fn status_fails_if_something_has_failed_or_is_not_there() {
    let script = |line: &str, _: usize| match line {
        "GET /connectors?expand=status" => (
            200,
            json!({"a": {"status": status("a", "RUNNING", &["RUNNING"])}, "b": {"status": status("b", "RUNNING", &["FAILED"])}, "c": {}}),
        ),
        "GET /connectors/a/status" => (200, status("a", "RUNNING", &["RUNNING"])),
        "GET /connectors/b/status" => (200, status("b", "RUNNING", &["FAILED"])),
        _ => not_found(),
    };
    let scripted = Scripted::start(script).await;
    let all = scripted.run(&["status"]).await;
    assert!(!all.result.unwrap());
    assert!(all.out.contains("\nb          0     FAILED   w:1     boom\n"), "{}", all.out);
    assert!(scripted.run(&["status", "b", "--full"]).await.out.ends_with("\nb, task 0:\n  boom\n  \\tat x\n"));
    assert!(scripted.run(&["status", "a"]).await.result.unwrap());
    let missing = scripted.run(&["status", "x", "a"]).await;
    assert!(!missing.result.unwrap() && missing.out.contains("\na          -"), "{}", missing.out);
    assert!(missing.err.contains("No status found for connector x"), "{}", missing.err);
    let json = scripted.run(&["status", "b", "a", "-o", "json"]).await;
    assert_eq!(json.json(), json!([status("b", "RUNNING", &["FAILED"]), status("a", "RUNNING", &["RUNNING"])]));
}

/// Runs `status --watch` until `until` is found in what it printed, then as if Ctrl-C had been pressed.
async fn watched(args: StatusArgs, terminal: bool, until: &str) -> (bool, String, String) {
    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let (out, err) = (Shared::default(), Shared::default());
    let text = |shared: &Shared| String::from_utf8(shared.0.lock().unwrap().clone()).unwrap();
    let stop = async {
        while !text(&out).contains(until) && !text(&err).contains(until) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    let worker = Worker::new(&args.ask.target, None).unwrap();
    let (mut to, mut errors) = (out.clone(), err.clone());
    let well = watch::run(&args, &worker, &mut Screen::test(&mut to, &mut errors, terminal), stop).await.unwrap();
    (well, text(&out), text(&err))
}

fn watch_args(scripted: &Scripted, more: &[&str]) -> StatusArgs {
    let line = [&["status", "--watch", "--interval-s", "1", "--url", &scripted.url], more].concat();
    let RestCommand::Status(args) = parse(&line) else { panic!("not status") };
    args
}

#[tokio::test]
async fn a_watch_tells_changes_and_ends_as_the_last_look_was() {
    let looks = |_: &str, before: usize| match before {
        0 => (200, json!({"a": {"status": status("a", "RUNNING", &["RUNNING"])}})),
        1 => (503, json!({"error_code": 503, "message": "starting"})),
        _ => (200, json!({"a": {"status": status("a", "RUNNING", &["FAILED"])}})),
    };
    let scripted = Scripted::start(looks).await;
    let (well, out, err) = watched(watch_args(&scripted, &[]), false, "FAILED").await;
    assert!(!well);
    let told: Vec<&str> = out.lines().map(|line| line.split_once("  ").unwrap().1).collect();
    assert_eq!(told, ["a  RUNNING", "a, task 0  RUNNING", "a, task 0  FAILED: boom"]);
    assert!(err.contains("starting") && err.lines().count() == 1, "{err}");

    let scripted = Scripted::start(looks).await;
    let (_, out, _) = watched(watch_args(&scripted, &["-o", "json"]), false, "FAILED").await;
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.first(), Some(&json!([status("a", "RUNNING", &["RUNNING"])])));
    assert_eq!(lines.last(), Some(&json!([status("a", "RUNNING", &["FAILED"])])));
}

#[tokio::test]
async fn on_a_terminal_a_watch_is_drawn_over() {
    let scripted = Scripted::start(|_, _| (200, json!({"a": {"status": status("a", "PAUSED", &[])}}))).await;
    let (well, out, _) = watched(watch_args(&scripted, &[]), true, "PAUSED").await;
    assert!(well && out.starts_with("\x1b[?7l\x1b[H") && out.ends_with("\x1b[J\x1b[?7h"), "{out:?}");
    assert!(out.contains("\x1b[33mPAUSED\x1b[0m") && out.contains(&scripted.url), "{out:?}");
}

#[tokio::test]
async fn a_change_waits_until_it_is_so() {
    let script = |line: &str, before: usize| match (line, before) {
        ("PUT /connectors/a/pause", _) => (202, Value::Null),
        ("GET /connectors/a/status", 1) => (200, status("a", "RUNNING", &["RUNNING"])),
        ("GET /connectors/a/status", 2) => (200, status("a", "PAUSED", &["RUNNING"])),
        ("GET /connectors/a/status", _) => (200, status("a", "PAUSED", &["PAUSED"])),
        _ => not_found(),
    };
    let scripted = Scripted::start(script).await;
    let ended = scripted.run(&["pause", "a"]).await;
    assert!(ended.result.unwrap());
    assert_eq!(ended.out, "a: PAUSED\n");
    assert_eq!(scripted.lines().len(), 4);
    assert_eq!(scripted.asked()[0].content_type, None, "a request without a body has no type");

    let scripted = Scripted::start(script).await;
    let ended = scripted.run(&["pause", "x", "a", "--no-wait", "-o", "json"]).await;
    assert!(!ended.result.as_ref().unwrap());
    let json = ended.json();
    assert_eq!(json[1], json!({"name": "a", "action": "pause", "outcome": "requested"}));
    assert_eq!((&json[0]["name"], &json[0]["outcome"]), (&json!("x"), &json!("failed")));
    assert!(json[0]["message"].as_str().unwrap().contains("No status found"), "{json}");
    assert_eq!(scripted.lines(), ["PUT /connectors/x/pause", "PUT /connectors/a/pause"]);
}

#[tokio::test]
async fn what_can_not_be_reached_is_told_and_the_others_are() {
    let script = |line: &str, _: usize| match line {
        "PUT /connectors/a/resume" | "PUT /connectors/b/resume" => (202, Value::Null),
        "GET /connectors/a/status" => (200, status("a", "RUNNING", &["RUNNING", "FAILED"])),
        "GET /connectors/b/status" => (200, status("b", "RUNNING", &["RUNNING"])),
        "PUT /connectors/slow/stop" => (204, Value::Null),
        "GET /connectors/slow/status" => (200, status("slow", "RUNNING", &["RUNNING"])),
        _ => not_found(),
    };
    let scripted = Scripted::start(script).await;
    let ended = scripted.run(&["resume", "a", "b"]).await;
    assert!(!ended.result.unwrap());
    assert_eq!(ended.out, "b: RUNNING\n");
    assert!(ended.err.contains("a: could not resume: task 1 is FAILED: boom"), "{}", ended.err);
    let late = scripted.run(&["stop", "slow", "--timeout-s", "1"]).await;
    assert!(late.err.contains("after 1 s it is still RUNNING, tasks 0 RUNNING"), "{}", late.err);
}

#[tokio::test]
async fn a_deletion_is_over_when_the_connector_is_gone() {
    let script = |line: &str, before: usize| match (line, before) {
        ("DELETE /connectors/a", _) => (204, Value::Null),
        ("GET /connectors/a/status", 1) => (200, status("a", "RUNNING", &["RUNNING"])),
        _ => not_found(),
    };
    let scripted = Scripted::start(script).await;
    let ended = scripted.run(&["delete", "a", "--yes"]).await;
    assert!(ended.result.unwrap());
    assert_eq!((ended.out.as_str(), scripted.lines().len()), ("a: deleted\n", 3));
}

#[tokio::test]
async fn a_restart_says_what_is_restarted() {
    let script = |line: &str, _: usize| match line {
        "POST /connectors/a/restart?includeTasks=false&onlyFailed=false" | "POST /connectors/a/tasks/3/restart" => {
            (204, Value::Null)
        }
        "POST /connectors/a/restart?includeTasks=true&onlyFailed=true" => {
            (202, status("a", "RUNNING", &["RUNNING", "RESTARTING"]))
        }
        _ => not_found(),
    };
    let scripted = Scripted::start(script).await;
    assert_eq!(scripted.run(&["restart", "a"]).await.out, "a: restarting the connector\n");
    assert_eq!(scripted.run(&["restart", "a", "--task", "3"]).await.out, "a: restarting task 3\n");
    let failed = scripted.run(&["restart", "a", "--include-tasks", "--only-failed", "-o", "json"]).await;
    assert_eq!(failed.json(), json!({"name": "a", "connector": false, "tasks": [1]}));
    assert!(scripted.run(&["restart", "x"]).await.result.is_err());
}

#[tokio::test]
async fn offsets_are_shown_set_and_reset() {
    let script = |line: &str, _: usize| match line {
        "GET /connectors/a/offsets" => (
            200,
            json!({"offsets": [{"partition": {"kafka_topic": "p", "kafka_partition": 0}, "offset": {"kafka_offset": 7}}]}),
        ),
        "GET /connectors/none/offsets" => (200, json!({"offsets": []})),
        "PATCH /connectors/a/offsets" | "DELETE /connectors/a/offsets" => (200, json!({"message": "done"})),
        "PATCH /connectors/runs/offsets" => (
            400,
            json!({"error_code": 400, "message": "Connectors must be in the STOPPED state before their offsets can be modified."}),
        ),
        _ => not_found(),
    };
    let scripted = Scripted::start(script).await;
    assert_eq!(scripted.run(&["offsets", "a"]).await.out, "TOPIC  PARTITION  OFFSET\np              0       7\n");
    assert_eq!(scripted.run(&["offsets", "none"]).await.out, "nothing is committed yet\n");
    assert_eq!(scripted.run(&["offsets", "a", "--set", "p:0=5"]).await.out, "done\n");
    let asked = scripted.asked().pop().unwrap();
    assert_eq!(asked.content_type.as_deref(), Some("application/json"));
    let body: Value = serde_json::from_str(&asked.body).unwrap();
    assert_eq!(body["offsets"][0]["offset"], json!({"kafka_offset": 5}));
    assert_eq!(scripted.run(&["offsets", "a", "--reset", "-o", "json"]).await.json(), json!({"message": "done"}));
    assert_eq!(scripted.lines().pop().unwrap(), "DELETE /connectors/a/offsets");
    let refused = scripted.run(&["offsets", "runs", "--delete", "p:0"]).await.failure();
    assert!(refused.contains("STOPPED") && refused.contains("sluice stop NAME"), "{refused}");
}

#[tokio::test]
async fn apply_changes_only_what_differs() {
    let script = |line: &str, _: usize| match line {
        "GET /connectors/same/config" => (200, json!({"name": "same", "topics": "t", "tasks.max": "1"})),
        "GET /connectors/other/config" => {
            (200, json!({"name": "other", "topics": "t", "influx.token": "hunter1", "old": "x"}))
        }
        "GET /connectors/bad/config" => (200, json!({"name": "bad", "topics": "t"})),
        "PUT /connectors/bad/config" => (400, json!({"error_code": 400, "message": "tasks.max=0 is too few"})),
        "PUT /connectors/other/config" => (200, json!({})),
        "POST /connectors" => (201, json!({})),
        _ => not_found(),
    };
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let files = [
        write("same.json", r#"{"name": "same", "config": {"topics": "t", "tasks.max": 1}}"#),
        write("bad.json", r#"{"name": "bad", "topics": "t", "tasks.max": 0}"#),
        write("nameless.properties", "topics=t\n"),
        write("other.properties", "name=other\ntopics=t,u\ninflux.token=hunter2\n"),
        write("new.json", r#"{"name": "new", "topics": "t", "influx.token": "${env:T}"}"#),
        write("twice.json", r#"{"name": "new", "topics": "v"}"#),
        folder.path().join("missing.json").to_str().unwrap().to_owned(),
    ];
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let scripted = Scripted::start(script).await;
    let dry = scripted.run(&[&["apply", "--dry-run"], &files[..1], &files[3..5]].concat()).await;
    assert!(dry.result.unwrap(), "{}", dry.err);
    assert!(dry.out.contains("same: unchanged") && dry.out.contains("new: would be created"), "{}", dry.out);
    let lines = scripted.lines();
    assert!(lines.iter().all(|line| line.starts_with("GET ")), "nothing is changed: {lines:?}");

    let scripted = Scripted::start(script).await;
    let ended = scripted.run(&[&["apply"], &files[..]].concat()).await;
    assert!(!ended.result.unwrap());
    for words in [
        "same: unchanged",
        "bad: not changed",
        "  + tasks.max = 0\n",
        "other: updated",
        "  - old = x\n",
        "  ~ topics: t -> t,u\n",
        "  ~ influx.token: *** -> another value, which is not shown\n",
        "new: created",
        "  + influx.token = ${env:T}\n",
    ] {
        assert!(ended.out.contains(words), "{words:?} is not in {}", ended.out);
    }
    for words in ["tasks.max=0 is too few", "`name` is missing", "connector new is that of", "missing.json"] {
        assert!(ended.err.contains(words), "{words:?} is not in {}", ended.err);
    }
    assert!(!format!("{}{}", ended.out, ended.err).contains("hunter"), "{ended:?}", ended = (ended.out, ended.err));
    let changed: Vec<_> = scripted.asked().into_iter().filter(|asked| !asked.line.starts_with("GET ")).collect();
    let lines: Vec<_> = changed.iter().map(|asked| asked.line.as_str()).collect();
    assert_eq!(lines, ["PUT /connectors/bad/config", "PUT /connectors/other/config", "POST /connectors"]);
    let put: BTreeMap<String, String> = serde_json::from_str(&changed[1].body).unwrap();
    assert_eq!(put["influx.token"], "hunter2");
    let post: Value = serde_json::from_str(&changed[2].body).unwrap();
    assert_eq!(post, json!({"name": "new", "config": {"name": "new", "topics": "t", "influx.token": "${env:T}"}}));
}

#[tokio::test]
async fn apply_tells_scripts_what_it_did() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.json");
    std::fs::write(&path, r#"{"name": "c", "topics": "t", "a.secret": "hunter2"}"#).unwrap();
    let scripted = Scripted::start(|line, _| {
        if line.starts_with("GET") {
            not_found()
        } else {
            (409, json!({"error_code": 409, "message": "Connector c already exists"}))
        }
    })
    .await;
    let ended = scripted.run(&["apply", path.to_str().unwrap(), "-o", "json"]).await;
    assert!(!ended.result.as_ref().unwrap());
    let json = &ended.json()[0];
    let change = |key: &str, new: &str| json!({"key": key, "old": null, "new": new});
    assert_eq!(json["changes"], json!([change("a.secret", "***"), change("name", "c"), change("topics", "t")]));
    assert_eq!((&json["name"], &json["action"], &json["dry_run"]), (&json!("c"), &json!("failed"), &json!(false)));
    assert!(json["message"].as_str().unwrap().contains("already exists"), "{json}");
    assert_eq!(json["file"], path.to_str().unwrap());
}

#[tokio::test]
async fn wrong_usage_is_told_from_failure() {
    assert!(run_line(&["list", "--url", "nowhere"]).await.result.unwrap_err().is_usage());
    for line in
        [&["pause", ""][..], &["status", ".."], &["restart", "a\nb"], &["offsets", "."], &["delete", "..", "--yes"]]
    {
        let ended = run_line(&[line, &["--url", "http://127.0.0.1:1"]].concat()).await;
        assert!(ended.result.unwrap_err().is_usage(), "{line:?}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_tried_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, format!(r#"{{"name": "{name}"}}"#)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (one, two) = (file("one.json"), file("two.json"));
    for line in [&["pause", "a", "b"][..], &["apply", &one, &two], &["status", "--watch"], &["status", "a", "b"]] {
        let scripted = Scripted::start(|_, _| (401, json!({"error_code": 401, "message": "no"}))).await;
        assert!(scripted.run(line).await.failure().contains("--user"), "{line:?}");
        assert_eq!(scripted.lines().len(), 1, "{line:?}: who guesses is locked out");
    }
}
