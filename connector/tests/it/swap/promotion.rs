//! Probation that ends well.

use super::look::{entries, history, runs_alone, state, swaps, take_over};
use super::{Stage, digest, variant};

#[test]
fn probation_begins_with_the_first_record() {
    let stage = Stage::new("swap-promote", 2).set("transform.probation.ms", "1");
    let mut sluice = stage.start();
    let [old, new] = [1, 2].map(|number| variant(number, "stamp"));
    let done = take_over(&stage, &sluice, &new);
    assert_eq!((&done["probation_ms"], &done["tasks_changed"]), (&1.into(), &1.into()));
    // Something else for the controller to do, after which it looks at the probation.
    assert_eq!(stage.upload(&sluice, &variant(3, "stamp"), "?dry-run=true").status, 200);
    let seen = stage.transform(&sluice);
    assert_eq!(seen["state"], "on_probation");
    assert!(seen["probation"].get("elapsed_ms").is_none() && seen["probation"]["records"] == 0, "{seen}");
    assert_eq!((&seen["probation"]["stable"], &seen["previous"]), (&digest(&old).into(), &digest(&old).into()));
    assert_eq!(sluice.metrics().sum("sluice_transform_on_probation", &[]), 1.0);
    assert_eq!(swaps(&sluice, "promoted"), 0.0);
    stage.produce(100);
    sluice.until("the promotion", |sluice| stage.last_entry(sluice, &new, "promoted"));
    runs_alone(&stage, &mut sluice, &new, 0.0);
    assert_eq!((swaps(&sluice, "promoted"), swaps(&sluice, "rolled_back"), swaps(&sluice, "refused")), (1.0, 0.0, 0.0));
    assert_eq!(stage.transform(&sluice)["previous"], digest(&old));
    let wanted = entries(&[(&old, "started"), (&new, "on_probation"), (&new, "promoted")]);
    assert_eq!(history(&stage, &sluice), wanted);
    stage.produce(100);
    stage.finish(&mut sluice);
    sluice.stop();
    assert!(stage.one_version_each().into_values().all(|course| course == [2]));
}

#[test]
fn without_probation_a_version_is_promoted_at_once() {
    let stage = Stage::new("swap-at-once", 1).set("transform.probation.ms", "0");
    let mut sluice = stage.start();
    stage.produce(100);
    stage.finish(&mut sluice);
    let new = variant(2, "stamp");
    let done = take_over(&stage, &sluice, &new);
    assert_eq!(done["probation_ms"], 0);
    assert_eq!(state(&stage, &sluice), "stable");
    stage.last_entry(&sluice, &new, "promoted").unwrap();
    runs_alone(&stage, &mut sluice, &new, 0.0);
    assert_eq!(swaps(&sluice, "promoted"), 1.0);
    stage.produce(100);
    stage.finish(&mut sluice);
    sluice.stop();
    assert!(stage.one_version_each().into_values().all(|course| course == [1, 2]));
}
