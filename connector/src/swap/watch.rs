//! Watches the module's file and tells what is new there, whole or not at all.
//!
//! The folders are watched, never the file: a watch on a file stays with an inode that a rename or a symlink leaves behind. Watched is every
//! folder on whose entries the answer to "what is at this path?" depends, so that the double symlink of a Kubernetes ConfigMap is one case
//! of many (`chain`, `folders`). When to look, and what of it to tell, is decided by a state machine without IO (`state`), which learns of
//! events (`inbox`), of the file's stat every few seconds (for folders without events), and of what a look has found (`file`).
//!
//! A half-written file is never told. Against it stand, one behind the other: the wait for the writer to close the file, a time of quiet,
//! the file's own record of its last change, a stat before and after the reading, and a walk over the sections (`sections`). What can't be
//! told from a whole file is one whose writer died exactly between two sections, or, in a folder without events, paused there for seconds:
//! a digest beside the file rules that out.

mod chain;
mod error;
mod file;
mod folders;
mod inbox;
mod sections;
mod state;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use tracing::error;

pub use self::error::ReadError;
pub use self::file::{FILE_MAX_BYTES, SIGNATURE_MAX_BYTES, read};
use self::file::{Paths, Print};
use self::folders::Folders;
use self::inbox::Inbox;
use self::state::{State, Step, Timing};

/// What a look at the file found; each is told once, when it changes.
#[derive(Debug)]
pub enum Seen {
    /// A whole file with other bytes than those told before (or than `known` at the start), or with the same and another signature.
    Module(Found),
    /// There is no file (any more); told once until it is back. The same bytes back again: [`Seen::Back`].
    Gone,
    /// A file with the bytes that were told last is there again, after it was gone or could not be taken.
    Back,
    /// A file that can't be taken; the text says why and what to do.
    Unusable(String),
}

/// A module's bytes as they were read, once.
#[derive(Debug, Clone)]
pub struct Found {
    /// All of them.
    pub bytes: Arc<[u8]>,
    /// Their sha256 in lower-case hexadecimal.
    pub digest: Arc<str>,
    /// What `<file>.sig` holds, if it is there and not empty.
    pub signature: Option<Vec<u8>>,
}

/// Watches one file until it is dropped.
#[derive(Debug)]
pub struct FileWatch {
    inbox: Arc<Inbox>,
    thread: Option<JoinHandle<()>>,
}

/// What the watch's thread works with.
struct Watcher {
    paths: Paths,
    inbox: Arc<Inbox>,
    folders: Folders,
    state: State,
    /// For how long a file must be unchanged, by its own record, to be read.
    quiet: std::time::Duration,
}

// === impl FileWatch ===

impl FileWatch {
    /// Starts to watch `path`, which need not exist. `known` is the digest of the bytes that were seen last, which are not told again.
    /// `tell` is called on the watch's own thread, which does nothing else meanwhile: nothing is lost by taking long, only put off. Dropping
    /// the watch waits for a call that is under way, so `tell` must neither do that itself nor wait for whoever does.
    ///
    /// If the system has no thread left, an error is logged and nothing is watched.
    pub fn start(path: &Path, known: Option<&str>, tell: impl FnMut(Seen) + Send + 'static) -> Self {
        Self::start_with(path, known, Timing::default(), true, tell)
    }

    /// As [`FileWatch::start`], with other times, and without `events` if tests want a folder that has none.
    fn start_with(
        path: &Path,
        known: Option<&str>,
        timing: Timing,
        events: bool,
        tell: impl FnMut(Seen) + Send + 'static,
    ) -> Self {
        // Only an empty path or a process without a current folder has no absolute form; the looks then say what is wrong with it.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let inbox = Arc::new(Inbox::default());
        let watcher = Watcher {
            paths: Paths::of(&path),
            inbox: Arc::clone(&inbox),
            folders: Folders::new(Arc::clone(&inbox), events, timing.poll),
            quiet: timing.debounce,
            state: State::new(timing, known, Instant::now()),
        };
        let thread = thread::Builder::new().name("module-watch".to_owned()).spawn(move || watcher.run(tell));
        let thread = thread.inspect_err(|error| not_started(&path, error)).ok();
        Self { inbox, thread }
    }

    /// Looks now, without waiting for events or the slow poll, and tells what has changed. A file that somebody is writing at the moment
    /// is waited for all the same.
    pub fn look_now(&self) {
        self.inbox.look_now();
    }
}

impl Drop for FileWatch {
    fn drop(&mut self) {
        self.inbox.stop();
        if let Some(thread) = self.thread.take() {
            // It has failed only if `tell` has, which was reported then.
            let _ = thread.join();
        }
    }
}

fn not_started(path: &Path, error: &std::io::Error) {
    let path = path.display();
    error!(%path, %error, "could not start the thread that watches the transform module, changes need a restart to be seen");
}

// === impl Watcher ===

impl Watcher {
    fn run(mut self, mut tell: impl FnMut(Seen)) {
        self.arm();
        while self.hear() {
            let now = Instant::now();
            match self.state.next(now) {
                Step::Sleep(until) => self.inbox.wait(until),
                Step::Poll => {
                    self.arm();
                    self.state.polled(now, Print::of(&self.paths));
                }
                Step::Look => {
                    self.arm();
                    let look = file::look(&self.paths, self.quiet);
                    // What has happened meanwhile may be the reason for what was found.
                    if !self.hear() {
                        return;
                    }
                    if let Some(seen) = self.state.looked(Instant::now(), now, look) {
                        tell(seen);
                    }
                }
            }
        }
    }

    /// Takes what has come in; false when it is time to end.
    fn hear(&mut self) -> bool {
        let news = self.inbox.take();
        let mut moved = !news.lost.is_empty();
        for folder in &news.lost {
            self.folders.forget(folder);
        }
        for (path, note) in news.notes {
            moved |= note.change.moves();
            self.state.event(&path, note.change, note.at);
        }
        if let Some(at) = news.unclear {
            moved = true;
            self.state.unclear(at);
        }
        if news.look_now {
            self.state.look_now();
        }
        if moved {
            self.arm();
        }
        !news.stop
    }

    /// Before each look, not after it: what changes between the two then makes an event.
    fn arm(&mut self) {
        let chain = self.folders.arm(&self.paths);
        self.state.keep(|path: &PathBuf| chain.concerns(path));
    }
}
