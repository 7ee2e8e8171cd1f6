//! Real files in temporary folders, and the watch's own thread.
#![allow(clippy::unwrap_used, reason = "tests")]

mod beside;
mod places;
mod styles;

use std::fs;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use tempfile::TempDir;

use super::*;

/// For what must come. Nothing else depends on it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Longer than any test: what comes earlier did not wait for it.
const NEVER: Duration = Duration::from_secs(3600);

/// Only events lead to looks, after the first one; no fault is ever told that may pass.
const BY_EVENTS: Timing = Timing {
    debounce: Duration::from_millis(50),
    writing: NEVER,
    settle: Duration::from_millis(100),
    misfit: NEVER,
    cut_off: NEVER,
    poll: NEVER,
};

/// For folders without events.
const BY_POLLS: Timing = Timing { poll: Duration::from_millis(20), ..BY_EVENTS };

/// A watched path in a folder of its own.
struct Rig {
    _dir: TempDir,
    root: PathBuf,
    path: PathBuf,
    seen: Receiver<Seen>,
    watch: FileWatch,
}

// === impl Rig ===

impl Rig {
    /// Module 0 is at `t.wasm`, and was told.
    fn new(timing: Timing, events: bool) -> Self {
        Self::with("t.wasm", timing, events, |rig| fs::write(rig.join("t.wasm"), module(0)).unwrap())
    }

    fn by_events() -> Self {
        Self::new(BY_EVENTS, true)
    }

    /// `prepare` puts module 0 where `path` leads to. That it was told shows that the folders are watched by now.
    fn with(path: &str, timing: Timing, events: bool, prepare: impl FnOnce(&PathBuf)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        prepare(&root);
        let path = root.join(path);
        let (tell, seen) = sync_channel(10_000);
        let watch = FileWatch::start_with(&path, None, timing, events, move |seen| {
            let _ = tell.send(seen);
        });
        let rig = Self { _dir: dir, root, path, seen, watch };
        rig.expect_module(0);
        rig
    }

    fn next(&self) -> Seen {
        self.seen.recv_timeout(PATIENCE).unwrap()
    }

    /// The next thing told is module `number`, and nothing else before it.
    fn expect_module(&self, number: usize) -> Found {
        match self.next() {
            Seen::Module(found) => {
                assert_eq!(number_of(&found.bytes), Some(number));
                assert_eq!(*found.digest, *digest(&found.bytes));
                found
            }
            other => panic!("{other:?}"),
        }
    }

    fn expect_gone(&self) {
        let next = self.next();
        assert!(matches!(next, Seen::Gone), "{next:?}");
    }

    fn expect_back(&self) {
        let next = self.next();
        assert!(matches!(next, Seen::Back), "{next:?}");
    }

    fn expect_unusable(&self, words: &str) {
        let next = self.next();
        assert!(matches!(&next, Seen::Unusable(text) if text.contains(words)), "{next:?}");
    }

    /// Atomically, as it is recommended.
    fn put(&self, number: usize) {
        fs::write(self.root.join("new.tmp"), module(number)).unwrap();
        fs::rename(self.root.join("new.tmp"), &self.path).unwrap();
    }

    fn beside(&self, ending: &str) -> PathBuf {
        PathBuf::from(format!("{}.{ending}", self.path.display()))
    }
}

/// A module of 20 sections that say `number`.
fn module(number: usize) -> Vec<u8> {
    let mut bytes = b"\0asm\x01\0\0\0".to_vec();
    for _ in 0..20 {
        bytes.extend(b"\0\x64\x06number");
        bytes.extend(format!("{number:0>93}").into_bytes());
    }
    bytes
}

/// Where the tenth section of any of them ends.
const SEAM: usize = 8 + 10 * 102;

/// That of a whole one.
fn number_of(bytes: &[u8]) -> Option<usize> {
    let number = std::str::from_utf8(bytes.get(bytes.len().checked_sub(93)?..)?).ok()?.parse().ok()?;
    (bytes == module(number)).then_some(number)
}

fn digest(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn what_is_known_is_not_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.wasm");
    fs::write(&path, module(0)).unwrap();
    let (tell, seen) = sync_channel(10);
    let known = digest(&module(0)).to_uppercase();
    let timing = Timing { poll: Duration::from_millis(20), ..BY_EVENTS };
    let _watch = FileWatch::start_with(&path, Some(&known), timing, true, move |seen| tell.send(seen).unwrap());
    fs::remove_file(&path).unwrap();
    assert!(matches!(seen.recv_timeout(PATIENCE).unwrap(), Seen::Gone));
    fs::write(&path, module(0)).unwrap();
    assert!(matches!(seen.recv_timeout(PATIENCE).unwrap(), Seen::Back));
    fs::write(&path, module(1)).unwrap();
    let Seen::Module(found) = seen.recv_timeout(PATIENCE).unwrap() else { panic!() };
    assert_eq!(number_of(&found.bytes), Some(1));
}

#[test]
fn dropping_the_watch_ends_its_thread() {
    let Rig { seen, watch, .. } = Rig::by_events();
    drop(watch);
    assert_eq!(seen.try_recv().unwrap_err(), std::sync::mpsc::TryRecvError::Disconnected);
    assert_eq!(seen.recv_timeout(PATIENCE).unwrap_err(), RecvTimeoutError::Disconnected);
}

#[test]
fn a_watch_of_the_ordinary_kind_tells_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let (tell, seen) = sync_channel(10);
    let watch = FileWatch::start(&dir.path().join("t.wasm"), None, move |seen| tell.send(seen).unwrap());
    watch.look_now();
    assert!(matches!(seen.recv_timeout(PATIENCE).unwrap(), Seen::Gone));
    fs::write(dir.path().join("t.wasm"), module(1)).unwrap();
    assert!(matches!(seen.recv_timeout(PATIENCE).unwrap(), Seen::Module(_)));
}
