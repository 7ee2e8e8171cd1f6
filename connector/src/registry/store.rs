//! The connectors in the state folder.
//!
//! ```text
//! <state.dir>/connectors/<connector>.json       what a Record says; a person can read it
//!                        *.damaged-<ms>         what could not be used, set aside at that time (milliseconds since 1970)
//!                        .*.tmp                 being written; if nobody writes, of a process that died
//! ```
//!
//! Every file is whole at any time, whenever the process dies (`state/atomic.rs`). What is damaged all the same is set aside, and the other
//! connectors start.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::record::Record;
use crate::state::{atomic, name};

/// The form of a file that this program writes and reads. To be raised with every change that an older program would misread.
const FORMAT: u64 = 1;

/// The first line of a file, for whoever opens it.
const ABOUT: &str = "a connector of Sluice, changed over its REST API: changes by hand are read at the next start";

/// The folder in the state folder.
const FOLDER: &str = "connectors";

const ENDING: &str = ".json";

/// Why the state folder does not keep a connector.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The folder can't be made or listed.
    #[error("could not use {}, where connectors are kept; make it readable and writable for this user, or choose another state.dir", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// A file can't be written or removed.
    #[error("could not change {}; is the disk full, or the state folder not writable?", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// A file can't be read.
    #[error("could not read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
}

/// Where the connectors are kept.
#[derive(Debug)]
pub struct ConnectorStore {
    folder: PathBuf,
}

/// A connector's file.
#[derive(Serialize)]
struct Written<'a> {
    format: u64,
    about: &'static str,
    #[serde(flatten)]
    record: &'a Record,
}

/// What is the same in every format.
#[derive(Deserialize)]
struct AnyFormat {
    format: u64,
}

/// Why a file says nothing.
#[derive(Debug, PartialEq, Eq)]
enum Unusable {
    /// A newer program's.
    Newer(u64),
    /// What is wrong with it.
    Damaged(String),
}

// === impl ConnectorStore ===

impl ConnectorStore {
    /// The folder in the state folder; made if need be, for this user alone.
    ///
    /// # Errors
    ///
    /// If it can't be made.
    pub fn open(state_dir: &Path) -> Result<Self, StoreError> {
        let folder = state_dir.join(FOLDER);
        atomic::make_folder(&folder).map_err(|source| StoreError::Folder { path: folder.clone(), source })?;
        Ok(Self { folder })
    }

    /// Every connector that is kept, by name. A damaged file is set aside, one of a newer program left alone; both are told in the log.
    ///
    /// # Errors
    ///
    /// If the folder or a file can't be read: nobody is to take a connector for deleted that is there.
    pub fn load(&self) -> Result<Vec<Record>, StoreError> {
        let unlisted = |source| StoreError::Folder { path: self.folder.clone(), source };
        let mut records = Vec::new();
        for file in fs::read_dir(&self.folder).map_err(unlisted)? {
            let path = file.map_err(unlisted)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if atomic::is_left_over(&name) {
                self.change(&path, atomic::remove)?;
            } else if name.ends_with(ENDING) {
                records.extend(self.read(&path, &name)?);
            }
        }
        records.sort_by(|a: &Record, b| a.name.cmp(&b.name));
        Ok(records)
    }

    fn read(&self, path: &Path, file: &str) -> Result<Option<Record>, StoreError> {
        let bytes = fs::read(path).map_err(|source| StoreError::Read { path: path.to_owned(), source })?;
        match parse(&bytes, file) {
            Ok(record) => return Ok(Some(record)),
            Err(Unusable::Newer(format)) => tracing::error!(
                file = %path.display(), format, known = FORMAT,
                "a connector was kept by a newer program and is not started; start that program, or remove the file"
            ),
            Err(Unusable::Damaged(damage)) => {
                let aside = self.change(path, atomic::set_aside)?;
                tracing::error!(
                    file = %path.display(), damage, kept_as = %aside.display(),
                    "the file of a connector is damaged and set aside, the connector is not started; mend it and give it its name again, or \
                     make the connector anew"
                );
            }
        }
        Ok(None)
    }

    /// Replaces what was kept of the connector. When this returns, it outlasts a failure of the machine.
    ///
    /// # Errors
    ///
    /// If it can't be written; what was kept before is still there then.
    pub fn save(&self, record: &Record) -> Result<(), StoreError> {
        let path = self.path(&record.name);
        let written = Written { format: FORMAT, about: ABOUT, record };
        let bytes = serde_json::to_vec_pretty(&written)
            .map_err(|error| StoreError::Write { path: path.clone(), source: io::Error::other(error) })?;
        self.change(&path, |path| atomic::write(path, &[&bytes, &b"\n"[..]].concat()))
    }

    /// Keeps the connector no longer. One that is not kept is no error.
    ///
    /// # Errors
    ///
    /// If its file can't be removed.
    pub fn remove(&self, connector: &str) -> Result<(), StoreError> {
        let gone = |path: &Path| match atomic::remove_for_good(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            result => result,
        };
        self.change(&self.path(connector), gone)
    }

    fn path(&self, connector: &str) -> PathBuf {
        self.folder.join(format!("{}{ENDING}", name::of_connector(connector)))
    }

    fn change<T>(&self, path: &Path, change: impl FnOnce(&Path) -> io::Result<T>) -> Result<T, StoreError> {
        change(path).map_err(|source| StoreError::Write { path: path.to_owned(), source })
    }
}

fn parse(bytes: &[u8], file: &str) -> Result<Record, Unusable> {
    let damaged = |error: serde_json::Error| Unusable::Damaged(error.to_string());
    match serde_json::from_slice::<AnyFormat>(bytes).map_err(damaged)?.format {
        FORMAT => {}
        newer if newer > FORMAT => return Err(Unusable::Newer(newer)),
        other => return Err(Unusable::Damaged(format!("no program has written format {other}"))),
    }
    let record: Record = serde_json::from_slice(bytes).map_err(damaged)?;
    let belongs = format!("{}{ENDING}", name::of_connector(&record.name));
    if belongs != file {
        // A copy would start the connector twice.
        return Err(Unusable::Damaged(format!("it holds connector `{}`, whose file is called {belongs}", record.name)));
    }
    Ok(record)
}

#[cfg(test)]
mod tests;
