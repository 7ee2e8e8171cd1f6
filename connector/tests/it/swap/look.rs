//! What a connector says about its swaps, for use in `until` and in assertions.

use serde_json::Value;

use super::{Stage, digest, variant};
use crate::support::letters::LetterTopic;
use crate::support::sluice::Sluice;
use crate::support::wait::equal;

/// A stage that bears refused records and sends them to `letters`.
pub(super) fn with_letters(mut stage: Stage, letters: &LetterTopic) -> Stage {
    stage.connector = stage.connector.clone().with_letters(letters);
    stage
}

/// Swaps of this outcome so far.
pub(super) fn swaps(sluice: &Sluice, outcome: &str) -> f64 {
    sluice.metrics().sum("sluice_swaps_total", &[&format!("outcome=\"{outcome}\"")])
}

/// `stable`, `on_probation` or `canary`.
pub(super) fn state(stage: &Stage, sluice: &Sluice) -> String {
    stage.transform(sluice)["state"].as_str().unwrap().to_owned()
}

/// What the operator is warned of.
pub(super) fn warnings(stage: &Stage, sluice: &Sluice) -> String {
    let (_, connectors) = sluice.get_json("/sluice/connectors");
    let mut connectors = connectors.as_array().unwrap().iter();
    let connector = connectors.find(|connector| connector["name"] == stage.connector.name.as_str()).unwrap();
    connector["warnings"].to_string()
}

/// Digest and outcome of each entry of the history, oldest first, without those that are left out.
pub(super) fn history(stage: &Stage, sluice: &Sluice) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let state = stage.transform(sluice);
    state["history"].as_array().unwrap().iter().map(|entry| (text(&entry["digest"]), text(&entry["outcome"]))).collect()
}

/// As [`history`] gives it back.
pub(super) fn entries(entries: &[(&[u8], &str)]) -> Vec<(String, String)> {
    entries.iter().map(|&(module, outcome)| (digest(module), outcome.to_owned())).collect()
}

/// Uploads a module that has to take over.
#[track_caller]
pub(super) fn take_over(stage: &Stage, sluice: &Sluice, module: &[u8]) -> Value {
    let answer = stage.upload(sluice, module, "");
    assert_eq!(answer.status, 200, "{}", answer.body);
    let done: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(done["outcome"], "switched", "{done}");
    done
}

/// Goes back, which has to be possible.
#[track_caller]
pub(super) fn go_back(stage: &Stage, sluice: &Sluice, to: &[u8]) {
    let answer = stage.roll_back(sluice);
    assert_eq!(answer.status, 200, "{}", answer.body);
    stage.runs(sluice, to).unwrap();
}

/// Nothing is quarantined, nothing is on probation, and this module runs in every task.
#[track_caller]
pub(super) fn runs_alone(stage: &Stage, sluice: &mut Sluice, module: &[u8], quarantined: f64) {
    stage.runs(sluice, module).unwrap();
    assert_eq!(state(stage, sluice), "stable");
    let digest = digest(module);
    sluice.until("each task to say that it runs that version", |sluice| {
        let metrics = sluice.metrics();
        let (all, of_it) =
            (metrics.sum("sluice_transform_info", &[]), metrics.find("sluice_transform_info", &[&digest]));
        if of_it == Some(all) { Ok(()) } else { Err((all, of_it)) }
    });
    let metrics = sluice.metrics();
    assert_eq!(metrics.sum("sluice_transform_quarantined", &[]), quarantined);
    assert_eq!(metrics.sum("sluice_transform_on_probation", &[]), 0.0);
}

/// Version 1 fails on poison, of which each task bears one record.
pub(super) fn may_lose_a_task(stage: Stage) -> Stage {
    std::fs::write(stage.file(), variant(1, "trap-on-poison")).unwrap();
    stage.set("errors.tolerance", "all").set("errors.budget.max", "1")
}

/// Has the task of this partition fail. The next one to have the partition bears what it failed on.
pub(super) fn lose_a_task(stage: &Stage, sluice: &mut Sluice, partition: i32) {
    for _ in 0..2 {
        stage.produce_value(partition, "poison");
    }
    sluice.until("a task to fail", |sluice| sluice.logged(&["\"message\":\"task failed\""]));
}

/// Waits until both tasks have so many partitions: as long as one has all of them, they are about to move.
pub(super) fn both_have(sluice: &mut Sluice, partitions: f64) {
    sluice.until("both tasks to have their partitions", |sluice| {
        let metrics = sluice.metrics();
        let has = |task: &str| metrics.find("kafka_connect_sink_task_partition_count", &[task]);
        equal([has("task=\"0\""), has("task=\"1\"")], &[Some(partitions); 2])
    });
}

/// Two tasks that have partitions, each with these.
pub(super) fn partitions_of_tasks(sluice: &Sluice) -> [(u32, Vec<i32>); 2] {
    let metrics = sluice.metrics();
    let has = |task: u32, partition: i32| {
        let labels = [format!("task=\"{task}\""), format!("partition=\"{partition}\"")];
        metrics.find("sluice_records_consumed_total", &labels.each_ref().map(String::as_str)).is_some()
    };
    [0, 1].map(|task| (task, (0..6).filter(|&partition| has(task, partition)).collect()))
}
