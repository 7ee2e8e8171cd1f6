//! The history of a connector and the modules that it names, in the state folder.
//!
//! ```text
//! <state.dir>/transforms/<connector>/history.json        what a History says; a person can read it
//!                                    <sha256>.wasm       the bytes of a module
//!                                    <sha256>.wasm.sig   the detached signature that it came with
//!                                    *.damaged-<ms>      what could not be used, set aside at that time (milliseconds since 1970)
//!                                    .*.tmp              being written; if nobody writes, of a process that died
//! ```
//!
//! Every file is whole at any time, whenever the process dies (`state/atomic.rs`). What one file says of another holds if the caller keeps the
//! order: first [`Store::put_module`], then [`Store::save`] of a history that names it; and [`Store::prune`] only what a saved history
//! does not keep. One process uses the folder ([`crate::state::StateDir`]), and in it one thread a connector.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::history::{History, is_digest};
use crate::state::{atomic, name};

mod error;

pub use error::StoreError;

/// The form of the history file that this program writes and reads. To be raised with every change that an older program would misread,
/// which includes every new word for what happened.
const FORMAT: u64 = 1;

/// The first line of the history file, for whoever opens it.
const ABOUT: &str =
    "what ran in a connector of Sluice; times (…_ms) are milliseconds since 1970 in UTC, digests are sha256";

/// The folder in the state folder.
const FOLDER: &str = "transforms";

const HISTORY_FILE: &str = "history.json";

/// Where one connector's history and modules are.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
}

/// The history file.
#[derive(Serialize)]
struct Written<'a> {
    format: u64,
    about: &'static str,
    #[serde(flatten)]
    history: &'a History,
}

/// What is the same in every format.
#[derive(Deserialize)]
struct AnyFormat {
    format: u64,
}

// === impl Store ===

impl Store {
    /// The connector's folder in the state folder; made if need be, for this user alone.
    ///
    /// # Errors
    ///
    /// If it can't be made.
    pub fn open(state_dir: &Path, connector: &str) -> Result<Self, StoreError> {
        let all = state_dir.join(FOLDER);
        let folder = all.join(name::of_connector(connector));
        for path in [&all, &folder] {
            atomic::make_folder(path).map_err(|source| StoreError::Folder { path: path.clone(), source })?;
        }
        Ok(Self { folder })
    }

    /// Removes everything that is kept of a connector that is gone.
    ///
    /// # Errors
    ///
    /// If something can't be removed.
    pub fn forget(state_dir: &Path, connector: &str) -> Result<(), StoreError> {
        let folder = state_dir.join(FOLDER).join(name::of_connector(connector));
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            result => result.map_err(|source| StoreError::Remove { path: folder, source }),
        }
    }

    /// What was saved last; an empty history if nothing was. A damaged file is set aside, which is told in the log, and counts as none.
    ///
    /// # Errors
    ///
    /// If there is a file that can't be read or set aside, or one of a newer program, which is not touched.
    pub fn load(&self) -> Result<History, StoreError> {
        let path = self.folder.join(HISTORY_FILE);
        let Some(bytes) = read(&path)? else { return Ok(History::default()) };
        match parse(&bytes) {
            Ok(history) => Ok(history),
            Err(Unusable::Newer(format)) => Err(StoreError::Newer { path, format }),
            Err(Unusable::Damaged(damage)) => {
                let aside = set_aside(&path, &damage)?;
                tracing::error!(
                    file = %path.display(), damage, kept_as = %aside.display(),
                    "the history of the connector's modules is damaged, so what transform.module says runs, and modules that were rolled back \
                     may be tried again"
                );
                Ok(History::default())
            }
        }
    }

    /// Replaces what was saved before. When this returns, it outlasts a failure of the machine.
    ///
    /// # Errors
    ///
    /// If the file can't be written; what was saved before is still there then.
    pub fn save(&self, history: &History) -> Result<(), StoreError> {
        let written = Written { format: FORMAT, about: ABOUT, history };
        let mut text = serde_json::to_vec_pretty(&written).map_err(StoreError::Json)?;
        text.push(b'\n');
        let path = self.folder.join(HISTORY_FILE);
        atomic::write(&path, &text).map_err(|source| StoreError::Write { path, source })
    }

    /// Keeps a module's bytes. Does nothing if they are there already; puts damaged ones right.
    ///
    /// # Errors
    ///
    /// If they can't be written, or are not those of the digest.
    pub fn put_module(&self, digest: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let found = sha256(bytes);
        if found != digest {
            return Err(StoreError::Digest { expected: digest.to_owned(), found });
        }
        if self.module(digest)?.is_some() {
            return Ok(());
        }
        let path = self.module_path(digest);
        atomic::write(&path, bytes).map_err(|source| StoreError::Write { path, source })
    }

    /// A module's bytes, if they are kept. Damaged ones are set aside, which is told in the log, and count as not kept.
    ///
    /// # Errors
    ///
    /// If there is a file that can't be read or set aside.
    pub fn module(&self, digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
        // Else it could name any file.
        if !is_digest(digest) {
            return Ok(None);
        }
        let path = self.module_path(digest);
        let Some(bytes) = read(&path)? else { return Ok(None) };
        let found = sha256(&bytes);
        if found == digest {
            return Ok(Some(bytes));
        }
        let damage = format!("its bytes have the digest {found}");
        let aside = set_aside(&path, &damage)?;
        tracing::error!(
            file = %path.display(), damage, kept_as = %aside.display(),
            "a kept module is damaged, and is not used"
        );
        Ok(None)
    }

    /// Keeps the detached signature that a module came with. It goes with the module.
    ///
    /// # Errors
    ///
    /// If it can't be written.
    pub fn put_signature(&self, digest: &str, signature: &[u8]) -> Result<(), StoreError> {
        if self.signature(digest)?.as_deref() == Some(signature) {
            return Ok(());
        }
        let path = self.signature_path(digest);
        atomic::write(&path, signature).map_err(|source| StoreError::Write { path, source })
    }

    /// The signature that a kept module came with. Whether it is good is for the policy to say.
    ///
    /// # Errors
    ///
    /// If there is one that can't be read.
    pub fn signature(&self, digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
        // Else it could name any file.
        if !is_digest(digest) {
            return Ok(None);
        }
        read(&self.signature_path(digest))
    }

    /// The newest good version whose bytes are kept, with these. It is another than [`History::last_good`] if they are gone, which is told
    /// in the log for each. `None` if there is none at all.
    pub fn last_good_module(&self, history: &History) -> Option<(String, Vec<u8>)> {
        for digest in history.good.iter().rev() {
            match self.module(digest) {
                Ok(Some(bytes)) => return Some((digest.clone(), bytes)),
                Ok(None) => tracing::warn!(
                    digest,
                    folder = %self.folder.display(),
                    "the bytes of a good module are not in the state folder, trying the one before it"
                ),
                Err(error) => tracing::warn!(
                    digest,
                    error = crate::trace(&error),
                    "a good module can't be used, trying the one before it"
                ),
            }
        }
        None
    }

    /// Removes the modules that are not to be kept ([`History::keeps`] of the history saved last), damaged ones among them, and what
    /// processes that died have left half written. Every other file stays.
    ///
    /// # Errors
    ///
    /// The first one, after everything has been tried. The files are in nobody's way.
    pub fn prune(&self, keep: &BTreeSet<&str>) -> Result<(), StoreError> {
        let unreadable = |source| StoreError::Read { path: self.folder.clone(), source };
        let mut result = Ok(());
        for file in fs::read_dir(&self.folder).map_err(unreadable)? {
            let file = file.map_err(unreadable)?;
            if !is_superfluous(&file.file_name().to_string_lossy(), keep) {
                continue;
            }
            let path = file.path();
            if let Err(source) = atomic::remove(&path) {
                result = result.and(Err(StoreError::Remove { path, source }));
            }
        }
        result
    }

    fn signature_path(&self, digest: &str) -> PathBuf {
        self.folder.join(format!("{digest}.wasm.sig"))
    }

    fn module_path(&self, digest: &str) -> PathBuf {
        self.folder.join(format!("{digest}.wasm"))
    }
}

/// Why a history file says nothing.
enum Unusable {
    Newer(u64),
    Damaged(String),
}

fn parse(bytes: &[u8]) -> Result<History, Unusable> {
    let damaged = |error: serde_json::Error| Unusable::Damaged(error.to_string());
    match serde_json::from_slice::<AnyFormat>(bytes).map_err(damaged)?.format {
        FORMAT => {}
        newer if newer > FORMAT => return Err(Unusable::Newer(newer)),
        other => return Err(Unusable::Damaged(format!("no program has written format {other}"))),
    }
    let history: History = serde_json::from_slice(bytes).map_err(damaged)?;
    match history.fault() {
        Some(fault) => Err(Unusable::Damaged(fault)),
        None => Ok(history),
    }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StoreError::Read { path: path.to_owned(), source }),
    }
}

fn set_aside(path: &Path, damage: &str) -> Result<PathBuf, StoreError> {
    let failed = |source| StoreError::SetAside { path: path.to_owned(), damage: damage.to_owned(), source };
    atomic::set_aside(path).map_err(failed)
}

fn is_superfluous(name: &str, keep: &BTreeSet<&str>) -> bool {
    let module = name.split_once(".wasm").map(|(digest, _)| digest).filter(|digest| is_digest(digest));
    atomic::is_left_over(name) || module.is_some_and(|digest| !keep.contains(digest))
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
