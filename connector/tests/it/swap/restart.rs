//! What runs after a restart: in order, with another file, without one.

use serde_json::Value;

use super::stage::json;
use super::{Stage, digest, variant};
use crate::sandbox;
use crate::support::http;
use crate::support::letters::LetterTopic;
use crate::support::services;
use crate::support::sluice::Sluice;
use crate::support::wait::equal;

/// Records one by one, after which the next start has something to do.
fn produce(stage: &Stage, sluice: &mut Sluice) {
    stage.produce(10);
    stage.finish(sluice);
}

#[test]
fn the_version_that_ran_last_runs_again_also_if_it_was_uploaded() {
    let stage = Stage::with("again", &[("transform.probation.ms", "0")]);
    let mut sluice = stage.started();
    assert_eq!(json(&stage.upload(&sluice, &variant(2, "stamp"), ""))["outcome"], "switched");
    produce(&stage, &mut sluice);
    let before = stage.transform(&sluice);
    sluice.stop();

    let mut sluice = stage.start();
    sluice.until("the connector to be ready", Sluice::ready);
    let after = stage.transform(&sluice);
    assert_eq!(after["current"]["digest"], digest(&variant(2, "stamp")));
    assert_eq!((&after["state"], &after["history"]), (&"stable".into(), &before["history"]));
    assert_eq!(stage.warnings(&sluice), [""; 0]);
    produce(&stage, &mut sluice);
    // And the one before is still there to go back to.
    assert_eq!(json(&stage.roll_back(&sluice))["digest"], digest(&variant(1, "stamp")));
    sluice.stop();
    let sluice = stage.start();
    stage.runs(&sluice, &variant(1, "stamp")).unwrap();
    assert_eq!(stage.one_version_each()[&0], [1, 2]);
}

#[test]
fn an_upload_on_probation_is_taken_up_again_after_an_orderly_stop() {
    let stage = Stage::with("resumed", &[]);
    let (mut sluice, two) = (stage.started(), variant(2, "stamp"));
    assert_eq!(json(&stage.upload(&sluice, &two, ""))["outcome"], "switched");
    produce(&stage, &mut sluice);
    sluice.stop();
    stage.produce(10);
    let mut sluice = stage.start();
    let state = stage.transform(&sluice);
    assert_eq!(
        (&state["state"], &state["current"]["digest"]),
        (&"on_probation".into(), &digest(&two).into()),
        "{state}"
    );
    assert_eq!(state["previous"], digest(&variant(1, "stamp")));
    assert_eq!(stage.warnings(&sluice), [""; 0]);
    stage.finish(&mut sluice);
    assert_eq!(json(&stage.roll_back(&sluice))["digest"], digest(&variant(1, "stamp")));
    produce(&stage, &mut sluice);
    sluice.stop();
    assert_eq!(stage.one_version_each()[&0], [1, 2, 1]);
}

#[test]
fn a_file_that_changed_meanwhile_is_measured_against_what_the_version_before_refused() {
    let letters = LetterTopic::unmade("swap-measured");
    let mut stage = Stage::with("measured", &[]);
    stage.connector = stage.connector.with_letters(&letters);
    std::fs::write(stage.file(), variant(1, "reject-tenth")).unwrap();
    let mut sluice = stage.started();
    stage.produce(2_000);
    stage.finish(&mut sluice);
    sluice.stop();
    // It refuses as many.
    stage.replace(&variant(2, "reject-tenth"));
    stage.produce(2_000);
    let mut sluice = stage.start();
    stage.finish(&mut sluice);
    let state = stage.transform(&sluice);
    assert_eq!((&state["state"], &state["quarantined"]), (&"on_probation".into(), &serde_json::json!({})), "{state}");
    assert!(state["probation"]["errors"].as_u64().unwrap() >= 100, "{state}");
}

#[test]
fn a_file_that_changed_meanwhile_runs_from_the_first_record_and_may_fall_back() {
    let stage = Stage::with("changed", &[]);
    stage.started().stop();
    stage.replace(&variant(2, "stamp"));
    stage.produce(10);
    let mut sluice = stage.start();
    let state = stage.transform(&sluice);
    let (one, two) = (digest(&variant(1, "stamp")), digest(&variant(2, "stamp")));
    assert_eq!((&state["state"], &state["current"]["digest"]), (&"on_probation".into(), &two.into()), "{state}");
    assert_eq!((&state["previous"], &state["history"][1]["source"]), (&one.clone().into(), &"file".into()), "{state}");
    stage.finish(&mut sluice);
    assert_eq!(json(&stage.roll_back(&sluice))["digest"], one);
    produce(&stage, &mut sluice);
    sluice.stop();
    assert_eq!(stage.one_version_each()[&0], [1, 2, 1]);
    // It was decided upon.
    let sluice = stage.start();
    stage.runs(&sluice, &variant(1, "stamp")).unwrap();
}

#[test]
fn a_version_on_probation_at_an_orderly_stop_is_tried_again_and_not_blamed() {
    let stage = Stage::with("stopped", &[]);
    let two = variant(2, "stamp");
    let mut sluice = stage.started();
    stage.replace(&two);
    sluice.until("the new version to run", |sluice| stage.runs(sluice, &two));
    for stops in 1..4 {
        sluice.stop();
        sluice = stage.start();
        let state = stage.transform(&sluice);
        assert_eq!((&state["state"], &state["current"]["digest"]), (&"on_probation".into(), &digest(&two).into()));
        let outcomes = stage.outcomes(&sluice, &two);
        assert_eq!(outcomes, [["on_probation", "interrupted"].repeat(stops), vec!["on_probation"]].concat());
    }
    produce(&stage, &mut sluice);
    sluice.stop();
    assert_eq!(stage.one_version_each()[&0], [1, 2]);
}

#[test]
fn a_file_that_was_broken_meanwhile_is_refused_once_and_told() {
    let stage = Stage::with("broken", &[]);
    stage.started().stop();
    let broken = variant(2, "configure-error");
    stage.replace(&broken);
    for _ in 0..2 {
        let mut sluice = stage.start();
        sluice.until("the connector to be ready", Sluice::ready);
        stage.runs(&sluice, &variant(1, "stamp")).unwrap();
        assert_eq!(stage.outcomes(&sluice, &broken), ["refused"]);
        produce(&stage, &mut sluice);
        sluice.stop();
    }
    // Told by the start that refused it.
    std::fs::write(stage.file(), variant(3, "configure-error")).unwrap();
    let mut sluice = stage.start();
    let words = [digest(&variant(3, "configure-error")), "refused (configure)".to_owned()];
    stage.warned(&sluice, &words.each_ref().map(String::as_str)).unwrap();
    // Mended while it runs.
    stage.replace(&variant(4, "stamp"));
    sluice.until("the mended file to run", |sluice| stage.runs(sluice, &variant(4, "stamp")));
    sluice.until("the warning to be gone", |sluice| equal(stage.warnings(sluice), &vec![]));
    produce(&stage, &mut sluice);
    sluice.stop();
    assert_eq!(stage.one_version_each()[&0], [1, 4]);
}

#[test]
fn without_its_file_the_last_version_runs_and_the_old_bytes_are_nothing_new_when_they_are_back() {
    let stage = Stage::with("gone", &[("transform.probation.ms", "0")]);
    let mut sluice = stage.started();
    assert_eq!(json(&stage.upload(&sluice, &variant(2, "stamp"), ""))["outcome"], "switched");
    produce(&stage, &mut sluice);
    sluice.stop();
    std::fs::remove_file(stage.file()).unwrap();

    let mut sluice = stage.start();
    sluice.until("the connector to be ready", Sluice::ready);
    stage.runs(&sluice, &variant(2, "stamp")).unwrap();
    let file = stage.file();
    sluice.until("the warning", |sluice| stage.warned(sluice, &[file.to_str().unwrap(), "is gone"]));
    stage.replace(&variant(1, "stamp"));
    sluice.until("the warning to be gone", |sluice| equal(stage.warnings(sluice), &vec![]));
    produce(&stage, &mut sluice);
    stage.runs(&sluice, &variant(2, "stamp")).unwrap();
    sluice.stop();
    assert_eq!(stage.one_version_each()[&0], [1, 2]);
}

#[test]
fn another_module_in_the_settings_begins_anew() {
    let stage = Stage::with("other", &[]);
    stage.started().stop();
    let other = stage.folder().join("other.wasm");
    std::fs::write(&other, variant(5, "stamp")).unwrap();
    let stage = stage.set("transform.module", other.to_str().unwrap());
    let mut sluice = stage.start();
    let state = stage.transform(&sluice);
    assert_eq!(
        (&state["state"], &state["current"]["digest"]),
        (&"stable".into(), &digest(&variant(5, "stamp")).into())
    );
    assert_eq!((&state["configured"], &state["previous"]), (&other.to_str().unwrap().into(), &Value::Null));
    assert_eq!(state["history"].as_array().unwrap().len(), 2, "what was is remembered: {state}");
    produce(&stage, &mut sluice);
    sluice.stop();
    assert_eq!(stage.one_version_each()[&0], [1, 5]);
    let stage = stage.set("transform.module", "builtin:split-concat");
    let sluice = stage.start();
    assert_eq!(stage.transform(&sluice)["configured"], "builtin:split-concat");
    assert_eq!(json(&stage.roll_back(&sluice))["gate"], "unknown", "nothing is good but the new one");
}

#[test]
fn a_version_in_quarantine_is_not_run_because_it_lies_in_the_file() {
    let stage = Stage::with("quarantine", &[]);
    let mut sluice = stage.started();
    let bad = variant(2, "trap-at-10000");
    assert_eq!(json(&stage.upload(&sluice, &bad, ""))["outcome"], "switched");
    stage.produce(12_000);
    sluice.until("it to be taken back", |sluice| stage.last_entry(sluice, &bad, "rolled_back"));
    sluice.stop();
    stage.replace(&bad);
    let mut sluice = stage.start();
    stage.runs(&sluice, &variant(1, "stamp")).unwrap();
    stage.warned(&sluice, &[&digest(&bad), "refused until its bytes change"]).unwrap();
    stage.finish(&mut sluice);
    sluice.stop();
    assert_eq!(stage.one_version_each()[&0], [1, 2, 1]);
}

#[test]
fn without_a_state_folder_a_start_runs_the_file() {
    let stage = Stage::with("stateless", &[("transform.probation.ms", "0")]);
    let start = || Sluice::start_with(&[&stage.connector], &["--bootstrap-servers", services::kafka()]);
    let mut sluice = start();
    sluice.until("the connector to be ready", Sluice::ready);
    produce(&stage, &mut sluice);
    assert_eq!(json(&stage.upload(&sluice, &variant(2, "stamp"), ""))["outcome"], "switched");
    produce(&stage, &mut sluice);
    // Kept in memory as long as the process lives.
    assert_eq!(json(&stage.roll_back(&sluice))["digest"], digest(&variant(1, "stamp")));
    assert_eq!(json(&stage.put_known(&sluice, &variant(2, "stamp")))["outcome"], "switched");
    sluice.stop();
    let mut sluice = start();
    stage.runs(&sluice, &variant(1, "stamp")).unwrap();
    produce(&stage, &mut sluice);
    sluice.stop();
    assert_eq!(stage.one_version_each()[&0], [1, 2, 1]);
}

#[test]
fn two_connectors_with_the_same_file_swap_each_by_itself() {
    let stage = Stage::with("both", &[]);
    let mut other = Stage::with("both-other", &[("transform.require.digest", &digest(&variant(1, "stamp")))]);
    other.connector = other.connector.clone().set("transform.module", stage.file().to_str().unwrap());
    let state = stage.state();
    let arguments = ["--bootstrap-servers", services::kafka(), "--state-dir", state.to_str().unwrap()];
    let mut sluice = Sluice::start_with(&[&stage.connector, &other.connector], &arguments);
    sluice.until("the connectors to be ready", Sluice::ready);
    stage.replace(&variant(2, "stamp"));
    sluice.until("one to swap", |sluice| stage.runs(sluice, &variant(2, "stamp")));
    sluice.until("the other one to refuse", |sluice| other.last_entry(sluice, &variant(2, "stamp"), "refused"));
    other.runs(&sluice, &variant(1, "stamp")).unwrap();
    for (stage, version) in [(&stage, 2), (&other, 1)] {
        stage.produce(10);
        stage.finish(&mut sluice);
        assert_eq!(stage.one_version_each()[&0], [version]);
    }
    let answer = http::post(&other.url(&sluice, "/rollback"), "").unwrap();
    assert_eq!(answer.status, 404, "{answer:?}");
    assert_eq!(stage.roll_back(&sluice).status, 200);
}

#[test]
fn module_and_settings_may_change_together() {
    let stage = Stage::with("together", &[]);
    stage.replace(sandbox::core());
    stage.started().stop();
    // The old version refuses this setting, the new one does not know it.
    let stage = stage.set("transform.config.mode", "configure-error");
    let mut refused = stage.start();
    assert_eq!(refused.wait(), Some(2));
    assert!(refused.log().contains("refuses every configuration"), "{}", refused.log());
    stage.replace(&variant(2, "stamp"));
    let mut sluice = stage.start();
    let state = stage.transform(&sluice);
    assert_eq!(
        (&state["state"], &state["current"]["digest"]),
        (&"stable".into(), &digest(&variant(2, "stamp")).into())
    );
    stage.warned(&sluice, &[&digest(sandbox::core()), "can't run any more (configure)"]).unwrap();
    produce(&stage, &mut sluice);
    sluice.stop();
    let sluice = stage.start();
    stage.runs(&sluice, &variant(2, "stamp")).unwrap();
    assert_eq!(stage.warnings(&sluice), [""; 0]);
}
