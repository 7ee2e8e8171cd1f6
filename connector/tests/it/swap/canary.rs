//! A new version runs on some of the partitions first.

use std::collections::BTreeMap;

use super::look::{both_have, lose_a_task, may_lose_a_task, partitions_of_tasks, runs_alone, state, take_over};
use super::{Stage, variant};
use crate::support::sluice::Sluice;

/// Four partitions, two tasks, one canary.
fn stage(test: &str) -> Stage {
    Stage::new(test, 4).set("tasks.max", "2").set("transform.canary.partitions", "1")
}

/// Starts it and has version 1 write to each partition.
fn begin(stage: &Stage) -> Sluice {
    let mut sluice = stage.start();
    both_have(&mut sluice, 2.0);
    round(stage, &mut sluice);
    sluice
}

fn round(stage: &Stage, sluice: &mut Sluice) {
    stage.produce(200);
    stage.finish(sluice);
}

/// The partitions that version 2 runs on, as numbers.
fn canaries(stage: &Stage, sluice: &Sluice) -> Vec<i32> {
    let seen = stage.transform(sluice);
    assert_eq!(seen["state"], "canary", "{seen}");
    let names = seen["probation"]["partitions"].as_array().unwrap().clone();
    names.iter().map(|name| name.as_str().unwrap().rsplit_once('-').unwrap().1.parse().unwrap()).collect()
}

/// The course that only the canary has, and that of the others.
#[track_caller]
fn courses_are(courses: &BTreeMap<i32, Vec<u32>>, canary: i32, its: &[u32], others: &[u32]) {
    for (partition, course) in courses {
        assert_eq!(course, if *partition == canary { its } else { others }, "canary {canary} of {courses:?}");
    }
}

#[test]
fn a_bad_version_goes_back_on_the_canary_and_no_other_partition_ever_had_it() {
    let stage = stage("swap-canary-bad");
    let mut sluice = begin(&stage);
    let bad = variant(2, "trap-at-10000");
    take_over(&stage, &sluice, &bad);
    round(&stage, &mut sluice);
    let canary = canaries(&stage, &sluice);
    assert_eq!(canary.len(), 1);
    courses_are(&stage.one_version_each(), canary[0], &[1, 2], &[1]);
    stage.under_load(|| sluice.until("the roll-back", |sluice| stage.last_entry(sluice, &bad, "rolled_back")));
    round(&stage, &mut sluice);
    runs_alone(&stage, &mut sluice, &variant(1, "stamp"), 1.0);
    sluice.stop();
    courses_are(&stage.one_version_each(), canary[0], &[1, 2, 1], &[1]);
}

#[test]
fn a_version_that_was_good_on_the_canary_runs_on_all() {
    let stage = stage("swap-canary-good").set("transform.probation.ms", "1");
    let mut sluice = begin(&stage);
    let good = variant(2, "stamp");
    take_over(&stage, &sluice, &good);
    assert_eq!(state(&stage, &sluice), "canary");
    round(&stage, &mut sluice);
    sluice.until("the promotion", |sluice| stage.last_entry(sluice, &good, "promoted"));
    runs_alone(&stage, &mut sluice, &good, 0.0);
    round(&stage, &mut sluice);
    sluice.stop();
    assert!(stage.one_version_each().into_values().all(|course| course == [1, 2]));
}

#[test]
fn a_version_that_supersedes_a_canary_has_its_partition() {
    let stage = stage("swap-canary-next");
    let mut sluice = begin(&stage);
    take_over(&stage, &sluice, &variant(2, "stamp"));
    round(&stage, &mut sluice);
    let canary = canaries(&stage, &sluice);
    take_over(&stage, &sluice, &variant(3, "stamp"));
    // Whichever comes first would be one otherwise.
    stage.produce_into((canary[0] + 1) % 4, 10);
    stage.finish(&mut sluice);
    round(&stage, &mut sluice);
    assert_eq!(canaries(&stage, &sluice), canary);
    sluice.stop();
    courses_are(&stage.one_version_each(), canary[0], &[1, 2, 3], &[1]);
}

#[test]
fn a_canary_that_moves_to_another_task_keeps_its_version() {
    let stage = may_lose_a_task(stage("swap-canary-moves"));
    let mut sluice = begin(&stage);
    take_over(&stage, &sluice, &variant(2, "trap-on-poison"));
    stage.produce_into(0, 100);
    stage.finish(&mut sluice);
    assert_eq!(canaries(&stage, &sluice), [0]);
    let [(task, partitions), (other, _)] = partitions_of_tasks(&sluice);
    let (owner, neighbour) = match partitions.contains(&0) {
        true => (task, partitions.iter().copied().find(|&partition| partition != 0).unwrap()),
        false => (other, (1..4).find(|partition| !partitions.contains(partition)).unwrap()),
    };
    lose_a_task(&stage, &mut sluice, neighbour);
    sluice.until("the other task to have all partitions", |sluice| sluice.has_partitions(4.0));
    round(&stage, &mut sluice);
    assert_eq!(canaries(&stage, &sluice), [0], "task {owner} had it before");
    drop(sluice);
    let mut made = stage.made();
    // What the task failed on, and what it was given up for.
    made.retain(|_, made| !made.is_empty());
    for partition in 0..4 {
        let course: Vec<_> = made.range((partition, 0)..(partition + 1, 0)).map(|(_, made)| made.clone()).collect();
        let (last, first) = (course.last().unwrap(), course.first().unwrap());
        assert_eq!(
            (&first[..], &last[..]),
            (&[1][..], if partition == 0 { &[2][..] } else { &[1] }),
            "partition {partition}"
        );
        assert!(partition == 0 || course.iter().all(|made| made == &[1]));
    }
}
