//! Every folder of `examples/` does what its `expected.txt` says.

mod dead_letters;
mod hot_swap;
mod scene;

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::root;
use crate::support::swap::digest;

use scene::Scene;

/// Examples whose steps have a test of their own.
const WITH_STEPS: [&str; 2] = ["dead-letters", "hot-swap"];

fn folders() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("examples")).unwrap().map(|entry| entry.unwrap().path());
    // A user's own build may have left a target folder.
    entries.filter(|path| path.is_dir() && !path.ends_with("target")).collect()
}

fn name(folder: &Path) -> &str {
    folder.file_name().unwrap().to_str().unwrap()
}

#[test]
fn every_example_gives_its_expected_points() {
    let folders = folders();
    let names: Vec<_> = folders.iter().map(|folder| name(folder)).collect();
    assert!(WITH_STEPS.iter().all(|special| names.contains(special)), "{names:?}");
    let table = fs::read_to_string(root().join("examples/README.md")).unwrap();
    for name in &names {
        assert!(table.contains(&format!("| [{name}]({name}) | ")), "{name} is missing in examples/README.md");
    }
    for name in names.iter().filter(|name| !WITH_STEPS.contains(name)) {
        let scene = Scene::new(name);
        scene.produce("records.txt");
        let mut sluice = scene.start();
        scene.gives(&mut sluice);
        sluice.stop();
        assert_eq!(scene.at_end(), Ok(()), "{name}");
    }
}

#[test]
fn a_module_that_is_kept_is_made_from_the_sources_beside_it() {
    let kept = folders().into_iter().filter(|folder| folder.join(format!("{}.wasm", name(folder))).exists());
    let kept: Vec<_> = kept.collect();
    assert!(!kept.is_empty());
    for folder in kept {
        let list = fs::read_to_string(folder.join("sources.sha256")).unwrap();
        for line in list.lines() {
            let (sum, file) = line.split_once("  ").unwrap();
            assert_eq!(
                digest(&fs::read(folder.join(file)).unwrap()),
                sum,
                "{file} has changed since examples/{} was built: run the script `build` there",
                name(&folder)
            );
        }
    }
}
