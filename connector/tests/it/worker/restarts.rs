//! Restarts restart what was asked for, each once, and nothing else (KIP-745).

use serde_json::Value;

use crate::support::kafka::unique;
use crate::support::points::{LONG_AGO_MS, Points, Record};
use crate::support::sluice::{Connector, Sluice};
use crate::support::wait::{equal, until};
use crate::support::worker::{Site, Starts, create, expect, path, states, tell, until_states};

/// Every combination, and what is answered where there is something to restart.
const COMBINATIONS: [(&str, u16); 4] = [
    ("", 204),
    ("?includeTasks=false&onlyFailed=true", 202),
    ("?includeTasks=true&onlyFailed=false", 202),
    ("?includeTasks=true&onlyFailed=true", 202),
];

/// What the transform refuses, and with it the task ends.
fn poison(partition: i32) -> Record {
    Record::other(partition, LONG_AGO_MS, Some("nonsense"))
}

#[track_caller]
fn restart(sluice: &Sluice, connector: &Connector, (query, status): (&str, u16)) -> Value {
    expect(sluice, status, "POST", &path(connector, &format!("/restart{query}")), None)
}

/// The states in an answer, as `states` writes them.
fn plan(answer: &Value) -> String {
    let state = |part: &Value| part["state"].as_str().unwrap().to_owned();
    let tasks = answer["tasks"].as_array().unwrap().iter().map(|task| format!(" {}", state(task)));
    format!("{}:{}", state(&answer["connector"]), tasks.collect::<String>())
}

/// What has been started once all that was asked for is done: it is done in order, and the pause is the last.
fn settled(sluice: &Sluice, connector: &Connector) -> Starts {
    tell(sluice, connector, "pause");
    until("every restart to be done", || {
        let states = states(sluice, connector);
        let mut words = states.split(' ');
        let done = words.next() == Some("PAUSED:") && words.all(|task| matches!(task, "PAUSED" | "FAILED"));
        if done { Ok(()) } else { Err(states) }
    });
    let starts = Starts::of(sluice);
    tell(sluice, connector, "resume");
    starts
}

#[test]
fn a_connector_that_is_not_there_is_not_restarted() {
    let site = Site::new("restart-none", 1);
    let connector = site.connector("none");
    for (query, _) in COMBINATIONS {
        let error = restart(&site.sluice, &connector, (query, 404));
        assert_eq!(error["message"], format!("Unknown connector: {}", connector.name));
        assert_eq!(error["error_code"], 404);
    }
    expect(&site.sluice, 404, "POST", &path(&connector, "/tasks/0/restart"), None);
    site.sluice.stop();
}

#[test]
fn what_runs_is_restarted_as_asked_and_not_where_only_what_failed_was_asked_for() {
    let site = Site::new("restart-runs", 3);
    let (sluice, connector) = (&site.sluice, site.connector("runs").set("tasks.max", "3"));
    let all = "RUNNING: RUNNING RUNNING RUNNING";
    create(sluice, &connector, None);
    until_states(sluice, &connector, all);
    let before = settled(sluice, &connector);
    assert_eq!(before, Starts { connectors: 1.0, failed: 0.0, tasks: 3.0 });
    until_states(sluice, &connector, all);

    // The connector alone: its tasks go on.
    restart(sluice, &connector, COMBINATIONS[0]);
    assert_eq!(settled(sluice, &connector), before);
    until_states(sluice, &connector, all);

    for combination in [COMBINATIONS[1], COMBINATIONS[3]] {
        let answer = restart(sluice, &connector, combination);
        assert_eq!(plan(&answer), all, "nothing has failed: {combination:?}");
        assert_eq!(settled(sluice, &connector), before, "{combination:?}");
        until_states(sluice, &connector, all);
    }

    let answer = restart(sluice, &connector, COMBINATIONS[2]);
    assert_eq!(plan(&answer), "RESTARTING: RESTARTING RESTARTING RESTARTING");
    assert_eq!(settled(sluice, &connector), before.and(0.0, 0.0, 3.0));
    until_states(sluice, &connector, all);

    expect(sluice, 204, "POST", &path(&connector, "/tasks/1/restart"), None);
    assert_eq!(settled(sluice, &connector), before.and(0.0, 0.0, 4.0));
    for (task, message) in [("7", format!("{}-7", connector.name)), ("-1", String::new()), ("abc", String::new())] {
        let error = expect(sluice, 404, "POST", &path(&connector, &format!("/tasks/{task}/restart")), None);
        assert!(error["message"].as_str().unwrap().contains(&message), "{error}");
    }
    site.sluice.stop();
}

#[test]
fn what_does_not_run_is_not_started_by_a_restart() {
    let site = Site::new("restart-idle", 1);
    let (sluice, connector) = (&site.sluice, site.connector("idle"));
    create(sluice, &connector, None);
    until_states(sluice, &connector, "RUNNING: RUNNING");
    for (word, wanted) in [("pause", "PAUSED: PAUSED"), ("stop", "STOPPED:")] {
        tell(sluice, &connector, word);
        until_states(sluice, &connector, wanted);
        for combination in COMBINATIONS {
            restart(sluice, &connector, combination);
            until_states(sluice, &connector, wanted);
        }
    }
    let before = Starts::of(sluice);
    tell(sluice, &connector, "resume");
    until_states(sluice, &connector, "RUNNING: RUNNING");
    // Of all the restarts while it was stopped, nothing comes later.
    assert_eq!(settled(sluice, &connector), before.and(1.0, 0.0, 1.0));
    site.sluice.stop();
}

#[test]
fn a_connector_that_could_not_start_is_tried_once_more_by_every_restart() {
    let site = Site::new("restart-failed", 1);
    let module = site.folder.path().join("missing.wasm");
    let connector = site.connector("failed").set("transform.module", module.to_str().unwrap());
    let sluice = &site.sluice;
    create(sluice, &connector, None);
    until_states(sluice, &connector, "FAILED:");
    let mut wanted = Starts { connectors: 1.0, failed: 1.0, tasks: 0.0 };
    for combination in COMBINATIONS {
        let answer = restart(sluice, &connector, combination);
        if combination.1 == 202 {
            assert_eq!(plan(&answer), "RESTARTING:", "{combination:?}");
        }
        wanted = wanted.and(1.0, 1.0, 0.0);
        until("the connector to be tried once more", || equal(Starts::of(sluice), &wanted));
        until_states(sluice, &connector, "FAILED:");
    }
    tell(sluice, &connector, "stop");
    until_states(sluice, &connector, "STOPPED:");
    assert_eq!(Starts::of(sluice), wanted, "each restart tried it once");
    site.sluice.stop();
}

#[test]
fn tasks_that_failed_are_restarted_only_if_tasks_are_asked_for() {
    let site = Site::new("restart-tasks", 2);
    site.topic.produce(&[poison(0), poison(1)]);
    let (sluice, connector) = (&site.sluice, site.connector("tasks").set("tasks.max", "2"));
    let failed = "RUNNING: FAILED FAILED";
    create(sluice, &connector, None);
    until_states(sluice, &connector, failed);
    let before = settled(sluice, &connector);
    until_states(sluice, &connector, failed);

    restart(sluice, &connector, COMBINATIONS[0]);
    assert_eq!(settled(sluice, &connector), before, "the connector alone");
    until_states(sluice, &connector, failed);
    let answer = restart(sluice, &connector, COMBINATIONS[1]);
    assert_eq!(plan(&answer), failed);
    assert_eq!(settled(sluice, &connector), before, "the connector has not failed");
    until_states(sluice, &connector, failed);

    let answer = restart(sluice, &connector, COMBINATIONS[3]);
    assert_eq!(plan(&answer), "RUNNING: RESTARTING RESTARTING");
    assert_eq!(settled(sluice, &connector), before.and(0.0, 0.0, 2.0), "what has failed");
    until_states(sluice, &connector, failed);
    let answer = restart(sluice, &connector, COMBINATIONS[2]);
    assert_eq!(plan(&answer), "RESTARTING: RESTARTING RESTARTING");
    assert_eq!(settled(sluice, &connector), before.and(0.0, 0.0, 4.0), "everything");
    until_states(sluice, &connector, failed);
    site.sluice.stop();
}

#[test]
fn of_three_tasks_the_one_that_failed_is_restarted_and_runs_once_its_record_is_gone() {
    let site = Site::new("restart-one", 3);
    // Static members: Kafka keeps the failed one's partition for it, so that no other task comes upon the record.
    let connector = site
        .connector("one")
        .set("tasks.max", "3")
        .set("consumer.override.group.instance.id", unique("one"))
        .set("consumer.override.session.timeout.ms", "300000");
    let sluice = &site.sluice;
    create(sluice, &connector, None);
    until("each task to have a partition", || {
        let metrics = sluice.metrics();
        let count = |task| metrics.find("kafka_connect_sink_task_partition_count", &[&format!("task=\"{task}\"")]);
        equal([0, 1, 2].map(count), &[Some(1.0); 3])
    });
    site.topic.produce(&[poison(0)]);
    let failed = until("one task to fail and the others to run", || {
        let states = states(sluice, &connector);
        let tasks: Vec<_> = states.split(' ').skip(1).collect();
        let is_it = tasks.iter().filter(|task| **task == "RUNNING").count() == 2 && tasks.contains(&"FAILED");
        if is_it { Ok(tasks.iter().position(|task| *task == "FAILED").unwrap()) } else { Err(states) }
    });
    let task = expect(sluice, 200, "GET", &path(&connector, &format!("/tasks/{failed}/status")), None);
    let trace = task["trace"].as_str().unwrap();
    assert!(trace.contains(&format!("{}-0 offset 0", site.topic.name)), "{trace}");
    let before = settled(sluice, &connector);
    until("the connector to run again", || equal(states(sluice, &connector).starts_with("RUNNING:"), &true));

    site.topic.cut_off(1);
    let answer = restart(sluice, &connector, COMBINATIONS[3]);
    let wanted = |one: &str, others: &str| {
        let state = |task| if task == failed { one.to_owned() } else { others.to_owned() };
        format!("RUNNING: {}", [0, 1, 2].map(state).join(" "))
    };
    assert_eq!(plan(&answer), wanted("RESTARTING", "RUNNING"));
    until_states(sluice, &connector, &wanted("RUNNING", "RUNNING"));
    assert_eq!(settled(sluice, &connector), before.and(0.0, 0.0, 1.0), "exactly the one");
    site.topic.produce(&[Record::price(0, LONG_AGO_MS, "BTC-USD", "1.5")]);
    until_states(sluice, &connector, &wanted("RUNNING", "RUNNING"));
    until("the next record to be stored", || equal(Points::stored_in(&site.influx), &site.topic.expected()));
    site.sluice.stop();
}
