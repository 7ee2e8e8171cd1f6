//! Files that are read again when they change. They are small and are read whole, twice a second: that sees every way of changing them,
//! also that of a link some folders above. What is found counts once two looks have found the same, so a pair of which only one half is
//! there yet is not taken.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tracing::{error, info};

use crate::files;

/// How long between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// The largest file that is taken.
const BYTES_MAX: u64 = 1024 * 1024;

/// Something that is made of files.
pub(super) trait Reload: Send + Sync + 'static {
    /// What it is, for messages.
    fn what(&self) -> &'static str;

    /// The files.
    fn paths(&self) -> Vec<PathBuf>;

    /// Takes new contents of them; on an error the old ones stay, and the text says why.
    fn take(&self, contents: &[Vec<u8>]) -> Result<(), String>;
}

/// What a look found: the digest of the contents, or why there are none.
type Seen = Result<[u8; 32], String>;

/// Which contents are new.
#[derive(Debug)]
struct Look {
    /// What was told last.
    told: Seen,
    /// What the latest look found.
    latest: Seen,
}

/// Reads files, each up to a limit.
pub(super) fn read(paths: &[PathBuf]) -> Result<Vec<Vec<u8>>, (PathBuf, io::Error)> {
    paths.iter().map(|path| files::read_regular(path, BYTES_MAX).map_err(|error| (path.clone(), error))).collect()
}

/// Looks for ever; `contents` are those in use.
pub(super) async fn watch(subject: Arc<dyn Reload>, contents: Vec<Vec<u8>>) {
    let what = subject.what();
    let paths = subject.paths();
    let mut look = Look::new(digest(&contents));
    drop(contents);
    loop {
        tokio::time::sleep(PAUSE).await;
        let reading = paths.clone();
        // An error means that the runtime ends.
        let Ok(found) = tokio::task::spawn_blocking(move || read(&reading)).await else { return };
        let found = found.map_err(|(path, error)| format!("{}: {error}", path.display()));
        let seen = found.as_ref().map(|contents| digest(contents)).map_err(Clone::clone);
        if !look.is_news(seen) {
            continue;
        }
        match found.and_then(|contents| subject.take(&contents)) {
            Ok(()) => info!(what, files = ?paths, "files have changed and are in use"),
            Err(why) => {
                error!(what, files = ?paths, %why, "changed files can't be used, what was read before stays in use")
            }
        }
    }
}

fn digest(contents: &[Vec<u8>]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for content in contents {
        hasher.update((content.len() as u64).to_le_bytes());
        hasher.update(content);
    }
    hasher.finalize().into()
}

// === impl Look ===

impl Look {
    fn new(told: [u8; 32]) -> Self {
        Self { told: Ok(told), latest: Ok(told) }
    }

    /// Whether this has been found twice in a row and was not told yet.
    fn is_news(&mut self, found: Seen) -> bool {
        let is_settled = self.latest == found;
        self.latest = found;
        if !is_settled || self.told == self.latest {
            return false;
        }
        self.told = self.latest.clone();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_twice_is_told_once() {
        let [a, b, c] = [[1; 32], [2; 32], [3; 32]];
        let gone = || Err("gone".to_owned());
        let mut look = Look::new(a);
        let seen = [Ok(a), Ok(b), Ok(c), Ok(c), Ok(c), gone(), Ok(c), gone(), gone(), gone(), Ok(a), Ok(a)];
        let told: Vec<_> = seen.into_iter().map(|seen| look.is_news(seen)).collect();
        let expected = [false, false, false, true, false, false, false, false, true, false, false, true];
        assert_eq!(told, expected);
    }

    #[test]
    fn what_is_no_small_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, vec![0; BYTES_MAX as usize + 1]).unwrap();
        for path in [path, dir.path().to_owned(), dir.path().join("missing")] {
            assert!(read(std::slice::from_ref(&path)).is_err(), "{}", path.display());
        }
    }
}
