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
