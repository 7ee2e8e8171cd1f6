//! What a new version finds when it takes over.

use super::look::{swaps, take_over, with_letters};
use super::{Stage, digest, variant};
use crate::support::letters::LetterTopic;

#[test]
fn a_version_that_wants_keys_never_sees_a_batch_without_them() {
    let stage = Stage::new("swap-keys", 4).set("tasks.max", "2");
    let mut sluice = stage.start();
    let new = variant(2, "want-keys");
    stage.under_load(|| {
        sluice.until("version 1 to write", |_| stage.has_written(1));
        let done = take_over(&stage, &sluice, &new);
        assert!(done["report"]["records"].as_u64().unwrap() > 0, "warmed up without records: {done}");
        sluice.until("version 2 to write", |_| stage.has_written(2));
    });
    stage.produce(10);
    stage.finish(&mut sluice);
    stage.runs(&sluice, &new).unwrap();
    assert_eq!(swaps(&sluice, "rolled_back"), 0.0, "it traps on a batch without keys");
    sluice.stop();
    // A partition may have had no record before.
    assert!(stage.one_version_each().into_values().all(|course| course.is_sorted() && course.ends_with(&[2])));
}

#[test]
fn a_version_takes_over_from_one_that_fails_on_everything() {
    let letters = LetterTopic::unmade("swap-rest");
    let stage = with_letters(Stage::new("swap-rest", 1), &letters);
    let broken = variant(1, "panic");
    std::fs::write(stage.file(), &broken).unwrap();
    let mut sluice = stage.start();
    stage.produce(1_000);
    sluice.until("the rest", |sluice| match sluice.get_json("/health/ready") {
        (503, health) if health["tasks"][0]["state"] == "retrying" => Ok(()),
        other => Err(other),
    });
    let done = take_over(&stage, &sluice, &variant(2, "stamp"));
    assert_eq!(done["tasks_changed"], 1, "{done}");
    stage.finish(&mut sluice);
    sluice.until("the state after it", |sluice| sluice.ready());
    sluice.stop();
    let letters = letters.all();
    // `pipeline/breaker.rs`: so many records are condemned before the module is.
    assert_eq!(letters.len(), 16);
    for (letter, offset) in letters.iter().zip(0..) {
        assert_eq!((letter.origin(), letter.header("sluice.module.digest")), ((0, offset), digest(&broken)));
    }
    for ((_, offset), made) in stage.made() {
        assert_eq!(made, if offset < 16 { vec![] } else { vec![2] }, "offset {offset}");
    }
}
