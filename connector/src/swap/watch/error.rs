//! Why a module's file can't be taken, in words for who has put it there.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

use super::file::{FILE_MAX_BYTES, SIGNATURE_MAX_BYTES};

/// Why a file can't be taken.
#[derive(Debug, Error)]
pub enum ReadError {
    /// It isn't there.
    #[error("there is no file {}; put the module there, or correct transform.module", path.display())]
    Absent {
        /// The file.
        path: PathBuf,
    },
    /// A folder, a pipe or a device.
    #[error("{} is a folder, a pipe or a device; put a file there, or correct transform.module", path.display())]
    NotRegular {
        /// The path.
        path: PathBuf,
    },
    /// Larger than any transform.
    #[error(
        "{} has {bytes} bytes, the limit is {FILE_MAX_BYTES}; build the module with optimisation for size and without debug information",
        path.display()
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// The system refuses it.
    #[error("could not read {}; check that the user Sluice runs as may read it and enter its folders", path.display())]
    Unreadable {
        /// The module or a file beside it.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// No bytes (yet).
    #[error("{} is empty; copy the module there again, best under another name in the same folder, and then rename it", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Not all bytes (yet).
    #[error(
        "{} ends in the middle of a section or in zeros after {bytes} bytes, so it was not copied whole; copy it again, best under \
         another name in the same folder, and then rename it",
        path.display()
    )]
    CutOff {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: usize,
    },
    /// The file beside it that says its digest says another (yet).
    #[error(
        "{} has the sha256 {found}, but {} says {expected}, so one of the two is old or damaged; write both again, or delete the latter",
        path.display(),
        sidecar.display()
    )]
    OtherDigest {
        /// The module.
        path: PathBuf,
        /// The file beside it.
        sidecar: PathBuf,
        /// The digest of the module's bytes.
        found: Arc<str>,
        /// What the file beside it says.
        expected: String,
    },
    /// The file beside it that says its digest does not (yet).
    #[error(
        "{} does not start with a sha256 of 64 hexadecimal digits; write it with sha256sum, or delete it to do without",
        sidecar.display()
    )]
    NoDigest {
        /// The file beside the module.
        sidecar: PathBuf,
    },
    /// What lies beside it is no detached signature.
    #[error(
        "{} has more than {SIGNATURE_MAX_BYTES} bytes, so it is no detached signature; write the signature alone there, or delete it",
        sidecar.display()
    )]
    SignatureTooLarge {
        /// The file beside the module.
        sidecar: PathBuf,
    },
    /// It changes under the reader's hands.
    #[error("{} is being written; try again when the copying is done", path.display())]
    BeingWritten {
        /// The file.
        path: PathBuf,
    },
}

// === impl ReadError ===

impl ReadError {
    /// With the system's words, for where only text is kept.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Unreadable { source, .. } => format!("{self}: {source}"),
            _ => self.to_string(),
        }
    }
}
