//! What a connector is told to do, it does, and nothing is lost over it.

use serde_json::json;

use crate::support::influx::Database;
use crate::support::kafka::Topic;
use crate::support::points::{Record, SYMBOLS, feed};
use crate::support::sluice::{Connector, Sluice};
use crate::support::wait::until;
use crate::support::worker::{self, create, expect, path, states, tell, until_states};

fn prices(num: usize) -> Vec<Record> {
    feed(num, 100, |number| ((number % 4) as i32, SYMBOLS[number % SYMBOLS.len()]))
}

#[test]
fn every_way_from_state_to_state() {
    let (state, topic, database) =
        (tempfile::tempdir().unwrap(), Topic::create("states", 4), Database::create("states"));
    let connector = Connector::new(&topic, "states").into_database(&database).set("tasks.max", "2");
    let sluice = worker::start(state.path());
    let info = create(&sluice, &connector, None);
    assert_eq!(info["tasks"].as_array().unwrap().len(), 2, "{info}");
    until_states(&sluice, &connector, "RUNNING: RUNNING RUNNING");
    let ways = [
        ("pause", "PAUSED: PAUSED PAUSED"),
        ("pause", "PAUSED: PAUSED PAUSED"),
        ("resume", "RUNNING: RUNNING RUNNING"),
        ("resume", "RUNNING: RUNNING RUNNING"),
        ("stop", "STOPPED:"),
        ("stop", "STOPPED:"),
        ("pause", "PAUSED:"),
        ("resume", "RUNNING: RUNNING RUNNING"),
        ("stop", "STOPPED:"),
        ("resume", "RUNNING: RUNNING RUNNING"),
        ("pause", "PAUSED: PAUSED PAUSED"),
        ("stop", "STOPPED:"),
    ];
    for (word, wanted) in ways {
        tell(&sluice, &connector, word);
        until_states(&sluice, &connector, wanted);
        let tasks = expect(&sluice, 200, "GET", &path(&connector, "/tasks"), None).as_array().unwrap().len();
        assert_eq!(tasks, if wanted.ends_with(':') { 0 } else { 2 }, "{word}: {wanted}");
    }
    expect(&sluice, 204, "DELETE", &path(&connector, ""), None);
    assert_eq!(states(&sluice, &connector), "none");
    expect(&sluice, 404, "PUT", &path(&connector, "/pause"), None);
    sluice.stop();
}

#[test]
fn nothing_is_read_while_paused_and_nothing_lost_or_doubled() {
    let (state, topic, database) = (tempfile::tempdir().unwrap(), Topic::create("pause", 4), Database::create("pause"));
    let connector = Connector::new(&topic, "pause").into_database(&database);
    let group = topic.group(&connector.name);
    let mut sluice = worker::start(state.path());
    create(&sluice, &connector, Some("paused"));
    until_states(&sluice, &connector, "PAUSED:");
    topic.produce(&prices(1_000));
    tell(&sluice, &connector, "resume");
    sluice.until("the first to be committed", |_| group.at_end());

    tell(&sluice, &connector, "pause");
    until_states(&sluice, &connector, "PAUSED: PAUSED");
    let label = format!("connector=\"{}\"", connector.name);
    let consumed = |sluice: &Sluice| sluice.metrics().sum("sluice_records_consumed_total", &[&label]);
    let before = consumed(&sluice);
    topic.produce(&prices(3_000));
    // Another connector shows that there is something to read, and has had the time to read it.
    let witness = Connector::new(&topic, "witness").into_database(&database);
    create(&sluice, &witness, None);
    let witness_group = topic.group(&witness.name);
    sluice.until("another connector to read them", |_| witness_group.at_end());
    assert_eq!(consumed(&sluice), before);
    assert_eq!(sluice.ready(), Ok(()), "paused is what was asked for");

    // In the middle of the stream, again and again.
    for round in 0..5 {
        tell(&sluice, &connector, "resume");
        topic.produce(&prices(1_000 + round));
        tell(&sluice, &connector, "pause");
    }
    until_states(&sluice, &connector, "PAUSED: PAUSED");
    tell(&sluice, &connector, "resume");
    sluice.until("everything to be committed", |_| group.at_end());
    let written = sluice.metrics().sum("sluice_points_written_total", &[&label]);
    assert_eq!(written, 9_010.0, "each record was read once");
    sluice.stop();
    database.points().assert_equal(&topic.expected());
}

#[test]
fn what_was_asked_for_survives_kill_9() {
    let (state, topic, database) = (tempfile::tempdir().unwrap(), Topic::create("kill", 2), Database::create("kill"));
    let connector = |suffix| {
        let connector = Connector::new(&topic, suffix).into_database(&database).set("tasks.max", "2");
        // The group does not wait long for a member that was killed.
        connector.set("consumer.override.session.timeout.ms", "6000")
    };
    let [runs, paused, stopped, gone, odd] = ["runs", "paused", "stopped", "gone", "ä/b c.%2F"].map(connector);
    let sluice = worker::start(state.path());
    for connector in [&runs, &paused, &stopped, &gone, &odd] {
        create(&sluice, connector, None);
    }
    tell(&sluice, &paused, "pause");
    tell(&sluice, &stopped, "stop");
    expect(&sluice, 204, "DELETE", &path(&gone, ""), None);
    expect(&sluice, 200, "PATCH", &path(&odd, "/config"), Some(&json!({ "tasks.max": 1, "linger.ms": "1" })));
    // At once: what has been answered has been kept.
    sluice.kill();

    let sluice = worker::start(state.path());
    until_states(&sluice, &runs, "RUNNING: RUNNING RUNNING");
    until_states(&sluice, &paused, "PAUSED: PAUSED PAUSED");
    until_states(&sluice, &stopped, "STOPPED:");
    until_states(&sluice, &odd, "RUNNING: RUNNING");
    assert_eq!(states(&sluice, &gone), "none");
    let config = expect(&sluice, 200, "GET", &path(&odd, "/config"), None);
    assert_eq!((config["linger.ms"].as_str(), config["tasks.max"].as_str()), (Some("1"), Some("1")));
    sluice.stop();
}

#[test]
fn a_connector_may_be_made_anew_as_soon_as_it_is_deleted() {
    let (state, topic, database) = (tempfile::tempdir().unwrap(), Topic::create("anew", 2), Database::create("anew"));
    // A member that was left behind in the group would hold it up for longer than anything is waited for here.
    let connector =
        Connector::new(&topic, "anew").into_database(&database).set("consumer.override.session.timeout.ms", "300000");
    let group = topic.group(&connector.name);
    let mut sluice = worker::start(state.path());
    topic.produce(&[Record::price(0, 1_700_000_000_000, "BTC-USD", "1.5")]);
    for looks in (0..160).step_by(8) {
        create(&sluice, &connector, None);
        // So that its consumer is at another step of joining the group each time: it takes a tenth of a second, a look a millisecond or two.
        for _ in 0..looks {
            states(&sluice, &connector);
        }
        expect(&sluice, 204, "DELETE", &path(&connector, ""), None);
        assert_eq!(states(&sluice, &connector), "none");
    }
    create(&sluice, &connector, None);
    until_states(&sluice, &connector, "RUNNING: RUNNING");
    sluice.until("the record to be committed", |_| group.at_end());
    sluice.stop();
}

#[test]
fn topics_are_told_once_records_come_in_and_forgotten_on_request() {
    let (state, topic, database) = (tempfile::tempdir().unwrap(), Topic::create("told", 2), Database::create("told"));
    let connector = Connector::new(&topic, "told").into_database(&database);
    let sluice = worker::start(state.path());
    create(&sluice, &connector, None);
    until_states(&sluice, &connector, "RUNNING: RUNNING");
    let topics = || expect(&sluice, 200, "GET", &path(&connector, "/topics"), None)[&connector.name]["topics"].clone();
    let record = [Record::price(1, 1_700_000_000_000, "BTC-USD", "1.5")];
    assert_eq!(topics(), json!([]));
    for _ in 0..2 {
        topic.produce(&record);
        until("the topic to be told", || if topics() == json!([topic.name]) { Ok(()) } else { Err(topics()) });
        expect(&sluice, 202, "PUT", &path(&connector, "/topics/reset"), None);
        assert_eq!(topics(), json!([]));
    }
    topic.produce(&record);
    until("the topic to be told", || if topics() == json!([topic.name]) { Ok(()) } else { Err(topics()) });
    expect(&sluice, 204, "DELETE", &path(&connector, ""), None);
    assert_eq!(topics(), json!([]));
    sluice.stop();
}

#[test]
fn a_stopped_connector_has_left_its_group_whatever_its_tasks_were_at() {
    let (state, topic, database) = (tempfile::tempdir().unwrap(), Topic::create("left", 1), Database::create("left"));
    // One partition, so two of the tasks are members without anything to give back. A member that is left behind is there for good.
    let connector = Connector::new(&topic, "left")
        .into_database(&database)
        .set("tasks.max", "3")
        .set("consumer.override.session.timeout.ms", "300000");
    let sluice = worker::start(state.path());
    create(&sluice, &connector, None);
    for round in 0..4 {
        until_states(&sluice, &connector, "RUNNING: RUNNING RUNNING RUNNING");
        if round > 0 {
            // In the middle of a rebalance.
            expect(&sluice, 204, "POST", &path(&connector, &format!("/tasks/{}/restart", round - 1)), None);
        }
        tell(&sluice, &connector, "stop");
        until_states(&sluice, &connector, "STOPPED:");
        expect(&sluice, 200, "DELETE", &path(&connector, "/offsets"), None);
        tell(&sluice, &connector, "resume");
    }
    sluice.stop();
}

#[test]
fn the_most_memory_that_a_connector_takes_is_shown() {
    let site = worker::Site::new("memory", 1);
    let (usual, small) =
        (site.connector("usual"), site.connector("small").set("transform.memory.max.bytes", "2097152"));
    let [usual, small] = [usual, small].map(|connector| {
        create(&site.sluice, &connector, None);
        until_states(&site.sluice, &connector, "RUNNING: RUNNING");
        let listed = expect(&site.sluice, 200, "GET", "/sluice/connectors", None);
        let entry = listed.as_array().unwrap().iter().find(|entry| entry["name"] == connector.name.as_str()).unwrap();
        let bytes = entry["memory_bound_bytes"].as_f64().unwrap();
        let metric =
            site.sluice.metrics().sum("sluice_memory_bound_bytes", &[&format!("connector=\"{}\"", connector.name)]);
        assert_eq!(metric, bytes);
        bytes
    });
    // Nine times what a guest may take less.
    assert_eq!(usual - small, 9.0 * f64::from(62 << 20));
    let resident = site.sluice.metrics().sum("process_resident_memory_bytes", &[]);
    assert!(resident < usual + small, "{resident} bytes are more than both may take");
    site.sluice.stop();
}
