//! The process dies after each single operation on the disk, of each sequence that a controller goes through.
//!
//! The folder is copied after each of them, once as it is (kill -9) and once with the content lost that was not synced (the machine dies).
//! A start from every copy must run a version that was good before or after the action under way, from bytes that are whole.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use super::*;
use crate::state::atomic::{Op, observed};

const CONFIGURED: &str = "t.wasm";

/// The files of the store's folder, by name. None at all: the folder wasn't there either.
type Folder = BTreeMap<String, Vec<u8>>;

/// A copy, and which operation was the last before it.
type Copies = Rc<RefCell<Vec<(String, Folder)>>>;

/// What a controller does, with everything that it keeps on the disk meanwhile.
#[derive(Debug, Clone, Copy)]
enum Action {
    /// A start, with this in the file.
    Start(&'static str),
    /// A candidate that passes.
    Promote(&'static str, Source),
    /// One that a gate refuses.
    Refuse(&'static str, Source),
    /// One that is taken back, and comes into quarantine or not.
    RollBack(&'static str, bool),
    /// Two, of which the second comes while the first is tried, and passes.
    Supersede(&'static str, &'static str),
    /// One during which the program is stopped.
    Stop(&'static str),
    /// One during which the process is killed, without any action of ours.
    Die(&'static str),
}

const ACTIONS: &[Action] = &[
    Action::Start("a"),
    Action::Promote("b", Source::File),
    Action::Start("b"),
    Action::Refuse("c", Source::File),
    Action::Refuse("c", Source::Upload),
    Action::RollBack("d", false),
    Action::RollBack("e", true),
    Action::Supersede("f", "g"),
    Action::Stop("h"),
    Action::Start("h"),
    Action::Promote("b", Source::Rollback),
    Action::Die("i"),
    Action::Start("i"),
    Action::Die("i"),
    Action::Start("i"),
    Action::Start("i"),
    // More than are kept, so that something is pruned.
    Action::Promote("j", Source::Upload),
    Action::Promote("k", Source::Upload),
    Action::Promote("l", Source::Upload),
    Action::Promote("m", Source::File),
    Action::Promote("n", Source::File),
    Action::Promote("o", Source::File),
    Action::Promote("p", Source::File),
    Action::Promote("q", Source::File),
    Action::Promote("r", Source::File),
    Action::Promote("s", Source::File),
    Action::Start("t"),
    Action::Promote("r", Source::Rollback),
];

/// A controller without connector: what it keeps, in the order that the store asks for.
struct Controller {
    store: Store,
    history: History,
    now: u64,
}

impl Controller {
    fn act(&mut self, action: Action) {
        match action {
            Action::Start(file) => self.start(file),
            Action::Promote(text, source) => {
                self.try_out(text, source);
                self.run(|history, now| _ = history.switch(Some(serde_json::json!({ "records": 5 })), now));
                self.decided(|history, now| _ = history.promote(now));
            }
            Action::Refuse(text, source) => {
                self.try_out(text, source);
                self.decided(|history, now| _ = history.refuse("no", None, now));
            }
            Action::RollBack(text, quarantine) => {
                self.try_out(text, Source::File);
                self.run(|history, now| _ = history.switch(None, now));
                self.decided(|history, now| _ = history.roll_back("it traps", quarantine, now));
            }
            Action::Supersede(first, second) => {
                self.try_out(first, Source::File);
                self.run(|history, now| _ = history.switch(None, now));
                self.act(Action::Promote(second, Source::Upload));
            }
            Action::Stop(text) => {
                self.try_out(text, Source::File);
                self.decided(|history, now| history.stop(now));
            }
            Action::Die(text) => self.try_out(text, Source::File),
        }
    }

    fn start(&mut self, file: &str) {
        let (digest, bytes) = module(file);
        self.history = self.store.load().unwrap();
        self.now += 1;
        let start = self.history.at_start(CONFIGURED, "s", Some(&digest), self.now);
        self.store.save(&self.history).unwrap();
        if start == Start::Configured {
            self.store.put_module(&digest, &bytes).unwrap();
            self.run(|history, now| history.begin(&digest, Source::Config, now));
            self.run(|history, _| history.step("compile"));
            self.decided(|history, now| history.started(CONFIGURED, &digest, now));
        }
        self.store.prune(&self.history.keeps()).unwrap();
    }

    /// Up to the last gate.
    fn try_out(&mut self, text: &str, source: Source) {
        let (digest, bytes) = module(text);
        self.store.put_module(&digest, &bytes).unwrap();
        self.run(|history, now| history.begin(&digest, source, now));
        for step in ["compile", "warm_up"] {
            self.run(|history, _| history.step(step));
        }
    }

    fn run(&mut self, note: impl FnOnce(&mut History, u64)) {
        self.now += 1;
        note(&mut self.history, self.now);
        self.store.save(&self.history).unwrap();
    }

    fn decided(&mut self, note: impl FnOnce(&mut History, u64)) {
        self.run(note);
        self.store.prune(&self.history.keeps()).unwrap();
    }
}

fn copy(folder: &Path) -> Folder {
    let Ok(files) = fs::read_dir(folder) else { return Folder::new() };
    let named = |file: io::Result<fs::DirEntry>| {
        let file = file.unwrap();
        (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap())
    };
    files.map(named).collect()
}

/// Copies the folder after each operation of `run`: as it is, and as it would be without what was not synced.
fn copied(folder: &Path, copies: &Copies, run: impl FnOnce()) {
    let (folder, copies) = (folder.to_owned(), Rc::clone(copies));
    let mut unsynced: BTreeSet<String> = BTreeSet::new();
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let observer = move |op: Op<'_>| {
        match op {
            Op::Created(path) => _ = unsynced.insert(name(path)),
            Op::Synced(path) | Op::Removed(path) => _ = unsynced.remove(&name(path)),
            Op::Renamed(from, to) if unsynced.remove(&name(from)) => _ = unsynced.insert(name(to)),
            Op::Renamed(..) | Op::Wrote(_) | Op::Made(_) | Op::FolderSynced(_) => {}
        }
        let files = copy(&folder);
        let mut lost = files.clone();
        lost.retain(|name, bytes| {
            if unsynced.contains(name) {
                bytes.clear();
            }
            true
        });
        let mut copies = copies.borrow_mut();
        for (how, copy) in [("the machine died", lost), ("killed", files)] {
            // Not what was there just now: syncing, for one, changes no file.
            if copies.last().is_none_or(|(_, last)| *last != copy) {
                copies.push((format!("{how} after {op:?}"), copy));
            }
        }
    };
    observed(observer, run);
}

/// What a start from this copy runs, with `file` there; `None` for what `transform.module` says.
fn started(store: &Store, files: &Folder, file: &str, what: &str) -> Option<String> {
    for name in names(store) {
        fs::remove_file(store.folder.join(name)).unwrap();
    }
    for (name, bytes) in files {
        fs::write(store.folder.join(name), bytes).unwrap();
    }
    let mut history = store.load().unwrap();
    let start = history.at_start(CONFIGURED, "s", Some(&module(file).0), 1_000_000);
    store.save(&history).unwrap();
    let runs = match start {
        Start::Configured => None,
        Start::Good(digest)
        | Start::Interrupted { fallback: digest, .. }
        | Start::Changed { fallback: digest, .. }
        | Start::Resumed { fallback: digest, .. } => {
            let (found, _) = store.last_good_module(&history).unwrap_or_else(|| panic!("{what}: no module at all"));
            assert_eq!(found, digest, "{what}: its bytes are gone");
            Some(digest)
        }
    };
    // And it goes on from there as if nothing had been.
    store.prune(&history.keeps()).unwrap();
    assert_eq!(store.load().unwrap(), history, "{what}");
    assert!(names(store).iter().all(|name| !name.contains("damaged") && !name.ends_with(".tmp")), "{what}");
    assert!(runs.is_none() || store.last_good_module(&history).is_some(), "{what}");
    runs
}

#[test]
fn a_start_runs_a_good_version_wherever_the_process_died() {
    let dir = tempfile::tempdir().unwrap();
    let copies = Copies::default();
    let folder = dir.path().join(FOLDER).join("prices");
    let mut controller = None;
    copied(&folder, &copies, || {
        controller =
            Some(Controller { store: Store::open(dir.path(), "prices").unwrap(), history: History::default(), now: 0 });
    });
    let mut controller = controller.unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let copy_of = Store::open(elsewhere.path(), "prices").unwrap();
    let mut tried = 0;
    for &action in ACTIONS {
        let before = controller.history.last_good().map(str::to_owned);
        copied(&folder, &copies, || controller.act(action));
        let after = controller.history.last_good().map(str::to_owned);
        for (op, files) in copies.take() {
            // With the file as it was at first, or with something new.
            let file = if tried % 3 == 0 { "a" } else { "z" };
            let what = format!("{action:?}, {op}, file {file}");
            let runs = started(&copy_of, &files, file, &what);
            assert!(runs == before || runs == after, "{what}: runs {runs:?}, not {before:?} or {after:?}");
            tried += 1;
        }
    }
    assert!(tried > 400, "{tried} starts");
    // The actions did what they say.
    assert_eq!(controller.history.last_good(), Some(module("r").0.as_str()));
    assert!(controller.history.is_quarantined(&module("e").0) && controller.history.is_quarantined(&module("i").0));
    assert!(controller.store.module(&module("c").0).unwrap().is_none(), "something was pruned");
    for outcome in [
        Outcome::Started,
        Outcome::Promoted,
        Outcome::Refused,
        Outcome::RolledBack,
        Outcome::Superseded,
        Outcome::Interrupted,
    ] {
        assert!(controller.history.entries.iter().any(|entry| entry.outcome == outcome), "{outcome:?}");
    }
}
