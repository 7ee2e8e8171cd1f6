//! `kill -9` in the middle of every step of a swap: the next start runs the last good version.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::stage::{json, slow};
use super::{Stage, digest, variant};
use crate::support::sluice::Sluice;
use crate::support::wait::equal;

/// One partition; the new process gets it at once, as the group knows it by its id.
fn stage(test: &str, settings: &[(&str, &str)]) -> Stage {
    let name = format!("{test}-{}", fastrand::u64(..));
    Stage::with(test, settings).set("consumer.override.group.instance.id", &name)
}

/// Starts it, and it gets ready.
fn ready(stage: &Stage) -> Sluice {
    let mut sluice = stage.start();
    sluice.until("the connector to be ready", Sluice::ready);
    sluice
}

/// Each record has a point, and each point is of one of these versions. A record may have points by two of them: written by one before
/// the kill, and not committed.
#[track_caller]
fn none_is_lost(stage: &Stage, versions: &[u32]) {
    let made = stage.made();
    let lost: Vec<_> = made.iter().filter(|(_, versions)| versions.is_empty()).collect();
    assert!(lost.is_empty(), "records without a point: {lost:?}");
    let seen: BTreeSet<u32> = made.into_values().flatten().collect();
    assert!(seen.iter().all(|version| versions.contains(version)), "versions {seen:?} ran");
}

/// The process is killed when the file's new version is at `first`, is offered again, and is killed again when it is at `second`.
fn killed_twice(stage: &Stage, candidate: &[u8], first: &str, second: &str, versions: &[u32]) {
    let one = variant(1, "stamp");
    let mut sluice = stage.started();
    stage.replace(candidate);
    sluice.until("the step", |_| stage.is_at(candidate, first));
    sluice.kill();

    let mut sluice = stage.start();
    let words = [digest(candidate), format!("at step {first}"), "tried again".to_owned()];
    // Looked for in the log: the warning on the board is gone as soon as the candidate takes over.
    sluice.until("the warning", |sluice| sluice.logged(&words.each_ref().map(String::as_str)));
    sluice.until("the last good one to run first", |sluice| sluice.logged(&["starting connector", &digest(&one)]));
    sluice.until("it to be tried again", |_| stage.is_at(candidate, second));
    sluice.kill();

    let mut sluice = ready(stage);
    stage.runs(&sluice, &one).unwrap();
    let state = stage.transform(&sluice);
    let reason = state["quarantined"][digest(candidate)]["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("ended twice") && reason.contains(second), "{state}");
    stage.warned(&sluice, &[&digest(candidate), "until its bytes change"]).unwrap();
    assert_eq!(json(&stage.upload(&sluice, candidate, ""))["gate"], "quarantine");
    stage.produce(100);
    stage.finish(&mut sluice);
    sluice.stop();
    none_is_lost(stage, versions);
    let sluice = stage.start();
    stage.runs(&sluice, &one).unwrap();
}

#[test]
fn while_it_is_compiled() {
    let stage = stage("kill-load", &[("transform.compile.timeout.ms", "600000")]);
    killed_twice(&stage, &slow(), "load", "load", &[1]);
}

#[test]
fn while_it_is_configured() {
    let stage = stage("kill-configure", &[("transform.timeout.ms", "300000")]);
    killed_twice(&stage, &variant(2, "configure-loop"), "configure", "configure", &[1]);
}

#[test]
fn while_it_is_warmed_up() {
    let stage = stage("kill-warm-up", &[("transform.timeout.ms", "300000")]);
    // The second time there are no records to warm it up with, and none come.
    killed_twice(&stage, &variant(2, "loop"), "warm_up", "probation", &[1]);
}

#[test]
fn while_it_is_on_probation() {
    let stage = stage("kill-probation", &[]);
    killed_twice(&stage, &variant(2, "stamp"), "probation", "probation", &[1, 2]);
}

/// After the kill the newest good version of the history runs, or the candidate, which passed the gates.
#[track_caller]
fn goes_on(stage: &Stage, candidate: &[u8]) {
    let good = stage.history()["good"].as_array().unwrap().last().unwrap().clone();
    let mut sluice = ready(stage);
    assert!(sluice.logged(&["starting connector", good.as_str().unwrap()]).is_ok(), "{good} did not run first");
    stage.produce(100);
    stage.finish(&mut sluice);
    let current = stage.transform(&sluice)["current"]["digest"].clone();
    assert!(current == good || current == digest(candidate), "{current} runs, {good} is good");
    sluice.stop();
    none_is_lost(stage, &[1, 2]);
}

#[test]
fn while_it_is_promoted() {
    let stage = stage("kill-promote", &[("transform.probation.ms", "1")]);
    let two = variant(2, "stamp");
    let mut sluice = stage.started();
    stage.replace(&two);
    sluice.until("probation", |_| stage.is_at(&two, "probation").or_else(|_| is_good(&stage, &two)));
    stage.produce(1);
    sluice.until("the promotion", |_| is_good(&stage, &two));
    sluice.kill();
    goes_on(&stage, &two);
}

fn is_good(stage: &Stage, module: &[u8]) -> Result<(), Value> {
    let history = stage.history();
    let good = history["good"].as_array().unwrap();
    if good.contains(&digest(module).into()) { Ok(()) } else { Err(history) }
}

#[test]
fn while_it_is_taken_back() {
    let stage = stage("kill-back", &[]);
    let two = variant(2, "trap-at-10000");
    let mut sluice = stage.started();
    stage.replace(&two);
    sluice.until("probation", |_| stage.is_at(&two, "probation"));
    stage.produce(12_000);
    // What the task has done; the controller may or may not have saved it.
    sluice.until("the way back", |sluice| {
        sluice.logged(&["another version of the transform runs", &digest(&variant(1, "stamp"))])
    });
    sluice.kill();
    goes_on(&stage, &two);
}

#[test]
fn while_it_is_rolled_back_by_hand() {
    let stage = stage("kill-rollback", &[("transform.probation.ms", "0")]);
    let two = variant(2, "stamp");
    let mut sluice = stage.started();
    assert_eq!(json(&stage.upload(&sluice, &two, ""))["outcome"], "switched");
    stage.produce(10);
    stage.finish(&mut sluice);
    let before = stage.history();
    // Not answered before the change is saved, so whoever kills at the first sign of it kills in the middle.
    let url = stage.url(&sluice, "/rollback");
    let asked = thread::spawn(move || drop(crate::support::http::post(&url, "")));
    sluice.until("the history to change", |_| if stage.history() == before { Err("the same") } else { Ok(()) });
    sluice.kill();
    asked.join().unwrap();
    goes_on(&stage, &two);
}

#[test]
fn while_an_upload_is_kept() {
    let stage = stage("kill-upload", &[]);
    let two = variant(2, "stamp");
    let mut sluice = stage.started();
    let sent = stage.send(&sluice, &two);
    let file = stage.shelf().join(format!("{}.wasm", digest(&two)));
    sluice.until("its bytes on the disk", |_| if file.exists() { Ok(()) } else { Err("not yet") });
    sluice.kill();
    drop(sent);
    goes_on(&stage, &two);
}

#[test]
fn at_twenty_moments_in_a_stream_of_swaps() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let stage = stage("kill-random", &[("transform.probation.ms", "30")]);
    let mut number = 1;
    let mut offered = vec![1];
    stage.started().stop();
    for _ in 0..20 {
        let mut sluice = ready(&stage);
        stage.produce(200);
        let end = std::time::Instant::now() + Duration::from_millis(random.u64(0..1500));
        while std::time::Instant::now() < end {
            number += 1;
            match random.u32(0..4) {
                0 => stage.replace(&variant(number, "configure-error")),
                1 => drop(stage.roll_back(&sluice)),
                2 => {
                    stage.upload(&sluice, &variant(number, "stamp"), "");
                    offered.push(number);
                }
                _ => {
                    stage.replace(&variant(number, "stamp"));
                    offered.push(number);
                    sluice.until("its bytes to be seen", |sluice| {
                        let (state, seen) = (stage.transform(sluice), digest(&variant(number, "stamp")));
                        let found = state["history"].as_array().unwrap().iter().any(|entry| entry["digest"] == seen);
                        if found { Ok(()) } else { Err(state) }
                    });
                }
            }
            stage.produce(50);
        }
        sluice.kill();
        // Whatever is there is whole.
        let history = stage.history();
        let good = history["good"].as_array().unwrap();
        assert!(!good.is_empty(), "{history}");
        for digest in good {
            let file = stage.shelf().join(format!("{}.wasm", digest.as_str().unwrap()));
            assert_eq!(super::digest(&std::fs::read(file).unwrap()), *digest);
        }
    }
    let mut sluice = ready(&stage);
    stage.produce(100);
    stage.finish(&mut sluice);
    let last = variant(number + 1, "stamp");
    offered.push(number + 1);
    stage.replace(&last);
    sluice.until("the last one to run", |sluice| stage.runs(sluice, &last));
    stage.produce(100);
    stage.finish(&mut sluice);
    sluice.until("the last one to be promoted", |sluice| {
        equal(stage.transform(sluice)["state"].clone(), &"stable".into())
    });
    sluice.stop();
    none_is_lost(&stage, &offered);
}
