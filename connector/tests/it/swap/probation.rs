//! A version that turns out bad is taken back by itself, costs no record, and is not tried again.

use std::collections::BTreeSet;
use std::fs;

use super::look::{runs_alone, state, swaps, warnings, with_letters};
use super::{Stage, digest, variant};
use crate::support::letters::LetterTopic;
use crate::support::sluice::Sluice;

/// Version 1 has written, `bad` takes over by file and gets records until it is taken back. Gives back why, and everything is committed.
fn taken_back(stage: &Stage, sluice: &mut Sluice, bad: &[u8]) -> String {
    stage.produce(1_000);
    sluice.until("version 1 to write", |_| stage.has_written(1));
    stage.finish(sluice);
    stage.replace(bad);
    sluice.until("the new version to run", |sluice| stage.runs(sluice, bad));
    assert_eq!(state(stage, sluice), "on_probation");
    let entry = stage.under_load(|| {
        sluice.until("the new version to be taken back", |sluice| stage.last_entry(sluice, bad, "rolled_back"))
    });
    stage.produce(10);
    stage.finish(sluice);
    entry["reason"].as_str().unwrap().to_owned()
}

/// Version 1 runs again, and everybody is told why.
fn is_known_to_be_back(stage: &Stage, sluice: &mut Sluice, bad: &[u8], reason: &str) {
    runs_alone(stage, sluice, &variant(1, "stamp"), 1.0);
    assert_eq!(swaps(sluice, "rolled_back"), 1.0);
    assert_eq!(swaps(sluice, "promoted"), 0.0);
    let warnings = warnings(stage, sluice);
    for told in [&digest(bad), "was taken back", "refused until its bytes change"] {
        assert!(warnings.contains(told), "{told:?} is not told in {warnings}");
    }
    let quarantined = &stage.transform(sluice)["quarantined"];
    assert_eq!(quarantined[digest(bad)]["reason"], reason, "{quarantined}");
}

/// Every partition was version 1's, then version 2's, then version 1's again, for those that version 2 had at all.
fn there_and_back(courses: impl Iterator<Item = Vec<u32>>) {
    let courses: BTreeSet<_> = courses.collect();
    assert!(courses.contains(&vec![1, 2, 1]), "{courses:?}");
    assert!(courses.iter().all(|course| [&[1][..], &[1, 2, 1]].contains(&&course[..])), "{courses:?}");
}

#[test]
fn a_version_that_traps_later_is_taken_back_and_costs_no_record() {
    let letters = LetterTopic::unmade("swap-trap");
    let stage = with_letters(Stage::new("swap-trap", 2), &letters);
    let mut sluice = stage.start();
    let bad = variant(2, "trap-at-10000");
    let reason = taken_back(&stage, &mut sluice, &bad);
    assert!(reason.contains("on which the version before works"), "{reason}");
    is_known_to_be_back(&stage, &mut sluice, &bad, &reason);
    sluice.stop();
    there_and_back(stage.one_version_each().into_values());
    assert!(letters.all().is_empty(), "version 1 works on every record");
}

#[test]
fn what_was_taken_back_is_refused_until_its_bytes_change() {
    let stage = Stage::new("swap-again", 2);
    let mut sluice = stage.start();
    let bad = variant(2, "trap-at-10000");
    taken_back(&stage, &mut sluice, &bad);
    let answer = stage.upload(&sluice, &bad, "");
    assert!(answer.status == 409 && answer.body.contains("was taken back before"), "{answer:?}");
    assert_eq!(stage.upload(&sluice, &bad, "?dry-run=true").status, 409);
    assert_eq!(swaps(&sluice, "refused"), 1.0, "a dry run is no swap");
    // So that the file's watch sees other bytes in between.
    fs::remove_file(stage.file()).unwrap();
    let gone = |sluice: &Sluice| match warnings(&stage, sluice) {
        told if told.contains("is gone") => Ok(told),
        told => Err(told),
    };
    sluice.until("the file to be gone", gone);
    stage.replace(&variant(1, "stamp"));
    sluice.until("the file to be back", |sluice| gone(sluice).map_or_else(|_| Ok(()), Err));
    stage.replace(&bad);
    sluice.until("the same bytes to be refused", |sluice| match swaps(sluice, "refused") {
        2.0 => Ok(()),
        other => Err(other),
    });
    assert!(warnings(&stage, &sluice).contains("was taken back before"));
    stage.runs(&sluice, &variant(1, "stamp")).unwrap();
    let good = variant(3, "stamp");
    stage.replace(&good);
    sluice.until("other bytes to run", |sluice| stage.runs(sluice, &good));
    assert!(!warnings(&stage, &sluice).contains("was taken back before"));
    stage.produce(10);
    stage.finish(&mut sluice);
    sluice.stop();
    assert!(stage.one_version_each().into_values().all(|course| course.last() == Some(&3)));
}

/// Refused records of a version that refuses too many are dead letters of that version, as many as it was taken back for.
fn refuses_too_many(test: &str, mode: &str) {
    let letters = LetterTopic::unmade(test);
    let stage = with_letters(Stage::new(test, 2), &letters).set("transform.shadow.require", "none");
    let mut sluice = stage.start();
    let bad = variant(2, mode);
    let reason = taken_back(&stage, &mut sluice, &bad);
    is_known_to_be_back(&stage, &mut sluice, &bad, &reason);
    sluice.stop();
    let words: Vec<_> = reason.split(' ').collect();
    assert_eq!([words[1], words[3], words[4], words[5]], ["of", "records", "were", "refused;"], "{reason}");
    let [errors, records]: [usize; 2] = [words[0], words[2]].map(|word| word.parse().unwrap());
    let letters = letters.all();
    assert_eq!(letters.len(), errors, "of {records} records");
    // One batch too many at the most: that which showed it.
    assert!(errors <= records / 100 + 4096, "{errors} of {records}");
    for letter in &letters {
        assert_eq!(letter.header("sluice.module.digest"), digest(&bad));
    }
    let refused: BTreeSet<_> = letters.iter().map(|letter| letter.origin()).collect();
    let made = stage.made();
    let without: BTreeSet<_> = made.iter().filter(|(_, made)| made.is_empty()).map(|(&at, _)| at).collect();
    assert_eq!(refused, without);
    assert!(made.values().all(|made| made.len() <= 1));
    assert!(made.values().any(|made| made == &[2]));
    let last: BTreeSet<_> =
        (0..2).map(|partition| made.range((partition, 0)..(partition + 1, 0)).last().unwrap().1).collect();
    assert_eq!(last, BTreeSet::from([&vec![1]]));
}

#[test]
fn a_version_that_refuses_everything_later_is_taken_back() {
    refuses_too_many("swap-late", "reject-late");
}

#[test]
fn a_version_that_refuses_a_tenth_is_taken_back() {
    refuses_too_many("swap-tenth", "reject-tenth");
}

/// Without tolerance a refused record would stop the task.
fn without_tolerance(test: &str, mode: &str) {
    let stage = Stage::new(test, 2);
    let mut sluice = stage.start();
    let bad = variant(2, mode);
    let reason = taken_back(&stage, &mut sluice, &bad);
    assert!(reason.contains("a record was refused"), "{reason}");
    is_known_to_be_back(&stage, &mut sluice, &bad, &reason);
    sluice.ready().unwrap();
    sluice.stop();
    there_and_back(stage.one_version_each().into_values());
}

#[test]
fn a_refused_record_of_a_new_version_does_not_stop_the_task() {
    without_tolerance("swap-none-reject", "reject-late");
}

#[test]
fn a_bad_line_of_a_new_version_does_not_stop_the_task() {
    without_tolerance("swap-none-line", "bad-line-late");
}

#[test]
fn a_new_version_is_not_blamed_for_a_record_that_the_one_before_fails_on_too() {
    let letters = LetterTopic::unmade("swap-poison");
    // A moment, which begins with the first record: the poison comes before that.
    let stage = with_letters(Stage::new("swap-poison", 1), &letters).set("transform.probation.ms", "1");
    fs::write(stage.file(), variant(1, "trap-on-poison")).unwrap();
    let mut sluice = stage.start();
    stage.produce(1_000);
    stage.finish(&mut sluice);
    let new = variant(2, "trap-on-poison");
    stage.replace(&new);
    sluice.until("the new version to run", |sluice| stage.runs(sluice, &new));
    stage.produce_value(0, "poison");
    sluice.until("the poison to be decided", |_| match letters.all() {
        letters if letters.len() == 1 => Ok(()),
        letters => Err(letters),
    });
    assert_eq!(state(&stage, &sluice), "on_probation");
    stage.produce(100);
    sluice.until("the new version to be promoted", |sluice| stage.last_entry(sluice, &new, "promoted"));
    stage.finish(&mut sluice);
    sluice.stop();
    let letters = letters.all();
    assert_eq!((letters.len(), letters[0].origin()), (1, (0, 1_000)));
    assert_eq!(letters[0].header("sluice.module.digest"), digest(&new));
    let made = stage.made();
    assert!(made.iter().all(|(&at, made)| (at == (0, 1_000)) == made.is_empty()));
    assert_eq!(made[&(0, 1_001)], [2]);
}
