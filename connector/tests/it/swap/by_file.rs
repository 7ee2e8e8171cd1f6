//! The module's file changes.

use super::{Stage, variant};

#[test]
fn a_new_file_takes_over_under_load_without_a_gap() {
    let stage = Stage::new("swap-file", 4);
    let mut sluice = stage.start();
    stage.under_load(|| {
        sluice.until("version 1 to write", |_| stage.has_written(1));
        for number in 2..5 {
            stage.replace(&variant(number, "stamp"));
            sluice.until("the new version to write", |_| stage.has_written(number));
        }
    });
    stage.produce(10);
    stage.finish(&mut sluice);
    sluice.stop();
    let courses = stage.one_version_each();
    assert!(courses.values().all(|course| course.is_sorted()), "{courses:?}");
    assert!(courses.values().any(|course| course == &[1, 2, 3, 4]), "{courses:?}");
}

#[test]
fn a_version_that_doubles_its_lines_is_told_of_and_refused_where_nothing_may_differ() {
    for (require, outcome) in [("no-new-rejects", "on_probation"), ("equal", "refused")] {
        let stage = Stage::new(&format!("swap-double-{outcome}"), 1).set("transform.shadow.require", require);
        let mut sluice = stage.start();
        stage.produce(100);
        stage.finish(&mut sluice);
        let doubles = variant(2, "double");
        stage.replace(&doubles);
        let entry = sluice.until("the new version to be decided", |sluice| stage.last_entry(sluice, &doubles, outcome));
        assert_eq!(entry["report"]["lines"]["added"], 100, "{entry}");
        sluice.stop();
    }
}

#[test]
fn a_version_that_differs_in_a_custom_section_only_is_another_version() {
    let stage = Stage::new("swap-custom", 1).set("transform.shadow.require", "equal");
    let mut sluice = stage.start();
    stage.produce(100);
    stage.finish(&mut sluice);
    let same = [&variant(1, "stamp")[..], b"\0\x05\x04note"].concat();
    stage.replace(&same);
    let entry = sluice.until("it to take over", |sluice| stage.last_entry(sluice, &same, "on_probation"));
    assert_eq!((&entry["report"]["lines"]["equal"], &entry["report"]["lines"]["differing"]), (&100.into(), &0.into()));
    stage.produce(10);
    stage.finish(&mut sluice);
    sluice.stop();
    assert_eq!(stage.one_version_each()[&0], [1], "its lines are those of the version before");
}
