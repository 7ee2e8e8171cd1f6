//! Another candidate comes while one is on probation.

use super::look::{entries, history, runs_alone, state, swaps, take_over};
use super::{Stage, digest, variant};
use crate::support::sluice::Sluice;

#[test]
fn a_version_that_superseded_one_on_probation_goes_back_to_the_one_before_both() {
    let stage = Stage::new("swap-super", 1);
    let mut sluice = stage.start();
    let [first, second, third] =
        [(1, "stamp"), (2, "stamp"), (3, "trap-at-10000")].map(|(number, mode)| variant(number, mode));
    stage.produce(500);
    stage.finish(&mut sluice);
    take_over(&stage, &sluice, &second);
    stage.produce(500);
    stage.finish(&mut sluice);
    assert_eq!(take_over(&stage, &sluice, &third)["previous"], digest(&second));
    assert_eq!(stage.transform(&sluice)["previous"], digest(&first));
    stage.under_load(|| sluice.until("the roll-back", |sluice| stage.last_entry(sluice, &third, "rolled_back")));
    stage.produce(10);
    stage.finish(&mut sluice);
    runs_alone(&stage, &mut sluice, &first, 1.0);
    let wanted = [
        (&first[..], "started"),
        (&second, "on_probation"),
        (&second, "superseded"),
        (&third, "on_probation"),
        (&third, "rolled_back"),
    ];
    assert_eq!(history(&stage, &sluice), entries(&wanted));
    // Nothing is held against the one that was superseded.
    take_over(&stage, &sluice, &second);
    sluice.stop();
    assert!(stage.one_version_each().into_values().all(|course| course == [1, 2, 3, 1]));
}

/// Two candidates that are refused: no module, and one that refuses records.
fn refused(stage: &Stage, sluice: &Sluice) {
    for candidate in [b"no module".to_vec(), variant(9, "reject-tenth")] {
        let answer = stage.upload(sluice, &candidate, "");
        assert_eq!(answer.status, 422, "{}", answer.body);
    }
    assert_eq!(swaps(sluice, "refused"), 2.0);
}

#[test]
fn a_refused_candidate_does_not_end_a_probation_that_ends_well() {
    let stage = Stage::new("swap-refused", 1).set("transform.probation.ms", "1");
    let mut sluice = stage.start();
    stage.produce(500);
    stage.finish(&mut sluice);
    let [first, second] = [1, 2].map(|number| variant(number, "stamp"));
    take_over(&stage, &sluice, &second);
    refused(&stage, &sluice);
    stage.runs(&sluice, &second).unwrap();
    assert_eq!(state(&stage, &sluice), "on_probation");
    stage.produce(500);
    sluice.until("the promotion", |sluice| stage.last_entry(sluice, &second, "promoted"));
    runs_alone(&stage, &mut sluice, &second, 0.0);
    let junk = b"no module".to_vec();
    let wanted = [
        (&first[..], "started"),
        (&second, "on_probation"),
        (&junk, "refused"),
        (&variant(9, "reject-tenth"), "refused"),
        (&second, "promoted"),
    ];
    assert_eq!(history(&stage, &sluice), entries(&wanted));
    stage.finish(&mut sluice);
    sluice.stop();
    assert!(stage.one_version_each().into_values().all(|course| course == [1, 2]));
}

#[test]
fn a_refused_candidate_does_not_end_a_probation_that_ends_badly() {
    let stage = Stage::new("swap-refused-bad", 1);
    let mut sluice = stage.start();
    stage.produce(500);
    stage.finish(&mut sluice);
    let [first, bad] = [(1, "stamp"), (2, "trap-at-10000")].map(|(number, mode)| variant(number, mode));
    take_over(&stage, &sluice, &bad);
    refused(&stage, &sluice);
    stage.under_load(|| sluice.until("the roll-back", |sluice| stage.last_entry(sluice, &bad, "rolled_back")));
    stage.produce(10);
    stage.finish(&mut sluice);
    runs_alone(&stage, &mut sluice, &first, 1.0);
    sluice.stop();
    assert!(stage.one_version_each().into_values().all(|course| course == [1, 2, 1]));
}
