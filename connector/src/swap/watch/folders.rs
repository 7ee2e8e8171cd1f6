//! Keeps the system's watches on the folders that matter at the moment. Where that fails the slow poll does it alone.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use notify::{ErrorKind, RecommendedWatcher, RecursiveMode, Watcher};
use tracing::warn;

use super::chain::Chain;
use super::file::Paths;
use super::inbox::Inbox;

/// How often the way to the file is walked again because it has changed between the walk and the watch.
const WALKS_MAX: usize = 5;

/// The watched folders.
pub(super) struct Folders {
    watcher: Option<RecommendedWatcher>,
    /// Device and inode: the same path may lead to another folder.
    watched: BTreeMap<PathBuf, (u64, u64)>,
    inbox: Arc<Inbox>,
    /// False in tests of folders without events.
    events: bool,
    poll: Duration,
    warned: bool,
}

// === impl Folders ===

impl Folders {
    /// Watches nothing yet. `poll` is what the log says about folders that can't be watched.
    pub(super) fn new(inbox: Arc<Inbox>, events: bool, poll: Duration) -> Self {
        Self { watcher: None, watched: BTreeMap::new(), inbox, events, poll, warned: false }
    }

    /// Watches what decides about `paths` now, and nothing else.
    pub(super) fn arm(&mut self, paths: &Paths) -> Chain {
        let mut chain = Chain::of(paths.all());
        for _ in 1..WALKS_MAX {
            self.inbox.set_chain(&chain);
            if !self.events || !self.adopt(&chain) {
                break;
            }
            // A change before the new watch was there made no event.
            let again = Chain::of(paths.all());
            if again == chain {
                break;
            }
            chain = again;
        }
        chain
    }

    /// Ends the watch on a folder that is not at this path any more.
    pub(super) fn forget(&mut self, folder: &Path) {
        if self.watched.remove(folder).is_some()
            && let Some(watcher) = &mut self.watcher
        {
            // It has ended by itself if the folder was deleted.
            let _ = watcher.unwatch(folder);
        }
    }

    /// Whether a watch is new.
    fn adopt(&mut self, chain: &Chain) -> bool {
        let old: Vec<_> = self.watched.keys().filter(|folder| !chain.has(folder)).cloned().collect();
        for folder in old {
            self.forget(&folder);
        }
        let mut new = false;
        for folder in chain.folders() {
            let Ok(meta) = folder.metadata() else { continue };
            let inode = (meta.dev(), meta.ino());
            if self.watched.get(folder) == Some(&inode) {
                continue;
            }
            self.forget(folder);
            match self.watch(folder) {
                Ok(()) => {
                    self.watched.insert(folder.clone(), inode);
                    new = true;
                }
                Err(error) => self.warn(folder, &error),
            }
        }
        new
    }

    fn watch(&mut self, folder: &Path) -> notify::Result<()> {
        let watcher = match &mut self.watcher {
            Some(watcher) => watcher,
            none => {
                let inbox = Arc::clone(&self.inbox);
                none.insert(notify::recommended_watcher(move |event| inbox.hear(event, Instant::now()))?)
            }
        };
        watcher.watch(folder, RecursiveMode::NonRecursive)
    }

    fn warn(&mut self, folder: &Path, error: &notify::Error) {
        if self.warned || matches!(error.kind, ErrorKind::PathNotFound) {
            return;
        }
        self.warned = true;
        warn!(
            folder = %folder.display(), %error, poll_seconds = self.poll.as_secs(),
            "the system does not watch the folder of the transform module for changes, it is looked at now and then instead; if a limit \
             is reached, raise fs.inotify.max_user_watches or fs.inotify.max_user_instances"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::inbox::News;
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    fn wait_for(inbox: &Inbox, what: impl Fn(&News) -> bool) -> News {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            inbox.wait(end);
            let news = inbox.take();
            if what(&news) {
                return news;
            }
        }
        panic!("nothing came");
    }

    /// Some file systems give a new folder the inode of the last one that was deleted.
    #[test]
    fn a_folder_that_was_replaced_unseen_is_watched_again() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().canonicalize().unwrap().join("a");
        let paths = Paths::of(&folder.join("t.wasm"));
        fs::create_dir(&folder).unwrap();
        let inbox = Arc::new(Inbox::default());
        let mut folders = Folders::new(Arc::clone(&inbox), true, PATIENCE);
        folders.arm(&paths);
        let replacements: [fn(&Path); 2] = [
            |folder| fs::remove_dir_all(folder).unwrap(),
            |folder| fs::rename(folder, folder.with_file_name("old")).unwrap(),
        ];
        for replace in replacements {
            replace(&folder);
            fs::create_dir(&folder).unwrap();
            for lost in wait_for(&inbox, |news| !news.lost.is_empty()).lost {
                folders.forget(&lost);
            }
            folders.arm(&paths);
            fs::write(&paths.module, "x").unwrap();
            wait_for(&inbox, |news| news.notes.contains_key(&paths.module));
        }
    }

    #[test]
    fn folders_that_matter_no_more_are_not_watched() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let paths = Paths::of(&root.join("a/t.wasm"));
        let mut folders = Folders::new(Arc::new(Inbox::default()), true, PATIENCE);
        folders.arm(&paths);
        assert_eq!(folders.watched.keys().collect::<Vec<_>>(), [&root]);
        fs::create_dir(root.join("a")).unwrap();
        folders.arm(&paths);
        assert_eq!(folders.watched.keys().collect::<Vec<_>>(), [&root.join("a")]);
    }
}
