//! Somebody asks for the version before.

use super::look::{entries, go_back, history, runs_alone, swaps, take_over};
use super::{Stage, digest, variant};

#[test]
fn a_version_on_probation_is_taken_back_on_request_and_may_come_again() {
    let stage = Stage::new("swap-back", 1);
    let mut sluice = stage.start();
    let [first, second] = [1, 2].map(|number| variant(number, "stamp"));
    stage.produce(100);
    stage.finish(&mut sluice);
    for turn in 1..3 {
        take_over(&stage, &sluice, &second);
        stage.produce(100);
        stage.finish(&mut sluice);
        go_back(&stage, &sluice, &first);
        assert_eq!(swaps(&sluice, "rolled_back"), f64::from(turn));
        stage.last_entry(&sluice, &second, "rolled_back").unwrap();
        stage.produce(100);
        stage.finish(&mut sluice);
        runs_alone(&stage, &mut sluice, &first, 0.0);
    }
    let answer = stage.roll_back(&sluice);
    assert!(answer.status == 404 && answer.body.contains("no version before"), "{answer:?}");
    sluice.stop();
    assert!(stage.one_version_each().into_values().all(|course| course == [1, 2, 1, 2, 1]));
}

#[test]
fn each_request_goes_one_version_further_back() {
    let stage = Stage::new("swap-further", 2).set("transform.probation.ms", "0").set("tasks.max", "2");
    let mut sluice = stage.start();
    let [first, second, third] = [1, 2, 3].map(|number| variant(number, "stamp"));
    let round = |sluice: &mut _| {
        stage.produce(100);
        stage.finish(sluice);
    };
    round(&mut sluice);
    for next in [&second, &third] {
        take_over(&stage, &sluice, next);
        round(&mut sluice);
    }
    assert_eq!(stage.transform(&sluice)["previous"], digest(&second));
    go_back(&stage, &sluice, &second);
    assert_eq!(stage.transform(&sluice)["previous"], digest(&first));
    round(&mut sluice);
    go_back(&stage, &sluice, &first);
    assert_eq!(stage.transform(&sluice).get("previous"), None);
    round(&mut sluice);
    assert_eq!(stage.roll_back(&sluice).status, 404);
    runs_alone(&stage, &mut sluice, &first, 0.0);
    assert_eq!((swaps(&sluice, "promoted"), swaps(&sluice, "rolled_back")), (2.0, 2.0));
    let back = history(&stage, &sluice).into_iter().filter(|(_, outcome)| outcome == "rolled_back").collect::<Vec<_>>();
    assert_eq!(back, entries(&[(&third, "rolled_back"), (&second, "rolled_back")]));
    sluice.stop();
    assert!(stage.one_version_each().into_values().all(|course| course == [1, 2, 3, 2, 1]));
}

#[test]
fn a_restart_changes_nothing_about_going_back() {
    let stage = Stage::new("swap-back-later", 1).set("transform.probation.ms", "0");
    let [first, second, third] = [1, 2, 3].map(|number| variant(number, "stamp"));
    let sluice = stage.start();
    for next in [&second, &third] {
        take_over(&stage, &sluice, next);
    }
    sluice.stop();
    let sluice = stage.start();
    stage.runs(&sluice, &third).unwrap();
    go_back(&stage, &sluice, &second);
    sluice.stop();
    let sluice = stage.start();
    stage.runs(&sluice, &second).unwrap();
    go_back(&stage, &sluice, &first);
    sluice.stop();
    let mut sluice = stage.start();
    stage.runs(&sluice, &first).unwrap();
    assert_eq!(stage.roll_back(&sluice).status, 404);
    stage.produce(100);
    stage.finish(&mut sluice);
    sluice.stop();
    assert!(stage.one_version_each().into_values().all(|course| course == [1]));
}
