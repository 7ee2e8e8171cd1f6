//! Machine code that was compiled before, in a folder of our own: a start with a module that has run does not compile it again.
//!
//! wasmtime can't check machine code, and whoever could change it would run what they like as us. So the folder is ours alone
//! (0700) and held by its handle, a file is opened without following a link and has to be a regular one that only we may touch, and its
//! checksum is compared before use. A file's name is the module's digest and the compiler that it was made by. Whatever is wrong with
//! a file costs one compilation, never a module: it is removed and told of.

use std::fs::{DirBuilder, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::process::geteuid;
use sha2::{Digest, Sha256};
use thiserror::Error;
use wasmtime::component::Component;

use super::loader::deserialize;

mod folder;

/// The first bytes of a file. The number is that of the format.
const MAGIC: &[u8] = b"sluice-code-1\n";

/// What stands before the code: the magic and a sha256.
const HEADER_BYTES: usize = MAGIC.len() + 32;

/// Ends the name of a file that is being written.
const UNFINISHED: &str = ".new";

/// Others may write.
const OTHERS_WRITE: u32 = 0o022;

/// Others may do anything at all.
const OTHERS: u32 = 0o077;

/// Why the folder can't be used.
#[derive(Debug, Error)]
pub enum CacheError {
    /// It can't be made or opened.
    #[error(
        "could not open the folder for machine code {}; it has to be a folder, no link, that this user may write to", path.display()
    )]
    Open {
        /// The folder.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// Machine code in it may be somebody else's.
    #[error(
        "the folder for machine code {} {problem}, so what is in it may not be ours; remove the folder, it is made again", path.display()
    )]
    NotPrivate {
        /// The folder.
        path: PathBuf,
        /// Whose it is, or who may write.
        problem: String,
    },
}

/// The cache. Cheap to clone.
#[derive(Debug, Clone)]
pub struct CodeCache(Arc<Folder>);

/// What a piece of machine code is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key(String);

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    handle: OwnedFd,
}

// === impl Key ===

impl Key {
    /// The machine code of the module with this digest, made by this version of Sluice for `engine`.
    pub(super) fn new(digest: &str, engine: &wasmtime::Engine) -> Self {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        // Another version may make another component of the same core module.
        env!("CARGO_PKG_VERSION").hash(&mut hasher);
        Self(format!("{digest}-{:016x}", hasher.finish()))
    }
}

// === impl CodeCache ===

impl CodeCache {
    /// Opens the folder, and makes it if need be. Files that were not written to their end are removed, so only one process may use
    /// it; the lock of the state folder sees to that.
    ///
    /// # Errors
    ///
    /// If it can't be made or opened, is not this user's, or others may write to it.
    pub fn open(path: &Path) -> Result<Self, CacheError> {
        let failed = |source| CacheError::Open { path: path.to_owned(), source };
        let errno = |error: rustix::io::Errno| failed(error.into());
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle = rustix::fs::open(path, flags, Mode::empty()).map_err(errno)?;
        let stat = rustix::fs::fstat(&handle).map_err(errno)?;
        let not_private = |problem| CacheError::NotPrivate { path: path.to_owned(), problem };
        if stat.st_uid != geteuid().as_raw() {
            return Err(not_private(format!("belongs to user {}", stat.st_uid)));
        }
        let mode = stat.st_mode & 0o7777;
        if mode & OTHERS_WRITE != 0 {
            return Err(not_private(format!("has mode {mode:04o}: others may write to it")));
        }
        if mode & OTHERS != 0 {
            rustix::fs::fchmod(&handle, Mode::RWXU).map_err(errno)?;
        }
        let folder = Folder { path: path.to_owned(), handle };
        folder.remove_unfinished().map_err(failed)?;
        Ok(Self(Arc::new(folder)))
    }

    /// The component whose machine code is kept under `key`, if there is one that can be trusted. Another is removed.
    pub(super) fn component(&self, engine: &wasmtime::Engine, key: &Key) -> Option<Component> {
        let file = self.0.read(&key.0).transpose()?;
        let component = file.and_then(|bytes| {
            deserialize(engine, verified(key, &bytes)?).map_err(|error| io::Error::other(format!("{error:#}")))
        });
        match component {
            Ok(component) => Some(component),
            Err(error) => {
                let file = self.0.path.join(&key.0);
                tracing::warn!(file = %file.display(), %error, "machine code in the cache is not used, compiling the module again");
                self.0.remove(&key.0);
                None
            }
        }
    }

    /// Keeps machine code under `key`, and removes what has become too much. What can't be kept is warned of.
    pub(super) fn keep(&self, key: &Key, code: &[u8]) {
        if let Err(error) =
            self.0.write(&key.0, &[MAGIC, &checksum(key, code), code]).and_then(|()| self.0.prune(&key.0))
        {
            let folder = self.0.path.display();
            tracing::warn!(%folder, %error, "machine code could not be kept, the next start compiles the module again");
        }
    }
}

/// The code in a file, if the file is what was written under this key.
fn verified<'a>(key: &Key, file: &'a [u8]) -> io::Result<&'a [u8]> {
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let (header, code) = file.split_at_checked(HEADER_BYTES).ok_or_else(|| wrong("it is cut off"))?;
    let sum = header.strip_prefix(MAGIC).ok_or_else(|| wrong("it is of another format"))?;
    if sum == checksum(key, code) { Ok(code) } else { Err(wrong("its checksum is wrong: it was changed or damaged")) }
}

/// Over the key as well, so that a file that was given another name does not pass.
fn checksum(key: &Key, code: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(&key.0).chain_update([0]).chain_update(code).finalize().into()
}

#[cfg(test)]
mod tests;
