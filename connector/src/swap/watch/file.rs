//! One look at the file and what lies beside it: stat, read once, stat again.

use std::ffi::OsString;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::OFlags;
use sha2::{Digest, Sha256};

use super::Found;
use super::error::ReadError;
use super::sections::cut_off;

/// The largest module that is read, in bytes.
pub const FILE_MAX_BYTES: u64 = crate::transform::structure::BYTES_MAX;

/// The largest `<file>.sig` that is read, in bytes. One of ed25519 has 64, as text less than 200.
pub const SIGNATURE_MAX_BYTES: u64 = 4 * 1024;

/// Bytes of `<file>.sha256` that are looked at; the digest is its first word.
const DIGEST_MAX_BYTES: u64 = 4 * 1024;

/// How often [`read`] tries again while the file changes under its hands, and how long it waits in between.
const READ_TRIES: usize = 40;
const READ_PAUSE: Duration = Duration::from_millis(50);

/// The files that make up what is watched.
#[derive(Debug, Clone)]
pub(super) struct Paths {
    pub(super) module: PathBuf,
    pub(super) digest: PathBuf,
    pub(super) signature: PathBuf,
}

/// What stat says about each of them. Another print means other bytes, perhaps; the same one means the same, but for a file that
/// is changed twice within one tick of its file system's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Print(pub(super) [Stat; 3]);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stat {
    Absent,
    Refused(io::ErrorKind),
    Is {
        size: u64,
        inode: (u64, u64),
        /// Seconds and nanoseconds.
        modified: (i64, i64),
        /// Likewise; not for users to set, and renewed by a rename and by new rights.
        changed: (i64, i64),
    },
}

/// What a look found.
#[derive(Debug)]
pub(super) enum Look {
    /// Something changed during the look, or just before.
    Moving,
    /// This, as of one moment.
    Still(Box<Print>, Result<Found, ReadError>),
}

// === impl Paths ===

impl Paths {
    pub(super) fn of(module: &Path) -> Self {
        let beside = |ending: &str| {
            let mut name = OsString::from(module);
            name.push(ending);
            PathBuf::from(name)
        };
        Self { module: module.to_owned(), digest: beside(".sha256"), signature: beside(".sig") }
    }

    pub(super) fn all(&self) -> [&Path; 3] {
        [&self.module, &self.digest, &self.signature]
    }
}

// === impl Print ===

impl Print {
    pub(super) fn of(paths: &Paths) -> Self {
        Self(paths.all().map(|path| Stat::of(path.metadata())))
    }

    /// Whether one of the files changed less than `quiet` before `now`. A clock of the file system that is ahead of ours says nothing.
    fn is_fresh(&self, now: SystemTime, quiet: Duration) -> bool {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.0.iter().any(|stat| match stat {
            Stat::Is { changed: (seconds, nanos), .. } => {
                let (Ok(seconds), Ok(nanos)) = (u64::try_from(*seconds), u32::try_from(*nanos)) else { return false };
                now.checked_sub(Duration::new(seconds, nanos)).is_some_and(|age| age < quiet)
            }
            Stat::Absent | Stat::Refused(_) => false,
        })
    }
}

impl Stat {
    fn of(found: io::Result<Metadata>) -> Self {
        match found {
            Ok(meta) => Self::Is {
                size: meta.len(),
                inode: (meta.dev(), meta.ino()),
                modified: (meta.mtime(), meta.mtime_nsec()),
                changed: (meta.ctime(), meta.ctime_nsec()),
            },
            Err(error) if is_absence(&error) => Self::Absent,
            Err(error) => Self::Refused(error.kind()),
        }
    }
}

// === reading ===

/// Reads the module at `path` once, for the start of the program, with what lies beside it.
///
/// # Errors
///
/// [`ReadError`], if it is not there, not whole, or not what `<file>.sha256` says. A file that is being written is waited for, two seconds.
pub fn read(path: &Path) -> Result<Found, ReadError> {
    let paths = Paths::of(path);
    for _ in 1..READ_TRIES {
        if let Look::Still(_, found) = look(&paths, Duration::ZERO) {
            return found;
        }
        thread::sleep(READ_PAUSE);
    }
    Err(ReadError::BeingWritten { path: path.to_owned() })
}

/// Looks, if nothing has changed for `quiet`. Takes as much memory as the file has, twice for a moment.
pub(super) fn look(paths: &Paths, quiet: Duration) -> Look {
    look_by(paths, quiet, found)
}

/// Looks, with `find` as what reads.
pub(super) fn look_by(paths: &Paths, quiet: Duration, find: impl FnOnce(&Paths) -> Result<Found, ReadError>) -> Look {
    let before = Print::of(paths);
    if before.is_fresh(SystemTime::now(), quiet) {
        return Look::Moving;
    }
    let found = find(paths);
    if Print::of(paths) == before { Look::Still(Box::new(before), found) } else { Look::Moving }
}

pub(super) fn found(paths: &Paths) -> Result<Found, ReadError> {
    let path = || paths.module.clone();
    match paths.module.metadata() {
        Ok(meta) if meta.is_file() && meta.len() > FILE_MAX_BYTES => {
            return Err(ReadError::TooLarge { path: path(), bytes: meta.len() });
        }
        // What else may be wrong is met by the reading.
        _ => {}
    }
    let Some(bytes) = read_at_most(&paths.module, FILE_MAX_BYTES)? else {
        return Err(ReadError::Absent { path: path() });
    };
    if bytes.is_empty() {
        return Err(ReadError::Empty { path: path() });
    }
    if cut_off(&bytes) {
        return Err(ReadError::CutOff { path: path(), bytes: bytes.len() });
    }
    let digest: Arc<str> = hex(&Sha256::digest(&bytes)).into();
    if let Some(text) = read_at_most(&paths.digest, DIGEST_MAX_BYTES)? {
        let sidecar = paths.digest.clone();
        match digest_in(&text) {
            None => return Err(ReadError::NoDigest { sidecar }),
            Some(expected) if *expected != *digest => {
                return Err(ReadError::OtherDigest { path: path(), sidecar, found: digest, expected });
            }
            Some(_) => {}
        }
    }
    let signature = read_at_most(&paths.signature, SIGNATURE_MAX_BYTES)?.filter(|bytes| !bytes.is_empty());
    if signature.as_ref().is_some_and(|bytes| bytes.len() as u64 > SIGNATURE_MAX_BYTES) {
        return Err(ReadError::SignatureTooLarge { sidecar: paths.signature.clone() });
    }
    Ok(Found { bytes: bytes.into(), digest, signature })
}

/// The first word, if it is a sha256, in lower case.
fn digest_in(text: &[u8]) -> Option<String> {
    let word = text.split(u8::is_ascii_whitespace).find(|word| !word.is_empty())?;
    let legal = word.len() == 64 && word.iter().all(u8::is_ascii_hexdigit);
    legal.then(|| String::from_utf8_lossy(word).to_ascii_lowercase())
}

/// The bytes of a regular file, one more than `limit` at most; `None` if it isn't there.
fn read_at_most(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, ReadError> {
    let unreadable = |source| ReadError::Unreadable { path: path.to_owned(), source };
    let file = match open(path) {
        Ok(file) => file,
        Err(error) if is_absence(&error) => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let meta = file.metadata().map_err(unreadable)?;
    if !meta.is_file() {
        return Err(ReadError::NotRegular { path: path.to_owned() });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(meta.len().min(limit) + 1).unwrap_or(0));
    file.take(limit + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(Some(bytes))
}

/// Without waiting for a writer, as opening a pipe would.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path)
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
