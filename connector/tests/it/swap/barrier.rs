//! The tasks of the process wait for each other (`transform.swap.barrier`).

use super::look::{both_have, lose_a_task, may_lose_a_task, partitions_of_tasks, take_over};
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
    let stage = Stage::new("swap-barrier", 6)
        .set("tasks.max", "3")
        .set("transform.swap.barrier", "true")
        .set("transform.timeout.ms", "60000")
        // Little at a time: so every task has something to do when it changes, and works at another moment than the others.
        .set("consumer.override.max.partition.fetch.bytes", "1")
        .set("consumer.override.queued.min.messages", "1");
    std::fs::write(stage.file(), variant(1, "tell-slowly")).unwrap();
    (0..60).for_each(|_| stage.produce(20));
    let mut sluice = stage.start();
    let at_work = |sluice: &mut Sluice, words: &str| {
        sluice.until(words, |sluice| match told(sluice, words).len() {
            few @ ..9 => Err(few),
            _ => Ok(()),
        });
    };
    at_work(&mut sluice, "begin 1");
    let done = take_over(&stage, &sluice, &variant(2, "tell-slowly"));
    at_work(&mut sluice, "begin 2");
    assert_eq!((&done["tasks_changed"], &done["tasks_pending"]), (&3.into(), &0.into()));
    let (old, new) = (told(&sluice, "end 1"), told(&sluice, "begin 2"));
    assert!(old.last() < new.first(), "the old version ended at {old:?}, the new began at {new:?}");
    sluice.kill();
}

#[test]
fn a_task_that_does_not_come_is_not_waited_for_for_ever_and_changes_later() {
    let influx = ScriptedInflux::v1("prices");
    let mut stage = Stage::new("swap-barrier-hung", 4)
        .set("tasks.max", "2")
        .set("batch.max.lines", "10")
        .set("transform.swap.barrier", "true");
    stage.connector = stage.connector.clone().into_scripted(&influx);
    let mut sluice = stage.start();
    both_have(&mut sluice, 2.0);
    let [(task, partitions), _] = partitions_of_tasks(&sluice);
    // A partition's lag is known once something of it has been committed.
    stage.produce(10);
    stage.finish(&mut sluice);
    influx.answer_always(Some(Scripted::hang().but_store()));
    let read = |sluice: &Sluice| {
        sluice.metrics().sum("kafka_connect_sink_task_sink_record_read_total", &[&format!("task=\"{task}\"")])
    };
    let before = read(&sluice);
    stage.produce_into(partitions[0], 100);
    sluice.until("the sink to be full", |sluice| match read(sluice) - before {
        100.0 => Ok(()),
        other => Err(other),
    });
    // More of two partitions, which has been fetched when there is room: then one batch waits behind the other, without the keys that the
    // new version wants.
    partitions[..2].iter().for_each(|&partition| stage.produce_into(partition, 100));
    sluice.until("more to be fetched", |sluice| {
        let metrics = sluice.metrics();
        let lag = partitions[..2]
            .iter()
            .map(|partition| metrics.find("sluice_lag_records", &[&format!("partition=\"{partition}\"")]));
        let lag: Vec<_> = lag.collect();
        if lag == [Some(200.0), Some(100.0)] { Ok(()) } else { Err(lag) }
    });
    sluice.until("room for some of it", |sluice| {
        let read = read(sluice);
        if read - before > 100.0 {
            return Ok(());
        }
        influx.release();
        Err(read)
    });
    let done = take_over(&stage, &sluice, &variant(2, "want-keys"));
    assert_eq!((&done["tasks_changed"], &done["tasks_pending"]), (&1.into(), &1.into()), "{done}");
    influx.answer_always(None);
    influx.release();
    stage.produce_into(partitions[0], 100);
    sluice.until("the task that stood to change", |_| {
        let points = influx.points();
        if points.keys().any(|series| series.contains("version=2")) { Ok(()) } else { Err(points.len()) }
    });
    stage.finish(&mut sluice);
    sluice.stop();
}

#[test]
fn a_task_that_has_failed_is_not_waited_for() {
    let stage = may_lose_a_task(Stage::new("swap-barrier-failed", 2))
        .set("tasks.max", "2")
        .set("transform.swap.barrier", "true");
    let mut sluice = stage.start();
    both_have(&mut sluice, 1.0);
    stage.produce(100);
    stage.finish(&mut sluice);
    lose_a_task(&stage, &mut sluice, 0);
    let done = take_over(&stage, &sluice, &variant(2, "trap-on-poison"));
    assert_eq!((&done["tasks_changed"], &done["tasks_pending"]), (&1.into(), &0.into()), "{done}");
    stage.produce(100);
    stage.finish(&mut sluice);
    drop(sluice);
    let made = stage.made();
    assert!(
        (0..2).all(|partition| made.range((partition, 0)..(partition + 1, 0)).last().unwrap().1 == &[2]),
        "{made:?}"
    );
}
