use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::swap::history::{Outcome, Source, Start};

mod killed;

/// A module's bytes and their digest.
fn module(text: &str) -> (String, Vec<u8>) {
    // More than one piece, so that a process may die in the middle of it.
    let bytes = text.as_bytes().repeat(5_000);
    (sha256(&bytes), bytes)
}

/// A store in which `a` was the first and `b` is the last good version.
fn filled(state: &Path) -> (Store, History) {
    let store = Store::open(state, "prices").unwrap();
    let mut history = History::default();
    let (a, b) = (module("a"), module("b"));
    for (digest, bytes) in [&a, &b] {
        store.put_module(digest, bytes).unwrap();
    }
    history.started("t.wasm", &a.0, 1_764_000_000_000);
    history.begin(&b.0, Source::Upload, 1_764_000_000_001);
    history.switch(Some(serde_json::json!({ "records": 3 })), 1_764_000_000_002);
    history.promote(1_764_000_000_003);
    store.save(&history).unwrap();
    (store, history)
}

/// The names in the store's folder, in order.
fn names(store: &Store) -> Vec<String> {
    let files = fs::read_dir(&store.folder).unwrap();
    let mut names: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_is_saved_is_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let empty = Store::open(dir.path(), "orders").unwrap();
    assert_eq!(empty.load().unwrap(), History::default());
    assert!(empty.last_good_module(&History::default()).is_none());

    let (_, history) = filled(dir.path());
    let store = Store::open(dir.path(), "prices").unwrap();
    assert_eq!(store.load().unwrap(), history);
    assert_eq!(store.last_good_module(&history), Some(module("b")));
    assert_eq!(store.module(&module("c").0).unwrap(), None);
}

#[test]
fn nobody_else_may_read_it() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = filled(dir.path());
    assert_eq!((mode(&store.folder), mode(&dir.path().join(FOLDER))), (0o700, 0o700));
    for name in names(&store) {
        assert_eq!(mode(&store.folder.join(&name)), 0o600, "{name}");
    }
}

/// The file is part of what operators see: its names stay.
#[test]
fn a_person_can_read_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut history) = filled(dir.path());
    let c = module("c").0;
    history.begin(&c, Source::File, 1_764_000_000_004);
    history.step("compile");
    store.save(&history).unwrap();
    let text = fs::read_to_string(store.folder.join(HISTORY_FILE)).unwrap();
    let (a, b) = (module("a").0, module("b").0);
    let expected = format!(
        r#"{{
  "format": 1,
  "about": "{ABOUT}",
  "configured": "t.wasm",
  "settings": "",
  "seen": "{a}",
  "good": [
    "{a}",
    "{b}"
  ],
  "pending": {{
    "digest": "{c}",
    "source": "file",
    "step": "compile",
    "since_ms": 1764000000004
  }},
  "quarantined": {{}},
  "died": [],
  "entries": [
    {{
      "digest": "{a}",
      "at_ms": 1764000000000,
      "source": "config",
      "outcome": "started"
    }},
    {{
      "digest": "{b}",
      "at_ms": 1764000000002,
      "source": "upload",
      "outcome": "on_probation",
      "report": {{
        "records": 3
      }}
    }},
    {{
      "digest": "{b}",
      "at_ms": 1764000000003,
      "source": "upload",
      "outcome": "promoted"
    }}
  ]
}}
"#
    );
    assert_eq!(text, expected);
}

#[test]
fn a_history_cut_off_anywhere_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let (store, history) = filled(dir.path());
    let path = store.folder.join(HISTORY_FILE);
    let whole = fs::read(&path).unwrap();
    // Without the last line's end it says all it has to.
    for length in 0..whole.len() - 1 {
        fs::write(&path, &whole[..length]).unwrap();
        assert_eq!(store.load().unwrap(), History::default(), "{length}");
        assert!(!path.exists(), "{length}");
        let aside: Vec<_> =
            names(&store).into_iter().filter(|name| name.starts_with("history.json.damaged-")).collect();
        assert_eq!(aside.len(), 1);
        assert_eq!(fs::read(store.folder.join(&aside[0])).unwrap(), &whole[..length], "it is kept for a person");
        fs::remove_file(store.folder.join(&aside[0])).unwrap();
    }
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    assert_eq!(store.load().unwrap(), history);
}

#[test]
fn a_history_that_no_program_wrote_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = filled(dir.path());
    let path = store.folder.join(HISTORY_FILE);
    let whole = fs::read_to_string(&path).unwrap();
    let replaced = |from: &str, to: &str| whole.replacen(from, to, 1).into_bytes();
    let bad = [
        b"\0\xff\xfe".to_vec(),
        b"[]".to_vec(),
        b"{}".to_vec(),
        b"null".to_vec(),
        replaced("\"format\": 1", "\"format\": 0"),
        replaced("\"format\": 1", "\"format\": \"1\""),
        replaced("promoted", "celebrated"),
        replaced("1764000000003", "-1"),
        // It would be the name of a file.
        replaced(&module("b").0, "../../../etc/passwd"),
        replaced(&module("a").0, &module("a").0.to_uppercase()),
    ];
    for bytes in bad {
        fs::write(&path, &bytes).unwrap();
        assert_eq!(store.load().unwrap(), History::default(), "{}", String::from_utf8_lossy(&bytes));
        assert!(!path.exists());
    }
    assert_eq!(names(&store).iter().filter(|name| name.contains(".damaged-")).count(), 10);
}

#[test]
fn a_history_of_a_newer_program_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = filled(dir.path());
    let path = store.folder.join(HISTORY_FILE);
    // Nothing of it is the same but that it says its format.
    let newer = r#"{"format": 2, "good": {"nested": true}, "entries": "elsewhere"}"#;
    fs::write(&path, newer).unwrap();
    let before = names(&store);
    let error = store.load().unwrap_err();
    assert!(matches!(error, StoreError::Newer { format: 2, .. }), "{error}");
    let error = error.to_string();
    assert!(error.contains("format 2") && error.contains("reads 1") && error.contains("history.json"), "{error}");
    assert_eq!((names(&store), fs::read_to_string(&path).unwrap().as_str()), (before, newer));
}

#[test]
fn a_history_that_cannot_be_written_stays_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let (store, history) = filled(dir.path());
    let mut later = history.clone();
    later.begin(&module("c").0, Source::Upload, 9);
    // Not writable for root either, as little as a full disk is.
    fs::create_dir(store.folder.join(".history.json.tmp")).unwrap();
    let error = store.save(&later).unwrap_err().to_string();
    assert!(error.contains("history.json") && error.contains("disk") && error.contains("state.dir"), "{error}");
    assert_eq!(store.load().unwrap(), history);
    fs::create_dir(store.folder.join(format!(".{}.wasm.tmp", module("c").0))).unwrap();
    store.put_module(&module("c").0, &module("c").1).unwrap_err();
    assert_eq!(store.module(&module("c").0).unwrap(), None);
}

#[test]
fn a_damaged_module_is_not_used_and_can_be_put_right() {
    let dir = tempfile::tempdir().unwrap();
    let (store, history) = filled(dir.path());
    let (digest, bytes) = module("b");
    let path = store.module_path(&digest);
    let mut flipped = bytes.clone();
    flipped[17] ^= 1;
    for damaged in [&flipped[..], &bytes[1..], &bytes[..1], &[]] {
        fs::write(&path, damaged).unwrap();
        assert_eq!(store.module(&digest).unwrap(), None);
        assert!(!path.exists());
        assert_eq!(store.last_good_module(&history), Some(module("a")), "the one before it");
    }
    assert_eq!(names(&store).iter().filter(|name| name.contains(".wasm.damaged-")).count(), 4);

    fs::write(&path, &flipped).unwrap();
    store.put_module(&digest, &bytes).unwrap();
    assert_eq!(store.last_good_module(&history), Some((digest, bytes)));
}

#[test]
fn a_module_that_is_there_is_not_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = filled(dir.path());
    let (digest, bytes) = module("b");
    // Nothing could be written.
    fs::create_dir(store.folder.join(format!(".{digest}.wasm.tmp"))).unwrap();
    store.put_module(&digest, &bytes).unwrap();
}

#[test]
fn the_bytes_of_one_module_are_not_kept_as_another() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = filled(dir.path());
    let before = names(&store);
    let error = store.put_module(&module("c").0, &module("a").1).unwrap_err();
    assert!(matches!(error, StoreError::Digest { .. }), "{error}");
    assert_eq!(names(&store), before);
}

#[test]
fn a_good_module_that_cannot_be_read_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let (store, history) = filled(dir.path());
    let path = store.module_path(&module("b").0);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let error = store.module(&module("b").0).unwrap_err().to_string();
    assert!(error.contains(".wasm"), "{error}");
    assert_eq!(store.last_good_module(&history), Some(module("a")));
    fs::remove_file(store.module_path(&module("a").0)).unwrap();
    assert_eq!(store.last_good_module(&history), None);
}

#[test]
fn no_file_but_a_module_is_read_as_one() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = filled(dir.path());
    let bytes = b"not ours";
    fs::write(dir.path().join("x.wasm"), bytes).unwrap();
    for digest in ["../../x", "", ".", &sha256(bytes).to_uppercase()] {
        assert_eq!(store.module(digest).unwrap(), None, "{digest}");
    }
    assert_eq!(fs::read(dir.path().join("x.wasm")).unwrap(), bytes, "nor set aside");
}

#[test]
fn what_nobody_needs_is_removed_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let (store, history) = filled(dir.path());
    let (c, kept) = (module("c").0, module("a").0);
    let superfluous = [
        format!("{c}.wasm"),
        format!("{c}.wasm.damaged-5"),
        format!(".{kept}.wasm.tmp"),
        ".history.json.tmp".to_owned(),
    ];
    let mine = ["history.json.damaged-7".to_owned(), format!("{kept}.wasm.damaged-6"), "notes.wasm".to_owned()];
    let before = names(&store);
    for name in superfluous.iter().chain(&mine) {
        fs::write(store.folder.join(name), "x").unwrap();
    }
    // One that can't be removed keeps none of the others.
    fs::create_dir(store.folder.join(".x.tmp")).unwrap();
    let error = store.prune(&history.keeps()).unwrap_err().to_string();
    assert!(error.contains(".x.tmp"), "{error}");
    fs::remove_dir(store.folder.join(".x.tmp")).unwrap();
    let mut expected: Vec<_> = before.into_iter().chain(mine).collect();
    expected.sort();
    assert_eq!(names(&store), expected);
    store.prune(&history.keeps()).unwrap();
    assert_eq!(names(&store), expected);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(FOLDER), "").unwrap();
    let error = Store::open(dir.path(), "prices").unwrap_err().to_string();
    assert!(error.contains("state.dir") && error.contains(FOLDER), "{error}");
}

#[test]
fn the_next_start_knows_what_was_under_way() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut history) = filled(dir.path());
    let c = module("c");
    store.put_module(&c.0, &c.1).unwrap();
    history.begin(&c.0, Source::Upload, 9);
    store.save(&history).unwrap();
    let mut history = store.load().unwrap();
    let start = history.at_start("t.wasm", "", Some(&module("a").0), 10);
    assert_eq!(start, Start::Interrupted { fallback: module("b").0, retry: false });
    assert_eq!(history.entries.last().unwrap().outcome, Outcome::Interrupted);
}
