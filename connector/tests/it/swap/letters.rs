//! Dead letters say which version made what was refused.

use std::collections::BTreeSet;

use super::look::{take_over, with_letters};
use super::{Stage, digest, variant};
use crate::support::letters::LetterTopic;
use crate::support::points::LONG_AGO_MS;

#[test]
fn a_line_that_influxdb_refuses_is_the_fault_of_the_version_that_made_it() {
    let letters = LetterTopic::unmade("swap-letters");
    let stage = with_letters(Stage::new("swap-letters", 1), &letters).set("transform.shadow.require", "none");
    // In the shard of the records the field holds text: the lines of either version are refused, and none is worse.
    stage.database.write(&format!("hostile value_bytes=\"text\" {}", (LONG_AGO_MS - 1) * 1_000_000));
    let mut sluice = stage.start();
    stage.produce(300);
    stage.finish(&mut sluice);
    let [old, new] = [variant(1, "stamp"), variant(2, "other-type")];
    // Without a break in between: lines of the old version are on their way when the new one takes over.
    stage.produce(1_000);
    take_over(&stage, &sluice, &new);
    stage.produce(300);
    stage.finish(&mut sluice);
    sluice.stop();
    let letters = letters.all();
    assert_eq!(letters.len(), 1_600);
    let mut versions = BTreeSet::new();
    for letter in letters {
        let line = letter.header("sluice.line");
        let (number, module) = if line.contains("version=1") { (1, &old) } else { (2, &new) };
        assert!(line.starts_with(&format!("hostile,version={number} ")), "{line}");
        assert_eq!(letter.header("sluice.module.digest"), digest(module), "{line}");
        versions.insert(number);
    }
    assert_eq!(versions, BTreeSet::from([1, 2]));
}

#[test]
fn a_version_whose_lines_influxdb_refuses_is_taken_back() {
    let letters = LetterTopic::unmade("swap-refused-lines");
    let stage = with_letters(Stage::new("swap-refused-lines", 1), &letters).set("transform.shadow.require", "none");
    let mut sluice = stage.start();
    stage.produce(300);
    stage.finish(&mut sluice);
    let bad = variant(2, "other-type");
    take_over(&stage, &sluice, &bad);
    // All at once: no batch comes after their refusal.
    stage.produce(300);
    let entry = sluice.until("the roll-back", |sluice| stage.last_entry(sluice, &bad, "rolled_back"));
    assert!(entry["reason"].as_str().unwrap().contains("records were refused"), "{entry}");
    stage.produce(300);
    stage.finish(&mut sluice);
    sluice.stop();
    for letter in letters.all() {
        assert_eq!(letter.header("sluice.module.digest"), digest(&bad));
    }
    let made = stage.made();
    let refused = made.values().filter(|made| made.is_empty()).count();
    assert_eq!(refused, letters.all().len());
    assert_eq!(made.last_key_value().unwrap().1, &[1]);
}
