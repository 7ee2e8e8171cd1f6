//! SIGHUP, SIGTERM in the middle of something, and the file while the connector runs.

use std::fs;
use std::os::unix::fs::symlink;

use super::stage::slow;
use super::{Stage, digest, variant};
use crate::support::sluice::Sluice;
use crate::support::wait::{equal, until};

#[test]
fn an_unwatched_file_is_looked_at_when_somebody_says_so() {
    let stage = Stage::with("hup", &[("transform.watch", "false")]);
    let mut sluice = stage.started();
    let (two, three) = (variant(2, "stamp"), variant(3, "stamp"));
    stage.replace(&two);
    // Nothing has come of it when other things that came later are done.
    assert_eq!(stage.upload(&sluice, b"no module", "").status, 422);
    stage.produce(10);
    stage.finish(&mut sluice);
    assert_eq!(stage.outcomes(&sluice, &two), [""; 0]);
    sluice.hang_up();
    sluice.until("the file to run", |sluice| stage.runs(sluice, &two));
    // On probation, and looked at again: that decides nothing.
    sluice.hang_up();
    fs::remove_file(stage.file()).unwrap();
    sluice.hang_up();
    sluice.until("the warning", |sluice| stage.warned(sluice, &["there is no file", stage.file().to_str().unwrap()]));
    assert_eq!(stage.history()["seen"], digest(&variant(1, "stamp")));
    // Back as it was when it was looked at last.
    sluice.stop();
    let mut sluice = stage.start();
    stage.warned(&sluice, &["there is no file", stage.file().to_str().unwrap()]).unwrap();
    stage.replace(&variant(1, "stamp"));
    sluice.hang_up();
    sluice.until("the warning to be gone", |sluice| equal(stage.warnings(sluice), &vec![]));
    stage.runs(&sluice, &variant(1, "stamp")).unwrap();
    stage.replace(&three);
    sluice.hang_up();
    sluice.until("the new file to run", |sluice| stage.runs(sluice, &three));
    sluice.until("the warning to be gone", |sluice| equal(stage.warnings(sluice), &vec![]));
    stage.produce(10);
    stage.finish(&mut sluice);
    sluice.stop();
    assert_eq!(stage.one_version_each()[&0], [1, 3]);
}

#[test]
fn a_look_that_is_asked_for_while_the_controller_is_busy_is_not_forgotten() {
    let settings = [("transform.watch", "false"), ("transform.timeout.ms", "2000")];
    let stage = Stage::with("hup-busy", &settings);
    let mut sluice = stage.started();
    let looping = variant(2, "configure-loop");
    let first = stage.send(&sluice, &looping);
    sluice.until("the candidate to loop", |_| stage.is_at(&looping, "configure"));
    let waiting: Vec<_> = (0..10).map(|_| stage.send(&sluice, b"no module")).collect();
    stage.replace(&variant(3, "stamp"));
    sluice.hang_up();
    sluice.until("the file to run", |sluice| stage.runs(sluice, &variant(3, "stamp")));
    drop((first, waiting));
}

#[test]
fn a_watched_file_is_looked_at_all_the_same() {
    let stage = Stage::with("hup-watch", &[]);
    let mut sluice = stage.started();
    stage.replace(&variant(2, "stamp"));
    sluice.hang_up();
    sluice.until("the file to run", |sluice| stage.runs(sluice, &variant(2, "stamp")));
    sluice.hang_up();
    sluice.until("the signal to be heard", |sluice| sluice.logged(&["SIGHUP"]));
    stage.produce(10);
    stage.finish(&mut sluice);
    sluice.stop();
    assert_eq!(stage.one_version_each()[&0], [1, 2]);
}

#[test]
fn a_file_that_is_deleted_is_missed_and_its_version_goes_on() {
    let stage = Stage::with("deleted", &[]);
    let mut sluice = stage.started();
    fs::remove_file(stage.file()).unwrap();
    sluice.until("the warning", |sluice| stage.warned(sluice, &["is gone", stage.file().to_str().unwrap()]));
    stage.produce(10);
    stage.finish(&mut sluice);
    stage.replace(&variant(1, "stamp"));
    sluice.until("the warning to be gone", |sluice| equal(stage.warnings(sluice), &vec![]));
    assert_eq!(stage.outcomes(&sluice, &variant(1, "stamp")), ["started"]);
    sluice.stop();
    assert_eq!(stage.one_version_each()[&0], [1]);
}

#[test]
fn a_config_map_is_followed() {
    let stage = Stage::new("configmap", 1);
    let volume = stage.folder().join("volume");
    let publish = |number: u32| {
        let version = volume.join(format!("..version-{number}"));
        fs::create_dir_all(&version).unwrap();
        fs::write(version.join("transform.wasm"), variant(number, "stamp")).unwrap();
        let next = volume.join("..data_tmp");
        symlink(version.file_name().unwrap(), &next).unwrap();
        fs::rename(next, volume.join("..data")).unwrap();
    };
    publish(1);
    let file = volume.join("transform.wasm");
    symlink("..data/transform.wasm", &file).unwrap();
    let stage = stage.set("transform.module", file.to_str().unwrap());
    let mut sluice = stage.started();
    publish(2);
    fs::remove_dir_all(volume.join("..version-1")).unwrap();
    sluice.until("the new version to run", |sluice| stage.runs(sluice, &variant(2, "stamp")));
    stage.produce(10);
    stage.finish(&mut sluice);
    assert_eq!(stage.outcomes(&sluice, &variant(2, "stamp")), ["on_probation"]);
    assert_eq!(stage.warnings(&sluice), [""; 0]);
    sluice.stop();
    assert_eq!(stage.one_version_each()[&0], [1, 2]);
}

/// Stopped while the candidate is at this step: in order, and it is not held against it.
fn stopped_at(stage: &Stage, candidate: &[u8], step: &str) {
    let mut sluice = stage.started();
    stage.replace(candidate);
    for stops in 1..4 {
        sluice.until("the step", |_| stage.is_at(candidate, step));
        let children = match step {
            // It may not have begun.
            "load" => until("a compiler", || Some(sluice.children()).filter(|found| !found.is_empty()).ok_or("none")),
            _ => sluice.children(),
        };
        sluice.stop();
        let left: Vec<_> = children.into_iter().filter(|child| is_compiler(*child)).collect();
        assert_eq!(left, [0; 0], "compilers are left");
        let history = stage.history();
        assert!(history["pending"].is_null() && history["died"].as_array().is_none_or(Vec::is_empty), "{history}");
        let outcomes: Vec<_> = history["entries"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|entry| entry["digest"] == digest(candidate))
            .collect();
        assert!(outcomes.iter().all(|entry| entry["outcome"] == "interrupted"), "{history}");
        if stops == 3 {
            break;
        }
        // The next start must not try it before anything runs: that would never end here.
        stage.replace(&variant(1, "stamp"));
        sluice = stage.start();
        sluice.until("the connector to be ready", Sluice::ready);
        stage.runs(&sluice, &variant(1, "stamp")).unwrap();
        stage.produce(100);
        stage.finish(&mut sluice);
        stage.replace(candidate);
    }
    assert_eq!(stage.one_version_each()[&0], [1]);
}

fn is_compiler(process: u32) -> bool {
    fs::read_to_string(format!("/proc/{process}/cmdline")).is_ok_and(|line| line.contains("compile"))
}

#[test]
fn a_stop_ends_the_compiler() {
    stopped_at(&Stage::with("stop-load", &[("transform.compile.timeout.ms", "600000")]), &slow(), "load");
}

#[test]
fn a_stop_ends_a_configure_that_loops() {
    let stage = Stage::with("stop-configure", &[("transform.timeout.ms", "300000")]);
    stopped_at(&stage, &variant(2, "configure-loop"), "configure");
}

#[test]
fn a_stop_ends_a_warm_up_that_loops() {
    let stage = Stage::with("stop-warm-up", &[("transform.timeout.ms", "300000")]);
    stopped_at(&stage, &variant(2, "loop"), "warm_up");
}

#[test]
fn an_end_because_every_task_has_failed_is_in_order_for_the_candidate() {
    let stage = Stage::with("stop-failed", &[("transform.timeout.ms", "300000")]);
    stage.replace(&variant(1, "reject-late"));
    let mut sluice = stage.started();
    let looping = variant(2, "configure-loop");
    // By file: an upload that waits for its answer would hold up the end.
    stage.replace(&looping);
    sluice.until("the candidate to loop", |_| stage.is_at(&looping, "configure"));
    // Too many for version 1, and nothing tolerates that: no task is left that would have to be waited for.
    stage.produce(12_000);
    assert_eq!(sluice.wait(), Some(1));
    let history = stage.history();
    assert!(history["pending"].is_null(), "{history}");
    let last = history["entries"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["digest"], &last["outcome"]), (&digest(&looping).into(), &"interrupted".into()), "{history}");
}
