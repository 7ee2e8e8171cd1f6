//! `examples/dead-letters`, step by step as its README has them.

use crate::support::kafka::Topic;

use super::scene::{Scene, module};

/// Runs `sluice dlq …` for the example; it ends with `code` and tells all of `words`.
#[track_caller]
fn tells(scene: &Scene, arguments: &[&str], code: i32, words: &[&str]) {
    let mut command = scene.command(&["dlq", arguments[0], "--connector", scene.file()]);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SLUICE_")) {
        command.env_remove(name);
    }
    let output = command.args(&arguments[1..]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert!(words.iter().all(|word| told.contains(word)), "{words:?} are not all in: {told}");
}

#[test]
fn letters_are_listed_shown_and_replayed_with_a_mended_module() {
    // Made here, so that nothing of an earlier run is in it.
    let letters = Topic::create_named("dead-letters-example-dlq", 1);
    let scene = Scene::new("dead-letters");
    scene.produce("records.txt");
    let mut sluice = scene.start();
    scene.gives(&mut sluice);
    sluice.until("every record to be written or a letter", |_| scene.at_end());
    sluice.stop();

    let summary = format!("3 letters in {}: 3 transform", letters.name);
    tells(&scene, &["list"], 0, &[&summary, "1 × value has no separator ','", "2 × price is not a decimal number"]);
    tells(&scene, &["show", "0:0"], 0, &["dead-letters-example-0@1", "value has no separator ','", "ETH-USD;1467.35"]);

    let module = module("dead-letters-mended");
    let replay = ["replay", "--module", module.to_str().unwrap()];
    let dry = [&replay[..], &["--dry-run"]].concat();
    tells(&scene, &dry, 1, &["2 letters would be written (2 lines)", "1 still fail"]);
    assert_eq!(scene.has(&["expected.txt"]), Ok(()), "a dry run writes nothing");
    tells(
        &scene,
        &replay,
        1,
        &["still fails 0:2 dead-letters-example-0@4", "2 letters written (2 lines)", "1 still fail"],
    );
    assert_eq!(scene.has(&["expected.txt", "expected-replayed.txt"]), Ok(()));
}
