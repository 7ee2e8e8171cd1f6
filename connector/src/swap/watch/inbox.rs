//! What the watch's thread has to be told of: events that concern the file, and the words to look and to stop. Its size is bounded by the
//! number of names that matter, however many events there are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};

use super::chain::Chain;

/// What an event says about one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// Bytes were written, and the writer may not be done.
    Writing,
    /// A writer has closed the file.
    Closed,
    /// The entry leads elsewhere now, or to nothing.
    Replaced,
    /// Times, owner or rights.
    Touched,
}

/// The last change of one path.
#[derive(Debug, Clone, Copy)]
pub(super) struct Note {
    pub(super) change: Change,
    pub(super) at: Instant,
}

/// What has come since the last time.
#[derive(Debug, Default)]
pub(super) struct News {
    pub(super) notes: BTreeMap<PathBuf, Note>,
    /// Watched folders that were deleted or moved.
    pub(super) lost: BTreeSet<PathBuf>,
    /// When events were lost, or may have been.
    pub(super) unclear: Option<Instant>,
    pub(super) look_now: bool,
    pub(super) stop: bool,
}

/// Filled by the thread that hears events and by [`super::FileWatch`], emptied by the watch's thread.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    inner: Mutex<Inner>,
    filled: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    chain: Chain,
    news: News,
}

// === impl Change ===

impl Change {
    /// Whether the path may lead to another file than before.
    pub(super) fn moves(self) -> bool {
        matches!(self, Self::Replaced)
    }

    /// `None` for what changes nothing, such as our own reading.
    fn of(kind: EventKind) -> Option<Self> {
        match kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => Some(Self::Closed),
            EventKind::Access(_) => None,
            EventKind::Modify(ModifyKind::Data(_)) => Some(Self::Writing),
            EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)) => {
                Some(Self::Replaced)
            }
            EventKind::Modify(_) | EventKind::Any | EventKind::Other => Some(Self::Touched),
        }
    }
}

// === impl Inbox ===

impl Inbox {
    /// From now on only events that concern `chain` are taken.
    pub(super) fn set_chain(&self, chain: &Chain) {
        self.lock().chain.clone_from(chain);
    }

    /// Takes what the system tells, and wakes the thread if it matters.
    pub(super) fn hear(&self, event: notify::Result<notify::Event>, at: Instant) {
        let mut inner = self.lock();
        let wake = match event {
            Ok(event) if event.need_rescan() => inner.unclear(at),
            Ok(event) => Change::of(event.kind).is_some_and(|change| inner.note_all(&event.paths, change, at)),
            Err(_) => inner.unclear(at),
        };
        drop(inner);
        if wake {
            self.filled.notify_one();
        }
    }

    /// Asks for a look.
    pub(super) fn look_now(&self) {
        self.lock().news.look_now = true;
        self.filled.notify_one();
    }

    /// Asks the thread to end.
    pub(super) fn stop(&self) {
        self.lock().news.stop = true;
        self.filled.notify_one();
    }

    /// All that has come. The word to stop stays.
    pub(super) fn take(&self) -> News {
        let mut inner = self.lock();
        let stop = inner.news.stop;
        std::mem::replace(&mut inner.news, News { stop, ..News::default() })
    }

    /// Sleeps until something comes, at most until `until`.
    pub(super) fn wait(&self, until: Instant) {
        let pause = until.saturating_duration_since(Instant::now());
        let woken = self.filled.wait_timeout_while(self.lock(), pause, |inner| inner.news.is_empty());
        drop(woken.unwrap_or_else(PoisonError::into_inner));
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl News ===

impl News {
    fn is_empty(&self) -> bool {
        self.notes.is_empty() && self.lost.is_empty() && self.unclear.is_none() && !self.look_now && !self.stop
    }
}

// === impl Inner ===

impl Inner {
    /// Whether one of them concerns us.
    fn note_all(&mut self, paths: &[PathBuf], change: Change, at: Instant) -> bool {
        let mut concerns = false;
        for path in paths {
            concerns |= self.note(path, change, at);
        }
        concerns
    }

    fn note(&mut self, path: &Path, change: Change, at: Instant) -> bool {
        let lost = change == Change::Replaced && self.chain.has(path);
        if lost {
            self.news.lost.insert(path.to_owned());
            self.unclear(at);
        }
        let concerns = self.chain.concerns(path);
        if concerns {
            let note = self.news.notes.entry(path.to_owned()).or_insert(Note { change, at });
            // A touch says nothing about whether somebody writes, so what was said before stays.
            *note = Note { change: if change == Change::Touched { note.change } else { change }, at };
        }
        lost || concerns
    }

    fn unclear(&mut self, at: Instant) -> bool {
        self.news.unclear = Some(at);
        true
    }
}

#[cfg(test)]
mod tests {
    use notify::event::{CreateKind, DataChange, Event, Flag, MetadataKind, RemoveKind};

    use super::*;

    const WRITTEN: EventKind = EventKind::Modify(ModifyKind::Data(DataChange::Any));
    const TOUCHED: EventKind = EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any));
    const CLOSED: EventKind = EventKind::Access(AccessKind::Close(AccessMode::Write));

    /// Waits for the file `t.wasm` in a folder of its own.
    fn inbox() -> (tempfile::TempDir, PathBuf, Inbox) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let inbox = Inbox::default();
        inbox.set_chain(&Chain::of([root.join("t.wasm").as_path()]));
        (dir, root, inbox)
    }

    fn hear(inbox: &Inbox, kind: EventKind, path: PathBuf) {
        inbox.hear(Ok(Event::new(kind).add_path(path)), Instant::now());
    }

    #[test]
    fn only_what_concerns_the_file_wakes() {
        let (_dir, root, inbox) = inbox();
        for name in ["other.wasm", "t.wasm~", "sub/t.wasm"] {
            hear(&inbox, WRITTEN, root.join(name));
            hear(&inbox, EventKind::Create(CreateKind::File), root.join(name));
        }
        hear(&inbox, EventKind::Access(AccessKind::Open(AccessMode::Any)), root.join("t.wasm"));
        hear(&inbox, TOUCHED, root);
        assert!(inbox.take().is_empty());
    }

    #[test]
    fn the_last_change_of_a_path_counts_and_a_touch_leaves_it() {
        let (_dir, root, inbox) = inbox();
        for (kinds, last) in [
            (&[WRITTEN, TOUCHED][..], Change::Writing),
            (&[WRITTEN, CLOSED], Change::Closed),
            (&[WRITTEN, CLOSED, WRITTEN], Change::Writing),
            (&[WRITTEN, EventKind::Remove(RemoveKind::File), TOUCHED], Change::Replaced),
            (&[TOUCHED], Change::Touched),
        ] {
            for kind in kinds {
                hear(&inbox, *kind, root.join("t.wasm"));
            }
            let news = inbox.take();
            let changes: Vec<_> = news.notes.values().map(|note| note.change).collect();
            assert_eq!((changes, news.unclear.is_some()), (vec![last], false), "{kinds:?}");
        }
    }

    #[test]
    fn lost_folders_lost_events_and_errors_are_told() {
        let (_dir, root, inbox) = inbox();
        hear(&inbox, EventKind::Remove(RemoveKind::Folder), root.clone());
        let news = inbox.take();
        assert!(news.lost.contains(&root) && news.unclear.is_some());
        inbox.hear(Ok(Event::new(EventKind::Other).set_flag(Flag::Rescan)), Instant::now());
        assert!(inbox.take().unclear.is_some());
        inbox.hear(Err(notify::Error::generic("x")), Instant::now());
        assert!(inbox.take().unclear.is_some());
    }

    #[test]
    fn the_word_to_stop_stays() {
        let inbox = Inbox::default();
        inbox.stop();
        assert!(inbox.take().stop && inbox.take().stop);
    }
}
