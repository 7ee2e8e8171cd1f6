//! The tasks of the process wait for each other (`transform.swap.barrier`).

use std::time::Duration;

use super::look::take_over;
use super::{Stage, variant};
use crate::support::scripted_influx::{Scripted, ScriptedInflux};
use crate::support::sluice::Sluice;

/// The lines of tasks, not of the controller, in which the guest says these words.
fn told(sluice: &Sluice, words: &str) -> Vec<usize> {
    let words = format!("\"text\":\"{words}\"");
    let log = sluice.log();
    let lines = log.lines().enumerate();
    lines.filter(|(_, line)| line.contains(&words) && line.contains("\"task\":")).map(|(number, _)| number).collect()
}

#[test]
fn no_task_begins_with_the_new_version_while_another_still_works_with_the_old() {
    let stage = Stage::new("swap-barrier", 6).set("tasks.max", "3").set("transform.swap.barrier", "true");
    std::fs::write(stage.file(), variant(1, "tell-slowly")).unwrap();
    let mut sluice = stage.start();
    sluice.until("all partitions", |sluice| sluice.has_partitions(6.0));
    let changed = stage.under_load(|| {
        sluice.until("the old version to be at work", |sluice| match told(sluice, "begin 1").len() {
            few @ ..10 => Err(few),
            _ => Ok(()),
        });
        let changed = take_over(&stage, &sluice, &variant(2, "tell-slowly"));
        sluice.until("the new version to be at work", |sluice| match told(sluice, "begin 2").len() {
            few @ ..10 => Err(few),
            _ => Ok(()),
        });
        changed
    });
    assert_eq!((&changed["tasks_changed"], &changed["tasks_pending"]), (&3.into(), &0.into()));
    let (old, new) = (told(&sluice, "end 1"), told(&sluice, "begin 2"));
    assert!(old.last() < new.first(), "the old version ended at {old:?}, the new began at {new:?}");
}

#[test]
fn a_task_that_does_not_come_is_not_waited_for_for_ever_and_changes_later() {
    let influx = ScriptedInflux::v1("prices");
    let mut stage = Stage::new("swap-barrier-hung", 2);
    stage.connector = stage
        .connector
        .clone()
        .into_scripted(&influx)
        .set("tasks.max", "2")
        .set("batch.max.lines", "10")
        .set("transform.swap.barrier", "true");
    let mut sluice = stage.start();
    sluice.until("both partitions", |sluice| sluice.has_partitions(2.0));
    influx.answer_always(Some(Scripted::hang().but_store()));
    // So much that batches wait to be transformed, without the keys that the new version wants.
    stage.produce_into(0, 20_000);
    influx.wait_until(Duration::from_secs(60), |seen| seen.writes > 0);
    sluice.until("the sink to be full", |sluice| {
        let metrics = sluice.metrics();
        let read = metrics.sum("kafka_connect_sink_task_sink_record_read_total", &[]);
        if read > 0.0 { Ok(()) } else { Err(read) }
    });
    let done = take_over(&stage, &sluice, &variant(2, "want-keys"));
    assert_eq!((&done["tasks_changed"], &done["tasks_pending"]), (&1.into(), &1.into()), "{done}");
    influx.answer_always(None);
    influx.release();
    stage.produce_into(0, 100);
    sluice.until("the task that stood to change", |_| {
        let points = influx.points();
        if points.keys().any(|series| series.contains("version=2")) { Ok(()) } else { Err(points.len()) }
    });
    stage.finish(&mut sluice);
    sluice.stop();
}

#[test]
fn a_task_that_has_failed_is_not_waited_for() {
    let stage = Stage::new("swap-barrier-failed", 2).set("tasks.max", "2").set("transform.swap.barrier", "true");
    std::fs::write(stage.file(), variant(1, "trap-on-poison")).unwrap();
    let mut sluice = stage.start();
    sluice.until("both partitions", |sluice| sluice.has_partitions(2.0));
    stage.produce(100);
    stage.finish(&mut sluice);
    // Whoever has the partition fails, and then whoever gets it: so the other task is asked at once, while it lives.
    stage.produce_value(0, "poison");
    sluice.until("a task to fail", |sluice| sluice.logged(&["\"message\":\"task failed\""]));
    let answer = stage.upload(&sluice, &variant(2, "stamp"), "");
    if answer.status == 200 {
        let done: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(done["tasks_pending"], 0, "{done}");
    }
}
