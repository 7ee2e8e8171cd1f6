//! The state folder (`state.dir`): one process at a time, and files that are never half written (`atomic`).

pub(crate) mod atomic;
pub(crate) mod name;

use std::fs::{self, File, TryLockError};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// The file whose lock says that a process uses the folder; it names the process.
const LOCK_FILE: &str = "sluice.lock";

/// Why the state folder can't be used.
#[derive(Debug, Error)]
pub enum StateError {
    /// It can't be made or written.
    #[error("could not write to the state folder {}; make it writable for this user, or choose another with state.dir", path.display())]
    Unwritable {
        /// The folder.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// Another process has it.
    #[error("the state folder {} is in use by process {process}; stop that one, or choose another with state.dir", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
        /// Its process id, if it could be read.
        process: String,
    },
}

/// A state folder of ours, until this is dropped.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    _lock: File,
}

// === impl StateDir ===

impl StateDir {
    /// Makes the folder if need be, and takes its lock.
    ///
    /// # Errors
    ///
    /// If it can't be made or written, or another process uses it.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let unwritable = |source| StateError::Unwritable { path: path.to_owned(), source };
        fs::create_dir_all(path).map_err(unwritable)?;
        let file = path.join(LOCK_FILE);
        let mut lock =
            File::options().create(true).truncate(false).write(true).read(true).open(&file).map_err(unwritable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let process = fs::read_to_string(&file).unwrap_or_default().trim().to_owned();
                return Err(StateError::InUse { path: path.to_owned(), process });
            }
            Err(TryLockError::Error(source)) => return Err(unwritable(source)),
        }
        lock.set_len(0).and_then(|()| lock.rewind()).map_err(unwritable)?;
        writeln!(lock, "{}", std::process::id()).and_then(|()| lock.sync_all()).map_err(unwritable)?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_process_is_refused_and_told_by_whom() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        let first = StateDir::open(&path).unwrap();
        let error = StateDir::open(&path).unwrap_err().to_string();
        assert!(error.contains(&std::process::id().to_string()) && error.contains("state.dir"), "{error}");
        drop(first);
        StateDir::open(&path).unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "x").unwrap();
        let error = StateDir::open(&file.join("state")).unwrap_err().to_string();
        assert!(error.contains("state.dir") && error.contains("file/state"), "{error}");
    }
}
