#![allow(clippy::unwrap_used, reason = "tests")]

use std::cell::RefCell;
use std::rc::Rc;

use super::*;
use crate::registry::record::{Origin, Target};

fn record(name: &str, target: Target) -> Record {
    let config = [("name", name), ("influx.token", "${env:TOKEN}"), ("x", "a\"b\nc")];
    let config = config.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    Record { name: name.to_owned(), origin: Origin::Rest, target, tasks: 2, config }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_is_kept_is_read_again_and_fit_for_a_person() {
    let dir = tempfile::tempdir().unwrap();
    let store = ConnectorStore::open(dir.path()).unwrap();
    assert_eq!(store.load().unwrap(), []);
    let (b, a) = (record("b/ä", Target::Paused), record("a", Target::Running));
    store.save(&b).unwrap();
    store.save(&a).unwrap();
    assert_eq!(ConnectorStore::open(dir.path()).unwrap().load().unwrap(), [a, b.clone()]);
    let text = fs::read_to_string(store.path("b/ä")).unwrap();
    assert!(text.contains("\n  \"target\": \"PAUSED\"") && text.contains("\"format\": 1") && text.ends_with("}\n"));
    let stopped = Record { target: Target::Stopped, ..b };
    store.save(&stopped).unwrap();
    store.remove("a").unwrap();
    store.remove("a").unwrap();
    assert_eq!(store.load().unwrap(), [stopped]);
}

#[test]
fn a_file_that_is_cut_short_at_any_byte_is_set_aside_and_the_others_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let store = ConnectorStore::open(dir.path()).unwrap();
    let (whole, other) = (record("whole", Target::Running), record("other", Target::Stopped));
    store.save(&whole).unwrap();
    store.save(&other).unwrap();
    let bytes = fs::read(store.path("whole")).unwrap();
    // The last byte is the line's end, and not needed.
    for length in 0..bytes.len() - 1 {
        fs::write(store.path("whole"), &bytes[..length]).unwrap();
        assert_eq!(store.load().unwrap(), std::slice::from_ref(&other), "cut at {length}");
        let aside: Vec<_> = names(&store.folder).into_iter().filter(|name| name.contains(".damaged-")).collect();
        assert_eq!(aside.len(), 1, "cut at {length}");
        let aside = store.folder.join(&aside[0]);
        assert_eq!(fs::read(&aside).unwrap(), bytes[..length]);
        fs::remove_file(aside).unwrap();
    }
}

#[test]
fn a_process_that_ends_at_any_moment_of_a_write_leaves_the_old_or_the_new() {
    let dir = tempfile::tempdir().unwrap();
    let store = ConnectorStore::open(dir.path()).unwrap();
    let (old, new) = (record("c", Target::Running), record("c", Target::Paused));
    store.save(&old).unwrap();
    let moments = Rc::new(RefCell::new(Vec::new()));
    let (folder, seen) = (store.folder.clone(), Rc::clone(&moments));
    let look = move |_: atomic::Op<'_>| {
        let files = names(&folder).into_iter().map(|name| (name.clone(), fs::read(folder.join(name)).unwrap()));
        seen.borrow_mut().push(files.collect::<Vec<_>>());
    };
    atomic::observed(look, || store.save(&new)).unwrap();

    let mut found = Vec::new();
    for files in moments.borrow().iter() {
        // Of an unfinished write any part may have come to the disk.
        let unfinished = files.iter().find(|(name, _)| atomic::is_left_over(name)).map_or(0, |(_, bytes)| bytes.len());
        for length in 0..=unfinished {
            let copy = tempfile::tempdir().unwrap();
            let there = ConnectorStore::open(copy.path()).unwrap();
            for (name, bytes) in files {
                let kept = if atomic::is_left_over(name) { &bytes[..length] } else { bytes };
                fs::write(there.folder.join(name), kept).unwrap();
            }
            found.push(there.load().unwrap());
            assert_eq!(names(&there.folder), ["c.json"], "a start tidies up");
        }
    }
    assert!(found.len() > 100, "every byte was tried");
    assert!(found.iter().all(|found| *found == [old.clone()] || *found == [new.clone()]));
    assert_eq!((found.first().unwrap()[0].target, found.last().unwrap()[0].target), (Target::Running, Target::Paused));
}

#[test]
fn a_newer_programs_file_is_left_alone_and_one_under_another_name_is_not_started_twice() {
    let dir = tempfile::tempdir().unwrap();
    let store = ConnectorStore::open(dir.path()).unwrap();
    store.save(&record("c", Target::Running)).unwrap();
    fs::copy(store.path("c"), store.folder.join("copy.json")).unwrap();
    fs::write(store.folder.join("newer.json"), r#"{"format": 2, "name": ["newer"]}"#).unwrap();
    fs::write(store.folder.join("notes.txt"), "mine").unwrap();
    assert_eq!(store.load().unwrap(), [record("c", Target::Running)]);
    let names = names(&store.folder);
    assert!(names.contains(&"newer.json".to_owned()) && names.contains(&"notes.txt".to_owned()), "{names:?}");
    assert!(names.iter().any(|name| name.starts_with("copy.json.damaged-")), "{names:?}");
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let store = ConnectorStore::open(dir.path()).unwrap();
    fs::create_dir(store.path("c")).unwrap();
    let error = store.save(&record("c", Target::Running)).unwrap_err().to_string();
    assert!(error.contains("c.json") && error.contains("disk full"), "{error}");
}

#[test]
fn a_record_does_not_show_its_settings() {
    let mut record = record("c", Target::Running);
    record.config.insert("influx.password".to_owned(), "hunter2".to_owned());
    assert!(!format!("{record:?}").contains("hunter2"));
}
