//! Partitions go to another member while requests with their records are under way.

use std::time::{Duration, Instant};

use crate::support::kafka::Topic;
use crate::support::points::{Points, Record, SYMBOLS, feed};
use crate::support::scripted_influx::{Scripted, ScriptedInflux};
use crate::support::services;
use crate::support::sluice::{Connector, Sluice};

const PARTITIONS: usize = 4;
const HOUR_MS: &str = "3600000";

/// Some prices for every partition, each of which has a symbol of its own.
fn prices(per_partition: usize) -> Vec<Record> {
    feed(per_partition * PARTITIONS, 100, |record| ((record % PARTITIONS) as i32, SYMBOLS[record % PARTITIONS]))
}

/// A process that waits this long for what is under way.
fn start(connector: &Connector, patience_ms: &str) -> Sluice {
    let patience = format!("task.shutdown.graceful.timeout.ms={patience_ms}");
    Sluice::start_with(&[connector], &["--bootstrap-servers", services::kafka(), "--set", &patience])
}

fn has_writes(influx: &ScriptedInflux) -> Result<(), usize> {
    match influx.seen(|seen| seen.writes) {
        0 => Err(0),
        _ => Ok(()),
    }
}

fn connector(topic: &Topic, influx: &ScriptedInflux) -> Connector {
    let short = [("session.timeout.ms", "6000"), ("max.poll.interval.ms", "6000")];
    let connector = Connector::new(topic, "r").into_scripted(influx).set("influx.request.timeout.ms", HOUR_MS);
    short.iter().fold(connector, |connector, (key, value)| connector.set(&format!("consumer.override.{key}"), *value))
}

// I3
#[test]
fn a_revocation_is_answered_in_time_and_a_late_acknowledgement_commits_nothing() {
    let topic = Topic::create("late", PARTITIONS as i32);
    let (old, new) = (ScriptedInflux::v1("prices"), ScriptedInflux::v1("prices"));
    old.answer_always(Some(Scripted::hang().but_store()));
    let connector = connector(&topic, &old).set("consumer.override.partition.assignment.strategy", "range");
    // So that the first body holds records of every partition.
    let connector = connector.set("linger.ms", "1000");
    let group = topic.group(&connector.name);
    topic.produce(&prices(500));
    let mut first = start(&connector, "500");
    first.until("a request that hangs", |_| has_writes(&old));

    // With the eager protocol all partitions are revoked, so that what hangs is of an old generation in any case.
    new.answer_always(Some(Scripted::hang()));
    let mut second = start(&connector.clone().into_scripted(&new), "500");
    second.until("half of the partitions to move", |second| second.has_partitions(2.0));
    first.until("half of the partitions to stay", |first| first.has_partitions(2.0));
    let all_read_and_half_again = 3_000.0;
    first.until("what was kept to be read again", |first| {
        match first.metrics().sum("kafka_connect_sink_task_sink_record_read_total", &[]) {
            read if read >= all_read_and_half_again => Ok(()),
            read => Err(read),
        }
    });
    old.answer_always(Some(Scripted::hang()));
    old.release();
    first.until("the late acknowledgement", |first| match first.metrics().sum("sluice_points_written_total", &[]) {
        0.0 => Err(0),
        _ => Ok(()),
    });
    first.until("the next body to be under way", |_| match old.seen(|seen| seen.writes) {
        2.. => Ok(()),
        fewer => Err(fewer),
    });
    // Offsets are sent every 50 ms, if there are any.
    let acknowledged = Instant::now();
    first.until("a second without a commit", |_| {
        assert_eq!(group.committed().values().sum::<i64>(), 0, "a late acknowledgement was committed");
        if acknowledged.elapsed() >= Duration::from_secs(1) { Ok(()) } else { Err(()) }
    });
    assert!(first.logged(&["task failed"]).is_err(), "a late acknowledgement broke the new generation's ledger");

    for influx in [&old, &new] {
        influx.answer_always(None);
        influx.release();
    }
    first.kill();
    second.until("everything to be committed", |_| group.at_end());
    second.stop();
    let mut stored = Points::stored_in(&old);
    stored.extend(Points::stored_in(&new).0);
    stored.assert_equal(&topic.expected());
}

#[test]
fn a_process_frozen_beyond_its_session_comes_back_and_commits_over_nobody() {
    let topic = Topic::create("frozen", PARTITIONS as i32);
    let (old, new) = (ScriptedInflux::v1("prices"), ScriptedInflux::v1("prices"));
    old.answer_always(Some(Scripted::hang()));
    let connector = connector(&topic, &old);
    let group = topic.group(&connector.name);
    topic.produce(&prices(500));
    // If it waited for what is under way it would wait for ever.
    let mut first = start(&connector, HOUR_MS);
    first.until("a request that hangs", |_| has_writes(&old));
    first.freeze();
    let mut second = start(&connector.clone().into_scripted(&new), HOUR_MS);
    second.until("everything to be committed by the other", |_| group.at_end());
    let committed = group.committed();

    first.thaw();
    first.until("the loss to be told", |first| first.logged(&["partitions lost", "\"level\":\"WARN\""]));
    first.until("it to be back in the group", |first| first.has_partitions(2.0));
    second.until("half of the partitions to stay", |second| second.has_partitions(2.0));
    old.answer_always(None);
    old.release();
    topic.produce(&prices(500));
    first.until("everything to be committed by both", |_| group.at_end());
    assert!(group.committed().iter().all(|(partition, offset)| *offset >= committed[partition]));
    first.stop();
    second.stop();
    let mut stored = Points::stored_in(&old);
    stored.extend(Points::stored_in(&new).0);
    stored.assert_equal(&topic.expected());
}

#[test]
fn a_sink_that_stalls_beyond_max_poll_interval_costs_no_membership() {
    let topic = Topic::create("maxpoll", PARTITIONS as i32);
    let influx = ScriptedInflux::v1("prices");
    influx.answer_always(Some(Scripted::hang()));
    // Full bodies wait, and records behind them.
    let connector = connector(&topic, &influx).set("batch.max.lines", "50");
    let group = topic.group(&connector.name);
    topic.produce(&prices(500));
    let mut sluice = start(&connector, "500");
    sluice.until("a request that hangs", |_| has_writes(&influx));
    let stalled = Instant::now();
    sluice.until("twice the time that the group allows between polls", |_| match stalled.elapsed().as_secs() {
        13.. => Ok(()),
        seconds => Err(seconds),
    });
    assert_eq!(sluice.get("/health/live").status, 200);
    influx.answer_always(None);
    influx.release();
    sluice.until("everything to be committed", |_| group.at_end());
    assert_eq!(sluice.assignments(), 1, "assigned once, never lost:\n{}", sluice.log());
    sluice.stop();
}
